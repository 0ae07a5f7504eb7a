"""Claims of a topic, as they come from the network."""

import json

import pytest

from polo_ros.nodes.sole_source import LONGEST_CLAIM, Claim

GOOD: dict[str, object] = {
    "started": 5, "identity": "a", "node": "/robot1/planner_node", "host": "pc", "process": 7,
}  # fmt: skip


def test_a_claim_is_read_and_names_its_node() -> None:
    claim = Claim.parse(json.dumps(GOOD))
    assert str(claim) == "/robot1/planner_node, process 7 on pc"


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "5", "not JSON", "[" * 1000,
        json.dumps({**GOOD, "started": "5"}),
        json.dumps({**GOOD, "started": True}),
        json.dumps({**GOOD, "started": float("nan")}),
        json.dumps({**GOOD, "node": None}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "host": "x" * LONGEST_CLAIM}),
    ],
)  # fmt: skip
def test_what_is_no_claim_is_ignored(text: str) -> None:
    assert Claim.parse(text) is None


def test_the_earlier_is_the_one_that_started_first_and_there_is_always_one() -> None:
    first, later = Claim(5, "b", "/n", "pc", 7), Claim(6, "a", "/n", "pc", 8)
    at_once = Claim(5, "c", "/n", "pc", 9)
    assert sorted([later, at_once, first]) == [first, at_once, later]
