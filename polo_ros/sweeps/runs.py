"""The runs of a sweep: one episode each, as `polo evaluate` makes it, with some parameters changed."""

import copy
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from polo_ros.agent.episode import Episode
from polo_ros.agent.evaluation import EPISODE_COLUMNS, act, episode_row
from polo_ros.agent.provenance import description
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.learner.tensors import read_file
from polo_ros.learner.weights import SIZE_LIMIT, package_file
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.sweeps.jobs import run_jobs
from polo_ros.sweeps.results_file import ResultsFile, Row

# `simulator_steps`: physics steps a plan, which say what a plan costs on any machine
RESULTS = (*EPISODE_COLUMNS, "simulator_steps")
SEED = "seed"


@dataclass(frozen=True)
class EpisodeSetup:
    """What all runs of a sweep share, as plain data that other processes and machines can be sent.

    Attributes:
      task: name, or path of its Python file.
      config: the parameter file; None for the defaults.
      layers: over the file.
      fixed: parameters over the layers.
      steps: control periods of an episode.
      weights: contents of value functions by the name of their file.
      judge: the reward weights that all runs are judged with, by term.
    """

    task: str
    config: ParameterFile | None
    layers: Sequence[ParameterFile]
    fixed: Mapping[str, Any]
    steps: int
    weights: Mapping[str, bytes] = field(default_factory=dict)
    judge: Mapping[str, float] = field(default_factory=dict)

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """The settings of a run with these changes; it plans on one thread.

        Raises:
          PoloError: the changes do not go together, or not with the other parameters.
        """
        overrides = {**self.fixed, **changes, "threads": 1}
        return settings_for(self.task, self.config, overrides, self.layers)

    def prepared(self, combinations: Iterable[Mapping[str, Any]]) -> "EpisodeSetup":
        """This setup with what the runs of the combinations need: value functions and reward weights.

        Raises:
          PoloError: a combination's parameters do not go together, or its value function does not fit.
        """
        contents: dict[str, bytes] = {}
        for changes in combinations:
            settings = self.settings(changes)
            file = settings.planner_node.weights_file
            if file:
                ReceivedWeights(settings.task, settings.planner.discount).load(file)
                contents[file] = read_file(package_file(file), SIZE_LIMIT)
        judge = dict(self.settings({}).task.weights)
        return replace(self, weights={**self.weights, **contents}, judge=judge)

    def header(self, what: str, axes: Collection[str]) -> str:
        """The first line of the results file.

        Args:
          what: is run.
          axes: the parameters that vary; all others are said where they differ from the defaults.
        """
        settings = self.settings({})
        content = self.weights.get(settings.planner_node.weights_file)
        digest = "none" if content is None else hashlib.sha256(content).hexdigest()[:16]
        return f"# polo sweep {what} {description(settings, axes, steps=self.steps, weights=digest)}"


def run_episode(setup: EpisodeSetup, job: Row) -> Row:
    """One run on one thread: the job's row, which depends on nothing but its arguments.

    Its rewards are those of the weights that all runs share, so that runs with other reward weights compare.

    Args:
      setup: what all runs share.
      job: the changed parameters by name, and the seed.
    """
    changes = {name: value for name, value in job.items() if name != SEED}
    settings = setup.settings(changes)
    task, file = settings.task, settings.planner_node.weights_file
    value = None
    if file:
        value = ReceivedWeights(task, settings.planner.discount).receive(setup.weights[file])
    judge = copy.copy(task)
    judge.weights = dict(setup.judge)
    steps = [
        replace(step, report=replace(step.report, task=judge))
        for step in act(settings, value, job[SEED], setup.steps)
    ]
    episode = Episode(judge, steps)
    found = episode_row(episode) | {"simulator_steps": episode.mean("simulator_steps")}
    return job | {name: "" if cell is None else cell for name, cell in found.items()}


class Runs:
    """The runs of a sweep and their file, which is complete after each of them.

    Args:
      setup: what they share.
      file: the results; those that it has are not run again.
      header: its first line.
      names: of the parameters that vary.

    Raises:
      PoloError: the file is of a sweep with other settings.
    """

    def __init__(self, setup: EpisodeSetup, file: Path, header: str, names: Sequence[str]) -> None:
        self.setup = setup
        self.results = ResultsFile(file, header, [*names, SEED], RESULTS)

    def complete(self, jobs: Sequence[Row], bar: tqdm | None = None, order: Sequence[Row] = ()) -> None:
        """Run the jobs that have no row.

        Args:
          jobs: what is wanted.
          bar: is advanced by one a run, if there is one.
          order: of the rows in the file.

        Raises:
          LostJobsError: the workers of some jobs died; all others are done.
        """
        with closing(run_jobs(partial(run_episode, self.setup), self.results.missing(jobs))) as found:
            for row in found:
                self.results.add([row], order)
                if bar is not None:
                    bar.update()

    def rows(self, jobs: Iterable[Row]) -> list[dict[str, str]]:
        """The rows of some jobs, as text; jobs without a row are left out."""
        by_key = {self.results.key(row): row for row in self.results.rows}
        keys = [self.results.key(job) for job in jobs]
        return [by_key[key] for key in keys if key in by_key]
