"""What ROS 2 takes in real time: CPU time of the nodes' threads, rollout steps in the graph against outside.

    python -m benchmarks.ros_cost

Simulator and planner run at 125 Hz and at real-time factor 1. Rounds take turns: the graph runs for some
seconds from the task's start state; then the world is paused, so that its nodes are idle, and the same
planner, with the same number of threads, plans in this process from the states of a world that advances with
the wall clock. A round's ratio is the rollout steps a second in the graph over those outside. CPU time is of
the operating system, in shares of a core: "executor" is the main thread, in which messages are taken and
handled (and the simulator steps its world); "middleware" are the threads of Fast DDS; "planning" is the rest.
"real_time" is simulated time over wall time: where the machine does not keep up, fewer control periods are
handled in a second, and both executors' CPU time a control period says more than their share.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from benchmarks.overrides import add_override_option, override_values
from benchmarks.realtime import DISCOVERY_WAIT_S, TIMEOUT_S
from benchmarks.realtime_nodes import Nodes
from polo_ros.agent.world import World
from polo_ros.files import share_path
from polo_ros.learner.weights import load_value
from polo_ros.nodes.executor import spin_for
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.planner import Planner

TASK = "humanoid_getup"
NODES = ("planner_node", "simulator_node")
PARTS = ("executor", "middleware", "planning")
COLUMNS = (
    "round", *(f"{node.removesuffix('_node')}_{part}" for node in NODES for part in PARTS), "executors",
    "real_time", "executors_ms_per_period", "plans_per_second", "steps_per_second",
    "steps_per_second_outside", "ratio",
)  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")
# what each node's diagnostics count
COUNTED = {"planner_node": "plans", "simulator_node": "sim_time"}
# before a graph's round is measured, in s: the first plans take longer
WARM_UP_S = 1.0


class Meter(LightweightNode):
    """Calls the simulator's services and keeps what the planner counts.

    Attributes:
      counts: of each node's diagnostics, when they came by the monotonic clock in s and what `COUNTED` says.
    """

    def __init__(self) -> None:
        super().__init__("meter")
        self.counts: dict[str, list[tuple[float, float]]] = {name: [] for name in COUNTED}
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node = status.name.split("/")[-1]
            if node in COUNTED:
                values = {pair.key: pair.value for pair in status.values}
                self.counts[node].append((time.monotonic(), float(values[COUNTED[node]])))

    def listen(self, seconds: float) -> None:
        """Take diagnostics for some wall time."""
        spin_for(self._executor, seconds)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Listen until a condition holds.

        Raises:
          RuntimeError: it does not for long.
        """
        until = time.monotonic() + TIMEOUT_S
        while not condition():
            self._executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > until:
                raise RuntimeError(f"no {what} within {TIMEOUT_S:g} s")

    def call(self, kind: type[Any], service: str, **fields: object) -> None:
        """Call a service of the simulator and wait for its answer."""
        client: Any = self.create_client(kind, f"simulator_node/{service}")
        self.wait(client.service_is_ready, f"service {service}")
        future = client.call_async(kind.Request(**fields))
        self.wait(future.done, f"answer from {service}")
        self.destroy_client(client)

    def rate(self, node: str, began: float) -> float:
        """A node's count a second, between its first and last report since a monotonic time in s."""
        reports = [report for report in self.counts[node] if report[0] >= began]
        (first, before), (last, after) = reports[0], reports[-1]
        return (after - before) / (last - first)


def cpu_times(pid: int) -> dict[str, float]:
    """CPU time of a process so far by part, in s; threads that have ended do not count."""
    times: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    for thread in Path(f"/proc/{pid}/task").iterdir():
        content = (thread / "stat").read_text()
        name, _, rest = content.partition("(")[2].rpartition(")")
        fields = rest.split()
        part = "executor" if int(thread.name) == pid else "middleware" if "dds." in name else "planning"
        times[part] += (int(fields[11]) + int(fields[12])) / TICKS
    return times


def steps_per_plan(settings: Settings) -> int:
    """Physics steps of one plan's rollouts."""
    planner = settings.planner
    return planner.rollouts * planner.iterations * (planner.horizon * settings.task.substeps + 1)


def outside(settings: Settings, seconds: float) -> float:
    """Rollout steps a second of the same planner in this process, along a run of its own."""
    node, task = settings.planner_node, settings.task
    planner = Planner(task, settings.planner, node.seed, node.rollout_threads)
    planner.value, _ = load_value(node.weights_file, task) if node.weights_file else (None, None)
    world = World(task, np.random.default_rng(node.seed))
    report = planner.plan(world.state, 0.0)  # the first one allocates
    steps, began = 0, time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        while world.data.time < now:
            world.step(planner.control(report.plan, world.data.time))
        report = planner.plan(world.state, world.data.time)
        steps += report.simulator_steps
    return steps / (time.monotonic() - began)


def in_graph(meter: Meter, nodes: Nodes, settings: Settings, seconds: float) -> dict[str, float]:
    """CPU time by column, in shares of a core, and rates, from the start state on."""
    meter.call(Trigger, "reset_world")
    meter.call(SetBool, "set_pause", data=False)
    meter.listen(WARM_UP_S)  # so that no older diagnostics wait to be taken
    pids = {node: nodes.pid(node) for node in NODES}
    began, before = time.monotonic(), {node: cpu_times(pid) for node, pid in pids.items()}
    meter.listen(seconds)
    span = time.monotonic() - began
    shares = {
        f"{node.removesuffix('_node')}_{part}": (cpu_times(pid)[part] - before[node][part]) / span
        for node, pid in pids.items()
        for part in PARTS
    }
    executors = sum(share for name, share in shares.items() if name.endswith("_executor"))
    plans, real_time = meter.rate("planner_node", began), meter.rate("simulator_node", began)
    meter.call(SetBool, "set_pause", data=True)
    return {
        **shares,
        "executors": executors,
        "real_time": real_time,
        "executors_ms_per_period": 1e3 * executors * settings.task.timestep / real_time,
        "plans_per_second": plans,
        "steps_per_second": plans * steps_per_plan(settings),
    }


def main() -> None:
    """Print and write a row a round, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=8.0, help="of wall time a half round")
    parser.add_argument("--config", type=Path, default=share_path("config", f"{TASK}_realtime.yaml"))
    add_override_option(parser, "a parameter of the planner in place of the file's")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ros_cost.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    given = override_values(options.override)
    settings = settings_for(TASK, options.config, given)
    rows = list(measure(settings, options.config, given, options.rounds, options.seconds))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.ros_cost {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({name: f"{value:.4g}" for name, value in row.items()} for row in rows)
    medians = {name: statistics.median(row[name] for row in rows) for name in COLUMNS[1:]}
    print("median", *(f"{name}={value:.3g}" for name, value in medians.items()))


def measure(
    settings: Settings, config: Path, given: dict[str, Any], rounds: int, seconds: float
) -> list[dict[str, float]]:
    """A row a round."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    meter, nodes, rows = Meter(), Nodes(Path("runs/ros_cost")), []
    common = {"lockstep": False}
    try:
        nodes.start("simulator_node", [config], common)
        nodes.start("planner_node", [config], {**given, **common, "use_sim_time": True, "autostart": True})
        meter.wait(lambda: any(count for _, count in meter.counts["planner_node"]), "plan")
        meter.call(SetBool, "set_pause", data=True)
        time.sleep(DISCOVERY_WAIT_S)
        for index in range(rounds):
            inside, alone = in_graph(meter, nodes, settings, seconds), outside(settings, seconds)
            row = {
                "round": index,
                **inside,
                "steps_per_second_outside": alone,
                "ratio": inside["steps_per_second"] / alone,
            }
            rows.append(row)
            print(*(f"{name}={value:.3g}" for name, value in row.items()), flush=True)
    finally:
        nodes.stop()
        meter.destroy_node()
        rclpy.try_shutdown()
    return rows


if __name__ == "__main__":
    main()
