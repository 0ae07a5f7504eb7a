"""Learning while acting: weights change between plans, and neither node needs the other."""

import re
import resource
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import CARTPOLE, LATCHED, Graph
from std_msgs.msg import Float64MultiArray, String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.learner.experience import experience_schema
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import decode_value
from polo_ros.nodes.messages import pack_experience, unpack_bytes
from polo_ros.recordings.recording import read_recording
from polo_ros.tasks import make_task

# small updates, so that many of them pass
SMALL: dict[str, Any] = {
    "warmup_labels": 1,
    "gradient_steps": 1,
    "target_states": 2,
    "update_period": 4,
    "target_horizon": 4,
}


def test_a_corrupted_checkpoint_stops_the_learner_and_stays_as_it_is(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"no checkpoint at all")
    graph.start("learner_node", checkpoint_path=str(path))
    assert graph.exit_code("learner_node") == 1
    assert graph.log("learner_node").count("[FATAL]") == 1
    assert f"the weights in {path} are corrupted" in graph.log("learner_node")
    assert "Traceback" not in graph.log("learner_node")
    assert path.read_bytes() == b"no checkpoint at all"


def test_learning_without_a_checkpoint_path_says_so(graph: Graph) -> None:
    graph.start("learner_node")
    for service in ("save_checkpoint", "load_checkpoint"):
        answer = graph.call(Trigger, f"learner_node/{service}")
        assert not answer.success and "checkpoint_path is empty" in answer.message


# a learner node whose update fails as no bad input makes it fail
BROKEN_LEARNER = """
from polo_ros.learner.learner import Learner
from polo_ros.nodes.start import learner_node

def update(self, *_):
    raise KeyError("broken")

Learner.update = update
learner_node()
"""


def test_a_failure_of_the_learning_thread_ends_the_node(graph: Graph, tmp_path: Path) -> None:
    task, path = make_task("cartpole_swingup"), tmp_path / "learner.safetensors"
    command = [sys.executable, "-c", BROKEN_LEARNER, "--ros-args", "--params-file", str(CARTPOLE)]
    graph.run("learner_node", [*command, "-p", f"checkpoint_path:={path}"])
    schema = graph.node.create_publisher(String, "experience/schema", LATCHED)
    schema.publish(String(data=experience_schema(task, ["slider", "hinge"])))
    experience = graph.node.create_publisher(Float64MultiArray, "experience", 100)
    graph.wait(lambda: experience.get_subscription_count(), "the learner")
    message = pack_experience(0.0, 0, task.start_state(np.random.default_rng(0)), np.zeros(1), 0.0)
    message.data.extend(message.data * 31)
    graph.wait_says("learner_node", "warm-up")
    experience.publish(message)
    assert graph.exit_code("learner_node") == 1
    log = graph.log("learner_node")
    assert log.count("[FATAL]") == 1
    assert "the learning thread ended with KeyError('broken'); start the learner again" in log
    assert not path.exists() and (tmp_path / "learner.failed.safetensors").exists()


class Learning:
    """All three nodes in lockstep; the learner keeps its checkpoint in the graph's folder."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.checkpoint = graph.folder / "kept" / "learner.safetensors"
        self._task = make_task("cartpole_swingup")
        self._weights = graph.record(UInt8MultiArray, "value_function/weights", LATCHED)
        self._experience = graph.record(Float64MultiArray, "experience")
        graph.start("simulator_node")
        graph.start("planner_node", autostart=True)
        self.start_learner()

    def start_learner(self) -> None:
        self.graph.start("learner_node", checkpoint_path=str(self.checkpoint), **SMALL)

    def call(self, service: str) -> Trigger.Response:
        return self.graph.call(Trigger, f"learner_node/{service}")

    def pause(self, on: bool) -> str:
        answer = self.graph.call(SetBool, "learner_node/pause", data=on)
        assert answer.success
        return str(answer.message)

    @property
    def origins(self) -> list[Origin]:
        """The origins of the weights received so far."""
        return [decode_value(unpack_bytes(message), self._task)[1] for message in self._weights]

    @property
    def sequence(self) -> int:
        return self.origins[-1].sequence

    def wait_for_updates(self, count: int = 3) -> None:
        received = len(self._weights)
        self.graph.wait(lambda: len(self._weights) >= received + count, "new weights")

    def wait_for_acting(self) -> None:
        """Until the planner has gone on planning."""
        received = len(self._experience)
        self.graph.wait(lambda: len(self._experience) >= received + 50, "experience")

    def planner_follows(self) -> None:
        """Until the planner says that it uses the newest weights' maker."""
        graph = self.graph
        epoch, sequence = self.origins[-1].epoch, self.sequence
        graph.wait(
            lambda: (
                graph.reported("planner_node", "weights_epoch") == epoch
                and graph.reported("planner_node", "weights_sequence") >= sequence
            ),
            "planner with the new weights",
        )


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Generator[Learning]:
    with Graph(tmp_path_factory.mktemp("learning")) as graph:
        learning = Learning(graph)
        learning.wait_for_updates(1)
        yield learning


def test_weights_with_rising_sequence_reach_the_acting_planner(learning: Learning) -> None:
    learning.wait_for_updates(10)
    sequences = [origin.sequence for origin in learning.origins]
    assert sequences == sorted(set(sequences))
    learning.planner_follows()
    assert learning.graph.reported("planner_node", "refused_weights") == 0


def test_a_run_is_recorded_and_read_again(learning: Learning, tmp_path: Path) -> None:
    graph, bag = learning.graph, tmp_path / "bag"
    command = [sys.executable, "-m", "polo_ros.nodes.recorder", "cartpole_swingup", "--out", str(bag)]
    graph.run("recorder", command)
    # nodes find the recorder seconds after it has begun
    graph.wait(lambda: re.search(r"s, [1-9]\d* messages", graph.log("recorder")), "messages in the bag")
    learning.wait_for_updates(5)
    learning.wait_for_acting()
    assert graph.end("recorder") == 0
    *table, last = graph.log("recorder").splitlines()
    assert any(re.match(r"/experience +\d+ +\d", line) for line in table)
    assert last.endswith(f"messages in {bag}")
    recording = read_recording(bag, make_task("cartpole_swingup"))
    assert len(recording.time) and recording.plans and recording.weights and recording.statuses
    known = {bytes(unpack_bytes(message)) for message in learning._weights}
    assert {content for _, content in recording.weights} <= known


def test_pausing_stops_learning_alone(learning: Learning) -> None:
    learning.wait_for_updates()
    assert learning.pause(True) == "paused"
    learning.graph.wait_says("learner_node", "paused")
    paused_at = learning.graph.reported("learner_node", "weights_sequence")
    learning.wait_for_acting()
    learning.graph.wait_says("learner_node", "paused")
    assert learning.graph.reported("learner_node", "weights_sequence") == paused_at
    assert learning.pause(False) == "learning"
    learning.wait_for_updates()


def test_a_loaded_checkpoint_reaches_the_planner(learning: Learning) -> None:
    learning.wait_for_updates()
    saved = learning.call("save_checkpoint")
    assert saved.success and str(learning.checkpoint) in saved.message
    learning.wait_for_updates(5)
    before = learning.origins[-1]
    learning.pause(True)
    loaded = learning.call("load_checkpoint")
    assert loaded.success and str(learning.checkpoint) in loaded.message
    learning.graph.wait(lambda: learning.origins[-1].epoch != before.epoch, "loaded weights")
    assert learning.sequence < before.sequence
    learning.planner_follows()
    assert learning.graph.reported("planner_node", "refused_weights") == 0
    learning.pause(False)
    learning.wait_for_updates()


def test_a_full_disk_is_reported_and_costs_nothing(learning: Learning) -> None:
    assert learning.call("save_checkpoint").success
    before = learning.checkpoint.read_bytes()
    files = {path: path.read_bytes() for path in learning.checkpoint.parent.iterdir()}
    pid = learning.graph.children["learner_node"].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    assert len(before) > 16384
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16384, hard))  # larger files fail as on a full disk
    failed = learning.call("save_checkpoint")
    assert not failed.success
    assert f"{learning.checkpoint} could not be written (File too large)" in failed.message
    assert {path: path.read_bytes() for path in learning.checkpoint.parent.iterdir()} == files
    learning.wait_for_updates()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert learning.call("save_checkpoint").success
    assert learning.checkpoint.read_bytes() != before


def test_a_killed_learner_leaves_its_weights_and_its_successor_resumes(learning: Learning) -> None:
    graph = learning.graph
    learning.wait_for_updates()
    assert learning.call("save_checkpoint").success
    saved = learning.sequence
    learning.wait_for_updates()
    graph.kill("learner_node")
    killed, known = learning.origins[-1], {origin.epoch for origin in learning.origins}
    learning.wait_for_acting()
    graph.wait_says("planner_node", "planning")
    assert graph.reported("planner_node", "weights_epoch") == killed.epoch
    assert graph.reported("planner_node", "weights_sequence") >= saved

    learning.start_learner()
    graph.wait(lambda: learning.origins[-1].epoch not in known, "weights of the successor")
    resumed = next(origin for origin in learning.origins if origin.epoch not in known)
    assert resumed.sequence >= saved
    assert f"resumed from {learning.checkpoint} at update" in graph.log("learner_node")
    learning.wait_for_updates()
    learning.planner_follows()
    assert graph.reported("planner_node", "refused_weights") == 0


def test_an_interrupted_learner_keeps_what_it_learned(learning: Learning) -> None:
    learning.wait_for_updates()
    assert learning.call("save_checkpoint").success
    learning.wait_for_updates()
    before = learning.checkpoint.read_bytes()
    assert learning.graph.end("learner_node") == 0
    assert learning.checkpoint.read_bytes() != before
    learning.start_learner()
    learning.wait_for_updates()
