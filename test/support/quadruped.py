"""A small quadruped as a maker might publish it: without floor and sensors, its inertial frame turned."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks import Feature, RewardTerm, Task, View
from polo_ros.tasks.actuators import to_position_servos
from polo_ros.tasks.building import (
    add_floor,
    add_foot_contacts,
    add_frame_sensors,
    add_joint_sensors,
    add_velocity_goal,
)
from polo_ros.tasks.features import foot_heights, heading_velocity, joint_positions, velocity_goal
from polo_ros.tasks.gait import Gait

FEET = ("FL", "FR", "RL", "RR")
HIP_EFFORT, KNEE_EFFORT = 20.0, 30.0
FOOT_RADIUS = 0.02
LEG = """
<body name="{foot}_thigh" pos="{x} {y} 0">
  <joint name="{foot}_hip" axis="0 1 0" range="-1 1"/>
  <geom type="capsule" fromto="0 0 0 0 0 -0.15" size="0.02" mass="0.5"/>
  <body name="{foot}_shank" pos="0 0 -0.15">
    <joint name="{foot}_knee" axis="0 1 0" range="-2 -0.1"/>
    <geom type="capsule" fromto="0 0 0 0 0 -0.15" size="0.015" mass="0.2"/>
    <geom name="{foot}" type="sphere" pos="0 0 -0.15" size="0.02" mass="0.05"/>
    <site name="{foot}_sole" pos="0 0 -0.17"/>
  </body>
</body>
"""
LEGS = "".join(
    LEG.format(foot=foot, x=0.2 if foot[0] == "F" else -0.2, y=0.1 if foot[1] == "L" else -0.1)
    for foot in FEET
)
MOTORS = "".join(
    f'<motor name="{foot}_{part}" joint="{foot}_{part}" ctrlrange="-{effort} {effort}"/>'
    for foot in FEET
    for part, effort in (("hip", HIP_EFFORT), ("knee", KNEE_EFFORT))
)
HOME = [0.0, 0.0, 0.297, 1.0, 0.0, 0.0, 0.0, *[0.4, -0.8] * 4]
# the inertia's axes are turned by 90 degrees about z: its frame is not the body's
QUADRUPED = f"""
<mujoco model="quadruped">
  <compiler angle="radian"/>
  <option timestep="0.005"/>
  <default><joint armature="0.01"/></default>
  <worldbody>
    <body name="trunk" pos="0 0 0.3">
      <freejoint/>
      <inertial pos="0.05 0 0" mass="6" fullinertia="0.07 0.02 0.08 0.001 0 0"/>
      <geom name="shell" type="box" size="0.2 0.08 0.05" mass="0"/>
      {LEGS}
    </body>
  </worldbody>
  <actuator>{MOTORS}</actuator>
  <keyframe><key name="home" qpos="{" ".join(map(str, HOME))}"/></keyframe>
</mujoco>
"""


def quadruped() -> mujoco.MjSpec:
    """The model as published."""
    return mujoco.MjSpec.from_string(QUADRUPED)


class Trot(Task):
    """Trot at a wanted velocity."""

    name: ClassVar[str] = "trot"
    summary: ClassVar[str] = "A small quadruped trots where it is told."
    model_source = quadruped
    home: ClassVar[str] = "home"
    trace_sensor: ClassVar[str] = "trunk_position"
    substeps: ClassVar[int] = 4
    gait = Gait(period=0.5, duty=0.6, offsets=(0.0, 0.5, 0.5, 0.0), height=0.05)
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("velocity", -1.0, -5.0, 0.0, "Distance from the wanted velocity, in m/s and rad/s."),
        RewardTerm("feet", -10.0, -50.0, 0.0, "Sum of the feet's distances from their wanted heights, in m."),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("velocity missing", 3, "m/s, rad/s"),
        Feature("joint positions", 8, "rad"),
        Feature("gait clock", 2, "1"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        """Floor, sensors, servos and a velocity goal."""
        add_floor(spec)
        add_frame_sensors(spec, "trunk")
        add_foot_contacts(spec, FEET)
        self.joints = add_joint_sensors(spec)
        to_position_servos(spec, kp=100.0, kd=3.0)
        add_velocity_goal(spec)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The wanted velocity and gait, each (...)."""
        feet = np.abs(foot_heights(view, FEET) - self.gait.foot_heights(view)).sum(axis=-1)
        return {"velocity": np.linalg.norm(self.missing(view), axis=-1), "feet": feet}

    def value_features(self, view: View) -> Array:
        """What is missing, the joints and the clock, (..., 13)."""
        return np.concatenate(
            [self.missing(view), joint_positions(view, self.joints), self.gait.features(view)], axis=-1
        )

    def missing(self, view: View) -> Array:
        """The wanted velocity less the present one, (..., 3)."""
        missing: Array = velocity_goal(view) - heading_velocity(view, "trunk")
        return missing
