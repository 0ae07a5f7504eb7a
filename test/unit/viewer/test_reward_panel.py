"""The reward's weights of planner and learner as one panel, without a browser."""

from collections.abc import Generator

import pytest

from polo_ros.viewer.fields import Field, Value
from polo_ros.viewer.reward_panel import LEARNER, PLANNER, RewardPanel
from polo_ros.viewer.server import open_server

HEIGHT = "reward.height"


class Nodes:
    """A panel, the nodes that run, and what it asks them for."""

    def __init__(self) -> None:
        self.server = open_server(0, "test")
        self.running = {PLANNER, LEARNER}
        self.asked: list[tuple[str, str, Value]] = []
        gui = self.server.gui
        self.panel = RewardPanel(
            gui, gui.add_tab_group().add_tab("Reward"), lambda *asked: self.asked.append(asked),
            lambda node: node in self.running,
        )  # fmt: skip

    def show(self, **heights: float) -> None:
        for node, height in heights.items():
            self.panel.show(node, [Field(HEIGHT, height, low=0.0, high=2.0), Field("reward.control", -0.1)])


@pytest.fixture
def nodes() -> Generator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.server.stop()


def test_a_slider_sets_both_nodes_and_no_node_that_does_not_run(nodes: Nodes) -> None:
    nodes.show(planner_node=1.0, learner_node=1.0)
    nodes.panel._set(HEIGHT, 0.5)
    assert nodes.asked == [(PLANNER, HEIGHT, 0.5), (LEARNER, HEIGHT, 0.5)]
    nodes.running.remove(LEARNER)
    nodes.panel._set(HEIGHT, 0.6)
    assert nodes.asked[2:] == [(PLANNER, HEIGHT, 0.6)]


def test_a_lasting_difference_is_told_and_mended(nodes: Nodes) -> None:
    nodes.show(planner_node=1.0, learner_node=1.0)
    nodes.panel.update(PLANNER, {HEIGHT: 0.5, "horizon": 20})
    nodes.panel.compare()
    assert not nodes.panel._give.visible  # the learner may be about to follow
    nodes.panel.compare()
    assert nodes.panel._give.visible and "(height 1.0)" in nodes.panel._difference.content
    nodes.panel._give_learner()
    assert nodes.asked == [(LEARNER, HEIGHT, 0.5)]
    nodes.panel.update(LEARNER, {HEIGHT: 0.5})
    nodes.panel.compare()
    assert not nodes.panel._give.visible and not nodes.panel._difference.visible


def test_the_planners_weights_are_shown_and_a_learner_alone_shows_its_own(nodes: Nodes) -> None:
    nodes.show(learner_node=0.3)
    assert nodes.panel._panel._inputs[HEIGHT].value == 0.3
    nodes.show(planner_node=1.0)
    nodes.panel.update(LEARNER, {HEIGHT: 0.4})
    assert nodes.panel._panel._inputs[HEIGHT].value == 1.0
    nodes.panel.refuse(LEARNER, HEIGHT, 0.4, "too late")
    assert nodes.panel._panel._inputs[HEIGHT].value == 1.0
    assert nodes.panel._panel._message.content == "**reward.height** was refused by learner_node: too late"
