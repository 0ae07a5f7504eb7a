"""Small robots with servos, for what the tasks of the package do not cover."""

import tempfile
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

# a shoulder whose servo counts two units a radian, and an elbow with a servo or a motor
ARM = """
<mujoco>
  <compiler autolimits="true"/>
  <option timestep="0.02" gravity="0 0 0" integrator="implicitfast"/>
  <worldbody>
    <body>
      <joint name="shoulder" axis="0 1 0" damping="0.5"/>
      <geom type="capsule" fromto="0 0 0 0 0 0.3" size="0.03" contype="0" conaffinity="0"/>
      <body pos="0 0 0.3">
        <joint name="elbow" axis="0 1 0" damping="0.5"/>
        <geom type="capsule" fromto="0 0 0 0 0 0.3" size="0.03" contype="0" conaffinity="0"/>
        <site name="hand" pos="0 0 0.3"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position joint="shoulder" kp="2" gear="2" ctrlrange="-2 2"/>
    {elbow}
  </actuator>
  <sensor>
    <framepos name="hand" objtype="site" objname="hand"/>
  </sensor>
</mujoco>
"""
ELBOWS = {
    "servo": '<position joint="elbow" kp="2" ctrlrange="-1.5 1"/>',
    "motor": '<motor joint="elbow" gear="5" ctrlrange="-1 1"/>',
}


class Arm(Task):
    """Two joints in a plane; the hand shall go up."""

    name: ClassVar[str] = "arm"
    summary: ClassVar[str] = "An arm of two joints."
    model_source: ClassVar[str] = ""
    trace_sensor: ClassVar[str] = "hand"
    measure: ClassVar[Measure] = Measure("height missing", "m")
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("height", 1.0, 0.0, 2.0, "Height of the hand, in m."),
    )
    features: ClassVar[tuple[Feature, ...]] = (Feature("place of the hand", 3, "m"),)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """How high the hand is, (...)."""
        return {"height": view.sensor("hand")[..., 2]}

    def value_features(self, view: View) -> Array:
        """Where the hand is, (..., 3)."""
        return view.sensor("hand")

    def measured(self, view: View) -> Array:
        """How much height is missing, (...)."""
        missing: Array = 0.6 - view.sensor("hand")[..., 2]
        return missing

    def achieved(self, view: View) -> Mask:
        """Whether the hand is nearly at the top."""
        return self.measured(view) < 0.1

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Anywhere, at rest."""
        data.qpos[:] = rng.uniform(-1.0, 1.0, 2)


def make_arm(elbow: str) -> Arm:
    """The arm with a "servo" or a "motor" at its elbow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arm.xml"
        path.write_text(ARM.format(elbow=ELBOWS[elbow]))
        return Arm(path)
