"""The generated pages: what they say of each task, and that they need no ROS."""

import re
from typing import ClassVar

import pytest

from polo_ros.parameters.documentation import (
    goal,
    table,
    task_section,
    tasks_markdown,
)
from polo_ros.tasks import Task, make_task, task_classes
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup


def rows(section: list[str], head: str) -> list[list[str]]:
    """The rows of the table of a section whose first column is headed `head`."""
    start = next(i for i, line in enumerate(section) if line.startswith(f"| {head} |"))
    body = []
    for line in section[start + 2 :]:
        if not line.startswith("|"):
            break
        body.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return body


def facts(task: Task) -> dict[str, str]:
    return dict(tuple(row) for row in rows(task_section(task), ""))


def test_bars_do_not_break_a_table() -> None:
    assert table(("a", "b"), [("|x|", 1)]) == ["| a | b |", "|---|---|", r"| \|x\| | 1 |"]


def test_every_task_has_a_section_in_order() -> None:
    assert re.findall(r"^## (.*)$", tasks_markdown(), re.MULTILINE) == list(task_classes())


@pytest.mark.parametrize("name", list(task_classes()))
def test_a_section_lists_all_terms_and_features(name: str) -> None:
    task = make_task(name)
    section = task_section(task)
    assert task.summary in section and f"![The start of {name}](tasks/{name}.png)" in section
    features = rows(section, "value feature")
    assert [row[0] for row in features[:-1]] == [feature.name for feature in task.listed_features()]
    assert sum(int(row[1]) for row in features[:-1]) == int(features[-1][1]) == task.feature_count
    if not task.terms:
        assert "There is no reward." in section
        return
    for row, term in zip(rows(section, "reward term"), task.terms, strict=True):
        low, high = row[2].split(" … ")
        assert row[0] == f"`{term.name}`" and row[3].replace("\\|", "|") == term.description
        assert (float(row[1]), float(low), float(high)) == (term.weight, term.low, term.high)


def test_the_cartpole_has_no_goal_and_one_topic(cartpole: Task) -> None:
    found = facts(cartpole)
    assert found["model"] == "[models/cartpole.xml](../models/cartpole.xml)"
    assert found["state"] == "4 numbers: 2 positions, 2 velocities"
    assert (found["degrees of freedom"], found["actuators"]) == ("2", "1")
    assert found["control period"] == "20 ms, physics in steps of 20 ms"
    assert found["goal"] == "none"
    assert found["state topics"] == "`joint_states`"
    assert found["command topic"] == "`effort_controller/commands`"
    assert found["measure"] == "angle from upright, in rad"


def test_objects_and_goals_are_told() -> None:
    found = facts(make_task("humanoid_box"))
    assert found["state"].endswith("7 for the pose of the goal")
    assert found["state topics"] == "`joint_states`, `odom`, `objects/box/odom`"
    assert found["goal"] == "set by the start; stays until the topic `goal` moves it"


def test_servos_and_changing_goals_are_told() -> None:
    found = facts(make_task("hand_cube"))
    assert found["state topics"] == "`joint_states`, `objects/cube/odom`"
    assert found["command topic"] == "`position_controller/commands`"
    assert "every 75 control periods (0.75 s)" in found["goal"]


def test_a_period_without_a_goal_is_no_goal() -> None:
    class Restless(CartpoleSwingup):
        goal_period: ClassVar[int] = 10

    assert goal(Restless()) == "none"
