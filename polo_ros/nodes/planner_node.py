"""The planner node: state in, plan, commands out at the control rate; publishes experience."""

from polo_ros.nodes.start import planner_node

if __name__ == "__main__":  # before the imports that take seconds
    planner_node()

import time
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Bool, Float64MultiArray, String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition, rewards
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.controller import Controller
from polo_ros.control.imu import ImuMounting
from polo_ros.control.joints import TRAJECTORY_TOPIC, JointMapping
from polo_ros.control.lockstep import LockstepController
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import RealTimeController
from polo_ros.control.state import CMD_VEL, GOAL
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_schema
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.nodes.messages import pack_command, pack_experience, pack_trajectory, unpack_bytes
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import LATCHED, RELIABLE, SENSOR
from polo_ros.nodes.sole_source import SoleSource
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.nodes.telemetry import Telemetry
from polo_ros.planner import Planner, PlannerConfig

# how long readers have to take the last command before its publisher goes, in s of wall time
FINAL_COMMAND_WAIT_S = 0.2


class PlannerNode(PoloNode):
    """Messages in, to a controller, and its commands, experience and reports out as messages."""

    counted = ("plans", "plans")
    summarised = ("plan_time", "effective_sample_size", "episode", "weights_sequence")

    def __init__(self) -> None:
        super().__init__("planner_node")
        settings = self._controller_settings()
        node = settings.node
        self._joints = JointMapping(self.task.model, node.joints)
        self.task.weights.update(settings.reward_weights)
        self._planner = Planner(self.task, settings.planner, self.seed, node.rollout_threads)
        self._weights = ReceivedWeights(self.task, settings.planner.discount)
        self._weights_warning = ""
        if node.weights_file:
            self._planner.value = self._weights.load(node.weights_file)
            self._warn_of_weights()
        self._period = round(NANOSECONDS * self.task.timestep)
        topic, kind = self._joints.command_topic, Float64MultiArray
        self._trajectories = node.command_message == "trajectory"
        if self._trajectories:
            self._joints.check_trajectories()
            topic, kind = TRAJECTORY_TOPIC, JointTrajectory
        self._sole = SoleSource(self, topic, lambda why: self._controller.block(why))
        self._commanded = False
        self._commands = self.create_publisher(kind, topic, RELIABLE)
        self._experience = self.create_publisher(Float64MultiArray, "experience", 100)
        self._schema = self.create_publisher(String, "experience/schema", LATCHED)
        self._schema_sent = ""
        self._publish_schema()
        self._telemetry = Telemetry(self, self._joints, self._planner)
        self._controller = self._make_controller(settings)
        while self._sole.discover():
            pass  # an earlier planner may command this robot: no state is received before that is known
        self._subscribe(node)

    def _make_controller(self, settings: ControllerSettings) -> Controller:
        """The controller for the node's mode; in real time a timer of the control rate calls it."""
        outputs = ControllerOutputs(
            send=self._send,
            record=self._publish_experience,
            show=self._telemetry.publish,
            warn=self.get_logger().warning,
        )
        if settings.node.lockstep:
            return LockstepController(self._planner, self._joints, settings, self._now, outputs)
        simulated = bool(self.get_parameter("use_sim_time").value)
        controller = RealTimeController(
            self._planner, self._joints, settings, self._now, outputs, self._period if simulated else 0
        )
        self.create_timer(self.task.timestep, controller.tick)
        return controller

    def _subscribe(self, node: PlannerNodeConfig) -> None:
        """Subscriptions and services."""
        base = self._joints.base
        self._receiver = receiver = StateReceiver(
            self._joints,
            self._controller,
            self._on_part,
            self.report_fault,
            node.odom_twist_frame,
            self.get_logger().info,
            ImuMounting(self.task.model, base, node.imu_frame) if node.use_imu and base else None,
            node.missing_velocities == "differentiate",
        )
        overrides = QoSOverridingOptions.with_default_policies()
        for kind, topic, callback in receiver.state_topics():
            self.create_subscription(
                kind, topic, callback, SENSOR, qos_overriding_options=overrides, raw=kind is Odometry
            )
        # a latched subscription misses publishers that are not latched, such as `ros2 topic pub` and many
        # drivers; a volatile one receives them, too, and receiving a message twice does no harm
        for quality in (LATCHED, RELIABLE):
            self.create_subscription(Bool, "hardware/e_stop", self._on_e_stop, quality)
        for kind, topic, callback in receiver.goal_topics(self.task.goals.kinds):
            for quality in (LATCHED, RELIABLE) if topic == GOAL else (RELIABLE,):
                self.create_subscription(kind, topic, callback, quality)
        if not node.lockstep:  # there, the simulator's velocity goal comes with each state
            kind = TwistStamped if node.cmd_vel_stamped else Twist
            self.create_subscription(
                kind, CMD_VEL, lambda message: receiver.on_cmd_vel(message, self._now()), RELIABLE
            )
        self.create_subscription(UInt8MultiArray, "value_function/weights", self._on_weights, LATCHED)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_service(Trigger, "~/reset", self._on_reset)

    # ---- parameters and diagnostics

    def configs(self) -> tuple[type[object], ...]:
        """What must stay consistent."""
        return PlannerNodeConfig, PlannerConfig

    def on_parameters_changed(self) -> None:
        """Hand the new parameters to the controller, which takes them over between two plans."""
        self._controller.configure(self._controller_settings())
        self._publish_schema()

    def _controller_settings(self) -> ControllerSettings:
        return ControllerSettings(
            self.config(PlannerNodeConfig), self.config(PlannerConfig), self.reward_weights()
        )

    def status(self) -> Status:
        """Whether commands flow and why not, how planning goes, and bad input."""
        status = self._controller.status()
        status = replace(status, values=status.values | self._weights.values())
        if self.fault and status.level is not Level.ERROR:
            # the reason why a state is missing or old is added to the fact
            text = self.fault if status.level is Level.OK else f"{status.text}; {self.fault}"
            return replace(status, level=Level.WARN, text=text)
        return status

    def check(self) -> None:
        """End the node where planning failed or another planner commands; be silent beside other nodes."""
        self._controller.check()
        self._sole.yield_to_earlier()
        self._controller.block(self._why_blocked())

    def _why_blocked(self) -> str:
        """Which other node commands this robot, or may do so; empty where none does."""
        unclaimed = self._sole.unclaimed()
        if unclaimed:
            self._controller.enable(False)  # its end must not set the robot in motion
            return f"{self._sole.topic} has another publisher; stop it, then call ~/enable ({unclaimed})"
        if not self._commanded and self._sole.unsettled():
            return f"another publisher of {self._sole.topic} is listed, which may be an earlier planner"
        return ""

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    # ---- messages in

    def _on_part(self, whole: bool) -> None:
        if whole and not self._receiver.faults:
            self.clear_fault()

    def _on_e_stop(self, message: Bool) -> None:
        self._controller.e_stop(bool(message.data))

    def _on_weights(self, message: UInt8MultiArray) -> None:
        """Take over newer weights for the next plan, or refuse them by name."""
        try:
            self._controller.use_value(self._weights.receive(unpack_bytes(message)))
            self._warn_of_weights()
        except PoloError as error:
            self.report_fault(str(error))

    def _warn_of_weights(self) -> None:
        """Log once how the reward of the value function differs from the planner's."""
        if self._weights.warning and self._weights.warning != self._weights_warning:
            self.get_logger().warning(self._weights.warning)
        self._weights_warning = self._weights.warning

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = self._controller.enable(request.data)
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._controller.reset()
        response.success, response.message = True, "the next plan starts from neutral controls"
        return response

    # ---- messages out

    def _send(self, ctrl: Array, answered: int, following: Array) -> None:
        if not self._commanded:
            blocked = self._why_blocked()
            if blocked:
                self._controller.block(blocked)
                return
            self._commanded = True
        if not self._trajectories:
            self._commands.publish(pack_command(self._joints.command(ctrl), answered))
            return
        positions = np.array([self._joints.command(each) for each in (ctrl, *following)])
        names = self._joints.command_joints
        self._commands.publish(pack_trajectory(names, positions, self._now(), self._period, answered))

    def _publish_schema(self) -> None:
        """What experience holds from now on, where it is new."""
        schema = experience_schema(self.task, self._joints.joint_names, self.reward_weights())
        if schema != self._schema_sent:
            self._schema.publish(String(data=schema))
            self._schema_sent = schema

    def _publish_experience(self, transitions: list[Transition]) -> None:
        """Rewards are not computed where nobody listens."""
        if not transitions or not self._experience.get_subscription_count():
            return
        for transition, reward in zip(transitions, rewards(self.task, transitions), strict=True):
            stamp, state = transition.snapshot.stamp, transition.snapshot.state
            self._experience.publish(
                pack_experience(
                    stamp / NANOSECONDS, transition.episode, state, transition.ctrl, float(reward)
                )
            )

    def close(self) -> None:
        """Let the last plan finish, and leave the robot with its safe action."""
        if self._controller.close():
            # a subscriber loses what it has not taken when the publisher goes
            self._commands.wait_for_all_acked(Duration(seconds=1.0))
            time.sleep(FINAL_COMMAND_WAIT_S)
