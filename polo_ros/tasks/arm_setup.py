"""The setup of an arm: joints, tool, servos, limits and obstacle; the defaults are an I2RT YAM."""

from collections.abc import Sequence
from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter


@dataclass(frozen=True)
class ArmSetup:
    """The arm and its obstacle; the defaults are an I2RT YAM and a post.

    `kp`, `kd`, `effort`, `armature` and `velocity` have one entry for each joint, in the model's order, or
    one for all. All but `velocity` are for joints without a position servo of the model's own. Their defaults
    are those of the YAM: gains of its driver, efforts and armatures of its motors (DM4340 and DM4310).
    """

    joints: tuple[str, ...] = parameter(
        ("joint1", "joint2", "joint3", "joint4", "joint5", "joint6"),
        "Names or patterns of the arm's joints, 6 or 7; all others, such as a gripper's, are fixed.",
        dynamic=False,
    )
    tool: str = parameter("grasp_site", "Site or body that is moved to the goal.", dynamic=False)
    home_pose: tuple[float, ...] = parameter(
        (0.0, 1.047, 1.05, -0.9, 0.0, 0.0),
        "Start pose where the model has no keyframe home, in rad or m.", low=-10.0, high=10.0, dynamic=False,
    )  # fmt: skip
    kp: tuple[float, ...] = parameter(
        (80.0, 80.0, 80.0, 40.0, 10.0, 10.0), "Stiffness of the servos, in N·m/rad.",
        low=0.1, high=1e5, dynamic=False,
    )  # fmt: skip
    kd: tuple[float, ...] = parameter(
        (5.0, 5.0, 5.0, 1.5, 1.5, 1.5), "Damping of the servos, in N·m·s/rad.",
        low=0.0, high=1e4, dynamic=False,
    )  # fmt: skip
    effort: tuple[float, ...] = parameter(
        (28.0, 28.0, 28.0, 10.0, 10.0, 10.0), "Largest efforts, in N·m.", low=0.1, high=1e4, dynamic=False
    )
    armature: tuple[float, ...] = parameter(
        (0.032, 0.032, 0.032, 0.0018, 0.0018, 0.0018), "Inertia of the motors at the joints, in kg·m².",
        low=0.0, high=10.0, dynamic=False,
    )  # fmt: skip
    velocity: tuple[float, ...] = parameter(
        (2.0,), "Largest speeds of the joints and of their commands, in rad/s or m/s.",
        low=0.01, high=50.0, dynamic=False,
    )  # fmt: skip
    obstacle: bool = parameter(True, "Whether there is an obstacle.", dynamic=False)
    obstacle_position: tuple[float, ...] = parameter(
        (0.3, 0.2, 0.2), "Centre of the obstacle in the world, in m.", low=-10.0, high=10.0, dynamic=False
    )
    obstacle_size: tuple[float, ...] = parameter(
        (0.06, 0.06, 0.4), "Edges of the obstacle, a box, in m.", low=0.001, high=10.0, dynamic=False
    )
    clearance: float = parameter(
        0.06, "Distance from the obstacle below which the reward falls, in m.",
        low=0.005, high=0.5, dynamic=False,
    )  # fmt: skip
    timestep: float = parameter(0.02, "Physics timestep, in s.", low=0.001, high=0.02, dynamic=False)
    reference: bool = parameter(
        True, "Whether plans are deviations from a path to a solution of the inverse kinematics.",
        dynamic=False,
    )  # fmt: skip


def check_setup(setup: ArmSetup) -> None:
    """Refuse an obstacle that is none.

    Raises:
      PoloError: names the parameter.
    """
    for name, values in (("position", setup.obstacle_position), ("size", setup.obstacle_size)):
        if len(values) != 3:
            raise PoloError(f"setup.obstacle_{name} has three entries, along x, y and z, not {len(values)}")
    if min(setup.obstacle_size) <= 0.0:
        raise PoloError(f"the edges of setup.obstacle_size are above 0 m, not {min(setup.obstacle_size):g}")


def each(values: Sequence[float], joints: Sequence[str], what: str) -> dict[str, float]:
    """A number for each joint, by its name, from one for each or one for all.

    Raises:
      PoloError: there are neither as many as joints nor one.
    """
    if len(values) not in (1, len(joints)):
        raise PoloError(
            f"setup.{what} has an entry for each of {len(joints)} joints or one, not {len(values)}"
        )
    return {joint: values[index % len(values)] for index, joint in enumerate(joints)}
