"""`polo reproduce exploration`: how far a point mass without any reward gets about (figure 2)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.experiment import Experiment, Row
from experiments.occupancy import OccupancyGrid
from experiments.statistics import interval
from polo_ros.agent.agent import Agent
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.parameters.markdown import table
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.value import optimistic

WORLDS = ("pointmass_box", "pointmass_maze")
# POLO as the parameter file has it, the same with a horizon of one step, and random controls
AGENTS = {"polo": "#2a78d6", "greedy": "#d6542a", "random": "#7a828c"}
SEEDS, STEPS = 10, 1000
QUICK_SEEDS, QUICK_STEPS = 2, 60
# coverage is kept at this many evenly spread times
MARKS = 20


def sizes(quick: bool) -> tuple[int, int]:
    """Seeds and control periods."""
    return (QUICK_SEEDS, QUICK_STEPS) if quick else (SEEDS, STEPS)


def explorer(world: str, seed: int, horizon: int | None = None) -> Agent:
    """Algorithm 1 with the world's own parameter file; another planning horizon where one is given."""
    settings = settings_for(world)
    planner = settings.planner
    if horizon is not None:
        knots = min(planner.noise_knots, horizon)
        noise = planner.noise if knots > 1 else "white"
        planner = replace(planner, horizon=horizon, noise=noise, noise_knots=max(knots, 2))
    learner = Learner(settings.task, settings.learner, seed, threads=1)
    return Agent(settings.task, Planner(settings.task, planner, seed, threads=1), learner, seed)


def places(world: str, agent: str, seed: int, steps: int) -> Iterator[Array]:
    """Where the mass is in each control period, (2,) in m."""
    if agent == "random":
        task = settings_for(world).task
        rng = np.random.default_rng([seed, 1])
        life = World(task, np.random.default_rng(seed))
        for _ in range(steps):
            yield life.data.qpos.copy()
            life.step(rng.uniform(task.control_low, task.control_high))
        return
    acting = explorer(world, seed, horizon=1 if agent == "greedy" else None)
    for _ in range(steps):
        yield acting.step().state[:2]


class Exploration(Experiment):
    """Figure 2(a): the share of the free cells that were visited, over time."""

    name = "exploration"
    summary = "Figure 2: coverage of box and maze without reward by POLO, greedily and at random"
    settings = ("world", "agent", "seed")
    results = tuple(f"coverage_{100 * (mark + 1) // MARKS}" for mark in range(MARKS))

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a world, agent and seed."""
        seeds, _ = sizes(quick)
        return [
            {"world": world, "agent": agent, "seed": seed}
            for world in WORLDS
            for agent in AGENTS
            for seed in range(seeds)
        ]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Coverage after each twentieth of the run; its columns are named by the share of it in percent."""
        _, steps = sizes(quick)
        grid: OccupancyGrid | None = None
        row: Row = {}
        for step, place in enumerate(places(job["world"], job["agent"], job["seed"], steps), start=1):
            grid = grid or OccupancyGrid(settings_for(job["world"]).task.model, place)
            grid.visit(place[None])
            if step * MARKS % steps == 0:
                row[self.results[step * MARKS // steps - 1]] = grid.coverage
        return [row]

    def fixed(self, quick: bool) -> str:
        """The parameters of planner and learner."""
        return parameters(quick)

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Mean coverage with its 95 % interval over time."""
        figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
        for axes, world in zip(figure.subplots(1, 2, sharey=True), WORLDS, strict=True):
            for agent, colour in AGENTS.items():
                curves = self.curves(rows, world, agent)
                if not len(curves):
                    continue
                share = 100 * (np.arange(MARKS) + 1) / MARKS
                mean, half = interval(curves)
                axes.plot(share, mean, color=colour, label=agent, lw=2)
                axes.fill_between(share, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
            axes.set(title=world, xlabel="share of the run, in %", ylim=(0, 1.02), xlim=(0, 100))
            axes.grid(alpha=0.3)
            axes.legend(loc="upper left", frameon=False)
        figure.axes[0].set_ylabel("share of free cells visited")
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Final coverage by world and agent."""
        lines = []
        for world in WORLDS:
            for agent in AGENTS:
                curves = self.curves(rows, world, agent)
                if not len(curves):
                    continue
                mean, half = interval(curves)
                last = curves[:, -1]
                lines.append((
                    world, agent, len(curves), f"{mean[-1]:.3f}",
                    f"{mean[-1] - half[-1]:.3f} to {mean[-1] + half[-1]:.3f}",
                    f"{last.min():.3f} to {last.max():.3f}",
                ))  # fmt: skip
        return table(("world", "agent", "seeds", "coverage at the end", "95 % interval", "range"), lines)

    def curves(self, rows: Sequence[Mapping[str, str]], world: str, agent: str) -> Array:
        """Coverage over time of each seed, (seeds, MARKS)."""
        chosen = [row for row in rows if (row["world"], row["agent"]) == (world, agent)]
        return np.array([[float(row[name]) for name in self.results] for row in chosen])


def parameters(quick: bool) -> str:
    """The number of control periods, and how planner and learner differ from their defaults in each world."""
    found = {world: settings_for(world) for world in WORLDS}
    listed = (f"{world}: {changed(one.planner)} {changed(one.learner)}" for world, one in found.items())
    return "; ".join((f"steps={sizes(quick)[1]}", *listed))


def changed(config: PlannerConfig | LearnerConfig) -> str:
    """A configuration as Python writes it, without what is at its default."""
    default = type(config)()
    names = (field.name for field in fields(config))
    values = ((name, getattr(config, name)) for name in names)
    told = (f"{name}={value!r}" for name, value in values if value != getattr(default, name))
    return f"{type(config).__name__}({', '.join(told)})"


class ExplorationMap(Experiment):
    """Figure 2(b): what the ensemble thinks of the world after a run of POLO, cell by cell."""

    name = "exploration_map"
    summary = "Figure 2(b): values and their spread over box and maze after POLO explored them"
    settings = ("world", "seed")
    results = ("x", "y", "visited", "value", "optimistic_value", "value_std")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a world: the first seed."""
        return [{"world": world, "seed": 0} for world in WORLDS]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """A row a free cell: the values at its centre, at rest."""
        _, steps = sizes(quick)
        acting = explorer(job["world"], job["seed"])
        visited = np.array([acting.step().state[:2] for _ in range(steps)])
        task = acting.task
        grid = OccupancyGrid(task.model, visited[0])
        grid.visit(visited)
        centres = grid.centres[grid.free]
        states = np.zeros((len(centres), task.state_size))
        states[:, :2] = centres
        assert acting.learner is not None
        heads = acting.learner.value().heads(task.value_features(task.observe(states)))
        hopeful = optimistic(heads, acting.planner.config.optimism)
        columns = (
            *centres.T, grid.visited[grid.free].astype(int), heads.mean(axis=0), hopeful, heads.std(axis=0),
        )  # fmt: skip
        return [
            dict(zip(self.results, (*map(float, cell[:2]), int(cell[2]), *map(float, cell[3:])), strict=True))
            for cell in zip(*columns, strict=True)
        ]

    def fixed(self, quick: bool) -> str:
        """The parameters of planner and learner."""
        return parameters(quick)

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """The optimistic value of every free cell, red high and blue low; dots mark the visited ones."""
        figure = Figure(figsize=(9, 4.2), dpi=120, layout="constrained")
        for axes, world in zip(figure.subplots(1, 2), WORLDS, strict=True):
            chosen = [row for row in rows if row["world"] == world]
            x, y, visited, value = (
                np.array([float(row[name]) for row in chosen])
                for name in ("x", "y", "visited", "optimistic_value")
            )
            cell = float(np.diff(np.unique(x)).min())
            low, high = np.array([x.min(), y.min()]), np.array([x.max(), y.max()])
            shape = np.rint((high - low) / cell).astype(int) + 1
            picture = np.full(shape, math.nan)
            picture[tuple(np.rint((np.stack([x, y]) - low[:, None]) / cell).astype(int))] = value
            extent = (low[0] - cell / 2, high[0] + cell / 2, low[1] - cell / 2, high[1] + cell / 2)
            drawn = axes.imshow(picture.T, origin="lower", extent=extent, cmap="coolwarm")
            axes.plot(x[visited > 0], y[visited > 0], "k.", ms=3)
            axes.set(
                title=f"{world}: {visited.mean():.0%} visited", xticks=[], yticks=[], facecolor="#4a5058"
            )
            figure.colorbar(drawn, ax=axes, label="optimistic value")
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Mean values of visited and unvisited cells."""
        lines = []
        for world in WORLDS:
            chosen = [row for row in rows if row["world"] == world]
            cells = [f"{world}", str(len(chosen)), str(sum(row["visited"] == "1" for row in chosen))]
            for flag in "10":
                some = [row for row in chosen if row["visited"] == flag]
                means = [
                    f"{np.mean([float(row[name]) for row in some]):.2f}" if some else "-"
                    for name in ("value", "value_std")
                ]
                cells.append(f"{means[0]} ({means[1]})")
            lines.append(cells)
        return table(("world", "cells", "visited", "value there (std)", "value elsewhere (std)"), lines)
