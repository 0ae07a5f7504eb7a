"""A run written into a bag, and everything that is read from it."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rosbags.typesys import Stores, get_typestore

from polo_ros.agent.agent import Agent, Step
from polo_ros.cli import main
from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_schema
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.planner import Planner
from polo_ros.recordings.bag import WEIGHTS, BagWriter, messages, schema_of
from polo_ros.recordings.explanation import Candidate, explain
from polo_ros.recordings.explanation_table import explanation_html, explanation_text
from polo_ros.recordings.learning import train_from_recordings
from polo_ros.recordings.recording import Recording, read_recording
from polo_ros.recordings.replay import ReplayPage

TYPES = get_typestore(Stores.ROS2_JAZZY)
STEPS = 40
SMALL: dict[str, Any] = {
    "horizon": 10, "update_period": 10, "warmup_labels": 8, "target_states": 4, "target_horizon": 8,
    "target_rollouts": 6, "gradient_steps": 2,
}  # fmt: skip


def message(kind: str, **fields: Any) -> Any:
    return TYPES.types[kind](**fields)


def stamp(seconds: float) -> Any:
    return message("builtin_interfaces/msg/Time", sec=int(seconds), nanosec=round(seconds % 1 * 1e9))


def header(seconds: float, frame: str = "") -> Any:
    return message("std_msgs/msg/Header", stamp=stamp(seconds), frame_id=frame)


def write_bag(path: Path, settings: Settings, steps: Sequence[Step]) -> None:
    """What the nodes publish of a run, as far as recordings read it."""
    bag, task = BagWriter(path), settings.task
    joints = JointMapping(task.model)
    layout = message("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)

    def write(topic: str, seconds: float, content: Any) -> None:
        kind = content.__msgtype__
        bag.write(topic, kind, round(1e9 * (1000 + seconds)), bytes(TYPES.serialize_cdr(content, kind)))

    schema = experience_schema(task, joints.joint_names)
    write("/experience/schema", 0.0, message("std_msgs/msg/String", data=schema))
    for step in steps:
        row = np.concatenate([[step.time, step.episode], step.state, step.ctrl, [step.report.reward]])
        write("/experience", step.time, message("std_msgs/msg/Float64MultiArray", layout=layout, data=row))
        plan, points = step.report.plan, []
        for index, knot in enumerate(plan.knots):
            after = index * plan.spacing
            start = message("builtin_interfaces/msg/Duration", sec=int(after), nanosec=round(after % 1 * 1e9))
            none = np.empty(0)
            points.append(
                message(
                    "trajectory_msgs/msg/JointTrajectoryPoint", positions=none, velocities=none,
                    accelerations=none, effort=joints.command(knot), time_from_start=start,
                )
            )  # fmt: skip
        frame = header(plan.start, f"interpolation:{plan.interpolation}")
        names = joints.command_joints
        trajectory = "trajectory_msgs/msg/JointTrajectory"
        write(
            "/planner_node/plan",
            step.time,
            message(trajectory, header=frame, joint_names=names, points=points),
        )
    said = message(
        "diagnostic_msgs/msg/DiagnosticStatus", level=1, name="planner_node",
        message="safe action: e-stop pressed", hardware_id="", values=[],
    )  # fmt: skip
    entry = message("diagnostic_msgs/msg/DiagnosticArray", header=header(0.5), status=[said])
    write("/diagnostics", 0.5, entry)
    bag.close()


@pytest.fixture(scope="module")
def settings() -> Settings:
    return settings_for("cartpole_swingup", overrides=SMALL)


@pytest.fixture(scope="module")
def steps(settings: Settings) -> list[Step]:
    planner = Planner(settings.task, settings.planner, seed=0, threads=1)
    agent = Agent(settings.task, planner)
    return [agent.step() for _ in range(STEPS)]


@pytest.fixture(scope="module")
def bag(settings: Settings, steps: list[Step], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "run"
    write_bag(path, settings, steps)
    return path


@pytest.fixture(scope="module")
def recording(bag: Path, settings: Settings) -> Recording:
    return read_recording(bag, settings.task)


def test_a_recording_is_the_run(recording: Recording, steps: list[Step]) -> None:
    assert_allclose(recording.state, [step.state for step in steps])
    assert_allclose(recording.ctrl, [step.ctrl for step in steps])
    assert_allclose(recording.reward, [step.report.reward for step in steps])
    assert_allclose([plan.start for plan in recording.plans], [step.time for step in steps], atol=1e-9)
    assert_allclose(recording.plans[3].knots, steps[3].report.plan.knots)
    assert_allclose(recording.plans[3].spacing, steps[3].report.plan.spacing)
    assert [each.text for each in recording.statuses] == ["safe action: e-stop pressed"]


def test_a_robot_of_a_fleet_has_the_fleets_weights_where_it_has_none_of_its_own(tmp_path: Path) -> None:
    kind = "std_msgs/msg/String"
    bag = BagWriter(tmp_path / "bag")
    for topic in (
        "/value_function/weights",
        "/hall/value_function/weights",
        "/robot2/value_function/weights",
    ):
        said = message(kind, data=topic)
        bag.write(topic, kind, 1, bytes(TYPES.serialize_cdr(said, kind)))
    bag.close()

    def read(namespace: str) -> list[str]:
        return [found.data for _, _, found in messages(tmp_path / "bag", (WEIGHTS,), namespace)]

    assert read("") == read("robot1") == ["/value_function/weights"]
    assert read("/hall/robot1") == ["/hall/value_function/weights"]
    assert read("/robot2") == ["/robot2/value_function/weights"]


def test_reading_a_bag_shows_how_far_it_is(
    bag: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[int] = []
    monkeypatch.setattr("tqdm.tqdm.update", lambda bar, count=1: totals.append(bar.total))
    read_recording(bag, settings.task)
    assert len(totals) == totals[0] > STEPS  # one look for each message


def test_a_bag_of_another_task_or_model_or_none_is_refused(bag: Path, tmp_path: Path) -> None:
    assert schema_of(bag)["task"] == "cartpole_swingup"
    other = settings_for("pointmass_box").task
    with pytest.raises(PoloError, match="experience is of task cartpole_swingup, not pointmass_box"):
        read_recording(bag, other)
    with pytest.raises(PoloError, match="has no topic experience/schema"):
        schema_of(bag, "/robot1")
    with pytest.raises(PoloError, match="there is no bag"):
        schema_of(tmp_path / "nothing")
    (tmp_path / "text").mkdir()
    with pytest.raises(PoloError, match="is not a bag that can be read"):
        schema_of(tmp_path / "text")
    with pytest.raises(PoloError, match="could not be written"):
        BagWriter(bag)


def test_a_value_function_is_learned_from_bags(
    settings: Settings, bag: Path, recording: Recording, tmp_path: Path
) -> None:
    again = read_recording(bag, settings.task, bag=1)
    assert not set(again.episode) & set(recording.episode)
    weights = train_from_recordings(settings, [recording, again], 0, tmp_path / "out", tensorboard=True)
    rows = list(csv.reader((tmp_path / "out" / "metrics.csv").open()))[1:]
    assert [row[0] for row in rows] == ["transitions", *(str(n) for n in range(10, 2 * STEPS + 1, 10))]
    assert list((tmp_path / "out").glob("events.out.tfevents.*"))
    value = ReceivedWeights(settings.task, settings.planner.discount).load(str(weights))
    features = settings.task.value_features(settings.task.observe(recording.state))
    assert np.isfinite(value.heads(features)).all()
    with pytest.raises(PoloError, match="exists; give another --out"):
        train_from_recordings(settings, [recording], 0, tmp_path / "out")


def test_too_short_a_recording_is_named(recording: Recording, tmp_path: Path) -> None:
    demanding = settings_for("cartpole_swingup", overrides=SMALL | {"warmup_labels": 1000})
    with pytest.raises(PoloError, match="40 transitions are too few to learn from: 16 of 1000 labels"):
        train_from_recordings(demanding, [recording], 0, tmp_path)


def test_a_moment_is_explained(settings: Settings, recording: Recording, steps: list[Step]) -> None:
    found = explain(settings, recording, 0.2)
    assert found.planned and found.time == pytest.approx(0.2)
    returns = [candidate.total for candidate in found.candidates]
    assert returns == sorted(returns, reverse=True)
    for candidate in found.candidates:  # no value function: the terms are the whole return
        assert sum(candidate.terms.values()) == pytest.approx(candidate.total)
    horizon, discount = settings.planner.horizon, settings.planner.discount
    rewards = np.array([step.report.reward for step in steps])[10 : 10 + horizon]
    assert sum(found.realised.values()) == pytest.approx(rewards @ discount ** np.arange(horizon), abs=1e-6)
    # the world is the planner's model, and each plan goes on from the last one
    assert sum(found.predicted.values()) == pytest.approx(sum(found.realised.values()), abs=0.3)
    assert found.said == "safe action: e-stop pressed"
    assert found.paths.shape == (len(found.candidates), horizon + 1, 3)
    assert "candidates around the recorded plan" in explanation_text(found)
    first = next(line for line in explanation_text(found).splitlines() if line.startswith("return"))
    assert [float(number) for number in first.split()[1:]] == pytest.approx(returns, abs=0.01)
    assert json.loads(found.as_json())["candidates"][0]["total"] == returns[0]


def test_each_heads_terminal_value_is_shown(settings: Settings, recording: Recording) -> None:
    candidates = tuple(Candidate(0.5, total, {"upright": total - 2.0}, (1.0, 3.0)) for total in (5.25, 4.5))
    found = replace(explain(settings, recording, 0.2), candidates=candidates, said="<safe>")
    rows = [line.split() for line in explanation_text(found).splitlines()]
    assert ["terminal", "value", "2.00", "2.00"] in rows
    assert ["of", "head", "1", "1.00", "1.00"] in rows and ["of", "head", "2", "3.00", "3.00"] in rows
    page = explanation_html(found)
    assert page.count("<tr>") == page.count("</tr>") == 8 and "&lt;safe&gt;" in page
    with pytest.raises(PoloError, match=r"every rollout from the state at 0\.2 s diverged"):
        explanation_html(replace(found, candidates=()))


def test_a_moment_near_the_end_has_no_known_future(settings: Settings, recording: Recording) -> None:
    found = explain(settings, recording, float(recording.time[-1]))
    assert not found.realised
    assert "unknown" in explanation_text(found)
    with pytest.raises(PoloError, match=r"lasts from 0 to 0\.78 s; there is nothing at 9 s"):
        explain(settings, recording, 9.0)


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "run.csv"), ("lerobot", "run-lerobot"), ("rerun", "run.rrd")]
)
def test_the_command_exports_beside_the_bag_and_names_the_file(
    bag: Path, form: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(bag), "--format", form]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"{STEPS} transitions: {bag.with_name(name)}")
    assert bag.with_name(name).exists()


def test_the_command_explains_a_moment(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-p", "rollouts:=6", "-p", "horizon:=8"]
    assert main(["explain", str(bag), "--at", "0.2", *options]) == 0
    table = capsys.readouterr().out
    assert table.startswith("cartpole_swingup at 0.200 s\n") and "safe action: e-stop pressed" in table
    assert main(["explain", str(bag), "--at", "0.2", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert f"{found['candidates'][0]['total']:.2f}" in table


def test_an_export_says_as_json_what_it_wrote(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    assert main(["export", str(bag), "--format", "lerobot", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"format": "lerobot", "transitions": STEPS, "episodes": 1, "file": str(out)}


def test_a_replay_page_shows_and_explains_moments(settings: Settings, recording: Recording) -> None:
    page = ReplayPage(settings, recording, 0)
    for seconds in (0.0, 0.4, 99.0):
        page.show(seconds)
    assert f"transition {STEPS - 1}" in page._status.content
    page._time.value = 0.21  # between two transitions: what is shown is explained
    page.explain()
    assert "safe action: e-stop pressed" in page._answer.content
    assert "at 0.200 s" in page._answer.content and "transition 10" in page._status.content
    assert page._view._best.points.shape[0] == settings.planner.horizon
    page.advance(0.1)
    assert page._answer.content  # nothing was played since
    page.show(0.5)  # the candidates of another moment are gone
    assert not page._answer.content and not page._view._best.points.any()
    page.close()
