"""Identification online: what is fitted to which transitions, and that plans are made with it."""

import queue
from collections.abc import Callable

import numpy as np
import pytest

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.identification import AWAITED, Identification
from polo_ros.control.joints import JointMapping
from polo_ros.control.lockstep import LockstepController
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import RealTimeController
from polo_ros.control.state import Snapshot
from polo_ros.errors import PoloError
from polo_ros.parameters.schema import build
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.identification import ModelFit
from polo_ros.planner.models import ModelErrors, with_errors
from polo_ros.tasks import Task, make_task

PERIOD = NANOSECONDS // 50  # of the cart-pole
DEADLINE = 60.0  # s; only a failing test takes as long
TRUTH = ModelErrors(friction=1.5, gain=0.8)


def true_world(errors: ModelErrors, seed: int = 0) -> World:
    """A cart-pole that is not as modelled."""
    task = make_task("cartpole_swingup")
    task.model = with_errors(task.model, errors)
    return World(task, np.random.default_rng(seed))


def motion(errors: ModelErrors, count: int) -> tuple[Array, Array, Array]:
    """Transitions of that cart-pole under random controls: states, controls, states reached."""
    world, rng = true_world(errors), np.random.default_rng(1)
    rows = []
    for _ in range(count):
        state, ctrl = world.state, rng.uniform(-1.0, 1.0, 1)
        world.step(ctrl)
        rows.append((state, ctrl, world.state))
    states, controls, reached = map(np.array, zip(*rows, strict=True))
    return states, controls, reached


def test_friction_and_gain_are_found_from_what_the_robot_did(cartpole: Task) -> None:
    fit = ModelFit(cartpole, ("friction", "gain"))
    found = fit.fit(*motion(TRUTH, 100), ModelErrors())
    assert found.gain == pytest.approx(TRUTH.gain, rel=0.02)
    assert found.friction == pytest.approx(TRUTH.friction, rel=0.1)
    assert found.mass == 1.0


def test_what_the_motion_does_not_tell_stays_near_the_nominal_model(cartpole: Task) -> None:
    """On a cart-pole only gain and damping by mass count."""
    found = ModelFit(cartpole, ("mass", "gain")).fit(*motion(ModelErrors(gain=0.8), 100), ModelErrors())
    assert found.gain / found.mass == pytest.approx(0.8, rel=0.03)
    assert 0.8 < found.gain < 1.0 < found.mass < 1.25


def test_an_exact_model_stays_exact_and_measurement_noise_does_little(cartpole: Task) -> None:
    fit = ModelFit(cartpole, ("friction", "gain"))
    states, controls, reached = motion(ModelErrors(), 100)
    exact = fit.fit(states, controls, reached, ModelErrors())
    assert (exact.friction, exact.gain) == (pytest.approx(1.0, abs=1e-3), pytest.approx(1.0, abs=1e-3))
    noise = np.random.default_rng(2).normal(0.0, 0.01, reached.shape)
    noisy = fit.fit(states, controls, reached + noise, ModelErrors())
    assert noisy.gain == pytest.approx(1.0, abs=0.05)


def transition(episode: int, stamp: int) -> Transition:
    return Transition(Snapshot(np.zeros(4), stamp), episode, np.zeros(1))


def test_only_states_one_control_period_apart_make_a_transition(cartpole: Task) -> None:
    found = Identification(cartpole, ("gain",), PERIOD)
    rows = [(0, 0), (0, PERIOD), (0, 3 * PERIOD), (1, 4 * PERIOD), (1, 5 * PERIOD + PERIOD // 100)]
    assert not found.add([transition(*row) for row in rows])
    assert [(before.snapshot.stamp, after.snapshot.stamp) for before, after in found.take()] == [
        (0, PERIOD), (4 * PERIOD, 5 * PERIOD + PERIOD // 100)
    ]  # fmt: skip
    assert found.values() == {}
    assert found.add([transition(2, index * PERIOD) for index in range(AWAITED + 1)])


def controller_of(
    kind: type[LockstepController] | type[RealTimeController], clock: Callable[[], int], **outputs: object
) -> LockstepController | RealTimeController:
    task = make_task("cartpole_swingup")
    node = PlannerNodeConfig(lockstep=kind is LockstepController, autostart=True, identify=("gain",))
    config = PlannerConfig(horizon=5, rollouts=8)
    calls = {name: (lambda *_: None) for name in ("send", "record", "show", "warn")}
    return kind(
        Planner(task, config, seed=0, threads=1),
        JointMapping(task.model),
        ControllerSettings(node, config, dict(task.weights)),
        clock,
        ControllerOutputs(**{**calls, **outputs}),  # type: ignore[arg-type]
    )


def test_in_lockstep_plans_are_made_with_the_gain_that_was_found() -> None:
    sent: queue.Queue[Array] = queue.Queue()
    controller = controller_of(LockstepController, lambda: 0, send=lambda ctrl, *_: sent.put(ctrl))
    world = true_world(ModelErrors(gain=0.8))
    for index in range(AWAITED + 5):
        state = world.state
        controller.add_joints(state[:2], state[2:], index * PERIOD)
        world.step(sent.get(timeout=DEADLINE))
    values = controller.status().values
    controller.close()
    assert float(str(values["identified_gain"])) == pytest.approx(0.8, abs=0.02)
    assert float(str(values["identification_time"])) > 0.0
    assert controller._planner._mppi._known.gain == pytest.approx(0.8, abs=0.02)


def test_in_real_time_the_fit_runs_beside_the_plans() -> None:
    now = 0
    shown: queue.Queue[object] = queue.Queue()
    controller = controller_of(RealTimeController, lambda: now, show=shown.put)
    assert isinstance(controller, RealTimeController)
    world, ctrl = true_world(ModelErrors(gain=0.8)), np.zeros(1)
    for index in range(2 * AWAITED):
        now = index * PERIOD
        state = world.state
        controller.tick()
        last = controller._last_sent
        ctrl = ctrl if last is None else last[0]
        controller.add_joints(state[:2], state[2:], now)
        shown.get(timeout=DEADLINE)
        world.step(ctrl)
    controller.check()
    controller.close()
    identification = controller._identification
    assert identification is not None and identification.errors.gain == pytest.approx(0.8, abs=0.03)


def test_what_cannot_be_identified_is_refused() -> None:
    with pytest.raises(PoloError, match="identify names colour; known are mass, friction, gain"):
        build(PlannerNodeConfig, {"identify": ("gain", "colour")})
