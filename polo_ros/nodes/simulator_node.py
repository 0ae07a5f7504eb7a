"""The simulator node: stands in for hardware; knows nothing about planning or learning."""

import os
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control.config import SimulatorNodeConfig
from polo_ros.control.joints import JointMapping
from polo_ros.control.safety import safe_action
from polo_ros.control.simulated_clock import SimulatedClock
from polo_ros.control.state import GOAL, ODOM, object_topic
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import (
    NANOSECONDS,
    pack_goal,
    pack_joint_state,
    pack_odometry,
    to_stamp,
    unpack_command,
    unpack_goal,
)
from polo_ros.nodes.node import LATCHED, OK, RELIABLE, WARN, PoloNode, exit_with

# another simulator is looked for this long before the first state is published, in s
DISCOVERY_TIME = 1.0
# and this long after it, since discovery may take seconds; later the newcomer is the other one, in s
LATE_DISCOVERY_TIME = 5.0
# how often the state is repeated while lockstep awaits a command, in s of wall time: it may have been
# published before its reader was there
REPEAT_PERIOD = 0.2
# simulated time passes over a reset, so that the clock stays monotonic and everyone sees the break, in s
RESET_GAP = 1.0
# a user's goal must not be pushed out by those of this node, which comes with every state
GOALS_HEARD = 100


@dataclass
class Command:
    """A command on its way: the control and the simulated time at which it takes effect, in ns."""

    ctrl: Array
    effective: int


class SimulatorNode(PoloNode):
    """Publishes states, applies commands; in lockstep one control period per command."""

    def __init__(self) -> None:
        super().__init__("simulator_node")
        settings = self.config(SimulatorNodeConfig)
        self._settings = settings
        model = self.task.model
        self._robot = JointMapping(model)
        self._world = World(self.task, np.random.default_rng(self.seed))
        self._noise_rng = np.random.default_rng([self.seed, 1])
        physics = model.opt.timestep
        self._substeps = round(1.0 / settings.control_rate / physics)
        if abs(self._substeps * physics * settings.control_rate - 1.0) > 1e-6:
            raise PoloError(
                f"control_rate {settings.control_rate} does not divide the model's rate of "
                f"{1.0 / physics:g} steps per second"
            )
        self._period = round(NANOSECONDS / settings.control_rate)
        self._time = 0
        self._paused = False
        self._commands: list[Command] = []
        self._ctrl = np.array(self.task.neutral)
        self._last_command: int | None = None
        self._fault = ""
        self._look_for_others()

        overrides = QoSOverridingOptions.with_default_policies()
        self._clock_out = self.create_publisher(ClockMessage, "/clock", 1)
        self._joints = self.create_publisher(
            JointState, "joint_states", RELIABLE, qos_overriding_options=overrides
        )
        self._odometry = [
            (body, topic, self.create_publisher(Odometry, topic, RELIABLE, qos_overriding_options=overrides))
            for body, topic in [
                *([(self._robot.base, ODOM)] if self._robot.base else []),
                *((body, object_topic(body.name)) for body in self._robot.objects),
            ]
        ]
        self._goal = self.create_publisher(PoseStamped, GOAL, LATCHED) if model.nmocap else None
        # this node hears its own goals, too; what it published last tells them from a user's
        self._own_goals: deque[tuple[int, tuple[float, ...]]] = deque(maxlen=2 * GOALS_HEARD)
        # a latched reader misses publishers that are not latched, such as `ros2 topic pub`
        for durability in (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE):
            every = QoSProfile(
                depth=GOALS_HEARD, reliability=ReliabilityPolicy.RELIABLE, durability=durability
            )
            self.create_subscription(PoseStamped, GOAL, self._on_goal, every)
        self.create_subscription(Float64MultiArray, self._robot.command_topic, self._on_command, RELIABLE)
        self.create_service(SetBool, "~/set_pause", self._on_set_pause)
        self.create_service(Trigger, "~/reset_world", self._on_reset_world)
        self.create_service(Trigger, "~/step_simulation", self._on_step_simulation)
        self._waiting_since = time.monotonic()
        self._pace = SimulatedClock(self._period)
        if settings.lockstep:
            self.every(REPEAT_PERIOD, self._repeat_state)
        else:
            # goes off at once, and from then on when the next period is due
            self._alarm = self.create_timer(
                0.0, self._follow_clock, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
        self._publish_state()

    def configs(self) -> tuple[type[SimulatorNodeConfig], ...]:
        """What must stay consistent."""
        return (SimulatorNodeConfig,)

    def status(self) -> tuple[int, str, dict[str, object]]:
        """Whether commands arrive, and what else went wrong."""
        values: dict[str, object] = {
            "sim_time": f"{self._time / NANOSECONDS:.3f}",
            "late_periods": self._pace.late,
            "ncon": int(self._world.data.ncon),
        }
        if self._fault:
            return WARN, self._fault, values
        if self._paused:
            return OK, "paused", values
        if self._settings.lockstep and time.monotonic() - self._waiting_since > 1.0:
            return WARN, "the world stands still: lockstep awaits a command", values
        if not self._settings.lockstep and self._commands_stopped():
            return WARN, f"no command for {self._settings.command_timeout} s: safe action", values
        return OK, "running", values

    def check(self) -> None:
        """End this node where it was not the first, once that is known."""
        if time.monotonic() - self._started < LATE_DISCOVERY_TIME:
            self._refuse_others(own=1)

    def _look_for_others(self) -> None:
        self._started = time.monotonic()
        while time.monotonic() - self._started < DISCOVERY_TIME:
            self._refuse_others(own=0)
            time.sleep(0.02)

    def _refuse_others(self, own: int) -> None:
        """Raises PoloError where more than this node's `own` publishers publish this robot's state."""
        topic = self.resolve_topic_name("joint_states")
        if self.count_publishers(topic) > own:
            raise PoloError(
                f"another node publishes {topic} already; stop it, or give one of the two a namespace or "
                f"a ROS_DOMAIN_ID of its own"
            )

    def _on_command(self, message: Float64MultiArray) -> None:
        try:
            values, answered = unpack_command(message)
            ctrl = self._robot.ctrl(values)
        except PoloError as error:
            self._report(str(error))
            return
        self._fault = ""
        if not self._settings.lockstep:
            delay = round(self._settings.latency * NANOSECONDS)
            self._commands.append(Command(ctrl, self._time + delay))
            self._last_command = self._time
        elif not self._paused and answered in (None, self._time):
            # an answer to an earlier state is a repetition: stepping on it would step twice
            self._ctrl = ctrl
            self._advance()
            self._publish_state()

    def _report(self, fault: str) -> None:
        if fault != self._fault:
            self.get_logger().error(fault)
        self._fault = fault

    def _follow_clock(self) -> None:
        """Real time: step as many periods as are due by the wall clock, and wait for the next."""
        self._refresh_settings()
        if self._paused:
            self._pace.restart()
        for _ in range(self._pace.due(time.monotonic_ns(), self._time, self._settings.realtime_factor)):
            self._apply_due_commands()
            self._advance()
            self._publish_state()
        self._alarm.timer_period_ns = self._pace.wait(time.monotonic_ns(), self._time)
        self._alarm.reset()

    def _refresh_settings(self) -> None:
        if self.take_changes():
            self._settings = self.config(SimulatorNodeConfig)

    def _apply_due_commands(self) -> None:
        while self._commands and self._commands[0].effective <= self._time:
            self._ctrl = self._commands.pop(0).ctrl
        if self._commands_stopped():
            settings = self._settings
            self._commands.clear()
            self._ctrl = safe_action(
                self.task,
                self._robot,
                settings.safe_action,
                settings.damping,
                self._world.data.qvel,
                self._ctrl,
            )

    def _commands_stopped(self) -> bool:
        """Whether the last command is command_timeout old, its delay on the way included."""
        if self._last_command is None:
            return True
        settings = self._settings
        return self._time - self._last_command >= (settings.command_timeout + settings.latency) * NANOSECONDS

    def _advance(self) -> None:
        """One control period under the current control."""
        self._world.step(self._ctrl, self._substeps)
        self._time += self._period
        self._waiting_since = time.monotonic()
        if self._world.diverged:
            self._report("the simulated world diverged and was put back to a start state")
            self._restart()

    def _restart(self) -> None:
        self._world.reset()
        self._ctrl = np.array(self.task.neutral)
        self._commands.clear()
        self._time += round(RESET_GAP * NANOSECONDS)
        self._pace.restart()

    def _repeat_state(self) -> None:
        """Lockstep: say it again while nobody answers."""
        self._refresh_settings()
        if time.monotonic() - self._waiting_since >= REPEAT_PERIOD:
            self._publish_state()

    def _publish_state(self) -> None:
        stamp = self._time
        self._clock_out.publish(ClockMessage(clock=to_stamp(stamp)))
        if self._settings.drop_rate and self._noise_rng.random() < self._settings.drop_rate:
            return
        qpos, qvel = np.array(self._world.data.qpos), np.array(self._world.data.qvel)
        if self._settings.noise:
            robot, sigma = self._robot, self._settings.noise
            qpos[robot.qpos] += self._noise_rng.normal(0.0, sigma, len(robot.qpos))
            qvel += self._noise_rng.normal(0.0, sigma, len(qvel))
        if self._goal:
            self._publish_goal(self._goal, stamp)
        for body, _, publisher in self._odometry:
            assert body is not None
            publisher.publish(pack_odometry(body, qpos, qvel, stamp, body.name))
        self._joints.publish(pack_joint_state(self._robot, qpos, qvel, stamp))

    def _publish_goal(self, publisher: Publisher[PoseStamped], stamp: int) -> None:
        """With every state, so that in lockstep nobody plans for the goal before."""
        position, quaternion = self._world.data.mocap_pos[0], self._world.data.mocap_quat[0]
        self._own_goals.append((stamp, (*position, *quaternion)))
        publisher.publish(pack_goal(position, quaternion, stamp))

    def _on_goal(self, message: PoseStamped) -> None:
        """A user's goal holds until the next reset."""
        try:
            position, quaternion, stamp = unpack_goal(message)
            if self._goal is None:
                raise PoloError(f"task {self.task.name} has no goal to set: its model has no mocap body")
        except PoloError as error:
            self._report(str(error))
            return
        if (stamp, (*position, *quaternion)) in self._own_goals:
            return
        self._world.set_goal(position, quaternion)
        if self._settings.lockstep:  # whoever waits for the goal of this moment hears of it
            self._publish_state()

    def _on_set_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        self._pace.restart()
        if not self._paused:
            self._publish_state()
        response.success, response.message = True, "paused" if self._paused else "running"
        return response

    def _on_reset_world(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._restart()
        self._publish_state()
        response.success = True
        response.message = f"reset to a start state at {self._time / NANOSECONDS:.3f} s"
        return response

    def _on_step_simulation(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._paused:
            response.success, response.message = False, "pause first: call ~/set_pause with data: true"
            return response
        self._advance()
        self._publish_state()
        response.success, response.message = True, f"stepped to {self._time / NANOSECONDS:.3f} s"
        return response


def main() -> None:
    """Run the node; a simulated robot stays on this machine unless the environment says otherwise."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    exit_with(SimulatorNode)


if __name__ == "__main__":
    main()
