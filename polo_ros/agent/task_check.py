"""`polo check`: what a task reads, rewards, costs and probably gets wrong."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import mujoco
import numpy as np

from polo_ros.agent.agent import Agent
from polo_ros.agent.tables import table_lines
from polo_ros.agent.task_states import SEED, TaskStates
from polo_ros.agent.task_warnings import task_warnings
from polo_ros.arrays import Array
from polo_ros.learner.learner import Learner
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.tasks.actuators import actuator_kind
from polo_ros.tasks.model import HINGE
from polo_ros.tasks.task import Task

# how many plans are timed, and the time after which no further one is, in s
TIMED_PLANS, LONGEST_TIMING_S = 10, 3.0


class Section(NamedTuple):
    """A part of the report: a title, rows of text, and a name a column where the rows have any."""

    title: str
    rows: Iterable[tuple[str, ...]]
    head: Sequence[str] = ()


def check_sections(settings: Settings, states: TaskStates) -> Iterator[Section]:
    """The report, part by part as it is found."""
    task = settings.task
    yield Section("Model", model_rows(task))
    yield Section("Actuators", actuator_rows(settings), ACTUATOR_HEAD)
    yield Section("Sensors", sensor_rows(states), ("sensor", "size", *states.views))
    yield Section("Value features", feature_rows(states), ("value feature", "size", *states.views))
    yield Section("Reward terms", reward_rows(states), REWARD_HEAD)
    yield Section("Cost on this machine", cost_rows(settings))


def check_lines(settings: Settings) -> Iterator[str]:
    """The report, line by line as it is found."""
    states = TaskStates.of(settings)
    for section in check_sections(settings, states):
        lines = table_lines(section.rows, section.head)
        yield from ["", section.title, *(f"  {line}" for line in lines)] if lines else []
    found = task_warnings(settings, states)
    yield from ["", f"Warnings: {len(found) or 'none'}", *(f"- {sentence}" for sentence in found)]


def check_content(settings: Settings) -> dict[str, Any]:
    """The report for machines: the rows of each part by its title, and the warnings.

    A row is an object by column; a part without names of columns is one object.
    """
    states = TaskStates.of(settings)
    content: dict[str, Any] = {"task": settings.task.name}
    for title, rows, head in check_sections(settings, states):
        named = (
            [dict(zip(head, row, strict=True)) for row in rows] if head else {row[0]: row[1] for row in rows}
        )
        content[title] = named
    return content | {"warnings": list(task_warnings(settings, states))}


def model_rows(task: Task) -> Iterator[tuple[str, str]]:
    """Size of the model, its state and its clock."""
    model = task.model
    touching = int(np.count_nonzero(model.geom_contype | model.geom_conaffinity))
    yield "task", f"{task.name}: {task.summary}"
    yield "model", f"{model.nq} positions, {model.nv} degrees of freedom, {model.nu} actuators"
    yield "mass", f"{float(model.body_subtreemass[0]):.2f} kg"
    yield "geoms", f"{touching} of {model.ngeom} may touch; fewer make steps cheaper"
    period, step = 1000 * task.timestep, 1000 * model.opt.timestep
    yield "control period", f"{period:g} ms: {task.substeps} steps of {step:g} ms"
    yield "state", f"{task.state_size} numbers; goals: {', '.join(task.goals.kinds) or 'none'}"
    if task.gait:
        gait = task.gait
        yield "gait", f"{gait.period:g} s, each foot on the ground for {100 * gait.duty:.0f} % of it"


ACTUATOR_HEAD = ("actuator", "control", "range", "neutral", "noise (1σ)", "rate limit")


def actuator_rows(settings: Settings) -> Iterator[tuple[str, ...]]:
    """Ranges and noise of each actuator in its unit."""
    task, model = settings.task, settings.task.model
    noise = settings.planner.noise_sigma * task.noise_scale
    limits = task.rate_limits
    for index in range(model.nu):
        kind = actuator_kind(model, index)
        # a motor's control times its gear is the effort
        factor = model.actuator_gear[index, 0] * model.actuator_gainprm[index, 0] if kind == "motor" else 1.0
        if kind == "servo":
            factor = 1.0 / model.actuator_gear[index, 0]
        low, high = factor * model.actuator_ctrlrange[index]
        unit = unit_of(model, index)
        limit = "none" if limits is None else f"{abs(factor) * limits[index]:.3g} {unit}/s"
        yield (
            model.actuator(index).name,
            kind or "neither motor nor servo",
            f"{low:.3g} … {high:.3g} {unit}",
            f"{factor * task.neutral[index]:.3g}",
            f"{abs(factor) * noise[index]:.3g} {unit}",
            limit,
        )


def unit_of(model: mujoco.MjModel, actuator: int) -> str:
    """The unit of an actuator's commands, by its kind and its joint's; empty where it is not known."""
    if model.actuator_trntype[actuator] != int(mujoco.mjtTrn.mjTRN_JOINT):
        return ""
    turns = model.jnt_type[model.actuator_trnid[actuator, 0]] == HINGE
    units = {"motor": ("N", "N·m"), "servo": ("m", "rad"), "": ("", "")}
    return units[actuator_kind(model, actuator)][bool(turns)]


def sensor_rows(states: TaskStates) -> Iterator[tuple[str, ...]]:
    """The reading of each sensor in each kind of state."""
    model = states.task.model
    for index in range(model.nsensor):
        name = model.sensor(index).name
        if name:
            readings = [numbers(view.sensor(name)) for view in states.views.values()]
            yield (name, str(int(model.sensor_dim[index])), *readings)


def feature_rows(states: TaskStates) -> Iterator[tuple[str, ...]]:
    """Each block of value features in each kind of state."""
    values = [states.task.value_features(view) for view in states.views.values()]
    start = 0
    for feature in states.task.listed_features():
        block = slice(start, start + feature.size)
        yield (feature.name, str(feature.size), *(numbers(value[..., block]) for value in values))
        start += feature.size


REWARD_HEAD = ("term", "weight", "start", "neutral", "sampled", "share of size", "share of choice")


def reward_rows(states: TaskStates) -> Iterator[tuple[str, ...]]:
    """Each term without its weight in each kind of state, and its shares; see `TaskStates.shares`."""
    task, shares = states.task, states.shares()
    terms = [task.reward_terms(view) for view in states.views.values()]
    for name, weight in task.weights.items():
        size, spread = shares[name]
        readings = [numbers(values[name][..., None]) for values in terms]
        yield (name, f"{weight:g}", *readings, f"{100 * size:.0f} %", f"{100 * spread:.0f} %")


def numbers(values: Array) -> str:
    """Readings (..., n) for people: those of one state, or the range of many."""
    if values.ndim > 1:
        return f"{values.min():.3g} … {values.max():.3g}" if values.size else "none"
    if values.size > 4:
        return f"{values.min():.3g} … {values.max():.3g}"
    return " ".join(f"{value:.3g}" for value in values)


def cost_rows(settings: Settings) -> Iterator[tuple[str, str]]:
    """Times of a plan and of an update, and what real time affords."""
    task, planner = settings.task, settings.planner
    threads = settings.planner_node.rollout_threads or len(os.sched_getaffinity(0))
    seconds = plan_time(settings)
    affordable = int(planner.rollouts * planner.horizon * planner.iterations * task.timestep / seconds)
    yield (
        "a plan",
        f"{1000 * seconds:.1f} ms for K·H = {planner.rollouts}·{planner.horizon}"
        f"{f', {planner.iterations} iterations' if planner.iterations > 1 else ''}, {threads} threads",
    )
    yield "a period affords", f"K·H of {affordable} in {1000 * task.timestep:g} ms"
    verdict = "in time" if seconds <= task.timestep else f"{seconds / task.timestep:.1f} times too slow"
    yield "real time", f"a plan in each control period is {verdict}"
    learner = settings.learner
    step = seconds * threads / (planner.rollouts * planner.horizon * planner.iterations)
    sampled = learner.target_states * learner.target_rollouts * learner.target_horizon
    update = gradient_time(settings) + step * sampled * learner.target_iterations
    acting = learner.update_period * task.timestep
    verdict = "keeps up" if update <= acting else f"is {update / acting:.1f} times too slow for real time"
    yield (
        "learning",
        f"an update takes about {update:.2f} s on one thread; one is due every {acting:.2f} s of acting: "
        f"it {verdict}",
    )


def plan_time(settings: Settings) -> float:
    """The median wall time of some plans along an episode, in s; of fewer where they take long."""
    threads = settings.planner_node.rollout_threads
    agent = Agent(settings.task, Planner(settings.task, settings.planner, SEED, threads), seed=SEED)
    agent.step()  # allocates memory
    times: list[float] = []
    with progress_bar(TIMED_PLANS, "time plans", "plan", patience=PATIENCE) as bar:
        while len(times) < TIMED_PLANS and sum(times) < LONGEST_TIMING_S:
            times.append(agent.step().report.compute_time)
            bar.update()
    return float(np.median(times))


def gradient_time(settings: Settings) -> float:
    """The wall time of an update's gradient steps, in s, from an update with next to no labels."""
    task = settings.task
    config = replace(settings.learner, warmup_labels=1, target_states=1, target_horizon=4, target_rollouts=8)
    learner = Learner(task, config, SEED, settings.learner_node.threads)
    states = np.tile(task.start_state(np.random.default_rng(SEED)), (8, 1))
    learner.add(states, np.tile(task.neutral, (8, 1)), np.zeros(8), np.zeros(8))
    seconds = 0.0
    with progress_bar(2, "time updates", "update", patience=PATIENCE) as bar:
        for _ in range(2):  # the first one also loads libraries
            began = time.perf_counter()
            learner.update()
            seconds = time.perf_counter() - began
            bar.update()
    return seconds
