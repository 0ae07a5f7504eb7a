"""`polo reproduce exploration`: how much of its world a point mass without reward visits (figure 2(a))."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.experiment import Experiment, Row
from experiments.occupancy import OccupancyGrid
from experiments.style import TASK_NAMES, Style, add_caption, add_legend, count_in_words, new_figure
from polo_ros.agent.agent import Agent
from polo_ros.agent.statistics import half_interval
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.parameters.markdown import table
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

WORLDS = ("pointmass_box", "pointmass_maze")
# POLO with the world's own parameter file, the same with a horizon of one step, and random controls
AGENTS = {
    "polo": Style("POLO", BLUE, "s"),
    "greedy": Style("greedy (horizon of 1 step)", VERMILION, "D"),
    "random": Style("random controls", GREY, "o"),
}
SEEDS, STEPS = 10, 1000
QUICK_STEPS = 10
# the number of evenly spaced times at which coverage is recorded
MARKS = 20


def step_count(quick: bool) -> int:
    """The length of a run in control periods."""
    return QUICK_STEPS if quick else STEPS


def make_explorer(world: str, seed: int, horizon: int | None = None) -> Agent:
    """Algorithm 1 with the world's own parameter file; another planning horizon where one is given."""
    settings = settings_for(world)
    planner = settings.planner
    if horizon is not None:
        knots = min(planner.noise_knots, horizon)
        noise = planner.noise if knots > 1 else "white"
        planner = replace(planner, horizon=horizon, noise=noise, noise_knots=max(knots, 2))
    learner = Learner(settings.task, settings.learner, seed, threads=1)
    return Agent(settings.task, Planner(settings.task, planner, seed, threads=1), learner, seed)


def positions(world: str, agent: str, seed: int, steps: int) -> Iterator[Array]:
    """The position of the mass in each control period, (2,) in m."""
    if agent == "random":
        task = settings_for(world).task
        rng = np.random.default_rng([seed, 1])
        simulation = World(task, np.random.default_rng(seed))
        for _ in range(steps):
            yield simulation.data.qpos.copy()
            simulation.step(rng.uniform(task.control_low, task.control_high))
        return
    explorer = make_explorer(world, seed, horizon=1 if agent == "greedy" else None)
    for _ in range(steps):
        yield explorer.step().state[:2]


class Exploration(Experiment):
    """Figure 2(a): the share of the free cells that were visited, over time."""

    name = "exploration"
    summary = "Figure 2(a): coverage of box and maze without reward by POLO, greedily and at random"
    settings = ("world", "agent", "seed")
    results = tuple(f"coverage_{100 * (mark + 1) // MARKS}" for mark in range(MARKS))

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a world, agent and seed."""
        return [
            {"world": world, "agent": agent, "seed": seed}
            for world in (WORLDS[:1] if quick else WORLDS)
            for agent in AGENTS
            for seed in range(1 if quick else SEEDS)
        ]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Coverage after each twentieth of the run; a column is named by its time in % of the run."""
        steps = step_count(quick)
        visited = list(positions(job["world"], job["agent"], job["seed"], steps))
        grid = OccupancyGrid(settings_for(job["world"]).task.model, visited[0])
        coverage = []
        for position in visited:
            grid.visit(position[None])
            coverage.append(grid.coverage)
        ends = np.ceil(np.arange(1, MARKS + 1) * steps / MARKS).astype(int)
        return [{name: coverage[end - 1] for name, end in zip(self.results, ends, strict=True)}]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The parameters of planner and learner."""
        return parameters(quick)

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Mean coverage over time with its 95 % interval, a panel a world."""
        figure = new_figure(9, 4)
        curves = self.curves(frame)
        worlds = frame["world"].unique()
        panels = figure.subplots(1, len(worlds), sharey=True, squeeze=False)[0]
        for axes, world in zip(panels, worlds, strict=True):
            for agent, style in AGENTS.items():
                points = curves.loc[world, agent]
                axes.plot(points.index, points["mean"], color=style.colour, label=style.label, lw=2)
                low, high = (points["mean"] + sign * points["half_interval"] for sign in (-1, 1))
                axes.fill_between(points.index, low, high, color=style.colour, alpha=0.2, lw=0)
            axes.set(title=TASK_NAMES[world], xlabel="time, in % of the run", ylim=(0, 1), xlim=(0, 100))
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("share of the free cells visited")
        add_legend(figure, panels[0])
        seeds = count_in_words(frame.groupby(["world", "agent"])["seed"].nunique())
        add_caption(figure, f"Lines: mean of {seeds}; bands: its 95 % interval (Student's t).")
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Final coverage by world and agent."""
        groups = frame.groupby(["world", "agent"], sort=False)[self.results[-1]]
        lines = [
            (
                TASK_NAMES[row.world], AGENTS[row.agent].label, row.count, f"{row.mean:.3f}",
                f"{row.mean - row.half_interval:.3f} to {row.mean + row.half_interval:.3f}",
                f"{row.min:.3f} to {row.max:.3f}",
            )
            for row in groups.agg(["count", "mean", half_interval, "min", "max"]).reset_index().itertuples()
        ]  # fmt: skip
        return table(("world", "agent", "seeds", "coverage at the end", "95 % interval", "range"), lines)

    def curves(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Mean and half interval of coverage, by world, agent and time in % of the run."""
        keys = ["world", "agent", "seed"]
        coverage = frame.melt(keys, self.results, "time", "coverage")
        coverage["time"] = coverage["time"].str.removeprefix("coverage_").astype(int)
        return coverage.groupby(["world", "agent", "time"])["coverage"].agg(["mean", half_interval])


def parameters(quick: bool) -> dict[str, Any]:
    """The number of control periods, and the parameters that differ from their defaults in each world."""
    found: dict[str, Any] = {"steps": step_count(quick)}
    for world in WORLDS:
        settings = settings_for(world)
        found[world] = {"planner": changed(settings.planner), "learner": changed(settings.learner)}
    return found


def changed(config: PlannerConfig | LearnerConfig) -> dict[str, Any]:
    """The parameters of a configuration that differ from their defaults."""
    default = asdict(type(config)())
    return {name: value for name, value in asdict(config).items() if value != default[name]}
