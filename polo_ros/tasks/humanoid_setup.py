"""The setup of a humanoid robot: bodies, joints, servos and gait; the defaults are a Unitree G1."""

from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter

GROUPS = "hips, knees, ankles, waist and arms"


@dataclass(frozen=True)
class HumanoidSetup:
    """The robot, its servos and its gait; the defaults are a Unitree G1.

    `kp`, `kd`, `effort` and `armature` are for hips, knees, ankles, waist and arms. Efforts and armatures are
    of motors as the package mjlab lists them (its g1_constants.py), one for each group, although the joints
    of a group differ: hip roll has the knee's motor, the wrists have weaker ones. The gains are tuned.
    """

    base: str = parameter("pelvis", "Body of the pelvis.", dynamic=False)
    feet: tuple[str, ...] = parameter(
        ("left_ankle_roll_link", "right_ankle_roll_link"), "Bodies of the feet: left, right.", dynamic=False
    )
    joints: tuple[str, ...] = parameter(
        ("*_hip_*", "*_knee*", "*_ankle_*", "waist_*", "*_shoulder_*|*_elbow*|*_wrist*"),
        "Patterns of the joints of hips, knees, ankles, waist and arms; | separates alternatives.",
        dynamic=False,
    )
    held: tuple[str, ...] = parameter(
        ("waist_*", "*_wrist*"), "Patterns of joints whose commands stay at home.", dynamic=False
    )
    kp: tuple[float, ...] = parameter(
        (200.0, 250.0, 200.0, 200.0, 40.0), "Stiffness of the servos, in N·m/rad.",
        low=1.0, high=1000.0, dynamic=False,
    )  # fmt: skip
    kd: tuple[float, ...] = parameter(
        (5.0, 5.0, 3.0, 5.0, 2.0), "Damping of the servos, in N·m·s/rad.", low=0.0, high=50.0, dynamic=False
    )
    effort: tuple[float, ...] = parameter(
        (88.0, 139.0, 50.0, 50.0, 25.0), "Largest efforts, in N·m.", low=1.0, high=1000.0, dynamic=False
    )
    armature: tuple[float, ...] = parameter(
        (0.0102, 0.0251, 0.0072, 0.0072, 0.0036), "Inertia of the motors at the joints, in kg·m².",
        low=0.0, high=1.0, dynamic=False,
    )  # fmt: skip
    timestep: float = parameter(0.01, "Physics timestep, in s.", low=0.001, high=0.02, dynamic=False)
    simple_contacts: bool = parameter(
        True, "Whether only the corners of the soles touch, which saves most of the time.", dynamic=False
    )
    crouch: float = parameter(
        0.01, "How far below the home pose the base is held, in m.", low=0.0, high=0.2, dynamic=False
    )
    width: float = parameter(0.2, "Distance of the feet in walking, in m.", low=0.1, high=0.5, dynamic=False)
    gait_period: float = parameter(0.6, "Duration of two steps, in s.", low=0.3, high=3.0, dynamic=False)
    gait_duty: float = parameter(
        0.6, "Share of that for which a foot stands.", low=0.51, high=0.9, dynamic=False
    )
    gait_height: float = parameter(0.06, "Height of a swinging foot, in m.", low=0.0, high=0.2, dynamic=False)
    reference: bool = parameter(True, "Whether plans are deviations from predicted steps.", dynamic=False)


def check_setup(setup: HumanoidSetup) -> None:
    """Refuse a setup whose parts are not as many as they must be.

    Raises:
      PoloError: names the parameter.
    """
    if len(setup.feet) != 2:
        raise PoloError(f"setup.feet are the bodies of two feet, left and right, not {len(setup.feet)}")
    for name in ("joints", "kp", "kd", "effort", "armature"):
        count = len(getattr(setup, name))
        if count != 5:
            raise PoloError(f"setup.{name} has five entries, for {GROUPS}, not {count}")
