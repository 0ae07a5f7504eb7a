"""`--json`: one object on standard output, whatever else is said on standard error."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from polo_ros.cli import main
from polo_ros.commands.shared import print_json
from polo_ros.tasks import task_classes

pytestmark = pytest.mark.usefixtures("no_film_strips")

TASK = "cartpole_swingup"
ARM = """<mujoco><worldbody><body name="arm"><joint name="hinge" axis="0 1 0"/><geom size="0.1"/>
</body></worldbody><actuator><motor name="hinge" joint="hinge" ctrlrange="-1 1"/></actuator></mujoco>"""
FAST = ["horizon:=8", "rollouts:=6", "threads:=1"]
OPTIONS = [word for setting in FAST for word in ("-p", setting)]


def answer(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints with --json; it must be one object and nothing else."""
    assert main([*arguments, "--json"]) == 0
    content = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert isinstance(content, dict)
    return content


def rows_of(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(file).read_text().splitlines()[1:]))


def test_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = answer(["tasks"], capsys)["tasks"]
    assert tasks == {name: cls.summary for name, cls in task_classes().items()}


def test_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    planner = {row["name"]: row for row in answer(["parameters"], capsys)["planner_node"]}
    assert planner["horizon"]["low"] == 1 and planner["horizon"]["dynamic"]
    assert planner["task"]["default"] == "humanoid_getup" and not planner["task"]["dynamic"]


def test_new_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "arm.xml"
    model.write_text(ARM)
    found = answer(["new-task", "arm_reach", "--model", str(model), "--out", str(tmp_path)], capsys)
    assert Path(found["task"]).is_file() and Path(found["parameters"]).is_file()


def test_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--steps", "12", "--episode", "6", "--out", str(tmp_path)]
    found = answer(["train", TASK, *OPTIONS, *out], capsys)
    assert found["task"] == TASK and Path(found["weights"]).is_file()
    last = rows_of(found["metrics"])[-1]
    assert found["last"]["steps"] == 12 and found["last"]["reward"] == float(last["reward"])
    assert found["last"]["loss"] is None  # no update yet: an empty cell


def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = ["--seeds", "2", "--steps", "4", "--no-value", "--out", str(tmp_path)]
    found = answer(["evaluate", TASK, *OPTIONS, *seeds], capsys)
    rewards = [float(row["mean_reward"]) for row in rows_of(found["file"])]
    assert [row["mean_reward"] for row in found["seeds"]] == rewards
    assert found["mean_reward"] == pytest.approx(sum(rewards) / 2) and found["solved"] == 0
    assert found["seeds"][0]["solved_at"] is None and found["animation"] is None


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["check", TASK, *OPTIONS], capsys)
    assert found["task"] == TASK and "2 positions" in found["Model"]["model"]
    assert found["Actuators"][0]["control"] == "motor"
    assert {row["term"] for row in found["Reward terms"]} == set(task_classes()[TASK]().weights)
    assert isinstance(found["warnings"], list)


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "file": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "file": "x"}
