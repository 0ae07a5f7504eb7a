"""Robots that are not as their models say: what is wrong with them, and worlds in which it is."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import mujoco
import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.planner.models import ModelErrors, with_errors
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup
from polo_ros.tasks.quadruped_walk import QuadrupedWalk
from polo_ros.tasks.task import Task

NOMINAL = {"payload": 0.0, "friction": 1.0, "gain": 1.0, "latency_ms": 0.0}


@dataclass(frozen=True)
class Robot:
    """A robot of the benchmark.

    Attributes:
      task: its name.
      title: of the figure.
      errors: sizes of each error.
      labels: of each error's axis.
      planning: parameters of the planner by the ways to plan that are compared.
      identified: what is fitted.
      make: the task whose model the world has, before the error.
      payload_body: carries the payload.
      payload_of: the mass in kg that the payload is a share of.
      goals: the velocity goal (3,) at a time in s, where the task has one.
    """

    task: str
    title: str
    errors: dict[str, tuple[float, ...]]
    labels: dict[str, str]
    planning: dict[str, dict[str, Any]]
    identified: tuple[str, ...]
    make: Callable[[], Task]
    payload_body: str
    payload_of: Callable[[mujoco.MjModel], float]
    goals: Callable[[float], Array] | None = None


def _cartpole() -> Task:
    task = CartpoleSwingup()
    task.model.opt.timestep = 0.01  # half a control period, so that commands can be late by that
    return task


def _go2() -> Task:
    task = QuadrupedWalk()
    return QuadrupedWalk(setup=replace(task.setup, timestep=0.002, simple_contacts=False))


def _go2_goal(time: float) -> Array:
    """Ahead for 3 s, then to the left."""
    return np.array([0.5, 0.0, 0.0] if time < 3.0 else [0.0, 0.3, 0.0])


ROBOTS = {
    "cartpole": Robot(
        "cartpole_swingup",
        "Cart-pole swing-up with a model that is wrong",
        {
            "payload": (0.0, 0.2, 0.4),
            "friction": (0.4, 0.7, 1.0, 1.2),
            "gain": (0.7, 0.85, 1.0, 1.15, 1.3),
            "latency_ms": (0.0, 10.0, 20.0, 30.0),
        },
        {
            "payload": "mass added to the pole, share",
            "friction": "damping, factor",
            "gain": "gain of the motor, factor",
            "latency_ms": "commands late by, in ms",
        },
        {
            "one model": {},
            "one model, four times the rollouts": {"rollouts": 80},
            "four models, mean": {"models": 4},
            "four models, worst half": {"models": 4, "worst_share": 0.5},
            "identified": {},
        },
        ("friction", "gain"),
        _cartpole,
        "pole",
        lambda model: float(model.body("pole").mass[0]),
    ),
    "go2": Robot(
        "quadruped_walk",
        "A Go2 that walks with a model that is wrong",
        {
            "payload": (0.0, 0.4),
            "friction": (0.4, 1.0, 1.2),
            "gain": (0.7, 1.0, 1.3),
            "latency_ms": (0.0, 30.0),
        },
        {
            "payload": "payload, share of the mass",
            "friction": "friction, factor",
            "gain": "stiffness of the servos, factor",
            "latency_ms": "commands late by, in ms",
        },
        {
            "one model": {},
            "one model, four times the rollouts": {"rollouts": 128},
            "four models, mean": {"models": 4},
            "identified": {},
        },
        ("mass", "friction", "gain"),
        _go2,
        "base",
        lambda model: float(model.body_mass.sum()),
        _go2_goal,
    ),
}


class MismatchedWorld:
    """The world of a robot with one error.

    Args:
      robot: which.
      error, size: of `Robot.errors`.
      period: of control, in s.
      seed: of the start state.

    Attributes:
      world: steps at once.
    """

    def __init__(self, robot: Robot, error: str, size: float, period: float, seed: int) -> None:
        self._robot, self._truth = robot, robot.make()
        step = self._truth.model.opt.timestep
        self._truth.model = true_model(self._truth.model, robot, error, size)
        self.world = World(self._truth, np.random.default_rng(seed))
        late = round(1e-3 * size / step) if error == "latency_ms" else 0
        # commands that are on their way, the newest first; the last one acts for some steps of a period
        self._substeps = round(period / step)
        whole, self._rest = divmod(late, self._substeps)
        self._sent = deque([np.array(self._truth.neutral)] * (whole + 2), maxlen=whole + 2)

    @property
    def state(self) -> Array:
        """The flat state, (state_size,)."""
        return self.world.state

    def set_goal(self, time: float) -> None:
        """Give the velocity goal of a time in s."""
        if self._robot.goals is not None:
            self.world.set_velocity_goal(self._robot.goals(time))

    def step(self, ctrl: Array) -> None:
        """One control period in which a control (nu,) is sent."""
        self._sent.appendleft(ctrl)
        if self._rest:
            self.world.step(self._sent[-1], self._rest)
        self.world.step(self._sent[-2], self._substeps - self._rest)


def true_model(nominal: mujoco.MjModel, robot: Robot, error: str, size: float) -> mujoco.MjModel:
    """The robot's own model."""
    factors = {error: size} if error in ("friction", "gain") else {}
    model = with_errors(nominal, ModelErrors(**factors))
    if error == "payload":
        body = model.body(robot.payload_body).id
        factor = 1.0 + size * robot.payload_of(model) / model.body_mass[body]
        model.body_mass[body] *= factor
        model.body_inertia[body] *= factor
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model
