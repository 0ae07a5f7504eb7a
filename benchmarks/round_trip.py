"""Round trip over ROS 2 from state to command, less the plan's own time, in lockstep.

    python -m benchmarks.round_trip

A stand-in for the simulator publishes the state and waits for the command that answers it, as the real
one does; the planner is the real node in a process of its own.
"""

import argparse
import csv
import os
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks import shipped
from polo_ros.nodes.processes import Processes
from polo_ros.parameters.settings import settings_for

START_TIMEOUT_S = 60.0


def main() -> None:
    """Print and write the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--trips", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/round_trip.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    trips = measure(options.task, options.trips)
    rest = [1e3 * (trip - plan) for trip, plan in trips]
    low, median, high = statistics.quantiles(rest, n=4)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.round_trip --task {options.task} --trips {options.trips}\n")
        writer = csv.writer(file)
        writer.writerow(("trip_ms", "plan_ms", "rest_ms"))
        for trip, plan in trips:
            writer.writerow(f"{1e3 * number:.3f}" for number in (trip, plan, trip - plan))
    print(
        f"state to command less plan time: median {median:.2f} ms ({low:.2f} to {high:.2f}), n = {len(rest)}"
    )


def measure(task_name: str, count: int) -> list[tuple[float, float]]:
    """(round trip, plan time) in s of each trip."""
    import rclpy
    from nav_msgs.msg import Odometry
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import JointState
    from std_msgs.msg import Float64, Float64MultiArray

    from polo_ros.control.joints import JointMapping
    from polo_ros.nodes.messages import pack_joint_state, pack_odometry, unpack_command
    from polo_ros.nodes.qos import RELIABLE

    task = settings_for(task_name).task
    robot = JointMapping(task.model)
    state = task.start_state(np.random.default_rng(0))
    qpos, qvel = state[: task.model.nq], state[task.model.nq : task.model.nq + task.model.nv]
    answers: dict[int, float] = {}
    plan_times: list[float] = []

    rclpy.init()
    node = rclpy.create_node("round_trip")
    joints = node.create_publisher(JointState, "joint_states", RELIABLE)
    odometry = node.create_publisher(Odometry, "odom", RELIABLE)

    def on_command(message: Float64MultiArray) -> None:
        arrived = time.perf_counter()
        _, answered = unpack_command(message)
        assert answered is not None
        answers.setdefault(answered, arrived)

    node.create_subscription(Float64MultiArray, robot.command_topic, on_command, RELIABLE)

    def on_plan_time(message: Float64) -> None:
        plan_times.append(message.data)

    node.create_subscription(Float64, "planner_node/plan_time", on_plan_time, 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def trip(stamp: int, timeout: float) -> tuple[float, float] | None:
        plans = len(plan_times)
        began = time.perf_counter()
        if robot.base is not None:
            odometry.publish(pack_odometry(robot.base, qpos, qvel, stamp, robot.base.name))
        joints.publish(pack_joint_state(robot, qpos, qvel, stamp))
        while stamp not in answers or len(plan_times) == plans:
            if time.perf_counter() - began > timeout:
                return None
            executor.spin_once(timeout_sec=timeout)
        return answers[stamp] - began, plan_times[-1]

    processes = Processes(Path("runs/round_trip"))
    params_file = shipped.params_file(task_name)
    try:
        processes.start("planner_node", [params_file], {"task": task_name, "autostart": True})
        deadline = time.monotonic() + START_TIMEOUT_S
        period = round(task.timestep * 1e9)
        stamp = 0
        while trip(stamp, timeout=1.0) is None:
            stamp += period
            if time.monotonic() > deadline:
                raise SystemExit(f"planner_node did not answer: {processes.log('planner_node').read_text()}")
        trips = []
        for index in range(count):
            taken = trip(stamp + (index + 1) * period, timeout=10.0)
            if taken is not None:
                trips.append(taken)
        return trips
    finally:
        processes.stop()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
