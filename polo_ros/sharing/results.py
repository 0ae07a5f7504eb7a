"""The results of `polo train` and `polo evaluate` for a value function, read from their folders."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from polo_ros.agent.provenance import value_digest
from polo_ros.errors import PoloError
from polo_ros.learner.tensors import read_file
from polo_ros.learner.weights import SIZE_LIMIT, decode_value
from polo_ros.sharing.checked import CheckedWeights

WORD = re.compile(r'([\w./]+)(:?=)("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(frozen=True)
class Training:
    """A run of `polo train`.

    Attributes:
      facts: of its first line, such as seed and steps.
      settings: those that differ from the defaults.
      rows: an episode each, by column.
    """

    facts: Mapping[str, str]
    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, str]]

    def draw(self, path: Path) -> None:
        """Write a picture of the mean reward and value of each episode."""
        steps = [int(row["steps"]) for row in self.rows]
        figure = Figure(figsize=(8.0, 3.2), dpi=120, layout="constrained")
        axes = figure.subplots()
        rewards, values = ([float(row[name] or "nan") for row in self.rows] for name in ("reward", "value"))
        axes.plot(steps, rewards, color="#0072B2", marker="o", markersize=3, label="mean reward")
        axes.set(xlabel="control periods", ylabel="mean reward of an episode")
        right = axes.twinx()
        right.plot(steps, values, color="#D55E00", linestyle="--", label="mean value")
        right.set_ylabel("mean value, reward units")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        figure.savefig(path)


@dataclass(frozen=True)
class Evaluation:
    """A run of `polo evaluate`.

    Attributes:
      facts, settings: as those of `Training`.
      with_value: whether it planned with the value function, or without any.
      rows: a seed each, by column.
    """

    facts: Mapping[str, str]
    settings: Mapping[str, Any]
    with_value: bool
    rows: Sequence[Mapping[str, str]]

    @property
    def solved(self) -> int:
        """The number of seeds that solved the task."""
        return sum(int(row["solved"]) for row in self.rows)


def read_results(folder: Path, weights: CheckedWeights) -> Training | Evaluation:
    """Read the folder of a training or of an evaluation, and check that it is of these weights.

    Raises:
      PoloError: the folder holds neither or an incomplete table, or is of another task, model, run or value
        function.
    """
    metrics, evaluation = folder / "metrics.csv", folder / "evaluation.csv"
    if metrics.is_file():
        facts, settings, rows = read_table(metrics, ("steps", "reward", "value"), weights)
        check_run(folder, weights)
        return Training(facts, settings, rows)
    if evaluation.is_file():
        facts, settings, rows = read_table(evaluation, ("seed", "solved", "mean_reward"), weights)
        digest, own = facts.get("value"), value_digest(weights.value)
        if digest not in ("none", own):
            raise PoloError(
                f"{evaluation} is of another value function ({digest}, not {own}); evaluate these weights"
            )
        return Evaluation(facts, settings, digest == own, rows)
    raise PoloError(f"{folder} is no folder of polo train or polo evaluate; it has no metrics.csv")


def read_table(
    file: Path, columns: Sequence[str], weights: CheckedWeights
) -> tuple[dict[str, str], dict[str, Any], list[dict[str, str]]]:
    """Facts, settings and rows of a result file.

    Raises:
      PoloError: the file is unreadable or incomplete, or is of another task or model.
    """
    try:
        heading, *lines = file.read_text().splitlines()
        words = heading.split()
        found = [match.groups() for match in WORD.finditer(heading)]
        facts = {name: text for name, sign, text in found if sign == "="}
        settings = {name: json.loads(text) for name, sign, text in found if sign == ":="}
        rows = list(csv.DictReader(lines))
        task = words[3]
    except (OSError, ValueError, IndexError) as error:
        raise PoloError(f"{file} could not be read ({error!s:.100}); give a finished run") from None
    if not rows or any(row.get(name) is None for row in rows for name in columns):
        raise PoloError(f"{file} has no rows or lacks columns; give a finished run")
    origin = weights.origin
    for name, given, own in (
        ("task", task, origin.task), ("model_hash", facts.get("model_hash"), origin.model_hash)
    ):  # fmt: skip
        if given != own:
            raise PoloError(f"{file} is of {name} {given}, but the weights are of {own}")
    return facts, settings, rows


def check_run(folder: Path, weights: CheckedWeights) -> None:
    """Refuse the folder of another training; one without weights, which is not finished, is accepted.

    Raises:
      PoloError: its weights are of another run.
    """
    file = folder / "weights.safetensors"
    if not file.is_file():
        return
    _, origin = decode_value(read_file(file, SIZE_LIMIT), weights.settings.task, what=str(file))
    if origin.epoch != weights.origin.epoch:
        raise PoloError(
            f"{folder} is of learner run {origin.epoch}, but the weights are of run {weights.origin.epoch}; "
            f"give the folder that they were trained in"
        )
