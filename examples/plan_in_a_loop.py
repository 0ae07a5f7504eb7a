"""Plan in a loop, without ROS: a cart swings a pole up.

Run it:  python examples/plan_in_a_loop.py
"""

import numpy as np

from polo_ros.agent.world import World
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks import make_task


def main(steps: int = 100) -> float:
    """Plan and act for some control periods; returns the last angle of the pole from upright, in rad."""
    # A task is a MuJoCo model, a reward and a start state. `polo tasks` lists all of them.
    task = make_task("cartpole_swingup")

    # MPPI samples 20 control sequences of 50 steps (1 s) around its last plan and averages the best.
    # docs/parameters.md explains every field of the configuration.
    config = PlannerConfig(horizon=50, rollouts=20, noise_sigma=0.5)
    planner = Planner(task, config, seed=0)

    # The world is a simulation here. For a robot, read its state and send it the control instead:
    # examples/my_robot_driver.py does so over ROS 2.
    world = World(task, np.random.default_rng(0))
    angle = float("nan")
    for step in range(steps):
        now = float(world.data.time)  # s
        report = planner.plan(world.state, now)  # the state is qpos, qvel and goals in one array
        control = planner.control(report.plan, now)  # (nu,), within the actuators' ranges
        world.step(control)  # one control period, task.timestep seconds
        angle = float(task.measured(report.view))  # the task's own measure of the state planned from
        if step % 10 == 0:
            print(
                f"{now:5.2f} s   {task.measure.name} {angle:5.2f} {task.measure.unit}   "
                f"reward {report.reward:5.2f}   plan took {1e3 * report.compute_time:4.1f} ms"
            )
    return angle


if __name__ == "__main__":
    main()
