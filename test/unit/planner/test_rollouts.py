"""Rollouts against plain MuJoCo steps."""

import copy
from pathlib import Path

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.tasks import Task, make_task, task_classes
from polo_ros.tasks.state import set_state

STEPS = 12


@pytest.fixture(params=["cartpole_swingup", "humanoid_getup"])
def task(request: pytest.FixtureRequest) -> Task:
    return make_task(request.param)


def problem(task: Task, problems: int = 2, rollouts: int = 3, seed: int = 1) -> tuple[Array, Array]:
    """Start states and random controls."""
    rng = np.random.default_rng(seed)
    states = np.array([task.start_state(rng) for _ in range(problems)])
    shape = (problems, rollouts, STEPS + 1, task.model.nu)
    return states, rng.uniform(task.control_low, task.control_high, shape)


def stepped(task: Task, state: Array, controls: Array) -> tuple[Array, Array]:
    """Sensors of s_0 to s_H and the state one step further, by mj_step on one MjData."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, state)
    sensordata = []
    for control in controls:
        data.ctrl[:] = control
        mujoco.mj_step(task.model, data)
        sensordata.append(data.sensordata.copy())
    return np.array(sensordata), task.state_of(data)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_records_equal_plain_steps_to_the_bit(task: Task, threads: int) -> None:
    states, controls = problem(task)
    rollouts = Rollouts(task.model, threads)
    recording = rollouts.run(states, controls)
    assert recording.sensordata.shape == (2, 3, STEPS + 1, task.model.nsensordata)
    assert recording.valid.all() and recording.valid.shape == (2, 3)
    finals = rollouts.final_states().reshape(2, 3, -1)
    for where in np.ndindex(2, 3):
        expected, final = stepped(task, states[where[0]], controls[where])
        np.testing.assert_array_equal(recording.sensordata[where], expected)
        np.testing.assert_array_equal(finals[where], final)


# one task for each model
@pytest.mark.parametrize("name", {task.model_source: name for name, task in task_classes().items()}.values())
def test_shortcuts_of_rollouts_are_accurate(name: str) -> None:
    """One step from states along random motions, against a solver that iterates until nothing changes.

    MuJoCo's own may stop early in a few of ten thousand states, with the shortcuts and without.
    """
    task = make_task(name)
    exact = copy.deepcopy(task.model)
    exact.opt.tolerance, exact.opt.iterations = 0.0, 500
    exact.opt.ls_tolerance, exact.opt.ls_iterations = 1e-6, 200
    states, controls = problem(task, problems=20, rollouts=1)
    shortcut, slow = Rollouts(for_rollouts(task.model), 2), Rollouts(exact, 2)
    off = []
    for step in range(STEPS):
        reached = []
        for rollouts in (shortcut, slow):
            rollouts.run(states, controls[:, :, step : step + 1])
            reached.append(rollouts.final_states())
        off.append(np.abs(reached[0] - reached[1]).max(axis=1))
        states = reached[1]
    assert np.percentile(off, 99) < 1e-9


@pytest.mark.parametrize(
    ("solver", "bodies", "warm", "islands"),
    [("Newton", 1, False, False), ("Newton", 2, False, True), ("CG", 1, True, False), ("PGS", 2, True, True)],
)
def test_shortcuts_are_taken_where_they_change_nothing(
    solver: str, bodies: int, warm: bool, islands: bool
) -> None:
    body = "<body><freejoint/><geom size='0.1'/></body>"
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><option solver='{solver}'/><worldbody>{body * bodies}</worldbody></mujoco>"
    )
    flags = for_rollouts(model).opt.disableflags
    assert bool(flags & mujoco.mjtDisableBit.mjDSBL_WARMSTART) != warm
    assert bool(flags & mujoco.mjtDisableBit.mjDSBL_ISLAND) != islands
    assert model.opt.disableflags == 0


def test_the_first_record_describes_the_given_state(task: Task) -> None:
    states, controls = problem(task)
    recording = Rollouts(task.model, 1).run(states, controls)
    for row, state in enumerate(states):
        seen = task.observe(state, controls[row, 0, 0]).sensordata
        np.testing.assert_array_equal(recording.sensordata[row, 0, 0], seen)


def test_the_last_record_describes_the_terminal_state(task: Task) -> None:
    """s_H by H plain steps, then its sensors by mj_forward: touch sensors included."""
    states, controls = problem(task)
    recording = Rollouts(task.model, 1).run(states, controls)
    for where in np.ndindex(2, 3):
        data = mujoco.MjData(task.model)
        set_state(task.model, data, states[where[0]])
        for control in controls[where][:-1]:
            data.ctrl[:] = control
            mujoco.mj_step(task.model, data)
        data.ctrl[:] = controls[where][-1]
        mujoco.mj_forward(task.model, data)
        np.testing.assert_array_equal(recording.sensordata[where][-1], data.sensordata)


def test_the_last_control_does_not_change_the_records(cartpole: Task) -> None:
    states, controls = problem(cartpole)
    first = Rollouts(cartpole.model, 1).run(states, controls).sensordata.copy()
    controls[:, :, -1] *= -1
    np.testing.assert_array_equal(Rollouts(cartpole.model, 1).run(states, controls).sensordata, first)


def test_nothing_is_left_over_from_the_run_before(task: Task) -> None:
    states, controls = problem(task)
    others, other_controls = problem(task, seed=2)
    rollouts = Rollouts(task.model, 2)
    fresh = rollouts.run(states, controls).sensordata.copy()
    rollouts.run(others, other_controls)
    np.testing.assert_array_equal(rollouts.run(states, controls).sensordata, fresh)


def test_numbers_of_rollouts_and_steps_may_change_between_runs(cartpole: Task) -> None:
    states, controls = problem(cartpole)
    rollouts = Rollouts(cartpole.model, 1)
    whole = rollouts.run(states, controls).sensordata.copy()
    shorter = rollouts.run(states, controls[:, :, :5]).sensordata
    np.testing.assert_array_equal(shorter, whole[:, :, :5])
    fewer = rollouts.run(states[:1], controls[:1, :2]).sensordata
    np.testing.assert_array_equal(fewer, whole[:1, :2])


def diverging() -> tuple[Task, Array, Array]:
    """A cart pushed with 1e12 N by the middle one of three rollouts, from step 4 on."""
    task = make_task("cartpole_swingup", torque_scale=1e11)
    states, controls = problem(task)
    controls[:] = 0.0
    controls[:, 1, 4:] = 1.0
    return task, states, controls


def test_a_diverged_rollout_is_flagged_and_the_others_are_not() -> None:
    task, states, controls = diverging()
    recording = Rollouts(task.model, 1).run(states, controls)
    assert recording.valid.tolist() == [[True, False, True]] * 2
    for row in range(2):
        expected, _ = stepped(task, states[row], controls[row, 0])
        np.testing.assert_array_equal(recording.sensordata[row, 2], expected)
        np.testing.assert_array_equal(recording.sensordata[row, 1, :4], expected[:4])


def test_a_rollout_that_diverges_in_its_last_record_is_flagged() -> None:
    task, states, controls = diverging()
    controls[:, 1] = 0.0
    controls[:, 1, -2] = 1.0
    assert Rollouts(task.model, 1).run(states, controls).valid.tolist() == [[True, False, True]] * 2


@pytest.mark.parametrize("substeps", [1, 3])
def test_one_sequence_is_followed_to_the_bit(task: Task, substeps: int) -> None:
    states, controls = problem(task)
    rollouts = Rollouts(task.model, 1, substeps)
    for count in (4, 2):  # fewer than before, too
        found = rollouts.follow(states[0], controls[0, 0, :count])
        held = np.repeat(controls[0, 0, :count], substeps, axis=0)
        np.testing.assert_array_equal(found, stepped(task, states[0], held)[1])


def test_a_sequence_that_diverges_leads_nowhere(cartpole: Task) -> None:
    states, controls = problem(cartpole)
    state = states[0].copy()
    state[cartpole.model.nq] = 1e12
    rollouts = Rollouts(cartpole.model, 1)
    assert rollouts.follow(state, controls[0, 0]) is None
    assert rollouts.follow(states[0], controls[0, 0]) is not None


def test_divergence_does_not_stick() -> None:
    task, states, controls = diverging()
    rollouts = Rollouts(task.model, 1)
    assert not rollouts.run(states, controls).valid.all()
    assert rollouts.run(states, np.zeros_like(controls)).valid.all()


def test_non_finite_controls_are_flagged(cartpole: Task) -> None:
    states, controls = problem(cartpole)
    controls[0, 2, 3] = np.nan
    valid = Rollouts(cartpole.model, 1).run(states, controls).valid
    assert valid.tolist() == [[True, True, False], [True, True, True]]


def test_divergence_prints_nothing_and_writes_no_log(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task, states, controls = diverging()
    Rollouts(task.model, 1).run(states, controls)
    output = capfd.readouterr()
    assert output.out == output.err == ""
    assert list(tmp_path.iterdir()) == []
