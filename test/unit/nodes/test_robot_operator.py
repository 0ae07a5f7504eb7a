"""What a user's actions become on the topics."""

import time
from typing import Any

import numpy as np
import pytest
from std_msgs.msg import Bool

from polo_ros.nodes.robot_operator import REPEAT_S, Operator


class Node:
    """Keeps what is published, by topic; its services are not running."""

    def __init__(self) -> None:
        self.published: dict[str, list[Any]] = {}

    def create_publisher(self, _: type, topic: str, __: object) -> Any:
        messages = self.published.setdefault(topic, [])

        class Publisher:
            """Appends."""

            publish = staticmethod(messages.append)

        return Publisher()

    def create_client(self, _: type, __: str) -> Any:
        class Client:
            """A service that nobody offers."""

            service_is_ready = staticmethod(lambda: False)

        return Client()


@pytest.fixture
def node() -> Node:
    return Node()


def test_a_velocity_is_repeated_until_it_is_zero(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    operator: Any = Operator(node, lambda _: None)  # type: ignore[arg-type]
    sent = node.published["cmd_vel"]
    operator.keep_driving()
    assert not sent  # nobody drives
    operator.drive(np.array([0.5, -0.25, 1.0]))
    assert (sent[0].linear.x, sent[0].linear.y, sent[0].angular.z) == (0.5, -0.25, 1.0)
    operator.keep_driving()
    assert len(sent) == 1
    now += 2 * REPEAT_S
    operator.keep_driving()
    assert len(sent) == 2 and sent[1] == sent[0]
    operator.stop_driving()
    assert not (sent[2].linear.x or sent[2].linear.y or sent[2].angular.z)
    now += 2 * REPEAT_S
    operator.keep_driving()
    operator.stop_driving()
    assert len(sent) == 3


def test_the_e_stop_is_pressed_and_released(node: Node) -> None:
    operator = Operator(node, lambda _: None)  # type: ignore[arg-type]
    operator.press_e_stop(True)
    operator.press_e_stop(False)
    assert node.published["hardware/e_stop"] == [Bool(data=True), Bool(data=False)]


def test_a_button_of_a_node_that_does_not_run_says_so(node: Node) -> None:
    answers: list[str] = []
    Operator(node, answers.append).call("Pause")  # type: ignore[arg-type]
    assert answers == ["simulator_node/set_pause does not answer: its node is not running"]
