"""A world that takes commands as a robot does: late, and safely when they stop."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_limits import safe_efforts
from polo_ros.control.config import SimulatorNodeConfig
from polo_ros.control.joints import JointMapping
from polo_ros.control.velocity_goal import VelocityCommand
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task

# simulated time passes over a reset, so that the clock stays monotonic and everyone sees the break, in s
RESET_GAP_S = 1.0
# a push ends this long after its last message, in s of simulated time
PUSH_S = 0.2


class World(Protocol):
    """What is simulated; `data` is its mujoco.MjData."""

    data: Any

    def reset(self) -> None:
        """Begin anew from a start state."""

    def step(self, ctrl: Array, substeps: int | None = None) -> bool:
        """Simulate some physics steps under a control (nu,)."""

    def set_velocity_goal(self, velocity: Array) -> None:
        """Set a user's velocity goal (3,)."""

    @property
    def diverged(self) -> bool:
        """Whether the simulation has left what is physical since the last reset."""


@dataclass(frozen=True)
class DelayedCommand:
    """A control (nu,) on its way and the simulated time at which it takes effect, in ns."""

    ctrl: Array
    effective: int


class SimulatedRobot:
    """Steps a world by control periods under the commands that have arrived.

    Args:
      world: simulated.
      task: what the world is about.
      joints: names and addresses of the robot.
      config: see `SimulatorNodeConfig`.
      seed: of the measurement noise.

    Attributes:
      config: may be replaced at any time.
      period: of control, in ns.
      time: simulated so far, in ns; it never goes back.

    Raises:
      PoloError: the control rate does not divide the rate of the model's physics.
    """

    def __init__(
        self, world: World, task: Task, joints: JointMapping, config: SimulatorNodeConfig, seed: int
    ) -> None:
        physics = task.model.opt.timestep
        rate = config.control_rate or 1.0 / task.timestep
        self._substeps = round(1.0 / rate / physics)
        if abs(self._substeps * physics * rate - 1.0) > 1e-6:
            raise PoloError(
                f"control_rate {rate} does not divide the model's rate of {1.0 / physics:g} steps per second"
            )
        self.config = config
        self.period = round(NANOSECONDS / rate)
        self.time = 0
        self._world = world
        self._model = task.model
        self._low, self._high = task.control_low, task.control_high
        self._joints = joints
        self._noise_rng = np.random.default_rng([seed, 1])
        self._delayed: deque[DelayedCommand] = deque()
        self._ctrl = self._resting_ctrl()
        self._last_command: int | None = None
        self._push_ends: int | None = None
        self._velocity_command: VelocityCommand | None = None

    def command_velocity(self, velocity: Array, stamp: int) -> None:
        """Take a velocity goal (3,) that counts for 0.5 s from its stamp in ns on, and then is zero.

        Raises:
          PoloError: the task has no velocity goal.
        """
        self._world.set_velocity_goal(velocity)
        self._velocity_command = VelocityCommand(velocity, stamp)

    def push(self, body: str, wrench: Array) -> None:
        """Push a body for `PUSH_S`, or until the next push, of which there is one at a time.

        Args:
          body: its name in the model.
          wrench: (6,), force in N and torque in N·m about its centre of mass, in the world's frame.

        Raises:
          PoloError: the model has no such body, or it is the world.
        """
        index = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_BODY, body)
        if index < 1:
            raise PoloError(f"there is no body '{body}' to push")
        self._end_push()
        self._world.data.xfrc_applied[index] = wrench
        self._push_ends = self.time + round(PUSH_S * NANOSECONDS)

    def _end_push(self) -> None:
        self._world.data.xfrc_applied[:] = 0.0
        self._push_ends = None

    def add_command(self, ctrl: Array) -> None:
        """Take a control (nu,), which acts in `advance_by_clock` once the latency is over."""
        delay = round(self.config.latency * NANOSECONDS)
        self._delayed.append(DelayedCommand(ctrl, self.time + delay))
        self._last_command = self.time

    def advance_by_clock(self) -> bool:
        """One control period under the commands that are due; whether the world diverged."""
        while self._delayed and self._delayed[0].effective <= self.time:
            self._ctrl = self._delayed.popleft().ctrl
        if self.commands_stopped:
            self._delayed.clear()
            config, qvel = self.config, self._world.data.qvel
            period = self.period / NANOSECONDS
            efforts = safe_efforts(self._joints, config.safe_action, config.damping, period, qvel)
            self._ctrl = np.where(self._joints.servo, self._ctrl, efforts).clip(self._low, self._high)
        return self.advance()

    def advance(self, ctrl: Array | None = None) -> bool:
        """One control period under a control (nu,), or the last one; whether the world diverged.

        A diverged world begins again from a start state.
        """
        if ctrl is not None:
            self._ctrl = ctrl
        if self._push_ends is not None and self.time >= self._push_ends:
            self._end_push()
        self._world.step(self._ctrl, self._substeps)
        self.time += self.period
        if self._velocity_command is not None and self._velocity_command.stale(self.time):
            self._world.set_velocity_goal(np.zeros(3))
            self._velocity_command = None
        diverged = self._world.diverged
        if diverged:
            self.restart()
        return diverged

    def restart(self) -> None:
        """Begin again from a start state, without the commands on their way."""
        self._world.reset()
        self._push_ends = None
        self._ctrl = self._resting_ctrl()
        self._delayed.clear()
        self._velocity_command = None
        self.time += round(RESET_GAP_S * NANOSECONDS)

    def _resting_ctrl(self) -> Array:
        """What acts before the first command, (nu,): servos stay where they are, efforts are zero."""
        return self._joints.measured_ctrl(self._world.data.qpos).clip(self._low, self._high)

    @property
    def commands_stopped(self) -> bool:
        """Whether the last command is `command_timeout` old, its delay on the way included."""
        if self._last_command is None:
            return True
        timeout = self.config.command_timeout + self.config.latency
        return self.time - self._last_command >= timeout * NANOSECONDS

    def measure(self) -> tuple[Array, Array] | None:
        """Positions (nq,) and velocities (nv,) with noise on them; None where the message gets lost."""
        if self.config.drop_rate and self._noise_rng.random() < self.config.drop_rate:
            return None
        qpos, qvel = np.array(self._world.data.qpos), np.array(self._world.data.qvel)
        if self.config.noise:
            qpos[self._joints.qpos] += self._noise_rng.normal(0.0, self.config.noise, len(self._joints.qpos))
            qvel += self._noise_rng.normal(0.0, self.config.noise, len(qvel))
        return qpos, qvel
