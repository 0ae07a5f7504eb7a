"""The parameters of the planner and simulator nodes beside those of planning itself."""

import os
from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter
from polo_ros.planner.identification import IDENTIFIED

SAFE_ACTIONS = ("zero", "damping", "hold")
DISABLED_ACTIONS = ("silent", "hold_measured")


@dataclass(frozen=True)
class SafetyParameters:
    """The parameters of a `SafetyGate`; to change one, replace the whole object.

    Attributes:
      state_timeout: age at which a state is stale in real time, in s.
      max_effort_scale: share of each actuator's range that efforts may use.
      ramp_time: time over which efforts grow to full size, and servos pass from where they are to the
        plan, after the safe action, in s.
      max_rate: how fast the commands of servos may move, in rad/s or m/s; 0 for no limit.
      safe_action: what efforts do when no plan is followed, one of `SAFE_ACTIONS`; "hold" damps them.
      damping: gain of the damping safe action, in N·m·s/rad.
      silence_timeout: wall time without a message of the state at which it is stale, in s.
      neutral_rate: how fast enabled servos go to the task's neutral pose when no plan is followed, in
        rad/s or m/s; 0 for staying.
      disabled_action: what is commanded before the first enabling, one of `DISABLED_ACTIONS`.
    """

    state_timeout: float = 0.1
    max_effort_scale: float = 1.0
    ramp_time: float = 0.0
    max_rate: float = 0.0
    safe_action: str = "zero"
    damping: float = 5.0
    silence_timeout: float = 1.0
    neutral_rate: float = 0.0
    disabled_action: str = "silent"


@dataclass(frozen=True)
class CommonConfig:
    """What planner, learner and simulator must agree on."""

    task: str = parameter("humanoid_getup", "Name of the task.", dynamic=False)
    model_path: str = parameter("", "An MJCF file in place of the task's own.", dynamic=False)
    torque_scale: float = parameter(
        1.0, "Factor on every actuator's gear.", low=0.01, high=10.0, dynamic=False
    )
    seed: int = parameter(0, "Seed of everything random in the node.", low=0, high=2**31 - 1, dynamic=False)


@dataclass(frozen=True)
class PlannerNodeConfig(CommonConfig):
    """The planner node, beside `PlannerConfig` and the reward's weights."""

    lockstep: bool = parameter(
        True, "Answer each state with one command, as the simulator in lockstep awaits.", dynamic=False
    )
    joints: tuple[str, ...] = parameter(
        (), "Order of the joints in commands; empty for the model's actuators'.", dynamic=False
    )
    command_message: str = parameter(
        "array", "What carries commands: array (Float64MultiArray, for a forward_command_controller) or "
        "trajectory (JointTrajectory, for a joint_trajectory_controller).",
        choices=("array", "trajectory"), dynamic=False,
    )  # fmt: skip
    trajectory_points: int = parameter(
        5, "Points of a trajectory, one a control period, of which the first acts at once.",
        low=1, high=50, dynamic=False,
    )  # fmt: skip
    control_rate: float = parameter(
        0.0, "Commands per second; the planner steps its model at this rate. 0 for the task's own.",
        low=0.0, high=1000.0, dynamic=False,
    )  # fmt: skip
    threads: int = parameter(
        0, "Rollout threads; 0 for one per core, less one in real time for the control timer.",
        low=0, high=256, dynamic=False,
    )  # fmt: skip
    weights_file: str = parameter(
        "", "Value function to start with: a file, or a name in the package's models folder.",
        dynamic=False,
    )  # fmt: skip
    odom_twist_frame: str = parameter(
        "child", "Frame of the twist in odom: child as in REP-105, or world for drivers that differ.",
        choices=("child", "world"), dynamic=False,
    )  # fmt: skip
    identify: tuple[str, ...] = parameter(
        (),
        "What is fitted to the robot's motion while it runs: mass, friction, gain.",
        dynamic=False,
    )
    missing_velocities: str = parameter(
        "differentiate", "What joint_states without velocities are: differentiate positions, or refuse.",
        choices=("differentiate", "refuse"), dynamic=False,
    )  # fmt: skip
    use_imu: bool = parameter(
        False,
        "Whether orientation and angular velocity of the base come from imu, beside odom.",
        dynamic=False,
    )
    imu_frame: str = parameter(
        "", "Site or body on the base in whose frame imu measures; empty for the message's frame_id.",
        dynamic=False,
    )  # fmt: skip
    cmd_vel_stamped: bool = parameter(
        False, "Whether cmd_vel carries geometry_msgs/TwistStamped in place of Twist.", dynamic=False
    )
    autostart: bool = parameter(
        False, "Whether to command from the start; otherwise ~/enable starts.", dynamic=False
    )
    latency_compensation: bool = parameter(
        True, "Roll the state forward by its age before planning in real time."
    )
    state_timeout: float = parameter(
        0.1, "Age at which a state is stale in real time, in s.", low=0.01, high=2.0,
        name="safety.state_timeout",
    )  # fmt: skip
    silence_timeout: float = parameter(
        1.0, "Time by a monotonic clock without a state message at which the state is stale, in s.",
        low=0.1, high=60.0, name="safety.silence_timeout",
    )  # fmt: skip
    max_effort_scale: float = parameter(
        1.0, "Share of each effort's range that commands may use.", low=0.0, high=1.0,
        name="safety.max_effort_scale",
    )  # fmt: skip
    ramp_time: float = parameter(
        0.0, "Time in s, after the safe action, over which efforts grow to full size and servos pass from "
        "where they are to the plan.",
        low=0.0, high=10.0, name="safety.ramp_time",
    )  # fmt: skip
    max_rate: float = parameter(
        0.0, "How fast commands of servos may move, in rad/s or m/s; 0 for no limit.", low=0.0, high=20.0,
        name="safety.max_rate",
    )  # fmt: skip
    safe_action: str = parameter(
        "zero", "What efforts do when no plan is followed: zero, or damping against their joint's velocity; "
        "hold damps them, too, since a held effort pushes for ever. Servos hold their position with each.",
        choices=SAFE_ACTIONS, name="safety.action",
    )  # fmt: skip
    damping: float = parameter(
        5.0, "Gain of the damping safe action, in N·m·s/rad; less for a joint that it would reverse within a "
        "control period.",
        low=0.0, high=100.0, name="safety.damping",
    )  # fmt: skip
    neutral_rate: float = parameter(
        0.0, "How fast servos go to the task's neutral pose while enabled without a plan to follow, in rad/s "
        "or m/s; 0 for staying where they are.",
        low=0.0, high=2.0, name="safety.neutral_rate",
    )  # fmt: skip
    disabled_action: str = parameter(
        "silent", "What is commanded before the first ~/enable: nothing (silent), or measured positions for "
        "servos and zero efforts (hold_measured).",
        choices=DISABLED_ACTIONS, name="safety.disabled_action",
    )  # fmt: skip

    @property
    def rollout_threads(self) -> int:
        """`threads` for the rollouts, whose 0 is one for each core that the process may use."""
        if self.threads or self.lockstep:
            return self.threads
        return max(len(os.sched_getaffinity(0)) - 1, 1)

    @property
    def following_points(self) -> int:
        """How many controls after the present one a command carries."""
        return self.trajectory_points - 1 if self.command_message == "trajectory" else 0

    def check(self) -> None:
        """Refuse parameters that do not go together.

        Raises:
          PoloError: trajectories in lockstep, or something unknown to identify.
        """
        unknown = [name for name in self.identify if name not in IDENTIFIED]
        if unknown:
            raise PoloError(f"identify names {unknown[0]}; known are {', '.join(IDENTIFIED)}")
        if self.lockstep and self.command_message == "trajectory":
            raise PoloError(
                "command_message: trajectory needs lockstep: false; in lockstep each state awaits one command"
            )

    @property
    def safety(self) -> SafetyParameters:
        """What the safety gate reads."""
        return SafetyParameters(
            state_timeout=self.state_timeout,
            max_effort_scale=self.max_effort_scale,
            ramp_time=self.ramp_time,
            max_rate=self.max_rate,
            safe_action=self.safe_action,
            damping=self.damping,
            silence_timeout=self.silence_timeout,
            neutral_rate=self.neutral_rate,
            disabled_action=self.disabled_action,
        )


@dataclass(frozen=True)
class SimulatorNodeConfig(CommonConfig):
    """The simulator node."""

    lockstep: bool = parameter(
        True, "Advance one control period per command instead of with the clock.", dynamic=False
    )
    control_rate: float = parameter(
        0.0, "States per second of simulated time; 0 for the task's own rate.",
        low=0.0, high=1000.0, dynamic=False,
    )  # fmt: skip
    cmd_vel_stamped: bool = parameter(
        False, "Whether cmd_vel carries geometry_msgs/TwistStamped in place of Twist.", dynamic=False
    )
    realtime_factor: float = parameter(
        1.0, "Simulated seconds per second, without lockstep.", low=0.01, high=10.0
    )
    command_timeout: float = parameter(
        0.1, "Age of the last command at which the safe action begins, in simulated s.",
        low=0.01, high=5.0,
    )  # fmt: skip
    safe_action: str = parameter(
        "zero", "What efforts do when commands stop; as safety.action of the planner.",
        choices=SAFE_ACTIONS, name="safe_action",
    )  # fmt: skip
    damping: float = parameter(
        5.0, "Gain of the damping safe action, in N·m·s/rad; as safety.damping of the planner.",
        low=0.0, high=100.0,
    )  # fmt: skip
    latency: float = parameter(0.0, "Delay of commands without lockstep, in simulated s.", low=0.0, high=0.5)
    noise: float = parameter(
        0.0, "Standard deviation of noise on measured positions (rad, m) and velocities.",
        low=0.0, high=0.5,
    )  # fmt: skip
    drop_rate: float = parameter(0.0, "Share of state messages that are lost on purpose.", low=0.0, high=0.9)
