"""The demo: solves the task, and leaves no process behind whatever happens."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from harness import Graph
from PIL import Image
from ports import free_port

from benchmarks.faults.exits import interrupted_demo
from polo_ros.files import share_path
from polo_ros.nodes.start import run_command


def start(graph: Graph, *options: str) -> Path:
    """Start the demo on the cart-pole and return its output folder."""
    out = graph.folder / "out"
    command = [sys.executable, "-m", "polo_ros.nodes.demo", "--task", "cartpole_swingup", "--out", str(out)]
    graph.run("demo", [*command, *options])
    return out


def nodes_of(graph: Graph, out: Path) -> dict[str, int]:
    """Process ids by name of the nodes that a demo has started."""
    children = Path(f"/proc/{graph.children['demo'].pid}/task/{graph.children['demo'].pid}/children")
    found: dict[str, int] = {}
    for pid in map(int, children.read_text().split()):
        arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        found |= {path.stem: pid for path in out.glob("*.log") if f"polo_ros.nodes.{path.stem}" in arguments}
    return found


def exists(pid: int) -> bool:
    """Whether a process is there, dead or alive."""
    return Path(f"/proc/{pid}").exists()


def never_solved(folder: Path) -> str:
    """A configuration that pays for nothing, so that the pole is never swung up."""
    path = folder / "idle.yaml"
    text = share_path("config", "cartpole_swingup.yaml").read_text()
    path.write_text(text.replace("    horizon: 50\n", "    horizon: 50\n    reward.upright: 0.0\n"))
    assert "upright" in path.read_text()
    return str(path)


def run_until_acting(graph: Graph, *options: str) -> dict[str, int]:
    """Start a demo that does not end by itself, and wait until its nodes act; their process ids."""
    out = start(graph, "--config", never_solved(graph.folder), "--bound", "300", *options)
    graph.wait(lambda: re.search(r"sim +(?!0\.00)\d", graph.log("demo")), "passing simulated time")
    return nodes_of(graph, out)


def test_the_demo_shows_what_the_value_function_is_worth(graph: Graph) -> None:
    value = ["weights_file:=results/horizons/cartpole/weights.safetensors", "value_weight:=1.0", "horizon:=8"]
    out = start(graph, "--no-learn", "--bound", "120", *(word for one in value for word in ("-p", one)))
    assert graph.exit_code("demo") == 0
    told = json.loads((out / "outcome.json").read_text())
    without = told["without_value_function"]
    assert told["outcome"] == "solved" and without["outcome"].startswith("not solved within")
    # it would be later if the run had begun before anybody listened
    assert told["solved_at"] < 4.0 and without["sim_time"] >= told["sim_time"]
    assert f"seed 0, without the value function: {without['outcome']}" in graph.log("demo")
    with Image.open(out / "demo.png") as picture:
        assert picture.format == "PNG"
    for folder in (out, out / "without_value_function"):
        assert {path.stem for path in folder.glob("*.log")} == {"simulator_node", "planner_node"}


def test_a_killed_node_stops_everything_and_is_named(graph: Graph) -> None:
    nodes = run_until_acting(graph, "--no-learn")
    assert set(nodes) == {"simulator_node", "planner_node"}
    os.kill(nodes["planner_node"], signal.SIGKILL)
    assert graph.exit_code("demo") == 1
    assert "planner_node has ended, so everything stops" in graph.log("demo")
    assert not any(map(exists, nodes.values()))


def test_an_interrupt_stops_everything(graph: Graph) -> None:
    nodes = run_until_acting(graph)
    assert set(nodes) == {"simulator_node", "planner_node", "learner_node"}
    assert graph.end("demo") == 1
    assert "interrupted" in graph.log("demo")
    logs = [graph.log_path("demo"), *(graph.folder / "out").glob("*.log")]
    assert not any("Traceback" in path.read_text() for path in logs)
    assert not any(map(exists, nodes.values()))


@pytest.mark.parametrize("moment", [0.0, *np.random.default_rng(0).uniform([0.1, 1.0], [1.0, 3.0])])
def test_an_interrupt_at_any_moment_is_a_clean_end(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, moment: float
) -> None:
    """`benchmarks.faults.exits` tries 50 moments and holds to 3 s; a busy machine gets longer here."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(graph.domain))
    ended = interrupted_demo(moment, ["--task", "cartpole_swingup"], graph.folder)
    assert (ended.tracebacks, ended.killed, ended.code) == (0, False, 1), ended
    assert ended.seconds < 10.0


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ("{horizon: 21, task: pointmass_box}", "is for task pointmass_box, not cartpole_swingup"),
        ("{reward.upright: 0.0, horizont: 21}", "no node has a parameter horizont; did you mean horizon?"),
    ],
)
def test_overrides_that_nobody_would_read_are_refused(
    overrides: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # --open leaves the environment of this process as it is
    assert run_command("demo", ["--task", "cartpole_swingup", "--overrides", overrides, "--open"]) == 1
    assert sentence in capsys.readouterr().err


def test_overrides_are_layered_over_the_tasks_file(graph: Graph) -> None:
    # without this reward the pole is never swung up, so that the demo goes on
    single = ["-p", "safety.ramp_time:=1", "-p", "reward.upright:=0.0"]
    out = start(graph, "--overrides", "{horizon: 21}", *single, "--bound", "60", "--no-learn")
    wanted = {"horizon": 21, "safety.ramp_time": 1.0, "rollouts": 20, "seed": 0}
    assert graph.parameters("planner_node", list(wanted)) == list(wanted.values())
    assert graph.end("demo") == 1
    assert (out / "overrides.yaml").is_file()


def test_a_bound_ends_the_demo(graph: Graph) -> None:
    start(graph, "--config", never_solved(graph.folder), "--no-learn", "--bound", "2")
    assert graph.exit_code("demo") == 1
    assert "not solved within 2 s of wall time" in graph.log("demo")


def test_an_unknown_task_is_one_sentence(graph: Graph) -> None:
    graph.run("demo", [sys.executable, "-m", "polo_ros.nodes.demo", "--task", "juggling"])
    assert graph.exit_code("demo") == 1
    assert "Traceback" not in graph.log("demo")
    assert len(graph.log("demo").strip().splitlines()) == 1


def test_with_the_page_it_goes_on_until_it_is_interrupted(graph: Graph) -> None:
    start(graph, "--no-value", "--port", str(free_port()))
    graph.wait(lambda: "episode 2: solved" in graph.log("demo"), "a second episode")
    # the simulation does not wait for the page, which takes longer to start than an episode may take
    graph.wait(lambda: "watch the robot at http://127.0.0.1:" in graph.log("demo"), "the page's address")
    assert graph.end("demo") == 0
    assert "Traceback" not in graph.log("demo")
