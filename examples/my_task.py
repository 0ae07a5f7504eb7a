"""A task of your own in one file: a pendulum with a weak motor swings up.  python examples/my_task.py"""

from functools import partial

import mujoco
import numpy as np

from polo_ros.agent.agent import Agent
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks import Feature, Measure, RewardTerm, Task

MODEL = """<mujoco><option timestep="0.02" integrator="implicitfast"/>
  <worldbody><body> <!-- 1 kg at 1 m weighs 9.8 N·m; the motor gives 3 N·m -->
    <joint name="hinge" axis="0 1 0" damping="0.05"/>
    <geom type="capsule" fromto="0 0 0 0 0 0.9" size="0.03" mass="0.01"/>
    <geom type="sphere" pos="0 0 1" size="0.08" mass="1"/><site name="tip" pos="0 0 1"/>
  </body></worldbody>
  <actuator><motor joint="hinge" gear="3" ctrllimited="true" ctrlrange="-1 1"/></actuator>
  <sensor><framepos name="tip" objtype="site" objname="tip"/><jointvel name="speed" joint="hinge"/></sensor>
</mujoco>"""


class Pendulum(Task):  # every method judges states of any leading shape (...) at once
    name, summary = "pendulum", "A pendulum with a weak motor swings up."
    model_source = partial(mujoco.MjSpec.from_string, MODEL)  # or the path of an MJCF file
    measure = Measure("height", "m")  # what `measured` returns: the number that people look at
    trace_sensor = "tip"  # what draws the lines of the rollouts in RViz
    terms = (  # name, weight, range of the weight, unit: each weight becomes a ROS parameter
        RewardTerm("height", 1.0, 0.0, 2.0, "Height of the tip, in m."),
        RewardTerm("speed", -0.05, -1.0, 0.0, "Square of the angular velocity, in rad²/s²."),
    )
    features = (Feature("tip", 3, "m"), Feature("speed", 1, "rad/s"))  # of the value function

    def reward_terms(self, view):
        return {"height": self.measured(view), "speed": view.sensor("speed")[..., 0] ** 2}

    def value_features(self, view):
        return np.concatenate([view.sensor("tip"), view.sensor("speed")], axis=-1)

    def measured(self, view):
        return view.sensor("tip")[..., 2]

    def achieved(self, view):
        return self.measured(view) > 0.95

    def start(self, data, rng):
        data.qpos[0] = np.pi + rng.uniform(-0.1, 0.1)  # hanging


def main(steps: int = 300) -> bool:
    task = Pendulum()
    agent = Agent(task, Planner(task, PlannerConfig(horizon=60, rollouts=30, noise_sigma=0.5)))
    for _ in range(steps):
        step = agent.step()
    print(f"after {step.time:.2f} s the tip is at {task.measured(step.report.view):.2f} m of 1 m")
    return step.achieved


if __name__ == "__main__":
    main()
