"""A value function from the returns of a planner that sees further, in emulated real time.

    python -m experiments.aggregation humanoid_getup --out results/aggregation/getup

Targets by trajectory optimisation, eq. (7), are plans for a standing start that no controller executes, and
deviate by more than what they tell apart. Here a target is what an expert earns that really goes on from a
state: the planner of the task's parameter file, without a value function, in emulated real time
(`benchmarks.emulated_time`). States are those that matter to a planner with the value function: terminal
states of rollouts around what such planners do. Each round lets planners with the present value function act,
draws terminal states from their surroundings, lets the expert go on from there, and fits the ensemble to all
returns so far (AggreVaTe: Ross and Bagnell 2014, "Reinforcement and Imitation Learning via Interactive
No-Regret Learning"; the aggregation of states: DAgger, Ross et al. 2011).

Files of a round are kept in the folder; an interrupted run goes on from them.
"""

import argparse
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pandas as pd

from benchmarks.emulated_time import run
from benchmarks.overrides import add_override_option, override_values
from polo_ros.agent.world import World
from polo_ros.arrays import Array, Mask
from polo_ros.files import write_atomically
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.weights import encode_value, load_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.planner.value import ValueEnsemble
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.tasks.task import Task

# what is collected: episodes of the expert and their length in s, then for each round episodes of each
# planner with the value function and their length, and terminal states and how long the expert goes on
EXPERT_EPISODES, EXPERT_SECONDS = 100, 8.0
ACTING_EPISODES, ACTING_SECONDS = 8, 8.0
CONTINUATIONS, CONTINUATION_SECONDS = 700, 1.0
# shares of episodes that begin in a start state of the task, and of continuations
START_SHARE, CONTINUED_START_SHARE = 0.25, 0.05
# of the velocities that are added to the state in which an episode begins, in m/s or rad/s
KICK = 0.5
# lengths of rollouts whose terminal states are labelled, in control periods, and knots of their noise
ROLLOUT_STEPS, LONGEST_ROLLOUT, NOISE_KNOTS = (8, 16, 16, 24, 32), 32, 4
# targets are λ-returns: of each fit after the first, with values of the fit before
LAMBDA, FITS, EPOCHS, BATCH = 0.97, 4, 6, 512
LEARNING = LearnerConfig(
    learning_rate=2e-3, batch_size=BATCH, gradient_steps=256, ensemble_size=4, hidden=(64, 64),
    prior_scale=0.0, input_noise=0.2, weight_decay=1e-6,
)  # fmt: skip
# the least learning rate of a fit, which falls to it linearly
FINAL_RATE = 2e-5
# states whose values are computed at a time, and the share of episodes that no fit sees
BLOCK, HELD_OUT = 20_000, 10
COLUMNS = (
    "round", "states", "explained", "explained_achieved", "planner", "value", "seed", "success",
    "achieved_seconds", "mean_reward",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What a run is made with.

    Attributes:
      task, config: the task and its parameter file, None for its own.
      overrides: of the expert and of all planners.
      planners: parameters of each planner that acts with the value function.
      rate: simulator steps a second of emulated time.
      seed: of everything random.
    """

    task: str
    config: Path | None
    overrides: Mapping[str, Any]
    planners: tuple[Mapping[str, Any], ...]
    rate: int
    seed: int

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """The settings with some parameters changed, on one thread."""
        return settings_for(self.task, self.config, {**self.overrides, "threads": 1, **changes})

    def expert(self) -> Settings:
        """The settings of the planner whose returns are learned."""
        return self.settings({"value_weight": 0.0})


@dataclass(frozen=True)
class Episodes:
    """Episodes of equal length: states (n, T, state_size), ctrl (n, T, nu), features (n, T, features).

    `rewards` and `achieved`, (n, T), are those of the task with its weights.
    """

    states: Array
    ctrl: Array
    features: Array
    rewards: Array
    achieved: Array

    def write(self, path: Path) -> None:
        """Keep them in a file, in single precision."""
        partial = path.with_suffix(".partial.npz")
        with partial.open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in self.__dataclass_fields__})
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> "Episodes":
        """From a file."""
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Job:
    """An episode to be run; `pool` is a file of episodes that it may begin in.

    Attributes:
      changes: parameters of the planner, with a value function if `weights` is given.
      seconds: simulated time.
      seed: of the start and of planning.
      terminal: whether to begin in the terminal state of a rollout around an episode of the pool.
    """

    changes: Mapping[str, Any]
    weights: Path | None
    pool: Path | None
    seconds: float
    seed: tuple[int, ...]
    terminal: bool = False


@functools.lru_cache(maxsize=2)
def pool_of(path: Path) -> Episodes:
    """A file of episodes, read once in each process."""
    return Episodes.read(path)


class SomewhereWorld(World):
    """A world that begins in a start state, or in or near a state of earlier episodes."""

    def __init__(
        self, task: Task, rng: np.random.Generator, pool: Episodes | None, terminal: bool, sigma: float
    ) -> None:
        self._pool, self._terminal, self._sigma = pool, terminal, sigma
        super().__init__(task, rng)

    def reset(self) -> None:
        """Begin as the class says, at time 0."""
        super().reset()
        share = CONTINUED_START_SHARE if self._terminal else START_SHARE
        if self._pool is None or self.rng.random() < share:
            return
        count, length, _ = self._pool.states.shape
        last = length - LONGEST_ROLLOUT if self._terminal else length
        episode, step = self.rng.integers(count), self.rng.integers(last)
        model, data = self.task.model, self.data
        state = self._pool.states[episode, step].astype(np.float64)
        data.qpos[:], data.qvel[:] = state[: model.nq], state[model.nq : model.nq + model.nv]
        if self._terminal:
            self._roll(self._pool.ctrl[episode, step:])
        else:
            data.qvel += KICK * self.rng.standard_normal(model.nv)
        mujoco.mj_forward(model, data)
        data.time = 0.0

    def _roll(self, ctrl: Array) -> None:
        """Go on with noise on knots around the executed controls (T, nu), as a planner's rollout does."""
        model = self.task.model
        knots = self._sigma * self.rng.standard_normal((NOISE_KNOTS, model.nu))
        steps = np.linspace(0.0, NOISE_KNOTS - 1.0, LONGEST_ROLLOUT)
        noise = np.stack([np.interp(steps, np.arange(NOISE_KNOTS), knot) for knot in knots.T], axis=1)
        low, high = model.actuator_ctrlrange.T
        half = 0.5 * (high - low)
        for step in range(self.rng.choice(ROLLOUT_STEPS)):
            self.data.ctrl[:] = np.clip(ctrl[step] + half * noise[step], low, high)
            mujoco.mj_step(model, self.data, self.task.substeps)


def run_episode(job: Job, setting: Setting) -> tuple[Array, ...]:
    """An episode's states, ctrl, features, rewards and achieved, (T, …) each."""
    settings = setting.settings(job.changes)
    task = settings.task
    value = load_value(str(job.weights), task)[0] if job.weights else None
    pool = pool_of(job.pool) if job.pool else None
    sigma = settings.planner.noise_sigma
    rng = np.random.default_rng(job.seed)
    world = SomewhereWorld(task, rng, pool, job.terminal, sigma)
    result = run(settings, value, int(rng.integers(2**31)), job.seconds, setting.rate, world)
    view = task.observe(result.states, result.ctrl)
    found = (
        result.states, result.ctrl, task.value_features(view), task.reward(view), task.achieved(view),
    )  # fmt: skip
    return tuple(np.asarray(array, np.float32) for array in found)


def collect(jobs: Sequence[Job], setting: Setting, path: Path) -> Episodes:
    """Run episodes of equal length, in the jobs' order, or read them if they have been run."""
    if not path.exists():
        runs = [run for _, run in sorted(_numbered(jobs, setting), key=lambda item: item[0])]
        Episodes(*map(np.stack, zip(*runs, strict=True))).write(path)
    return Episodes.read(path)


def _numbered(jobs: Sequence[Job], setting: Setting) -> list[tuple[int, tuple[Array, ...]]]:
    done = []
    for item in run_jobs(functools.partial(_run_numbered, setting=setting), list(enumerate(jobs))):
        done.append(item)
        if len(done) % 50 == 0:
            print(f"  {len(done)} of {len(jobs)} episodes", flush=True)
    return done


def _run_numbered(item: tuple[int, Job], setting: Setting) -> tuple[int, tuple[Array, ...]]:
    return item[0], run_episode(item[1], setting)


@dataclass
class Fit:
    """A fitted ensemble and how much of held-out returns it explains, of all and of achieved states."""

    value: ValueEnsemble
    states: int
    explained: float
    explained_achieved: float


def lambda_returns(rewards: Array, values: Array, discount: float, mixed: float) -> Array:
    """TD(λ) targets, (n, T), of rewards (n, T) and values (n, T); the last is its value."""
    targets = np.empty(rewards.shape)
    targets[:, -1] = following = values[:, -1]
    for step in range(rewards.shape[1] - 2, -1, -1):
        ahead = mixed * following + (1.0 - mixed) * values[:, step + 1]
        targets[:, step] = following = rewards[:, step] + discount * ahead
    return targets


def fit(data: Sequence[Episodes], discount: float, seed: int) -> Fit:
    """Fit an ensemble to the λ-returns of episodes; one in ten is held out.

    The first fit has no values to end returns with: it takes the mean reward of an episode's second half, as
    if it were earned for ever.
    """
    features = np.concatenate([part.features.reshape(-1, part.features.shape[-1]) for part in data])
    achieved = np.concatenate([part.achieved.ravel() for part in data]) > 0.5
    held_out = np.concatenate(
        [
            np.repeat(np.arange(len(part.rewards)) % HELD_OUT == 0, part.rewards.shape[1])
            for part in data
        ]
    )  # fmt: skip
    scale = 1.0 / (1.0 - discount)
    config = replace(LEARNING, discount=discount)
    values = [
        np.repeat(
            part.rewards[:, part.rewards.shape[1] // 2 :].mean(axis=1)[:, None], part.rewards.shape[1], 1
        )
        * scale
        for part in data
    ]
    mixed = 1.0
    for number in range(FITS):
        targets = np.concatenate(
            [
                lambda_returns(part.rewards, some, discount, mixed).ravel()
                for part, some in zip(data, values, strict=True)
            ]
        )
        trainer = EnsembleTrainer(features.shape[1], config, seed)
        trainer.fit_standardiser(features)
        trainer.offset = float(targets.mean())
        regress(
            trainer, config, features[~held_out], targets[~held_out], np.random.default_rng([seed, number])
        )
        value = trainer.value()
        found = np.concatenate(
            [
                value.heads(block).mean(axis=0)
                for block in np.array_split(features, len(features) // BLOCK + 1)
            ]
        )
        values = split_like(found, data)
        mixed = LAMBDA

    def explained(chosen: Mask) -> float:
        return float(1.0 - np.mean((found - targets)[chosen] ** 2) / targets[chosen].var())

    return Fit(value, len(features), explained(held_out), explained(held_out & achieved))


def regress(
    trainer: EnsembleTrainer, config: LearnerConfig, features: Array, targets: Array, rng: np.random.Generator
) -> None:
    """Some epochs with a learning rate that falls linearly."""
    calls = max(EPOCHS * len(features) // (config.batch_size * config.gradient_steps), 1)
    wanted = np.broadcast_to(targets, (config.ensemble_size, len(targets)))
    for call in range(calls):
        rate = max(config.learning_rate * (1.0 - call / calls), FINAL_RATE)
        trainer.configure(replace(config, learning_rate=rate))
        trainer.update(features, wanted, rng)


def split_like(flat: Array, data: Sequence[Episodes]) -> list[Array]:
    """A flat array in parts of the shapes of the episodes' rewards."""
    ends = np.cumsum([part.rewards.size for part in data])[:-1]
    return [part.reshape(like.rewards.shape) for part, like in zip(np.split(flat, ends), data, strict=True)]


class Aggregation:
    """The rounds, whose files are in a folder.

    Args:
      setting: see `Setting`.
      folder: of the weights and of progress.csv.
      scratch: of the episodes, which are large.
      seeds: start seeds that each round's value function is evaluated on.
      seconds: simulated time of an evaluation.
    """

    def __init__(
        self, setting: Setting, folder: Path, scratch: Path, seeds: Sequence[int], seconds: float
    ) -> None:
        self._setting, self._folder, self._scratch = setting, folder, scratch
        self._seeds, self._seconds = seeds, seconds
        self._data: list[Episodes] = []
        self._rows: list[dict[str, Any]] = []

    def run(self, rounds: int) -> None:
        """Make, evaluate and write down each round; the first has no value function to act with."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        for planner in self._setting.planners:
            self._evaluate(planner, None, {"round": 0})
        for number in range(1, rounds + 1):
            around = self._act(number)
            self._data.append(self._continue(number, around))
            path, found = self._weights(number), self._fit(number)
            for planner in self._setting.planners:
                self._evaluate(planner, path, found)
            self._write()

    def _weights(self, number: int) -> Path:
        return self._folder / f"weights-{number}.safetensors"

    def _act(self, number: int) -> Path:
        """Episodes of the expert, then of the planners with the value function of the round before."""
        setting, path = self._setting, self._scratch / f"acting-{number}.npz"
        if number == 1:
            print("expert", flush=True)
            jobs = [
                Job({"value_weight": 0.0}, None, None, EXPERT_SECONDS, (setting.seed, number, index))
                for index in range(EXPERT_EPISODES)
            ]
            self._data.append(collect(jobs, setting, path))
            return path
        print(f"round {number}: planners with the value function", flush=True)
        weights, pool = self._weights(number - 1), self._scratch / "acting-1.npz"
        jobs = [
            Job(
                {"value_weight": 1.0, **planner},
                weights,
                pool,
                ACTING_SECONDS,
                (setting.seed, number, index, which),
            )
            for which, planner in enumerate(setting.planners)
            for index in range(ACTING_EPISODES)
        ]
        collect(jobs, setting, path)
        return path

    def _continue(self, number: int, around: Path) -> Episodes:
        """What the expert earns from terminal states of rollouts around some episodes."""
        print(f"round {number}: the expert goes on", flush=True)
        setting = self._setting
        jobs = [
            Job(
                {"value_weight": 0.0}, None, around, CONTINUATION_SECONDS, (setting.seed, number, index, 100),
                terminal=True,
            )
            for index in range(CONTINUATIONS)
        ]  # fmt: skip
        return collect(jobs, setting, self._scratch / f"continued-{number}.npz")

    def _fit(self, number: int) -> dict[str, Any]:
        """Fit to all data so far and write the weights."""
        settings, path = self._setting.expert(), self._weights(number)
        discount = settings.planner.discount
        found = fit(self._data, discount, self._setting.seed)
        origin = Origin.of(settings.task, discount, new_epoch(), number)
        write_atomically(path, encode_value(found.value, origin))
        print(
            f"round {number}: {found.states} states, explained {found.explained:.3f}, "
            f"of achieved states {found.explained_achieved:.3f}",
            flush=True,
        )
        return {
            "round": number, "states": found.states, "explained": found.explained,
            "explained_achieved": found.explained_achieved,
        }  # fmt: skip

    def _evaluate(self, planner: Mapping[str, Any], weights: Path | None, about: Mapping[str, Any]) -> None:
        """Episodes from the task's start state, with the value function at full weight or without."""
        changes = {**planner, "value_weight": 1.0 if weights else 0.0}
        jobs = [Job(changes, weights, None, self._seconds, (seed,)) for seed in self._seeds]
        done = dict(_numbered(jobs, self._setting))
        for index, seed in enumerate(self._seeds):
            *_, rewards, achieved = done[index]
            self._rows.append(
                {
                    **about,
                    "planner": self._name(planner),
                    "value": int(weights is not None),
                    "seed": seed,
                    "success": int(achieved[-1] and achieved.mean() >= 0.5),
                    "achieved_seconds": float(achieved.mean() * self._seconds),
                    "mean_reward": float(rewards.mean()),
                }
            )
        last = pd.DataFrame(self._rows[-len(self._seeds) :])
        print(
            f"  {last['planner'][0]}, {'with' if weights else 'without'} value function: "
            f"{last['success'].sum()} of {len(last)} succeed, "
            f"{last['achieved_seconds'].mean():.1f} of {self._seconds:g} s achieved",
            flush=True,
        )

    def _name(self, planner: Mapping[str, Any]) -> str:
        config = self._setting.settings(planner).planner
        return f"H = {config.horizon}, K = {config.rollouts}"

    def _write(self) -> None:
        frame = pd.DataFrame(self._rows, columns=list(COLUMNS))
        write_atomically(self._folder / "progress.csv", frame.to_csv(index=False).encode())


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--config", type=Path, help="parameter file (default: the task's own)")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rate", type=int, default=20_000, help="simulator steps a second")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", type=int, nargs="*", default=[9700, 9701, 9702, 9703], help="seeds")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated time of an evaluation")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    add_override_option(parser, "a parameter in place of the file's, for all planners")
    parser.add_argument(
        "--planner", nargs="*", action="append", metavar="NAME=VALUE",
        help="a planner that acts with the value function (default: the file's, and 16 rollouts of 16 steps)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder of weights and progress.csv")
    parser.add_argument("--scratch", type=Path, help="folder of the episodes (default: runs/aggregation)")
    options = parser.parse_args()
    planners = [override_values(given) for given in options.planner or [["horizon=16", "rollouts=16"], []]]
    setting = Setting(
        options.task,
        options.config,
        override_values(options.override),
        tuple(planners),
        options.rate,
        options.seed,
    )
    scratch = options.scratch or Path("runs/aggregation") / options.task
    with worker_processes(options.workers):
        Aggregation(setting, options.out, scratch, options.evaluate, options.seconds).run(options.rounds)


if __name__ == "__main__":
    main()
