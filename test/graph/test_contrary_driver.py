"""The planner behind a driver of another make; `benchmarks.faults.contrary` tries all its options."""

import json
import sys
from pathlib import Path
from typing import Any

from harness import Graph

LOOSE = {"safety__silence_timeout": 10.0}  # by the wall clock, while the driver's clock waits for plans


def drive(graph: Graph, folder: Path, *options: str) -> dict[str, Any]:
    """Start the planner, drive a cart-pole that begins upright, and return the driver's report."""
    report = folder / "report.json"
    graph.start("planner_node", lockstep=False, use_sim_time=True, autostart=True, **LOOSE)
    command = [sys.executable, "-m", "benchmarks.faults.contrary_driver", "--report", str(report)]
    graph.run("driver", [*command, *options])
    assert graph.exit_code("driver") == 0, graph.log("driver")
    content: dict[str, Any] = json.loads(report.read_text())
    return content


def test_it_balances_whatever_the_order_and_quality_of_the_messages(graph: Graph, tmp_path: Path) -> None:
    contrary = ["--shuffle", "--extra-joints", "3", "--best-effort", "--drop", "0.1", "--double", "0.3"]
    report = drive(graph, tmp_path, "--seconds", "1.0", *contrary)
    assert report["released"]
    assert sum(report["achieved"]) >= 0.9 * len(report["achieved"])
    assert "gripper_0" in graph.log("planner_node")  # ignored, and said


def test_silence_of_the_robot_releases_it_and_is_said(graph: Graph, tmp_path: Path) -> None:
    gap = ["--seconds", "1.4", "--gap", "0.3", "--gap-topic", "joint_states"]
    report = drive(graph, tmp_path, *gap)
    efforts = report["efforts"]  # the gap begins after 1 s; a state is stale after 0.1 s
    assert any(efforts[:50])
    assert not any(efforts[58:64])
    assert "s old, more than 0.100 s" in graph.log("planner_node")


def test_a_driver_whose_clock_is_ahead_is_not_followed(graph: Graph, tmp_path: Path) -> None:
    report = drive(graph, tmp_path, "--clock-offset", "1.0", "--hold", "20")
    assert not report["released"]
    assert "ahead of the clock" in graph.log("planner_node")
