"""`polo reproduce efficiency`: planner variants at equal numbers of simulator steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.adaptive_planners import Recalling
from experiments.configurations import PAPER_REWARD
from experiments.efficiency_figure import draw, report
from experiments.experiment import Experiment, Row
from experiments.planner_variants import RECOMMENDED, PlannerVariant, planner_variants
from experiments.training_cache import settings_of
from polo_ros.agent.scores import score
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.tasks.task import Task

# tasks and what is changed in their parameter files: getup is judged by the paper's reward alone
TASKS: dict[str, dict[str, Any]] = {"cartpole_swingup": {}, "hand_cube": {}, "humanoid_getup": PAPER_REWARD}
SEEDS = 5
PERIODS = 200
QUICK_PERIODS = 2
# shares of the rollouts that the task's file gives
BUDGETS = (0.25, 0.5, 1.0)
QUICK_BUDGETS = (0.5,)
# all variants run on this one
QUICK_TASKS = ("humanoid_getup",)
# with all rollouts only the recommended planner runs where variants would take half an hour more
WHOLE = ("cartpole_swingup",)
LEAST_ROLLOUTS = 8
# start seeds of the episodes before the evaluated one
FIRST_EARLIER_SEED = 500


class Efficiency(Experiment):
    """Reward against the simulator steps that planning spends, for variants of the recommended planner."""

    name = "efficiency"
    summary = "Planner variants: reward against simulator steps"
    settings = ("task", "variant", "budget", "seed")
    results = ("rollouts", "mean_reward", "last_reward", "longest_hold", "steps_per_period")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """Every variant at every budget at which it has the rollouts and value function that it needs."""
        jobs: list[Row] = []
        for task in QUICK_TASKS if quick else TASKS:
            settings = settings_of(task, TASKS[task])
            for budget in QUICK_BUDGETS if quick else BUDGETS:
                for name, variant in planner_variants(settings.planner).items():
                    compared = name == RECOMMENDED or budget < 1.0 or task in WHOLE
                    if compared and possible(settings, variant, budget):
                        jobs += [
                            {"task": task, "variant": name, "budget": budget, "seed": seed}
                            for seed in range(1 if quick else SEEDS)
                        ]
        return jobs

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """One episode, judged by the task's reward as its file weighs it."""
        settings = settings_of(job["task"], TASKS[job["task"]])
        variant = planner_variants(settings.planner)[job["variant"]]
        planner = planner_of(settings, variant, job["budget"], job["seed"])
        periods = QUICK_PERIODS if quick else PERIODS
        for episode in range(variant.earlier_episodes):
            past = driven(settings.task, planner, variant.every, FIRST_EARLIER_SEED + episode, periods)
            if isinstance(planner, Recalling):
                planner.remember(*past[:2])
            planner.reset()
        states, ctrl, spent = driven(settings.task, planner, variant.every, job["seed"], periods)
        rewards = settings.task.reward(settings.task.observe(states, ctrl))
        return [
            {
                "rollouts": planner.config.rollouts,
                "mean_reward": float(rewards.mean()),
                "last_reward": float(rewards[-len(rewards) // 4 :].mean()),
                "longest_hold": score(settings.task, states).longest_hold,
                "steps_per_period": spent / periods,
            }
        ]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The length of a run and what is changed in the tasks' files."""
        return {
            "control_periods": QUICK_PERIODS if quick else PERIODS,
            "value_weight": "0 except for the variants on values",
            "overrides": TASKS,
        }

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """The differences to the recommended planner."""
        draw(frame, folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """A table a budget: variants by tasks."""
        return report(frame)


def budgeted(settings: Settings, budget: float) -> int:
    """A share of the rollouts in the task's file, but no fewer than every recommended planner needs."""
    recommended = settings.planner
    return max(round(budget * recommended.rollouts), LEAST_ROLLOUTS, recommended.least_rollouts)


def possible(settings: Settings, variant: PlannerVariant, budget: float) -> bool:
    """Whether a variant's planner has the rollouts, and the shipped value function, that it needs."""
    config = variant.config(settings.planner, budgeted(settings, budget))
    fits = config.noise != "knots" or config.noise_knots <= config.horizon
    has_value = bool(settings.planner_node.weights_file)
    return fits and config.rollouts >= config.least_rollouts and (has_value or not variant.valued)


def planner_of(settings: Settings, variant: PlannerVariant, budget: float, seed: int) -> Planner:
    """A variant's planner, with its own model if its physics steps are longer than the world's."""
    config = variant.config(settings.planner, budgeted(settings, budget))
    if not variant.valued:
        config = replace(config, value_weight=0.0)
    task = settings.task
    if variant.step_factor > 1:
        task = settings_of(task.name, TASKS[task.name]).task
        task.model.opt.timestep *= variant.step_factor
    planner = variant.planner(task, config, seed, threads=1)
    if variant.valued:
        planner.value, _ = load_value(settings.planner_node.weights_file, task)
    return planner


def driven(task: Task, planner: Planner, every: int, seed: int, periods: int) -> tuple[Array, Array, int]:
    """One episode in which a new plan is made every so many control periods and followed meanwhile.

    Args:
      task: of the world; the planner may have another.
      planner: acts.
      every: control periods from plan to plan.
      seed: of the start state.
      periods: how long, in control periods.

    Returns:
      The states (periods, state_size), the controls (periods, nu) and the planner's physics steps.
    """
    world = World(task, np.random.default_rng(seed))
    states, ctrl, spent = [], [], 0
    for period in range(periods):
        state, now = world.state, float(world.data.time)
        if period % every == 0:
            report = planner.plan(state, now)
            spent += report.simulator_steps
        states.append(state)
        ctrl.append(planner.control(report.plan, now))
        world.step(ctrl[-1])
    return np.array(states), np.array(ctrl), spent
