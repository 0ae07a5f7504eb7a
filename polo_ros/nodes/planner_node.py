"""The planner node: state in, plan, commands out at the control rate; publishes experience."""

import threading
import time

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray, String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.arrays import Array
from polo_ros.control.command_history import Command, Transition, rewards
from polo_ros.control.commander import Commander
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.joints import JointMapping
from polo_ros.control.latency import LatencyEstimate
from polo_ros.control.safety import SafetyGate
from polo_ros.control.schedule import RUN_OUT, why_unfollowed
from polo_ros.control.state import GOAL, Snapshot, StateAssembler
from polo_ros.control.timing import Timing
from polo_ros.control.worker import Worker
from polo_ros.errors import PoloError
from polo_ros.learner.weights import Origin, decode_value, load_value
from polo_ros.nodes.messages import (
    NANOSECONDS,
    experience_schema,
    from_stamp,
    pack_command,
    pack_experience,
    unpack_bytes,
    unpack_goal,
    unpack_joint_state,
    unpack_odometry,
)
from polo_ros.nodes.node import ERROR, LATCHED, OK, RELIABLE, SENSOR, WARN, PoloNode, exit_with
from polo_ros.nodes.telemetry import Telemetry
from polo_ros.planner import Planner, PlannerConfig, PlanReport

# a forward gap of this many control periods between states is a new episode
EPISODE_GAP = 20
# and so is this gap in s however slow the control, as long as it is more than one period
LONGEST_GAP = 0.5
# what readers are given to take the last command, in s
FINAL_COMMAND_WAIT = 0.2


class PlannerNode(PoloNode):
    """In lockstep answers each state with a command; in real time plans while a timer commands."""

    def __init__(self) -> None:
        super().__init__("planner_node")
        settings = self.config(PlannerNodeConfig)
        self._settings = settings
        if abs(settings.control_rate * self.task.timestep - 1.0) > 1e-6:
            raise PoloError(
                f"control_rate {settings.control_rate} is not task {self.task.name}'s "
                f"{1.0 / self.task.timestep:g} control periods per second; set it to that, or the timestep "
                f"in the MJCF to 1 / (control_rate · {self.task.substeps})"
            )
        self._robot = JointMapping(self.task.model, settings.joints)
        self._planner = Planner(self.task, self.config(PlannerConfig), self.seed, settings.rollout_threads)
        self.apply_reward_weights()
        self._states = StateAssembler(self.task, self._robot, settings.lockstep)
        self._gate = SafetyGate(self.task, self._robot, settings.autostart)
        self._commander = Commander(self._planner, self._gate, self._states.joint_velocities, settings)
        self._lock = threading.Lock()
        self._period = round(NANOSECONDS / settings.control_rate)
        simulated = bool(self.get_parameter("use_sim_time").value)
        self._look_ahead = LatencyEstimate(self._period, self._period if simulated else 0)
        self._newest: PlanReport | None = None
        self._latest: Snapshot | None = None
        self._origin: Origin | None = None
        self._last_answer: Float64MultiArray | None = None
        self._reset_wanted = False
        self._episode = 0
        self._latency = 0
        self._fault = ""
        self._held_back = ""
        self._timing = Timing(self._period)
        self._missed_reported = 0
        counted = ("plans", "diverged_plans", "late_plans", "missed_plans", "refused_weights")
        self._counts = dict.fromkeys(counted, 0)
        if settings.weights_file:
            self._planner.value, self._origin = load_value(settings.weights_file, self.task)
        self._connect()
        self._worker: Worker[tuple[Snapshot, int]] = Worker(self._plan, "planning")

    def _connect(self) -> None:
        """Publishers, subscriptions, services and, in real time, the control timer."""
        overrides = QoSOverridingOptions.with_default_policies()
        self._commands = self.create_publisher(Float64MultiArray, self._robot.command_topic, RELIABLE)
        self._experience = self.create_publisher(Float64MultiArray, "experience", 100)
        self._schema = self.create_publisher(String, "experience/schema", LATCHED)
        self._schema.publish(String(data=experience_schema(self.task, self._robot.joint_names)))
        self._telemetry = Telemetry(self, self._robot, self._planner)
        self.create_subscription(
            JointState, "joint_states", self._on_joints, SENSOR, qos_overriding_options=overrides
        )
        for topic in self._states.odometry_topics():
            self.create_subscription(
                Odometry,
                topic,
                lambda message, topic=topic: self._on_odometry(topic, message),
                SENSOR,
                qos_overriding_options=overrides,
            )
        # a latched reader misses publishers that are not latched, such as `ros2 topic pub` and many
        # drivers; a volatile one hears them, too, and what is heard twice does no harm
        for quality in (LATCHED, RELIABLE):
            self.create_subscription(PoseStamped, GOAL, self._on_goal, quality)
            self.create_subscription(Bool, "hardware/e_stop", self._on_e_stop, quality)
        self.create_subscription(UInt8MultiArray, "value_function/weights", self._on_weights, LATCHED)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_service(Trigger, "~/reset", self._on_reset)
        if not self._settings.lockstep:
            self.create_timer(1.0 / self._settings.control_rate, self._control)

    def configs(self) -> tuple[type[object], ...]:
        """What must stay consistent."""
        return PlannerNodeConfig, PlannerConfig

    def status(self) -> tuple[int, str, dict[str, object]]:
        """Whether commands flow and why not, and how planning goes."""
        values: dict[str, object] = {
            **self._counts,
            "episode": self._episode,
            "latency": f"{self._latency / NANOSECONDS:.4f}",
        }
        if not self._settings.lockstep:
            values |= self._timing.report(self.get_clock().now().nanoseconds, self._counts["plans"])
        if self._origin is not None:
            values["weights_sequence"] = self._origin.sequence
            values["weights_epoch"] = self._origin.epoch
        report = self._newest
        if report is not None:
            values["effective_sample_size"] = f"{report.effective_sample_size:.1f}"
            values["valid_rollouts"] = report.valid_rollouts
            values["plan_time"] = f"{report.compute_time:.4f}"
            if report.valid_rollouts == 0:
                return ERROR, "every rollout diverged; following the last good plan", values
        reason = self._why_safe(self.get_clock().now().nanoseconds) or self._held_back
        if reason:
            return WARN, f"safe action: {reason}", values
        missed = self._counts["missed_plans"]
        if missed > self._missed_reported:  # however short it was
            self._missed_reported = missed
            return WARN, "planning was late: the plan ran out before the next one came", values
        if self._fault:
            return WARN, self._fault, values
        return OK, "planning", values

    # ---- state in

    def _on_joints(self, message: JointState) -> None:
        try:
            positions, velocities = unpack_joint_state(self._robot, message)
        except PoloError as error:
            self._report(str(error))
            return
        self._states.set_joints(positions, velocities, from_stamp(message.header.stamp))
        self._on_state()

    def _on_odometry(self, topic: str, message: Odometry) -> None:
        try:
            qpos, qvel = unpack_odometry(message, topic, self._settings.odom_twist_frame)
        except PoloError as error:
            self._report(str(error))
            return
        self._states.set_odometry(topic, qpos, qvel, from_stamp(message.header.stamp))
        self._on_state()

    def _on_goal(self, message: PoseStamped) -> None:
        try:
            self._states.set_goal(*unpack_goal(message))
        except PoloError as error:
            self._report(str(error))
            return
        if self._settings.lockstep:
            self._on_state()

    def _on_state(self) -> None:
        """A part of the state arrived: plan from it once it is whole."""
        snapshot = self._states.snapshot()
        if snapshot is None:
            return
        self._fault = ""
        previous = self._latest.stamp if self._latest is not None else None
        if previous is not None and snapshot.stamp == previous:
            # in lockstep the simulator asks again, since the answer may be lost; in real time a part is
            # new and the others of its moment are still on their way: no state to plan from
            if self._settings.lockstep and self._last_answer is not None:
                self._commands.publish(self._last_answer)
            return
        self._latest = snapshot
        if previous is not None:
            self._notice_break(snapshot.stamp - previous)
        if not self._settings.lockstep:
            with self._lock:
                episode = self._episode + self._reset_wanted
            self._commander.history.add_state(snapshot, episode)
        reason = self._why_safe(self.get_clock().now().nanoseconds)
        if not reason:
            self._worker.submit((snapshot, time.monotonic_ns()))
        elif self._settings.lockstep:
            self._command_safely(snapshot)

    def _notice_break(self, step: int) -> None:
        """A jump of time, back or far ahead, ends the episode and the plan."""
        gap = max(
            min(EPISODE_GAP / self._settings.control_rate, LONGEST_GAP), 1.5 / self._settings.control_rate
        )
        if step < 0:
            self.get_logger().warning("time jumped back: plan and experience start afresh")
            self._commander.history.clear()
        if step < 0 or step > gap * NANOSECONDS:
            self._forget_plans()

    def _forget_plans(self) -> None:
        """No plan acts until one from neutral controls has been made."""
        with self._lock:
            self._reset_wanted = True
            self._newest = None
            self._commander.schedule.clear()

    def _why_safe(self, now: int) -> str:
        """Why not to command; empty where all is well."""
        age = None
        if not self._settings.lockstep and self._latest is not None:
            age = (now - self._latest.stamp) / NANOSECONDS
        return self._gate.reason(age, self._settings.state_timeout, self._states.missing())

    # ---- planning, on its own thread

    def _plan(self, request: tuple[Snapshot, int]) -> None:
        """From a state, and the monotonic time in ns at which it was heard."""
        self._apply_changes()
        snapshot, heard = request
        wall, now = time.monotonic_ns(), self.get_clock().now().nanoseconds
        self._look_ahead.begin(wall, now)
        state, start = snapshot.state, snapshot.stamp
        if self._compensates():
            periods = self._look_ahead.periods(now - start, wall - heard)
            state, start = self._commander.predict(snapshot, periods), start + periods * self._period
        report = self._planner.plan(state, start / NANOSECONDS)
        self._look_ahead.end(time.monotonic_ns())
        self._counts["plans"] += 1
        self._counts["diverged_plans"] += report.valid_rollouts == 0
        now = self.get_clock().now().nanoseconds
        with self._lock:
            if not self._reset_wanted:
                self._newest = report
                if not self._settings.lockstep:
                    self._commander.schedule.add(report.plan, snapshot.stamp, now / NANOSECONDS)
        if not self._settings.lockstep:
            self._latency = start - snapshot.stamp
            self._counts["late_plans"] += self._compensates() and now >= start
            self._publish_experience(self._commander.history.pop_transitions())
        elif self._why_safe(snapshot.stamp):  # stopped or disabled while this was planned
            self._command_safely(snapshot)
        else:
            ctrl = self._commander.ctrl(report.plan, start / NANOSECONDS)
            self._send(ctrl, snapshot.stamp)
            self._publish_experience([Transition(snapshot, self._episode, ctrl)])
        self._telemetry.publish(report)

    def _compensates(self) -> bool:
        return self._settings.latency_compensation and not self._settings.lockstep

    def _apply_changes(self) -> None:
        """Take over parameters and resets; only ever between two plans."""
        if self.take_changes():
            self._settings = self._commander.settings = self.config(PlannerNodeConfig)
            self._planner.configure(self.config(PlannerConfig))
            self.apply_reward_weights()
        with self._lock:
            if self._reset_wanted:
                self._reset_wanted = False
                self._episode += 1
                self._planner.reset()
                self._look_ahead.interrupt()

    def check(self) -> None:
        """End the node where planning failed: a silent planner is worse than a stopped one."""
        if self._worker.failure is not None:
            raise self._worker.failure

    # ---- commands out

    def _control(self) -> None:
        """Real time: sample the plan that acts at this moment, or act safely."""
        now = self.get_clock().now().nanoseconds
        acting = self._commander.schedule.at(now / NANOSECONDS)
        reason = self._why_safe(now) or why_unfollowed(acting, now / NANOSECONDS)
        self._counts["missed_plans"] += reason == RUN_OUT != self._held_back
        self._held_back = reason
        acting = None if reason else acting
        state = self._latest.stamp if self._latest is not None else None
        self._timing.tick(now, state, acting.stamp if acting else None)
        if state is None:
            return
        ctrl = self._commander.ctrl(acting.plan if acting else None, now / NANOSECONDS)
        self._send(ctrl, state)
        self._commander.history.add_command(Command(now, ctrl, planned=acting is not None))

    def _command_safely(self, snapshot: Snapshot) -> None:
        self._send(self._commander.ctrl(None, snapshot.stamp / NANOSECONDS), snapshot.stamp)

    def _send(self, ctrl: Array, answered: int) -> None:
        self._last_answer = pack_command(self._robot.command(ctrl), answered)
        self._commands.publish(self._last_answer)

    # ---- what others see

    def _publish_experience(self, visits: list[Transition]) -> None:
        """On the planning thread: judging states takes time that the control timer does not have.

        And that planning would rather have, too, where nobody listens.
        """
        if not self._experience.get_subscription_count():
            return
        for visit, reward in zip(visits, rewards(self.task, visits), strict=True):
            time, state = visit.snapshot.stamp / NANOSECONDS, visit.snapshot.state
            self._experience.publish(pack_experience(time, visit.episode, state, visit.ctrl, float(reward)))

    def _on_weights(self, message: UInt8MultiArray) -> None:
        """Take over newer weights for the next plan, or refuse them by name."""
        try:
            value, origin = decode_value(unpack_bytes(message), self.task)
            known = self._origin
            if known and (origin.epoch, origin.sequence) < (known.epoch, known.sequence):
                raise PoloError(
                    f"weights {origin.sequence} of epoch {origin.epoch} are older than the present "
                    f"{known.sequence} of epoch {known.epoch}"
                )
        except PoloError as error:
            self._counts["refused_weights"] += 1
            self._report(f"{error}; the last good weights stay")
            return
        self._planner.value, self._origin = value, origin

    def _report(self, fault: str) -> None:
        if fault != self._fault:
            self.get_logger().error(fault)
        self._fault = fault

    def _on_e_stop(self, message: Bool) -> None:
        if message.data != self._gate.stopped:  # drivers repeat it
            self.get_logger().warning("e-stop pressed" if message.data else "e-stop released; enable to move")
        self._gate.e_stop(bool(message.data))

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        before = self._gate.enabled
        response.success, response.message = self._gate.enable(request.data)
        if self._gate.enabled and not before and self._counts["plans"]:
            self._forget_plans()  # the last one was for another moment
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._lock:
            self._reset_wanted = True
        response.success, response.message = True, "the next plan starts from neutral controls"
        return response

    def close(self) -> None:
        """Let the last plan finish, and leave the robot with its safe action."""
        self._worker.close()
        self._publish_experience(self._commander.history.pop_transitions())
        if self._latest is not None:
            self._command_safely(self._latest)
            # readers drop what they have not taken when its publisher goes
            self._commands.wait_for_all_acked(Duration(seconds=1.0))
            time.sleep(FINAL_COMMAND_WAIT)


def main() -> None:
    """Run the node."""
    exit_with(PlannerNode)


if __name__ == "__main__":
    main()
