"""The simulator node: stands in for hardware; knows nothing about planning or learning."""

from __future__ import annotations

from polo_ros.nodes.start import simulator_node

if __name__ == "__main__":  # before the imports that take seconds
    simulator_node()

import time

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped, WrenchStamped
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_limits import hold_warning
from polo_ros.control.config import SimulatorNodeConfig
from polo_ros.control.joints import JointMapping
from polo_ros.control.simulated_clock import SimulatedClock
from polo_ros.control.simulated_robot import SimulatedRobot
from polo_ros.control.state import CMD_VEL, GOAL, JOINTS
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import (
    unpack_cmd_vel,
    unpack_command,
    unpack_goal,
    unpack_push,
)
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import RELIABLE
from polo_ros.nodes.sole_source import SoleSource
from polo_ros.nodes.state_publisher import GOAL_QUEUE, StatePublisher
from polo_ros.tasks.goals import POSE

# a publisher's name and claim follow it within this time, in s
NAMING_S = 0.3
# discovery may take seconds: up to this time after its start, this node ends itself where it finds a driver;
# later, the driver is the newcomer
LATE_DISCOVERY_S = 5.0
# how often the state is repeated while lockstep waits for a command, and /clock while real time is paused, in
# s of wall time: what was published once may have come before its reader was there
REPEAT_PERIOD_S = 0.2
# wall time without a command after which lockstep says that it waits, in s
WAITING_S = 1.0


class SimulatorNode(PoloNode):
    """Publishes states, applies commands; in lockstep one control period per command."""

    counted = ("sim_time", "simulated s")
    summarised = ("late_periods",)

    def __init__(self) -> None:
        super().__init__("simulator_node")
        self._started = time.monotonic()
        settings = self.config(SimulatorNodeConfig)
        self._lockstep = settings.lockstep
        self._joints = JointMapping(self.task.model)
        self._world = World(self.task, np.random.default_rng(self.seed))
        self._robot = SimulatedRobot(self._world, self.task, self._joints, settings, self.seed)
        self._paused = False
        self._warn_of_hold()
        self._sole = SoleSource(self, JOINTS)
        self._unclaimed = ""
        self._look_for_others()
        self._states = StatePublisher(self, self._joints)
        self._subscribe()
        self._waiting_since = time.monotonic()
        self._schedule = SimulatedClock(self._robot.period)
        if self._lockstep:
            self.every(REPEAT_PERIOD_S, self._repeat_state)
        else:
            # fires at once, and then whenever the next period is due
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._alarm = self.create_timer(0.0, self._follow_clock, clock=steady)
            self.every(REPEAT_PERIOD_S, self._repeat_time)
        self._publish_state()

    def _subscribe(self) -> None:
        # a latched subscription misses publishers that are not latched, such as `ros2 topic pub`
        for durability in (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE):
            every = QoSProfile(
                depth=GOAL_QUEUE, reliability=ReliabilityPolicy.RELIABLE, durability=durability
            )
            self.create_subscription(PoseStamped, GOAL, self._on_goal, every)
        kind = TwistStamped if self._robot.config.cmd_vel_stamped else Twist
        self.create_subscription(kind, CMD_VEL, self._on_cmd_vel, RELIABLE)
        commands = self.create_subscription(
            Float64MultiArray, self._joints.command_topic, self._on_command, RELIABLE
        )
        if not self._lockstep:
            self.unawaited.add(commands)  # soon enough before the next period is stepped
        self.create_subscription(WrenchStamped, "~/push", self._on_push, RELIABLE)
        self.create_service(SetBool, "~/set_pause", self._on_set_pause)
        self.create_service(Trigger, "~/reset_world", self._on_reset_world)
        self.create_service(Trigger, "~/step_simulation", self._on_step_simulation)

    # ---- parameters and diagnostics

    def configs(self) -> tuple[type[SimulatorNodeConfig], ...]:
        """What must stay consistent."""
        return (SimulatorNodeConfig,)

    def on_parameters_changed(self) -> None:
        """Act on the new parameters from the next control period on."""
        self._robot.config = self.config(SimulatorNodeConfig)
        self._warn_of_hold()

    def _warn_of_hold(self) -> None:
        warning = hold_warning(self._joints, self._robot.config.safe_action, "safe_action")
        if warning:
            self.get_logger().warning(warning, once=True)

    def status(self) -> Status:
        """Whether commands arrive, and what else went wrong."""
        values: dict[str, object] = {
            "sim_time": f"{self._robot.time / NANOSECONDS:.3f}",
            "late_periods": self._schedule.late,
            "ncon": int(self._world.data.ncon),
        }
        if self.fault:
            return Status(Level.WARN, self.fault, values)
        others = self._others_at_work()
        if others:
            return Status(Level.WARN, others, values)
        if self._paused:
            return Status(Level.OK, "paused", values)
        if self._lockstep and time.monotonic() - self._waiting_since > WAITING_S:
            return Status(Level.WARN, "the world stands still: lockstep awaits a command", values)
        if not self._lockstep and self._robot.commands_stopped:
            timeout = self._robot.config.command_timeout
            return Status(Level.WARN, f"no command for {timeout} s: safe action", values)
        return Status(Level.OK, "running", values)

    # ---- other simulators

    def check(self) -> None:
        """End this node where it is not the first source of this robot's state, once that is known."""
        self._sole.yield_to_earlier()
        self._unclaimed = self._sole.unclaimed()
        if self._unclaimed and time.monotonic() - self._started < LATE_DISCOVERY_S:
            raise PoloError(self._sole.already_published(self._unclaimed))

    def _look_for_others(self) -> None:
        """Wait for the claims of earlier sources before the first state is published.

        Raises:
          PoloError: there is an earlier source.
        """
        while self._sole.discover():
            unclaimed = self._sole.unclaimed(settle=NAMING_S)
            if unclaimed:
                raise PoloError(self._sole.already_published(unclaimed))

    def _others_at_work(self) -> str:
        """Which other node publishes this robot's state or its clock, and is not told to end; or nothing."""
        if self._unclaimed:
            return f"{self._sole.topic} has another publisher; stop it ({self._unclaimed})"
        clock = self._states.clock_topic
        if self.count_publishers(clock) > 1:
            return f"another node publishes {clock}, too; remap /clock to clock in a namespace, or stop it"
        return ""

    # ---- commands and time

    def _on_command(self, message: Float64MultiArray) -> None:
        try:
            values, answered = unpack_command(message)
            ctrl = self._joints.ctrl(values)
        except PoloError as error:
            self.report_fault(str(error))
            return
        self.clear_fault()
        if not self._lockstep:
            self._robot.add_command(ctrl)
        elif not self._paused and answered in (None, self._robot.time):
            # an answer to an earlier state is a repetition: stepping on it would step twice
            self._after_period(self._robot.advance(ctrl))

    def _follow_clock(self) -> None:
        """Real time: step as many periods as are due by the wall clock, and wait for the next."""
        robot = self._robot
        if self._paused:
            self._schedule.restart()
        for _ in range(self._schedule.due(time.monotonic_ns(), robot.time, robot.config.realtime_factor)):
            self._after_period(robot.advance_by_clock())
        self._alarm.timer_period_ns = self._schedule.wait(time.monotonic_ns(), robot.time)
        self._alarm.reset()

    def _after_period(self, diverged: bool) -> None:
        self._waiting_since = time.monotonic()
        if diverged:
            self.report_fault("the simulated world diverged and was put back to a start state")
            self._schedule.restart()
        self._publish_state()

    # ---- states

    def _repeat_state(self) -> None:
        """Lockstep: publish the state again while nobody answers."""
        if time.monotonic() - self._waiting_since >= REPEAT_PERIOD_S:
            self._publish_state()

    def _repeat_time(self) -> None:
        """Real time: tell the time of a paused world to nodes that join or have missed it."""
        if self._paused:
            self._states.publish_time(self._robot.time)

    def _publish_state(self) -> None:
        self._states.publish(self._robot, self._world.data)

    # ---- goals

    def _on_goal(self, message: PoseStamped) -> None:
        """A user's goal holds until the next reset."""
        try:
            position, quaternion, stamp = unpack_goal(message)
            self.task.goals.index(POSE)  # raises where the task has no goal that is a pose
        except PoloError as error:
            self.report_fault(str(error))
            return
        if self._states.published_goal(position, quaternion, stamp):
            return
        self._world.set_goal(position, quaternion)
        if self._lockstep:  # a planner that waits for this moment's goal gets it
            self._publish_state()

    def _on_cmd_vel(self, message: Twist | TwistStamped) -> None:
        """A user's velocity goal counts for 0.5 simulated s, then it is zero."""
        try:
            command = unpack_cmd_vel(message, self._joints.base, self._robot.time)
            self._robot.command_velocity(command.velocity, command.stamp)
        except PoloError as error:
            self.report_fault(str(error))

    def _on_push(self, message: WrenchStamped) -> None:
        """Push a body for as long as such messages come."""
        try:
            self._robot.push(*unpack_push(message))
        except PoloError as error:
            self.report_fault(str(error))

    # ---- services

    def _on_set_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        self._schedule.restart()
        if not self._paused:
            self._publish_state()
        response.success, response.message = True, "paused" if self._paused else "running"
        return response

    def _on_reset_world(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._robot.restart()
        self._schedule.restart()
        self._publish_state()
        response.success = True
        response.message = f"reset to a start state at {self._robot.time / NANOSECONDS:.3f} s"
        return response

    def _on_step_simulation(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._paused:
            response.success, response.message = False, "pause first: call ~/set_pause with data: true"
            return response
        self._after_period(self._robot.advance())
        response.success = True
        response.message = f"stepped to {self._robot.time / NANOSECONDS:.3f} s"
        return response
