"""A small arm with seven joints, servos of its own and a gripper, for tests."""

from pathlib import Path

AXES = ("0 0 1", "0 1 0", "0 0 1", "0 -1 0", "0 0 1", "0 1 0", "0 0 1")
HOME = (0.0, 0.5, 0.0, 1.2, 0.0, 1.0, 0.0)


def arm_xml(servo: str = '<position name="servo{0}" joint="a{0}" kp="200" kv="20"/>') -> str:
    """The MJCF, with angles in degrees; `servo` is the actuator of each joint."""
    links = "".join(
        f'<body name="link{index}" pos="0 0 {0.2 if index > 1 else 0.1}">'
        f'<joint name="a{index}" axis="{axis}" range="-160 160"/>'
        f'<geom type="capsule" size="0.03" fromto="0 0 0.05 0 0 0.15" mass="0.5"/>'
        for index, axis in enumerate(AXES, start=1)
    )
    fingers = "".join(
        f'<body name="finger{side}" pos="0 {y} 0.2"><joint name="slide{side}" type="slide" axis="0 1 0" '
        f'range="0 0.02"/><geom type="box" size="0.005 0.005 0.02" mass="0.02"/></body>'
        for side, y in (("L", 0.02), ("R", -0.02))
    )
    actuators = "".join(servo.format(index) for index in range(1, 8))
    home = " ".join(str(angle) for angle in HOME)
    return f"""
    <mujoco>
      <worldbody>
        {links}<site name="hand" pos="0 0 0.2"/>{fingers}{"</body>" * 7}
      </worldbody>
      <tendon>
        <fixed name="grip"><joint joint="slideL" coef="1"/><joint joint="slideR" coef="-1"/></fixed>
      </tendon>
      <equality><joint joint1="slideL" joint2="slideR"/></equality>
      <actuator>{actuators}<position name="gripper" tendon="grip" kp="10" ctrlrange="0 0.02"/></actuator>
      <sensor><tendonpos tendon="grip"/><jointpos joint="a1"/></sensor>
      <keyframe><key name="home" qpos="{home} 0.01 0.01"/><key name="other" qpos="{home} 0 0"/></keyframe>
    </mujoco>"""


def write_arm(folder: Path, xml: str = "") -> Path:
    """The MJCF as a file."""
    path = folder / "arm.xml"
    path.write_text(xml or arm_xml())
    return path
