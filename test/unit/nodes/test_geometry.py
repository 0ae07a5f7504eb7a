"""The geometry of a robot as markers."""

import mujoco
import numpy as np
from numpy.testing import assert_allclose
from rclpy.serialization import deserialize_message
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.nodes.messages import RobotMarkers

MODEL = """
<mujoco>
  <worldbody>
    <geom type="plane" size="1 1 1"/>
    <body pos="1 2 3">
      <freejoint/>
      <geom type="capsule" size="0.1 0.3" rgba="1 0 0 0.5"/>
      <geom type="box" size="0.1 0.2 0.3" pos="0 0 1"/>
      <geom type="sphere" size="0.4" group="3"/>
    </body>
  </worldbody>
</mujoco>
"""


def read(content: bytes) -> list[Marker]:
    markers: list[Marker] = deserialize_message(content, MarkerArray).markers
    return markers


def test_a_robot_is_its_visible_geoms() -> None:
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    cylinder, low, high, box = read(RobotMarkers(model).moved(data, 1_500_000_000))
    assert [m.type for m in (cylinder, low, high, box)] == [
        Marker.CYLINDER,
        Marker.SPHERE,
        Marker.SPHERE,
        Marker.CUBE,
    ]
    assert_allclose([cylinder.scale.x, cylinder.scale.z, high.scale.z], [0.2, 0.6, 0.2])
    assert_allclose([low.pose.position.z, high.pose.position.z], [2.7, 3.3])
    assert_allclose([box.scale.x, box.scale.y, box.scale.z], [0.2, 0.4, 0.6])
    assert_allclose([box.pose.position.x, box.pose.position.y, box.pose.position.z], [1.0, 2.0, 4.0])
    assert (cylinder.color.r, cylinder.color.a) == (1.0, 0.5)
    assert [m.id for m in (cylinder, low, high, box)] == [0, 1, 2, 3]
    for each in (cylinder, low, high, box):
        assert each.header.frame_id == "odom"
        assert (each.header.stamp.sec, each.header.stamp.nanosec) == (1, 500_000_000)


def test_a_turned_robot_has_turned_markers() -> None:
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    turn = np.array([np.cos(0.3), 0.0, 0.0, np.sin(0.3)])
    markers = RobotMarkers(model)
    markers.moved(data, 0)
    data.qpos[3:] = turn
    mujoco.mj_kinematics(model, data)
    box = read(markers.moved(data, 0))[-1].pose.orientation
    assert_allclose([box.w, box.x, box.y, box.z], turn, atol=1e-9)


def test_the_ends_of_a_tilted_capsule_tilt_with_it() -> None:
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    data.qpos[3:] = [np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0]  # a quarter turn about x: z becomes -y
    mujoco.mj_kinematics(model, data)
    _, low, high, _ = read(RobotMarkers(model).moved(data, 0))
    assert_allclose([low.pose.position.y, high.pose.position.y], [2.3, 1.7])
    assert_allclose([low.pose.position.z, high.pose.position.z], [3.0, 3.0])
