"""The planner knows its engine by `RolloutBackend` alone: another one gives the same plans."""

import mujoco
import numpy as np
import pytest

from polo_ros.planner import Planner
from polo_ros.planner.backends import BatchBackend, RolloutBackend
from polo_ros.planner.rollouts import Rollouts
from polo_ros.tasks import Task, make_task
from test.support.backends import PlainPlanner, PlainSteps
from test.support.planners import config, start

BACKENDS: list[type[RolloutBackend]] = [BatchBackend, PlainSteps]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cartpole_swingup", {"iterations": 3}),
        ("cartpole_swingup", {"models": 3, "rollouts": 8}),
        ("humanoid_getup", {}),
        ("hand_cube", {}),  # with substeps
    ],
)
def test_another_engine_gives_the_same_plans_to_the_bit(name: str, changes: dict[str, int]) -> None:
    task = make_task(name)
    settings, state, made = config(**changes), start(make_task(name)), PlainSteps.made
    planners = [Planner(task, settings, 0, threads=2), PlainPlanner(task, settings, 0)]
    for number in range(3):
        ours, other = (planner.plan(state, number * task.timestep) for planner in planners)
        np.testing.assert_array_equal(other.plan.knots, ours.plan.knots)
        assert other.best_return == ours.best_return
        assert other.valid_rollouts == ours.valid_rollouts == settings.rollouts
    assert PlainSteps.made == made + 1, "an engine is made once while the sizes stay"
    smaller = config(**changes | {"rollouts": settings.rollouts - 1})
    for planner in planners:
        planner.configure(smaller)
    ours, other = (planner.plan(state, 3 * task.timestep) for planner in planners)
    np.testing.assert_array_equal(other.plan.knots, ours.plan.knots)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_diverged_simulation_is_flagged_and_leaves_the_others_alone(
    cartpole: Task, backend: type[RolloutBackend]
) -> None:
    states = np.repeat(start(cartpole)[None], 3, axis=0)
    states[1, -1] = 1e12
    controls = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 2, 9, cartpole.model.nu))
    rollouts = Rollouts(cartpole.model, 1, backend=backend)
    recording = rollouts.run(states, controls)
    assert recording.valid.tolist() == [[True, True], [False, False], [True, True]]
    sensordata, finals = recording.sensordata.copy(), rollouts.final_states().reshape(3, 2, -1)
    for index in (0, 2):
        alone = Rollouts(cartpole.model, 1)
        expected = alone.run(states[index : index + 1], controls[index : index + 1])
        np.testing.assert_array_equal(sensordata[index], expected.sensordata[0])
        np.testing.assert_array_equal(finals[index], alone.final_states())


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_state_is_one_array_that_ends_where_the_simulation_ends(
    cartpole: Task, backend: type[RolloutBackend]
) -> None:
    model = cartpole.model
    engine = backend(model, 2, 1)
    state, spec = engine.state, int(mujoco.mjtState.mjSTATE_INTEGRATION)
    data = mujoco.MjData(model)
    cartpole.start(data, np.random.default_rng(0))
    controls = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 5, model.nu))
    sensordata = np.empty((2, 5, model.nsensordata))
    for _ in range(2):  # the second time from the same state: the first leaves nothing behind
        for row in state:
            mujoco.mj_getState(model, data, row, spec)
        assert engine.simulate(controls, sensordata).all()
        assert engine.state is state
    stepped = mujoco.MjData(model)
    mujoco.mj_copyData(stepped, model, data)
    for step in range(5):
        stepped.ctrl[:] = controls[1, step]
        mujoco.mj_step(model, stepped)
        np.testing.assert_array_equal(sensordata[1, step], stepped.sensordata)
    expected = np.empty(state.shape[1])
    mujoco.mj_getState(model, stepped, expected, spec)
    np.testing.assert_array_equal(state[1], expected)
