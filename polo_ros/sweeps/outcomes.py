"""The results of a sweep's combinations: ranking, table, page and the best parameters."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from polo_ros.agent.statistics import half_interval
from polo_ros.errors import PoloError, nearest
from polo_ros.files import write_atomically
from polo_ros.parameters.markdown import table as markdown_table
from polo_ros.parameters.schema import Value
from polo_ros.parameters.yaml_files import EVERY_NODE, ParameterFile
from polo_ros.sweeps.axes import described
from polo_ros.sweeps.results_file import text

# columns of the results that every episode has
OBJECTIVES = (
    "mean_reward", "last_reward", "solved", "longest_hold", "measure_last", "measure_low", "measure_high",
    "lowest", "goals_reached", "simulator_steps",
)  # fmt: skip


@dataclass(frozen=True)
class Objective:
    """What a sweep looks for.

    Attributes:
      name: a column of the results.
      minimize: whether less of it is better.
    """

    name: str = "mean_reward"
    minimize: bool = False

    def check(self) -> None:
        """Refuse an unknown column.

        Raises:
          PoloError: names it and what was probably meant.
        """
        if self.name not in OBJECTIVES:
            raise PoloError(f"there is no objective {self.name}{nearest(self.name, OBJECTIVES)}")

    @property
    def words(self) -> str:
        """What is looked for, as a title says it."""
        return f"{'lowest' if self.minimize else 'highest'} {self.name}"


@dataclass(frozen=True)
class Outcome:
    """The episodes of one combination.

    Attributes:
      values: of the parameters that vary.
      scores: the objective of each seed.
      solved: how many seeds solved the task.
      simulator_steps: physics steps a plan.
      complete: whether all seeds have run.
    """

    values: Mapping[str, Value]
    scores: tuple[float, ...]
    solved: int
    simulator_steps: float
    complete: bool

    @property
    def mean(self) -> float:
        """Of the scores."""
        return sum(self.scores) / len(self.scores)

    @property
    def half_interval(self) -> float:
        """Half the 95 % interval of the mean; nan for one seed."""
        return half_interval(pd.Series(self.scores))

    def cells(self) -> list[str]:
        """The row of a table."""
        spread = "" if math.isnan(self.half_interval) else f" ± {self.half_interval:.3g}"
        runs = len(self.scores)
        seeds = f"{self.solved} of {runs}{'' if self.complete else ' (ended early)'}"
        values = [text(value) for value in self.values.values()]
        return [*values, f"{self.mean:.4g}{spread}", seeds, f"{self.simulator_steps:.0f}"]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "parameters": dict(self.values),
            "mean": self.mean,
            "half_interval": self.half_interval,
            "seeds": len(self.scores),
            "solved": self.solved,
            "simulator_steps": self.simulator_steps,
            "complete": self.complete,
        }


def outcome(
    values: Mapping[str, Value], rows: Sequence[Mapping[str, str]], seeds: int, objective: Objective
) -> Outcome:
    """The outcome of a combination from its rows, at least one."""
    steps = [float(row["simulator_steps"]) for row in rows]
    return Outcome(
        values=values,
        scores=tuple(float(row[objective.name]) for row in rows),
        solved=sum(int(row["solved"]) for row in rows),
        simulator_steps=sum(steps) / len(steps),
        complete=len(rows) == seeds,
    )


def ranked(outcomes: Sequence[Outcome], objective: Objective) -> list[Outcome]:
    """The best first; those that lack seeds come last."""
    sign = 1.0 if objective.minimize else -1.0
    return sorted(outcomes, key=lambda each: (not each.complete, sign * each.mean))


def head(outcomes: Sequence[Outcome], objective: Objective) -> list[str]:
    """The names of the columns of `Outcome.cells`."""
    return [*outcomes[0].values, objective.name, "solved", "steps a plan"]


def write_best(best: Outcome, fixed: Mapping[str, Any], path: Path) -> None:
    """Write a combination, with what all runs were given by -p, as a parameter file for `overrides`."""
    values = {**fixed, **best.values}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    ParameterFile(path, {EVERY_NODE: plain}).write(path)


def write_page(
    path: Path, title: str, header: str, outcomes: Sequence[Outcome], objective: Objective, picture: str
) -> None:
    """Write the page of a sweep.

    Args:
      path: of the Markdown file.
      title: its first line.
      header: of the results file.
      outcomes: ranked.
      objective: what was looked for.
      picture: its file, in the page's folder.
    """
    best = outcomes[0]
    lines = [
        f"# {title}",
        "",
        f"{len(outcomes)} combinations, {len(best.scores)} seeds each, the same for all; sought: the "
        f"{objective.words}. ± is the 95 % interval of the mean over the seeds. The last column has the "
        "physics steps a plan.",
        "",
        f"![{objective.name}]({picture})",
        "",
        *markdown_table(head(outcomes, objective), [each.cells() for each in outcomes]),
        "",
        f"The best is `{described(best.values)}`, in [best.yaml](best.yaml). It was chosen by these results, "
        "which are therefore too good: judge it on other seeds, as by `polo evaluate --first-seed 1000`.",
        "",
        f"What all runs share: `{header.removeprefix('# ')}`. All rows: [sweep.csv](sweep.csv).",
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())
