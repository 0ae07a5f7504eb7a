"""The model card says what the files say, and is one that the Hub can read."""

import csv
import hashlib
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from matplotlib.image import imread

from polo_ros.cli import main
from test.support.refusals import refusal
from test.support.weights_files import metadata_of
from test.unit.sharing.conftest import Runs

pytestmark = pytest.mark.usefixtures("no_film_strips")


def write_card(runs: Runs, out: Path, *results: Path, weights: Path | str | None = None) -> int:
    extra = ["--results", *map(str, results)] if results else []
    return main(
        ["weights", "card", "me/cartpole", "--config", str(runs.config), "--out", str(out), *extra,
         "--license", "mit", "--weights", str(weights or runs.weights)]
    )  # fmt: skip


def test_the_card_has_what_was_trained_and_measured(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "card"
    assert write_card(runs, out, runs.training, runs.evaluation, runs.without) == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "README.md", "learning_curve.png", "weights.safetensors",
    ]  # fmt: skip
    content = (out / "weights.safetensors").read_bytes()
    assert content == runs.weights.read_bytes()
    assert imread(out / "learning_curve.png").std() > 0.05  # something is drawn
    card = ModelCard.load(out / "README.md")
    assert card.data.library_name == "polo_ros" and card.data.license == "mit"
    assert "cartpole_swingup" in card.data.tags
    text, metadata = card.text, metadata_of(content)
    for known in (metadata["model_hash"], metadata["sequence"], hashlib.sha256(content).hexdigest()):
        assert f"`{known}`" in text
    # a setting of the planner and one of the learner that differ from the defaults
    assert "| `planner_node.horizon` | `16` |" in text and "| `learner_node.ensemble_size` | `2` |" in text
    for word, folder in (("with", runs.evaluation), ("without", runs.without)):
        lines = (folder / "evaluation.csv").read_text().splitlines()[1:]
        rows = list(csv.DictReader(lines))
        solved = sum(int(row["solved"]) for row in rows)
        rewards = [float(row["mean_reward"]) for row in rows]
        mean = f"{sum(rewards) / 2:.3f} ({min(rewards):.3f} to {max(rewards):.3f})"
        assert f"| {word} | {solved} of 2 | 0 to 1 | 10 | {mean} |" in text
    assert str(runs.config.parent) not in text, "no folder of this machine"


def test_without_results_the_card_says_so(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "card"
    assert write_card(runs, out, weights="humanoid_getup.safetensors") == 1, "the config is another task's"
    assert write_card(runs, out) == 0
    text = (out / "README.md").read_text()
    assert "Not measured" in text and "No training was given" in text and "not known" in text
    assert not (out / "learning_curve.png").exists()


def test_results_of_others_are_refused(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    train = ["train", "cartpole_swingup", "--config", str(runs.config), "--episode", "20", "--seed", "3"]
    assert main([*train, "--steps", "20", "--out", str(other)]) == 0
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "evaluation.csv").write_text(
        (runs.evaluation / "evaluation.csv").read_text().replace("cartpole_swingup", "pointmass_box")
    )
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "metrics.csv").write_text("no table")
    capsys.readouterr()
    for folder, weights, said in (
        (other, runs.weights, "is of learner run"),
        (runs.evaluation, other / "weights.safetensors", "is of another value function"),
        (strange, runs.weights, "is of task pointmass_box, but the weights are of cartpole_swingup"),
        (broken, runs.weights, "could not be read"),
        (tmp_path, runs.weights, "is no folder of polo train or polo evaluate"),
    ):
        assert write_card(runs, tmp_path / "card", folder, weights=weights) == 1
        assert said in refusal(capsys)
        assert not (tmp_path / "card").exists()


def test_a_folder_with_files_is_left_alone(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert write_card(runs, tmp_path) == 1
    assert "not an empty folder" in refusal(capsys)
    assert (tmp_path / "README.md").read_text() == "mine"
