"""Several robots and one learner: each is checked by itself, and what they do is kept apart."""

import json
import sys
from functools import partial
from typing import Any

import numpy as np
from harness import LATCHED, Graph
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64MultiArray, String, UInt8MultiArray

from polo_ros.learner.experience import experience_schema
from polo_ros.learner.weights import decode_value
from polo_ros.nodes.messages import pack_experience, unpack_bytes
from polo_ros.tasks import Task, make_task

SMALL: dict[str, Any] = {
    "warmup_labels": 1, "gradient_steps": 1, "target_states": 2, "update_period": 4, "target_horizon": 4,
}  # fmt: skip


class Robot:
    """Stands in for a planner: publishes a schema and transitions of a cart-pole."""

    def __init__(self, graph: Graph, name: str, task: Task) -> None:
        self.topic = f"/{name}/experience"
        self._task = task
        self._schema: Publisher = graph.node.create_publisher(String, f"{self.topic}/schema", LATCHED)
        self._experience: Publisher = graph.node.create_publisher(Float64MultiArray, self.topic, 100)
        self.say_what_it_does()
        graph.wait(self._experience.get_subscription_count, f"the learner, which {name} teaches")

    def say_what_it_does(self) -> None:
        self._schema.publish(String(data=experience_schema(self._task, ["slider", "hinge"])))

    def act(self, count: int) -> None:
        for index in range(count):
            self._experience.publish(pack_experience(0.02 * index, 0, np.zeros(4), np.zeros(1), 0.0))


def test_a_robot_that_does_not_fit_is_refused_by_name_and_the_others_go_on(graph: Graph) -> None:
    task, weak = make_task("cartpole_swingup"), make_task("cartpole_swingup", torque_scale=0.5)
    greedy = make_task("cartpole_swingup")
    greedy.weights["upright"] = 2.0
    weights = graph.record(UInt8MultiArray, "value_function/weights", LATCHED)
    names = ["robot1", "weak", "greedy", "robot2"]
    graph.start("learner_node", experience_topics=[f"{name}/experience" for name in names], **SMALL)
    first, other, rich, second = (
        Robot(graph, name, of) for name, of in zip(names, [task, weak, greedy, task], strict=True)
    )
    graph.wait_says("learner_node", "/weak/experience is refused: experience is of model_hash")
    graph.wait_says("learner_node", "/greedy/experience is refused: experience is of reward upright 2, not 1")
    for robot in (other, rich):
        robot.act(40)
    for updates, robot in enumerate((first, second, first), 1):
        robot.act(4)
        graph.wait(partial(lambda count: len(weights) >= count, updates), "weights")
    sequence = decode_value(unpack_bytes(weights[-1]), task)[1].sequence
    graph.wait(lambda: graph.reported("learner_node", "weights_sequence") == sequence, "the learner's status")
    assert graph.reported("learner_node", "buffer") == 12
    errors = [line for line in graph.log("learner_node").splitlines() if "[ERROR]" in line]
    assert len(errors) == 2, errors

    greedy.weights["upright"] = 1.0
    rich.say_what_it_does()
    graph.wait(lambda: not graph.says("learner_node", "greedy"), "the robot to be taken in")
    assert graph.says("learner_node", "/weak/experience is refused")
    rich.act(4)
    graph.wait(lambda: graph.reported("learner_node", "buffer") == 16, "its experience")


def test_all_planners_of_the_demo_take_over_what_they_teach_together(graph: Graph) -> None:
    out = graph.folder / "out"
    command = [sys.executable, "-m", "polo_ros.nodes.demo", "--task", "cartpole_swingup", "--out", str(out)]
    # without this reward the pole is never swung up, so that the demo goes on
    parameters = {"reward.upright": 0.0, "warmup_labels": 1, "target_states": 2, "gradient_steps": 1}
    single = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    clocks = [graph.record(Clock, f"/robot{robot}/clock") for robot in (1, 2)]
    experience = [graph.record(Float64MultiArray, f"/robot{robot}/experience") for robot in (1, 2)]
    graph.run("demo", [*command, "--robots", "2", "--seed", "3", "--bound", "120", *single])
    planners = ["robot1/planner_node", "robot2/planner_node"]

    def follow() -> bool:
        epochs = [graph.reported(planner, "weights_epoch") for planner in planners]
        updates = [graph.reported(planner, "weights_sequence") for planner in planners]
        return epochs[0] > 0 and epochs[0] == epochs[1] and min(updates) >= 2

    graph.wait(follow, "the learner's weights in both planners")
    # one robot's experience is enough for weights
    graph.wait(lambda: all(clocks) and all(experience), "clock and experience of both robots")
    assert not graph.node.count_publishers("/clock")
    assert graph.parameters("/learner_node", ["experience_topics", "seed"]) == [
        ["robot1/experience", "robot2/experience"], 3,
    ]  # fmt: skip
    # robots with the same seed would do the same
    starts = [messages[0].data[2:6] for messages in experience]
    assert starts[0] != starts[1]
    assert graph.end("demo") == 1
    outcome = json.loads((out / "outcome.json").read_text())
    assert (outcome["outcome"], outcome["robots"]) == ("interrupted", {"robot1": None, "robot2": None})
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.log")} == {
        "learner_node.log",
        *(f"robot{robot}/{node}.log" for robot in (1, 2) for node in ("planner_node", "simulator_node")),
    }
    assert not any("Traceback" in path.read_text() for path in [graph.log_path("demo"), *out.rglob("*.log")])
