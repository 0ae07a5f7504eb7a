"""The command `polo`: every command does its work, and bad input gets one sentence."""

import csv
import importlib.util
from pathlib import Path

import pytest
from matplotlib.image import imread

from polo_ros.cli import main
from polo_ros.files import share_path
from polo_ros.parameters.documentation import tasks_markdown
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.tasks import task_class, task_classes
from polo_ros.viewer.film_strip import THUMBNAIL
from test.support.refusals import refused

pytestmark = pytest.mark.usefixtures("no_film_strips")

FAST = [
    "horizon:=16", "rollouts:=8", "gradient_steps:=4", "target_states:=4", "warmup_labels:=1",
    "target_horizon:=8", "target_rollouts:=6", "target_iterations:=1", "ensemble_size:=2",
]  # fmt: skip
OPTIONS = [word for setting in FAST for word in ("-p", setting)]
TRAIN = ["train", "cartpole_swingup", *OPTIONS, "--episode", "16"]
EVALUATE = ["evaluate", "cartpole_swingup", *OPTIONS, "--seeds", "2", "--steps", "5"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `polo train` has filled."""
    out = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN, "--steps", "16", "--out", str(out)]) == 0
    return out


def test_train_without_ray_names_the_extra_and_labels_in_its_own_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    assert main([*TRAIN, "--steps", "32", "--labels", "ray", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "pip install 'polo_ros[ray]'; labels are made in this process" in said
    with (tmp_path / "metrics.csv").open(newline="") as file:
        heading = next(file)
        assert [row["updates"] for row in csv.DictReader(file)] == ["1", "2"]
    assert 'learner_node.labels:="ray"' in heading


def test_address_without_workers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused([*TRAIN, "--address", "there:6379", "--out", str(tmp_path)], capsys)
    assert "--address is of a Ray cluster" in line and "add --labels ray" in line


def test_tasks_lists_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(task_classes())
    assert {"cartpole_swingup", "humanoid_getup"} <= {line.split()[0] for line in lines}
    for line, task in zip(lines, task_classes().values(), strict=True):
        assert line.endswith(task.summary)


def test_tasks_writes_a_picture_of_every_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "pictures"
    assert main(["tasks", "--pictures", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, (name, task) in zip(lines, task_classes().items(), strict=True):
        path = folder / f"{name}.png"
        assert line.split()[0] == name and line.endswith(f"{task.summary}  {path}")
        assert imread(path).shape[1::-1] == THUMBNAIL
    assert len(list(folder.iterdir())) == len(lines)


def test_tasks_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--markdown"]) == 0
    assert capsys.readouterr().out == tasks_markdown()


def test_pictures_that_cannot_be_written_get_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert "could not be written" in refused(["tasks", "--pictures", str(file)], capsys)


def test_parameters_prints_every_parameter_of_every_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parameters"]) == 0
    sections = capsys.readouterr().out.split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(NODES)
    for node, section in zip(NODES, sections, strict=True):
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        table = node_table(node, task_class("humanoid_getup"))
        assert [row.split("`")[1] for row in rows] == [parameter.name for parameter in table]
        for row, parameter in zip(rows, table, strict=True):
            assert row.endswith(f"| {parameter.description} |")
            assert row.count(" | ") == 5


def test_train_says_where_the_weights_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([*TRAIN, "--steps", "16", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    *table, last = captured.out.splitlines()
    assert table[0].split()[:2] == ["steps", "episode"] and table[1].split()[:2] == ["16", "0"]
    assert last == f"weights: {out}/weights.safetensors"
    assert "train cartpole_swingup" in captured.err and "16/16" in captured.err  # the progress bar
    assert (out / "weights.safetensors").is_file()


def test_train_goes_on_with_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*TRAIN, "--out", str(tmp_path)]
    assert main([*arguments, "--steps", "16"]) == 0
    assert main([*arguments, "--steps", "32", "--resume"]) == 0
    assert "32/32" in capsys.readouterr().err
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 4  # a comment, names, two episodes


def test_results_go_to_runs_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*TRAIN, "--steps", "16", "--seed", "5"]) == 0
    assert main(EVALUATE) == 0
    assert (tmp_path / "runs" / "cartpole_swingup-5" / "weights.safetensors").is_file()
    assert (tmp_path / "runs" / "cartpole_swingup-evaluation" / "evaluation.csv").is_file()


def test_overrides_are_layered_between_the_file_and_single_parameters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("planner_node:\n  ros__parameters: {horizon: 21, noise_sigma: 0.25}\n")
    arguments = [
        "evaluate",
        "cartpole_swingup",
        "--seeds",
        "1",
        "--steps",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*arguments, "--overrides", str(own), "-p", "horizon:=22"]) == 0
    capsys.readouterr()
    settings = (tmp_path / "out" / "evaluation.csv").read_text().splitlines()[0]
    assert "planner_node.horizon:=22" in settings and "planner_node.noise_sigma:=0.25" in settings
    assert "planner_node.rollouts:=20" in settings


def test_evaluate_sums_up(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    weights = str(trained / "weights.safetensors")
    said = {}
    for name, options in (("value", []), ("none", ["--no-value"])):
        out = tmp_path / name
        assert main([*EVALUATE, "--weights", weights, "--out", str(out), *options]) == 0
        said[name] = capsys.readouterr().out
        heading, first, second, summary, last = said[name].splitlines()
        assert heading.split()[:3] == ["seed", "solved", "solved_at"]
        assert [first.split()[0], second.split()[0]] == ["0", "1"]
        assert summary.startswith("cartpole_swingup: 0 of 2 seeds solved, mean reward ")
        assert last == f"results: {out / 'evaluation.csv'}"
        assert len((out / "evaluation.csv").read_text().splitlines()) == 4
    rows = [(tmp_path / name / "evaluation.csv").read_text().splitlines()[2] for name in said]
    assert rows[0].split(",")[:8] != rows[1].split(",")[:8]  # the weights were used


def test_evaluate_begins_at_the_first_seed_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*EVALUATE, "--out", str(tmp_path), "--first-seed", "7"]
    assert main(arguments) == 0
    before = (tmp_path / "evaluation.csv").read_bytes()
    rows = before.decode().splitlines()[2:]
    assert [row.split(",")[0] for row in rows] == ["7", "8"]
    capsys.readouterr()
    assert f"{tmp_path}/evaluation.csv exists; give another --out" in refused(arguments, capsys)
    assert (tmp_path / "evaluation.csv").read_bytes() == before


def test_unknown_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tasks", "--colour"])
    assert "unrecognized arguments: --colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "juggling"], "there is no task 'juggling'; known are arm_reach, cartpole_swingup, "),
        (["evaluate", "juggling"], "there is no task 'juggling'"),
        ([*TRAIN, "--config", "missing.yaml"], "missing.yaml could not be read (No such file or directory)"),
        ([*TRAIN, "--steps", "0"], "steps must be at least 1, not 0"),
        ([*TRAIN, "--episode", "-3"], "episode must be at least 1, not -3"),
        ([*TRAIN, "--seed", "-1"], "seed must be at least 0, not -1"),
        ([*TRAIN, "--resume"], "checkpoint.safetensors could not be read"),
        ([*TRAIN, "-p", "horizon:=0"], "horizon must lie in [1, 256], not 0"),
        ([*TRAIN, "-p", "temperature:=-1.0"], "temperature must lie in [0.01, 5.0], not -1.0"),
        ([*TRAIN, "-p", "rollouts:=4"], "rollouts 4 are too few for 4 knots; use at least 6"),
        ([*TRAIN, "-p", "model_path:=none.xml"], "there is no MJCF file none.xml"),
        ([*TRAIN, "-p", "colour:=red"], "planner_node and learner_node have no parameter colour"),
        ([*TRAIN, "-p", "horizn:=8"], "no parameter horizn; did you mean horizon?"),
        ([*TRAIN, "-p", "latency:=0.1"], "no parameter latency; it belongs to simulator_node"),
        ([*TRAIN, "--overrides", "{horizn: 8}"], "no node has a parameter horizn; did you mean horizon?"),
        ([*TRAIN, "--overrides", "missing.yaml"], "missing.yaml could not be read"),
        ([*TRAIN, "-p", "label_capacity:=0"], "label_capacity must lie in [1, 100000], not 0"),
        (
            [*TRAIN, "-p", "warmup_labels:=9", "-p", "label_capacity:=8"],
            "warmup_labels 9 exceeds label_capacity 8, so that learning would never begin",
        ),
        ([*TRAIN, "-p", "horizon"], "horizon"),
        ([*EVALUATE, "--steps", "0"], "steps must be at least 1, not 0"),
        ([*EVALUATE, "--seeds", "0"], "seeds must be at least 1, not 0"),
        ([*EVALUATE, "--first-seed", "-1"], "seeds must be at least 0, not -1"),
        ([*EVALUATE, "--weights", "missing.safetensors"], "missing.safetensors"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(arguments, capsys)
    assert list(tmp_path.iterdir()) == []  # a refused command leaves nothing behind


def test_bad_weights_get_one_sentence(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    weights, broken = trained / "weights.safetensors", tmp_path / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[:-5])
    assert "corrupted" in refused([*EVALUATE, "--weights", str(broken)], capsys)
    assert f"there is no file {tmp_path}" in refused([*EVALUATE, "--weights", str(tmp_path)], capsys)
    other = refused(["evaluate", "humanoid_getup", "--weights", str(weights)], capsys)
    assert "are of task cartpole_swingup, not humanoid_getup" in other
    scaled = refused([*EVALUATE, "--weights", str(weights), "-p", "torque_scale:=0.5"], capsys)
    assert "use the model and torque_scale they were trained with" in scaled


def test_bad_files_get_one_sentence(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    yaml = tmp_path / "file.yaml"
    yaml.write_text("a: [")
    assert "is not valid YAML" in refused([*TRAIN, "--config", str(yaml)], capsys)
    foreign = refused([*TRAIN, "--config", str(share_path("config", "humanoid_getup.yaml"))], capsys)
    assert "is for task humanoid_getup, not cartpole_swingup" in foreign
    again = refused([*TRAIN, "--steps", "16", "--out", str(trained)], capsys)
    assert "exists; give --resume to go on from it or another --out" in again
    for command in (TRAIN, EVALUATE):
        assert str(yaml) in refused([*command, "--out", str(yaml)], capsys)
        assert yaml.read_text() == "a: ["
