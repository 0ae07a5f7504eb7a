"""`make learn`: episodes alone, episodes with the learner, a picture; nothing is left running."""

import json
import sys
from pathlib import Path

from harness import Graph


def start(graph: Graph, *options: str) -> Path:
    """Start it on the cart-pole and return its output folder."""
    out = graph.folder / "out"
    graph.run("learn", [sys.executable, "-m", "polo_ros.nodes.learn", "--out", str(out), *options])
    return out


def test_episodes_with_and_without_the_learner_leave_rewards_and_a_picture(graph: Graph) -> None:
    out = start(graph, "--lockstep", "--alone", "2", "--episodes", "2", "--seconds", "1")
    assert graph.exit_code("learn") == 1  # nothing is solved within a second
    found = json.loads((out / "outcome.json").read_text())
    assert found["outcome"] == "finished" and found["horizon"] == 8 and found["solved_after"] is None
    assert len(found["alone"]) == len(found["learning"]) == 2
    for phase in ("alone", "learning"):
        times = [ended for ended, _ in found[phase]]
        assert 0.0 < times[0] <= times[1]  # equal where a busy machine lets the monitor hear both at once
        assert all(-1.0 < reward < 0.9 for _, reward in found[phase])
    assert (out / "learn.png").read_bytes().startswith(b"\x89PNG")
    assert {path.stem for path in out.glob("*.log")} == {"simulator_node", "planner_node", "learner_node"}
    assert "with the learner, episode 2:" in graph.log("learn")


def test_an_interrupt_ends_it_in_a_sentence(graph: Graph) -> None:
    start(graph, "--lockstep", "--alone", "1000")
    graph.wait(lambda: "planner alone, episode 1" in graph.log("learn"), "the first episode")
    assert graph.end("learn") == 1
    assert "cartpole_swingup, seed 0: interrupted" in graph.log("learn")
    assert "Traceback" not in graph.log("learn")
