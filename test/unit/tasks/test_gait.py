"""The gait clock: its schedule, and that it travels with the state."""

import mujoco
import numpy as np
import pytest

from polo_ros.agent.world import World
from polo_ros.control.joints import JointMapping
from polo_ros.control.prediction import Predictor
from polo_ros.control.state import StateAssembler
from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_fields
from polo_ros.planner.rollouts import Rollouts
from polo_ros.tasks import View
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.state import GAIT_CLOCK, clock_entry, get_state, set_state, state_entries
from test.support.quadruped import Trot

TROT = Trot.gait


@pytest.fixture(scope="module")
def task() -> Trot:
    return Trot()


def at(*times: float) -> View:
    """Views of times in s."""
    return View({GAIT_CLOCK: slice(0, 1)}, np.array(times)[:, None], np.empty((len(times), 0)))


def test_a_foot_stands_for_its_duty_then_swings() -> None:
    gait = Gait(period=2.0, duty=0.75, offsets=(0.0, 0.5), height=0.1)
    view = at(0.0, 1.4, 1.5, 1.75, 2.0, 2.75)
    np.testing.assert_allclose(gait.phases(view)[:, 0], [0.0, 0.7, 0.75, 0.875, 0.0, 0.375])
    assert gait.stance(view)[:, 0].tolist() == [True, True, False, False, True, True]
    assert gait.stance(view)[:, 1].tolist() == [True, True, True, True, True, False]
    # the middle of the swing of the first foot is at 7/8 of the cycle, that of the second at 3/8
    np.testing.assert_allclose(gait.foot_heights(view)[:, 0], [0.0, 0.0, 0.0, 0.1, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(gait.foot_heights(view)[5, 1], 0.1)


def test_the_features_repeat_with_the_cycle_and_are_distinct_within_it() -> None:
    features = TROT.features(at(0.0, 0.125, 0.5, 1.0))
    np.testing.assert_allclose(features, [[0, 1], [1, 0], [0, 1], [0, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": 0.0}, "the period of a gait is a time above 0 s, not 0.0"),
        ({"duty": 1.0}, "the duty of a gait lies between 0 and 1"),
        ({"offsets": (0.0, 1.0)}, r"the offsets of a gait lie in \[0, 1\)"),
        ({"offsets": ()}, "the offsets of a gait"),
    ],
)
def test_a_gait_out_of_range_is_refused(change: dict, message: str) -> None:  # type: ignore[type-arg]
    values = {"period": 0.5, "duty": 0.5, "offsets": (0.0, 0.5), "height": 0.1}
    with pytest.raises(PoloError, match=message):
        Gait(**(values | change))  # type: ignore[arg-type]


def test_the_clock_is_an_entry_of_the_state_before_the_goal(task: Trot) -> None:
    model, data = task.model, mujoco.MjData(task.model)
    clock = clock_entry(model)
    assert clock == model.nq + model.nv and task.state_size == clock + 1 + 7 == len(state_entries(model))
    rng = np.random.default_rng(0)
    data.qpos[:], data.qvel[:], data.time = rng.random(model.nq), rng.random(model.nv), 3.5
    data.mocap_pos[0] = [0.4, 0.5, 0.6]
    state = task.state_of(data)
    assert state[clock] == 3.5 and task.goal_of(state)[:3].tolist() == [0.4, 0.5, 0.6]
    other = mujoco.MjData(model)
    set_state(model, other, state)
    assert other.time == 3.5
    np.testing.assert_array_equal(get_state(model, other), state)
    assert [field[:2] for field in experience_fields(task)][4] == ("gait_clock", 1)


def test_a_task_without_a_gait_has_no_clock(cartpole) -> None:  # type: ignore[no-untyped-def]
    assert clock_entry(cartpole.model) is None
    assert "gait_clock" not in [name for name, _, _ in experience_fields(cartpole)]


def test_the_clock_advances_in_rollouts(task: Trot) -> None:
    world = World(task, np.random.default_rng(0))
    world.data.time = 0.3
    controls = np.tile(task.neutral, (1, 2, 6, 1))
    view = task.view(
        Rollouts(task.model, 1, task.substeps).run(world.state[None], controls).sensordata, controls
    )
    times = 0.3 + task.timestep * np.arange(6)
    np.testing.assert_allclose(view.sensor(GAIT_CLOCK)[0, :, :, 0], [times, times])
    np.testing.assert_allclose(TROT.phases(view)[0, 0, :, 1], np.mod(times / 0.5 + 0.5, 1.0))


def test_the_clock_advances_in_predictions_as_in_the_world(task: Trot) -> None:
    world = World(task, np.random.default_rng(0))
    before = world.state
    predicted = Predictor(task).predict(before, 0.0, 3, lambda _: task.neutral)
    for _ in range(3):
        world.step(task.neutral)
    clock = clock_entry(task.model)
    assert predicted[clock] == pytest.approx(3 * task.timestep)
    np.testing.assert_allclose(predicted, world.state, atol=1e-9)


def test_observation_knows_the_clock(task: Trot) -> None:
    state = task.start_state(np.random.default_rng(0))
    state[clock_entry(task.model)] = 0.125
    np.testing.assert_allclose(task.value_features(task.observe(state))[-2:], [1.0, 0.0], atol=1e-12)


def test_the_clock_of_an_assembled_state_follows_its_stamp(task: Trot) -> None:
    joints = JointMapping(task.model)
    states = StateAssembler(task, joints, lockstep=False)
    clock = clock_entry(task.model)
    cycle = round(1e9 * TROT.period)
    for stamp in (1_800_000_000 * cycle, 1_800_000_000 * cycle + 10_000_000):
        states.add_joints(np.zeros(8), np.zeros(8), stamp)
        states.add_odometry("odom", np.array([0, 0, 1, 1.0, 0, 0, 0]), np.zeros(6), stamp)
        snapshot = states.snapshot()
        assert snapshot is not None
        assert snapshot.state[clock] == pytest.approx((stamp % cycle) / 1e9, abs=1e-12)
    assert snapshot.state[clock] == 0.01
