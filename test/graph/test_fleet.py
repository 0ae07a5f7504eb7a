"""Several robots and one learner: each is checked by itself, and what they do is kept apart."""

from functools import partial
from typing import Any

import numpy as np
from harness import LATCHED, Graph
from rclpy.publisher import Publisher
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
