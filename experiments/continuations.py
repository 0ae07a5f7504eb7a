"""Episodes in emulated real time that begin anywhere, such as in terminal states of rollouts."""

import functools
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from benchmarks.emulated_time import run
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.files import write_atomically
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.progress import progress_bar
from polo_ros.sweeps.jobs import run_jobs
from polo_ros.tasks.state import set_state
from polo_ros.tasks.task import Task

# shares of episodes that begin in a start state of the task, and of continuations
START_SHARE, CONTINUED_START_SHARE = 0.25, 0.05
# standard deviation of what is added to the velocities in which an episode begins, in m/s or rad/s
KICK = 0.5
# units of each hidden layer of a value function
HIDDEN = (64, 64)
# lengths of rollouts whose terminal states are labelled, in control periods, and knots of their noise
ROLLOUT_STEPS, LONGEST_ROLLOUT, NOISE_KNOTS = (8, 16, 16, 24, 32), 32, 4


@dataclass(frozen=True)
class Amounts:
    """How much is collected.

    Attributes:
      expert_episodes, expert_seconds: episodes of the expert before the first round, and the length of each.
      acting_episodes, acting_seconds: the same of each planner with the value function, in each later round.
      continuations, continuation_seconds: states from which the expert goes on in each round, and how long.
    """

    expert_episodes: int = 100
    expert_seconds: float = 8.0
    acting_episodes: int = 8
    acting_seconds: float = 8.0
    continuations: int = 700
    continuation_seconds: float = 1.0


@dataclass(frozen=True)
class Setting:
    """What a run is made with.

    Attributes:
      task, config: the task and its parameter file, None for its own.
      overrides: of the expert and of all planners.
      planners: parameters of each planner that acts with the value function.
      rate: simulator steps a second of emulated time.
      seed: of everything random.
      expert_weights: of the value function that the expert plans with, at full weight; None for none.
      expert_parameters: of the expert, in place of the others.
      amounts: how much is collected.
      hidden: units of each hidden layer of the value functions.
    """

    task: str
    config: Path | None
    overrides: Mapping[str, Any]
    planners: tuple[Mapping[str, Any], ...]
    rate: int
    seed: int
    expert_weights: Path | None = None
    expert_parameters: Mapping[str, Any] = field(default_factory=dict)
    amounts: Amounts = Amounts()
    hidden: tuple[int, ...] = HIDDEN

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """The settings with some parameters changed, on one thread."""
        return settings_for(self.task, self.config, {**self.overrides, "threads": 1, **changes})

    def header(self) -> str:
        """The first line of a file of results: the command without what may grow."""
        given = [f"--config {self.config}"] if self.config else []
        given += [f"--override {name}={json.dumps(value)}" for name, value in self.overrides.items()]
        given += [f"--rate {self.rate}", f"--seed {self.seed}"]
        given += [f"--expert-weights {self.expert_weights}"] if self.expert_weights else []
        given += [f"--expert {name}={json.dumps(value)}" for name, value in self.expert_parameters.items()]
        given += [
            f"--amount {name}={value}"
            for name, value in asdict(self.amounts).items()
            if value != getattr(Amounts, name)
        ]
        given += [f"--hidden {' '.join(map(str, self.hidden))}"] if self.hidden != HIDDEN else []
        return " ".join(["# python -m experiments.aggregation", self.task, *given])

    def expert(self) -> Settings:
        """The settings of the planner whose returns are learned."""
        return self.settings(self.expert_changes())

    def expert_changes(self) -> dict[str, Any]:
        """Parameters of the expert that differ from the file's."""
        return {"value_weight": 1.0 if self.expert_weights else 0.0, **self.expert_parameters}


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
        content = io.BytesIO()
        np.savez(content, **{each.name: getattr(self, each.name) for each in fields(self)})
        write_atomically(path, content.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Episodes":
        """From a file."""
        with np.load(path) as stored:
            return cls(**{each.name: stored[each.name] for each in fields(cls)})


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
        set_state(model, data, self._pool.states[episode, step].astype(np.float64))
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


def run_all(jobs: Sequence[Job], setting: Setting, what: str) -> list[tuple[Array, ...]]:
    """What `run_episode` returns of each job, in the jobs' order, with a bar that says what is done."""
    done: dict[int, tuple[Array, ...]] = {}
    run_one = functools.partial(_run_numbered, setting=setting)
    with progress_bar(len(jobs), what, "episode") as bar:
        for index, episode in run_jobs(run_one, list(enumerate(jobs))):
            done[index] = episode
            bar.update()
    return [done[index] for index in range(len(jobs))]


def _run_numbered(item: tuple[int, Job], setting: Setting) -> tuple[int, tuple[Array, ...]]:
    return item[0], run_episode(item[1], setting)


def collect(jobs: Sequence[Job], setting: Setting, path: Path, what: str) -> Episodes:
    """Run episodes of equal length, or read them if they have been run."""
    if not path.exists():
        Episodes(*map(np.stack, zip(*run_all(jobs, setting, what), strict=True))).write(path)
    return Episodes.read(path)
