"""A robot driver with the faults of real drivers and its own physics, not the simulator node's.

    python -m benchmarks.faults.contrary_driver --task cartpole_swingup --shuffle --drop 0.3 --report run.json

It publishes /clock, joint_states and odom, takes commands, and holds the robot in place until the first
command with an effort arrives. From then on it simulates for `--seconds`, judges each control period by the
task, writes the report and ends; it ends, too, where no effort is commanded for `--hold` control periods.

All times are simulated ones; `--realtime-factor` says how fast they pass. With 0 the clock waits in each
control period for one plan of the planner, at most for a quarter of a second: the planner is on time however
busy the machine is, and commands stay one period behind the states.
"""

import argparse
import heapq
import json
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Float64MultiArray

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.nodes.messages import pack_joint_state, pack_odometry, to_stamp, unpack_command
from polo_ros.tasks import make_task
from polo_ros.tasks.rotations import rotation_matrix

# commands stop acting after this, in s; a driver that holds the last effort is not one to test with
COMMAND_TIMEOUT_S = 0.1
# simulated time at which the first message is stamped, in s: a driver's clock does not begin at zero
BEGIN_S = 10.0
# the longest wait for a plan, and the shortest time between two ticks, in s of wall time
PLAN_WAIT_S = 0.25
TICK_S = 0.002
# angles in rad that an upright cart-pole begins with, at most
START_NOISE = 0.05


def parser() -> argparse.ArgumentParser:
    """The command line; every option is off by default."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--task", default="cartpole_swingup", choices=("cartpole_swingup", "humanoid_getup"))
    options.add_argument("--seconds", type=float, default=6.0, help="after the first effort")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--realtime-factor", type=float, default=0.0, help="0: paced by plans")
    options.add_argument("--report", type=Path, required=True, help="JSON file to write at the end")
    options.add_argument("--hold", type=int, default=80, help="control periods without an effort at most")
    options.add_argument("--rate", type=float, default=0.0, help="states per second; 0 for the control rate")
    options.add_argument("--shuffle", action="store_true", help="joints in another order in each message")
    options.add_argument("--extra-joints", type=int, default=0, help="joints that the model does not have")
    options.add_argument("--best-effort", action="store_true", help="quality of service of the state")
    options.add_argument("--delay", type=float, default=0.0, help="of all state messages, in s")
    options.add_argument("--odom-delay", type=float, default=0.0, help="of odom on top, in s")
    options.add_argument("--jitter", type=float, default=0.0, help="random delay of each message up to, in s")
    options.add_argument("--drop", type=float, default=0.0, help="share of messages that are lost")
    options.add_argument("--double", type=float, default=0.0, help="share of messages that are sent twice")
    options.add_argument("--world-twist", action="store_true", help="twist of odom in the world frame")
    options.add_argument("--gap", type=float, default=0.0, help="silence of one topic, in s, after 1 s")
    options.add_argument("--gap-topic", choices=("joint_states", "odom"), default="odom")
    options.add_argument("--clock-offset", type=float, default=0.0, help="of stamps ahead of /clock, in s")
    options.add_argument("--stop-stamps", type=float, default=0.0, help="stamps stand still so long, in s")
    options.add_argument("--jump-back", type=float, default=0.0, help="of all time, in s, after 1 s")
    options.add_argument("--noise", type=float, default=0.0, help="on joints: std. deviation in rad, rad/s")
    options.add_argument("--command-delay", type=float, default=0.0, help="until a command acts, in s")
    return options


class ContraryDriver:
    """The robot, its clock and its messages.

    Args:
      options: see `parser`.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._rng = np.random.default_rng([options.seed, 7])
        self._task = make_task(options.task)
        self._period = self._task.timestep
        rate = options.rate or 1.0 / self._period
        # the clock and the physics go on by ticks, several of them a control period where the rate is high
        self._ticks = max(round(rate * self._period), 1)
        self._tick = self._period / self._ticks
        self._state_period = 1.0 / rate
        self._joints = JointMapping(self._task.model)
        driven = make_task(options.task)  # the planner's model stays as it is
        driven.model.opt.timestep = self._tick / driven.substeps
        self._world = World(driven, self._rng)
        self._substeps = driven.substeps
        self._begin()
        self._time = BEGIN_S  # of the clock; jumps back where told
        self._elapsed = 0.0  # since the first effort; never jumps
        self._next_state = 0.0
        self.hanging = True
        self._jumped = False
        self._order = count()
        self._outbox: list[tuple[float, int, Callable[[], None]]] = []
        self._inbox: list[tuple[float, int, Array]] = []
        self._ctrl = np.array(self._task.neutral)
        self._commanded_at = -1.0
        self._since_start = 0.0
        self._ticked = 0
        self.achieved: list[bool] = []
        self.efforts: list[float] = []
        self.plans = 0
        reliability = ReliabilityPolicy.BEST_EFFORT if options.best_effort else ReliabilityPolicy.RELIABLE
        quality = QoSProfile(depth=10, reliability=reliability)
        self.node: Any = rclpy.create_node("contrary_driver")
        self._clock = self.node.create_publisher(Clock, "/clock", 10)
        self._joint_states = self.node.create_publisher(JointState, "joint_states", quality)
        self._odom = self.node.create_publisher(Odometry, "odom", quality) if self._joints.base else None
        self.node.create_subscription(
            Float64MultiArray, self._joints.command_topic, self._on_command, QoSProfile(depth=10)
        )
        if not options.realtime_factor:
            self.node.create_subscription(Float64, "planner_node/plan_time", self._on_plan, 100)

    def _begin(self) -> None:
        data, task = self._world.data, self._world.task
        if self._options.task == "humanoid_getup":
            task.start_from("standing", data, self._rng)  # type: ignore[attr-defined]
        else:
            mujoco.mj_resetData(task.model, data)
            data.qpos[:] = self._rng.uniform(-START_NOISE, START_NOISE, task.model.nq)
        mujoco.mj_forward(task.model, data)

    @property
    def done(self) -> bool:
        """Whether the time is over."""
        waited = self._ticked >= self._options.hold * self._ticks
        return self._elapsed >= self._options.seconds or (self.hanging and waited)

    @property
    def tick(self) -> float:
        """The step of the clock, in s."""
        return self._tick

    # ---- commands

    def _on_plan(self, _: Float64) -> None:
        self.plans += 1

    def _on_command(self, message: Float64MultiArray) -> None:
        ctrl = self._joints.ctrl(unpack_command(message)[0])
        if self.hanging and ctrl.any():
            self.hanging = False
        heapq.heappush(
            self._inbox, (self._since_start + self._options.command_delay, next(self._order), ctrl)
        )

    def _acting(self) -> Array:
        while self._inbox and self._inbox[0][0] <= self._since_start:
            self._commanded_at, _, self._ctrl = heapq.heappop(self._inbox)
        if self._since_start - self._commanded_at > COMMAND_TIMEOUT_S:
            self._ctrl = np.zeros_like(self._ctrl)
        return self._ctrl

    # ---- time

    def advance(self) -> bool:
        """One tick of the clock; whether a control period is over."""
        self._advance_tick()
        self._ticked += 1
        over = self._ticked % self._ticks == 0
        if over and not self.hanging:
            view = self._task.observe(self._world.state)
            self.achieved.append(bool(self._task.achieved(view)))
            self.efforts.append(float(np.abs(self._ctrl).max()))
        return over

    def _advance_tick(self) -> None:
        options = self._options
        ctrl = self._acting()
        if not self.hanging:
            self._world.step(ctrl, self._substeps)
            self._elapsed += self._tick
        self._time += self._tick
        self._since_start += self._tick
        if options.jump_back and not self._jumped and self._elapsed > 1.0:
            self._time, self._jumped = self._time - options.jump_back, True
        self._clock.publish(Clock(clock=to_stamp(round(self._time * NANOSECONDS))))
        if self._since_start + 1e-9 >= self._next_state:
            self._next_state += self._state_period
            self._measure()
        while self._outbox and self._outbox[0][0] <= self._since_start + 1e-9:
            heapq.heappop(self._outbox)[2]()

    # ---- states

    def _measure(self) -> None:
        """Queue the messages of this moment."""
        options = self._options
        stamp = self._time
        if options.stop_stamps and 1.0 < self._elapsed < 1.0 + options.stop_stamps:
            stamp -= self._elapsed - 1.0
        nanoseconds = max(round((stamp + options.clock_offset) * NANOSECONDS), 0)
        qpos, qvel = self._world.data.qpos.copy(), self._world.data.qvel.copy()
        if options.noise:
            qpos[self._joints.qpos] += self._rng.normal(0.0, options.noise, len(self._joints.qpos))
            qvel[self._joints.qvel] += self._rng.normal(0.0, options.noise, len(self._joints.qvel))
        joints = self._contrary_joints(pack_joint_state(self._joints, qpos, qvel, nanoseconds))
        self._post("joint_states", self._joint_states, joints, 0.0)
        if self._odom is not None and self._joints.base is not None:
            odom = pack_odometry(self._joints.base, qpos, qvel, nanoseconds, self._joints.base.name)
            if options.world_twist:
                to_world(odom)
            self._post("odom", self._odom, odom, options.odom_delay)

    def _contrary_joints(self, message: JointState) -> JointState:
        names, positions, velocities = map(list, (message.name, message.position, message.velocity))
        for index in range(self._options.extra_joints):
            names.append(f"gripper_{index}")
            positions.append(0.1)
            velocities.append(0.0)
        order = self._rng.permutation(len(names)) if self._options.shuffle else range(len(names))
        message.name = [names[index] for index in order]
        message.position = [positions[index] for index in order]
        message.velocity = [velocities[index] for index in order]
        return message

    def _post(self, topic: str, publisher: Any, message: Any, delay: float) -> None:
        """Late, lost, doubled."""
        options = self._options
        if topic == options.gap_topic and 1.0 < self._elapsed < 1.0 + options.gap:
            return
        if self._rng.random() < options.drop:
            return
        for _ in range(1 + int(self._rng.random() < options.double)):
            due = self._since_start + options.delay + delay + self._rng.uniform(0.0, options.jitter)
            heapq.heappush(self._outbox, (due, next(self._order), lambda: publisher.publish(message)))


def to_world(odom: Odometry) -> None:
    """Turn a twist from the child frame into the world frame."""
    rotation, twist = odom.pose.pose.orientation, odom.twist.twist
    matrix = rotation_matrix(np.array([rotation.w, rotation.x, rotation.y, rotation.z]))
    for vector in (twist.linear, twist.angular):
        vector.x, vector.y, vector.z = map(float, matrix @ np.array([vector.x, vector.y, vector.z]))


def main() -> int:
    """Drive until the time is over."""
    options = parser().parse_args()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    driver = ContraryDriver(options)
    executor = SingleThreadedExecutor()
    executor.add_node(driver.node)
    while not driver.done:
        due, known = time.monotonic(), driver.plans
        over = driver.advance()
        due += driver.tick / options.realtime_factor if options.realtime_factor else TICK_S
        while (left := due - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)
        until = time.monotonic() + PLAN_WAIT_S
        while over and not options.realtime_factor and driver.plans == known and time.monotonic() < until:
            executor.spin_once(timeout_sec=0.01)
    report = {"released": not driver.hanging, "achieved": driver.achieved, "efforts": driver.efforts}
    options.report.write_text(json.dumps(report))
    driver.node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
