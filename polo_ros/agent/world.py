"""The simulated world of the agent and the simulator node: start states, control periods, goals."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.task import Task


class World:
    """One simulation of a task with its goals.

    The task draws a new goal every `goal_period` control periods, unless a user has set one: that stays until
    the next reset.

    Args:
      task: the model, its start states and goals.
      rng: of start states and goals.

    Attributes:
      data: the state of the simulation.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.task = task
        self.rng = rng
        self.data = mujoco.MjData(task.model)
        self.reset()

    def reset(self) -> None:
        """Start again from a start state, at time 0 and with zero controls."""
        mujoco.mj_resetData(self.task.model, self.data)
        self.task.start(self.data, self.rng)
        self.data.time = 0.0
        self._periods = 0
        self._goal_given = False

    def step(self, ctrl: Array, substeps: int | None = None) -> bool:
        """One control period.

        Args:
          ctrl: (nu,), within the actuators' ranges.
          substeps: of the physics; the task's own by default.

        Returns:
          Whether a new goal was drawn.
        """
        self.data.ctrl[:] = ctrl
        mujoco.mj_step(self.task.model, self.data, substeps or self.task.substeps)
        self._periods += 1
        period = self.task.goal_period
        if self._goal_given or not period or self._periods % period:
            return False
        self.task.draw_goal(self.data, self.rng)
        return True

    def set_goal(self, position: Array, quaternion: Array) -> None:
        """Set a user's goal: position (3,) in m and quaternion (4,) wxyz.

        Raises:
          PoloError: the task has no pose goal.
        """
        self.task.goals.set_pose(self.data, position, quaternion)
        self._goal_given = True

    def set_velocity_goal(self, velocity: Array) -> None:
        """Set a user's velocity goal (3,): ahead and left in m/s, yaw rate in rad/s.

        Raises:
          PoloError: the task has no velocity goal.
        """
        self.task.goals.set_velocity(self.data, velocity)
        self._goal_given = True

    @property
    def state(self) -> Array:
        """The flat state, (state_size,)."""
        return self.task.state_of(self.data)

    @property
    def diverged(self) -> bool:
        """Whether MuJoCo has reported divergence, or accelerations are not finite, since the last reset."""
        return bool(not np.isfinite(self.data.qacc).all() or self.data.warning[:].number.any())
