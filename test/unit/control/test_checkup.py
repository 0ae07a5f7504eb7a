"""What `polo doctor` makes of its figures: one sentence for each thing that is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from polo_ros.control.checkup import Checkup, PlannerFigures, TopicFigures, describe, findings


def joints(**values: Any) -> TopicFigures:
    """Joint states as they should be at 125 Hz."""
    figures = TopicFigures(
        "joint_states", "sensor_msgs/msg/JointState", messages=625, rate=125.0, gap=0.012, age=0.001,
        oldest=0.003, publishers=["/driver"], subscribers=["/planner_node"],
    )  # fmt: skip
    return replace(figures, **values)


def odometry(**values: Any) -> TopicFigures:
    """Odometry at 50 Hz, 20 ms late."""
    figures = TopicFigures(
        "odom", "nav_msgs/msg/Odometry", messages=250, rate=50.0, gap=0.022, age=0.02, oldest=0.025,
        behind=0.03, publishers=["/filter"], subscribers=["/planner_node"],
    )  # fmt: skip
    return replace(figures, **values)


def commands(**values: Any) -> TopicFigures:
    figures = TopicFigures(
        "position_controller/commands", "std_msgs/msg/Float64MultiArray", messages=625, rate=125.0,
        publishers=["/planner_node"], subscribers=["/position_controller"],
    )  # fmt: skip
    return replace(figures, **values)


def planner(**values: Any) -> PlannerFigures:
    figures = PlannerFigures(
        "humanoid_walk", False, 125.0, 0.1, status="planning", plan_rate=60.0, round_trip=0.004,
        slowest_round_trip=0.009,
    )  # fmt: skip
    return replace(figures, **values)


def checkup(**values: Any) -> Checkup:
    """A robot that is well, but for some parts."""
    well = Checkup(5.0, [joints(), odometry()], commands(), [], planner())
    return replace(well, **values)


def test_nothing_is_wrong_with_a_robot_that_is_well() -> None:
    assert findings(checkup()) == []
    assert findings(checkup(planner=planner(status="no command: not enabled; call ~/enable", level=1))) == []
    text = describe(checkup())
    assert "odom" in text and "60.0 plans a second for 125 commands" in text
    assert "from a state to the command that answers it: 4.0 ms, 95 % within 9.0 ms" in text


STAMPED_BY_ANOTHER = (
    "joint_states is stamped 1700000000 s before the clock, by another clock; give driver and"
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"planner": None}, "no planner_node runs here; start it"),
        (
            {"states": [joints(messages=0, publishers=[]), odometry()]},
            "nobody publishes joint_states (sensor_msgs/msg/JointState); start the driver, or remap",
        ),
        (
            {"states": [joints(), odometry(messages=0)]},
            "odom is silent: /filter published nothing in 5 s; see whether it is active",
        ),
        (
            {"states": [joints(), odometry(messages=0, publishers=[], other_types=["a_msgs/msg/B"])]},
            "odom is published as a_msgs/msg/B, not as nav_msgs/msg/Odometry; change the driver",
        ),
        (
            {"states": [joints(fault="joint_states: missing joint knee; expected hip, knee"), odometry()]},
            "joint_states: missing joint knee; expected hip, knee",
        ),
        (
            {"states": [joints(publishers=["/a", "/b"]), odometry()]},
            "joint_states has 2 publishers, /a and /b; stop all but one",
        ),
        (
            {"states": [joints(rate=40.0), odometry()]},
            "joint_states comes 40.0 times a second, but the planner commands 125 times; publish it at",
        ),
        (
            {"states": [joints(), odometry(gap=0.2)]},
            "odom gets up to 0.225 s old (it comes 0.025 s late, with gaps of 0.200 s), more than safety.",
        ),
        (
            {"states": [joints(age=-0.25), odometry()]},
            "joint_states is stamped 0.250 s ahead of the",
        ),
        ({"states": [joints(age=1.7e9), odometry()]}, STAMPED_BY_ANOTHER),
        (
            {"states": [joints(), odometry(behind=0.3)]},
            "odom is 0.300 s behind joint_states; parts more than 0.2 s apart make no",
        ),
        (
            {"commands": commands(subscribers=[])},
            "nobody takes position_controller/commands (std_msgs/msg/Float64MultiArray); start the",
        ),
        (
            {"commands": commands(subscribers=[], other_types=["a_msgs/msg/B"])},
            "position_controller/commands is taken as a_msgs/msg/B, not as std_msgs/msg/Float64MultiArray",
        ),
        (
            {"commands": commands(publishers=["/planner_node", "/teleop"])},
            "position_controller/commands has two publishers, /planner_node and /teleop; stop one of them",
        ),
        (
            {"commands": commands(rate=60.0)},
            "commands come 60.0 times a second instead of 125; see",
        ),
        ({"commands": commands(mismatches=["they do not fit"])}, "they do not fit"),
        ({"others": [commands(mismatches=["the e-stop is not heard"])]}, "the e-stop is not heard"),
        ({"planner": planner(status="")}, "planner_node says nothing on /diagnostics; see its log"),
        (
            {"planner": planner(status="planning is late: plans are 0.171 s old", level=1)},
            "planner_node: planning is late: plans are 0.171 s old",
        ),
    ],
)
def test_each_fault_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    (found,) = findings(checkup(**changes))
    assert found.startswith(sentence)
    assert "\n" not in found


def test_in_lockstep_neither_rates_nor_ages_count() -> None:
    slow = checkup(
        states=[joints(rate=1.0, age=5.0, oldest=5.0), odometry(behind=3.0)],
        commands=commands(rate=1.0),
        planner=planner(lockstep=True),
    )
    assert findings(slow) == []
