"""How evenly commands come in real time: the period between them, by the planner's clock and by a reader's.

    python -m benchmarks.jitter

The planner runs with one rollout thread, with the second core idle or taken by a spinning process. "wall" is
a robot's case: a stand-in driver publishes the state of a robot at rest by the wall clock. "simulated" has
the simulator node at real-time factor 1, whose clock the control timer then follows. "node" times are taken
in the planner node after each command was published; "receiver" times as the message is taken by this
process, whose own wake-ups are in them (and, with the stand-in driver, its publishing).
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from matplotlib.ticker import FormatStrFormatter
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from benchmarks.realtime import TIMEOUT_S
from benchmarks.realtime_nodes import Nodes
from benchmarks.shipped import params_file
from experiments.style import add_legend, new_figure
from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.nodes.messages import pack_joint_state, pack_odometry
from polo_ros.nodes.qos import EVERY_STATE, RELIABLE
from polo_ros.parameters.settings import settings_for
from polo_ros.viewer.figures import BLUE, VERMILION

CLOCKS, CORES = ("wall", "simulated"), ("idle", "busy")
COLUMNS = (
    "clock", "second_core", "place", "periods", "p50_ms", "p99_ms", "max_ms", "mean_period_ms", "plans",
    "safe_fraction", "deadline_misses",
)  # fmt: skip
# how long after the first plan measuring begins, in s of wall time
WARM_UP_S = 2.0
# these are good to the second: diagnostics are published once a second
COUNTS = ("plans", "control_ticks", "safe_ticks", "deadline_misses")
# where the times are taken, and the columns that are drawn
PLACES = {"node": ("sent by the planner node", BLUE), "receiver": ("received by another process", VERMILION)}
QUANTILES = {"p50_ms": ("median", "o"), "p99_ms": ("99th percentile", "s"), "max_ms": ("largest", ">")}


def main() -> None:
    """Measure, print, write a row a setting and place, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--seconds", type=float, default=30.0, help="of wall time a setting")
    parser.add_argument("--clocks", nargs="+", choices=CLOCKS, default=list(CLOCKS))
    parser.add_argument("--cores", nargs="+", choices=CORES, default=list(CORES))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/jitter.csv"))
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, draw --out again")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    period = 1e3 * settings_for(options.task).task.timestep
    if options.draw_only:
        draw(options.out)
        return
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.jitter {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for clock in options.clocks:
            for core in options.cores:
                stamps, counts = measure(options.task, clock, core == "busy", options.seconds)
                for place, times in stamps.items():
                    periods = np.diff(times) / 1e6
                    off = np.abs(periods - period)
                    numbers = (*np.percentile(off, (50, 99)), off.max(), periods.mean())
                    row = (
                        clock, core, place, len(off), *(f"{number:.3f}" for number in numbers),
                        counts["plans"], f"{counts['safe_ticks'] / max(counts['control_ticks'], 1):.4f}",
                        counts["deadline_misses"],
                    )  # fmt: skip
                    writer.writerow(row)
                    file.flush()
                    print(dict(zip(COLUMNS, row, strict=True)), flush=True)
    draw(options.out)


def measure(name: str, clock: str, busy: bool, seconds: float) -> tuple[dict[str, Array], dict[str, int]]:
    """Times of commands in ns by place, (n,) each, and what the planner counted meanwhile, by name."""
    file = params_file(name)
    nodes = Nodes(Path("runs/jitter"))
    stamps = Path("runs/jitter/stamps.npy")
    robot = JointMapping(settings_for(name).task.model)
    received: list[int] = []
    planner: dict[str, str] = {}
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("jitter")

    def on_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("planner_node"):
                planner.update({pair.key: pair.value for pair in status.values})

    node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
    node.create_subscription(
        Float64MultiArray, robot.command_topic, lambda _: received.append(time.monotonic_ns()), EVERY_STATE
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    parameters: dict[str, Any] = {"task": name, "lockstep": False, "autostart": True, "threads": 1}
    spinner = None
    try:
        if clock == "simulated":
            nodes.start("simulator_node", [file], {"task": name, "lockstep": False, "realtime_factor": 1.0})
        else:
            drive(node, name)
        nodes.start_own(
            "stamped_planner", ("--stamps", str(stamps)), file,
            {**parameters, "use_sim_time": clock == "simulated"},
        )  # fmt: skip
        if busy:
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        deadline = time.monotonic() + TIMEOUT_S
        while not int(planner.get("plans", "0")):
            executor.spin_once(timeout_sec=0.1)
            if nodes.dead() or time.monotonic() > deadline:
                raise SystemExit(f"no plans: {nodes.log('planner_node').read_text()}")
        began = time.monotonic() + WARM_UP_S
        before: dict[str, str] = {}
        while time.monotonic() < began + seconds:
            executor.spin_once(timeout_sec=0.1)
            if not before and time.monotonic() >= began:
                before = dict(planner)
    finally:
        if spinner is not None:
            spinner.kill()
            spinner.wait()
        nodes.stop()
        node.destroy_node()
        rclpy.try_shutdown()
    sent, heard = np.load(stamps), np.array(received, dtype=np.int64)
    first, last = 1e9 * began, 1e9 * (began + seconds)
    places = {"node": sent, "receiver": heard}
    counts = {name: int(planner[name]) - int(before[name]) for name in COUNTS}
    return {place: times[(times >= first) & (times <= last)] for place, times in places.items()}, counts


def drive(node: Any, name: str) -> None:
    """A stand-in driver: publishes a robot's start state at the control rate."""
    task = settings_for(name).task
    robot = JointMapping(task.model)
    state = task.start_state(np.random.default_rng(0))
    qpos, qvel = state[: task.model.nq], state[task.model.nq : task.model.nq + task.model.nv]
    joints = node.create_publisher(JointState, "joint_states", RELIABLE)
    odometry = node.create_publisher(Odometry, "odom", RELIABLE)

    def publish() -> None:
        stamp = node.get_clock().now().nanoseconds
        if robot.base is not None:
            odometry.publish(pack_odometry(robot.base, qpos, qvel, stamp, robot.base.name))
        joints.publish(pack_joint_state(robot, qpos, qvel, stamp))

    node.create_timer(task.timestep, publish)


def draw(file: Path) -> None:
    """Draw beside the CSV file how far periods deviate from the control period, in every setting."""
    frame = pd.read_csv(file, comment="#")
    settings = frame[["clock", "second_core"]].drop_duplicates().to_numpy().tolist()
    figure = new_figure(9, 1.9 + 0.62 * len(settings))
    axes = figure.subplots()
    for index, (place, (label, colour)) in enumerate(PLACES.items()):
        rows = frame[frame["place"] == place]
        heights = [
            settings.index([row.clock, row.second_core]) + 0.24 * (index - 0.5) for row in rows.itertuples()
        ]
        axes.hlines(heights, rows["p50_ms"], rows["max_ms"], color=colour, lw=1.5, alpha=0.5)
        for column, (name, marker) in QUANTILES.items():
            axes.plot(rows[column], heights, marker, color=colour, ms=7, label=f"{name}, {label}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10, 20])
    axes.set_xticks([], minor=True)
    period = frame["mean_period_ms"].median()
    axes.set_xlabel(f"deviation of the period between commands from {period:.0f} ms, in ms")
    axes.set_yticks(range(len(settings)), [f"{clock} clock,\nsecond core {core}" for clock, core in settings])
    axes.set_ylim(len(settings) - 0.5, -0.5)  # the first on top
    axes.grid(alpha=0.3)
    add_legend(figure, axes, "Jitter of the planner's commands", ncols=2)
    figure.savefig(file.with_suffix(".png"))


if __name__ == "__main__":
    main()
