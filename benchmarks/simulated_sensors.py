"""A simulated robot whose sensors come at their own rates and late, and the errors of predictions of it."""

from collections.abc import Callable, Sequence
from copy import copy

import mujoco
import numpy as np

from benchmarks.state_delay import MixedParts
from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import ODOM, StateAssembler
from polo_ros.tasks.goals import VELOCITY
from polo_ros.tasks.rotations import angle_between
from polo_ros.tasks.task import Task

MILLISECOND = 1_000_000
JOINTS_MS, IMU_MS, ODOM_MS, ODOM_DELAY_MS = 2, 5, 20, 20
# the zero of the imu's heading from the world's, in rad
IMU_HEADING = 1.0
# the force on the base, in N, when it begins in each second, and how long it lasts, in ms
PUSH_N, PUSH_AT_MS, PUSH_MS = 200.0, 400, 100


class SimulatedSensors:
    """The true robot, and what of it has arrived at the planner.

    Args:
      task: whose model the robot is of.
      robot: one of `benchmarks.sensors.ROBOTS`.
      sensing: one of `benchmarks.sensors.SENSING`.
      seed: of start state and pushes.
      velocity: (3,), the goal ahead and left in m/s and yaw rate in rad/s; a task without one ignores it.

    Attributes:
      states: takes the parts as they arrive.
      truth: the true flat state of each millisecond, (n, state_size).
    """

    def __init__(
        self, task: Task, robot: str, sensing: str, seed: int, velocity: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> None:
        self._task = task
        self._model = copy(task.model)
        self._model.opt.timestep = 1e-3
        if robot == "heavier":
            self._model.body_mass[:] *= 1.25
            self._model.body_inertia[:] *= 1.25
        self._rng = np.random.default_rng(seed)
        self._pushed, self._sensing = robot == "pushed", sensing
        self._joints = JointMapping(task.model)
        assert self._joints.base is not None
        self._base = self._joints.base
        self._data = mujoco.MjData(self._model)
        _stand(task, self._data, self._rng)
        if VELOCITY in task.goals.kinds:
            self._data.mocap_pos[task.goals.index(VELOCITY)] = velocity
        kind = MixedParts if sensing == "newest of each" else StateAssembler
        self.states = kind(task, self._joints, lockstep=False, imu=sensing.startswith("imu"))
        self.truth: list[Array] = []

    def step(self, ctrl: Array, milliseconds: int) -> None:
        """Simulate under a control (nu,), and let sensors measure and messages arrive."""
        for _ in range(milliseconds):
            now = len(self.truth)
            self.truth.append(self._task.state_of(self._data))
            self._arrive(now)
            self._data.ctrl[:] = ctrl
            self._push(now)
            mujoco.mj_step(self._model, self._data)

    def _push(self, now: int) -> None:
        force = np.zeros(6)
        since = now % 1000 - PUSH_AT_MS
        if self._pushed and 0 <= since < PUSH_MS:
            if since == 0:
                self._direction = self._rng.uniform(0, 2 * np.pi)
            force[:2] = PUSH_N * np.cos(self._direction), PUSH_N * np.sin(self._direction)
        self._data.xfrc_applied[self._model.body(self._base.name).id] = force

    def _arrive(self, now: int) -> None:
        """What arrives at a time in ms; nothing before the first of each part has been measured."""
        ideal = self._sensing == "ideal"
        if VELOCITY in self._task.goals.kinds:
            goal = self._data.mocap_pos[self._task.goals.index(VELOCITY)].copy()
            self.states.add_velocity_goal(goal, now * MILLISECOND)
        if ideal or now % JOINTS_MS == 0:
            self._add_joints(now)
        if ideal or (now % ODOM_MS == 0 and now >= ODOM_DELAY_MS) or now == 0:
            self._add_odometry(now if ideal else max(now - ODOM_DELAY_MS, 0))
        if self._sensing.startswith("imu") and now % IMU_MS == 0:
            self._add_imu(now)

    def _add_joints(self, moment: int) -> None:
        qpos, qvel = self._at(moment)
        velocities = qvel[self._joints.qvel]
        if self._sensing == "imu, no velocities" and moment:
            velocities = np.full(len(velocities), np.nan)
        self.states.add_joints(qpos[self._joints.qpos], velocities, moment * MILLISECOND)

    def _add_odometry(self, moment: int) -> None:
        qpos, qvel = self._at(moment)
        pose = qpos[self._base.qpos : self._base.qpos + 7]
        twist = qvel[self._base.qvel : self._base.qvel + 6]
        self.states.add_odometry(ODOM, pose, twist, moment * MILLISECOND)

    def _add_imu(self, moment: int) -> None:
        qpos, qvel = self._at(moment)
        turned = np.empty(4)
        heading = np.array([np.cos(IMU_HEADING / 2), 0.0, 0.0, np.sin(IMU_HEADING / 2)])
        mujoco.mju_mulQuat(turned, heading, qpos[self._base.qpos + 3 : self._base.qpos + 7])
        self.states.add_imu(turned, qvel[self._base.qvel + 3 : self._base.qvel + 6], moment * MILLISECOND)

    def _at(self, moment: int) -> tuple[Array, Array]:
        state, nq, nv = self.truth[moment], self._model.nq, self._model.nv
        return state[:nq], state[nq : nq + nv]

    def rms_errors(self, predictions: list[tuple[int, Array]]) -> list[float]:
        """Root mean squares of `errors` over predictions for times in ms: mm, degrees, m/s, rad/s."""
        squares = [self.errors(moment, state) ** 2 for moment, state in predictions]
        means: Array = np.sqrt(np.mean(squares, axis=0)) * [1e3, 180.0 / np.pi, 1.0, 1.0]
        return [float(value) for value in means]

    def errors(self, moment: int, predicted: Array) -> Array:
        """Errors (4,) of a predicted base: position, rotation, velocity, angular velocity; SI units."""
        qpos, qvel = self._at(moment)
        nq = self._model.nq
        p, v = self._base.qpos, self._base.qvel
        off = predicted[nq + v : nq + v + 6] - qvel[v : v + 6]
        return np.array(
            [
                np.linalg.norm(predicted[p : p + 3] - qpos[p : p + 3]),
                angle_between(predicted[p + 3 : p + 7], qpos[p + 3 : p + 7]),
                np.linalg.norm(off[:3]),
                np.linalg.norm(off[3:]),
            ]
        )


def _stand(task: Task, data: mujoco.MjData, rng: np.random.Generator) -> None:
    """Start standing where the task can, or from its own start states."""
    start: Callable[[str, mujoco.MjData, np.random.Generator], None] | None = getattr(
        task, "start_from", None
    )
    if start is None:
        task.start(data, rng)
    else:
        start("standing", data, rng)
