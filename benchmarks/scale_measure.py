"""What a machine gives to each task: rollouts, Python's share of a plan, labels, and sizes in bytes.

Needs numpy, mujoco, scipy, safetensors and this package; torch only for the gradient steps, which are left
out without it. See `benchmarks.scale`.
"""

import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array, Mask
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.experience import experience_columns, experience_width
from polo_ros.learner.origin import Origin
from polo_ros.learner.targets import TargetSolver, target_settings
from polo_ros.learner.weights import encode_value, load_value
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.planner.backends import BatchBackend
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks.state import INTEGRATION_SPEC

# rollouts of the second size: so many that all threads of a large machine have work
MANY = 256
# plans that are not timed, and control periods acted before the states that are measured from
WARM_UP, LEAD = 3, 20
# of the arrays that the memory's speed is measured with, in bytes: larger than a cache
COPIED = 1 << 28
# an `experience` message in CDR beside its numbers: 4 bytes of encapsulation; two dimensions, 4 bytes for
# their number and 24 and 20 for their labels, sizes and strides; the data's offset and length
ENVELOPE = 60


@dataclass(frozen=True)
class Figure:
    """A measured or counted quantity.

    Attributes:
      task: its name; empty for the machine.
      quantity, unit: what it is.
      threads: of the rollouts; 0 where they do not matter.
      rollouts: K of the plans; 0 where it does not matter.
      samples: the number of repetitions; 0 for a count.
      median, low, high: with the quartiles.
    """

    task: str
    quantity: str
    threads: int
    rollouts: int
    samples: int
    median: float
    low: float
    high: float
    unit: str


def counted(task: str, quantity: str, number: float, unit: str) -> Figure:
    """A figure that is the same on every machine."""
    return Figure(task, quantity, 0, 0, 0, number, number, number, unit)


def timed(
    task: str, quantity: str, threads: int, rollouts: int, samples: Sequence[float], unit: str
) -> Figure:
    """A figure from repetitions."""
    low, median, high = statistics.quantiles(samples, n=4)
    return Figure(task, quantity, threads, rollouts, len(samples), median, low, high, unit)


class TimedBackend(BatchBackend):
    """A backend that adds up how long all of them took.

    Attributes:
      seconds: wall time of all simulations of this class so far.
    """

    seconds: ClassVar[float] = 0.0

    def simulate(self, controls: Array, sensordata: Array) -> Mask:
        """As `BatchBackend.simulate`."""
        began = time.perf_counter()
        valid = super().simulate(controls, sensordata)
        TimedBackend.seconds += time.perf_counter() - began
        return valid


class TimedMPPI(MPPI):
    """MPPI over `TimedBackend`."""

    backend = TimedBackend


class TimedPlanner(Planner):
    """A planner over `TimedBackend`."""

    solver = TimedMPPI


def planner_figures(settings: Settings, threads: Sequence[int], plans: int) -> Iterator[Figure]:
    """Rollout speed, plan time and Python's share, for each number of threads.

    All numbers of threads take turns from the same states with the same seed, so that they do the same work.
    Python's share is what a plan takes beside its rollouts.
    """
    task = settings.task
    value = shipped_value(settings)
    for rollouts in sorted({settings.planner.rollouts, MANY}):
        config = replace(settings.planner, rollouts=rollouts)
        planners = {count: TimedPlanner(task, config, 0, count) for count in threads}
        for planner in planners.values():
            planner.value = value
        world = World(task, np.random.default_rng(0))
        plan_times: dict[int, list[float]] = {count: [] for count in threads}
        rollout_times: dict[int, list[float]] = {count: [] for count in threads}
        steps = config.iterations * rollouts * (config.horizon * task.substeps + 1) * config.models
        for number in range(-WARM_UP, plans):
            state, now = world.state, world.data.time
            # the order alternates, so that no number of threads always runs with warm caches
            for count in threads[:: 1 if number % 2 else -1]:
                before = TimedBackend.seconds
                report = planners[count].plan(state, now)
                if number >= 0:
                    plan_times[count].append(report.compute_time)
                    rollout_times[count].append(TimedBackend.seconds - before)
            world.step(planners[threads[0]].control(report.plan, now))
        for count in threads:
            whole, part = plan_times[count], rollout_times[count]
            python = [one - other for one, other in zip(whole, part, strict=True)]
            rates = [steps / one for one in part]
            yield timed(task.name, "rollout steps", count, rollouts, rates, "1/s")
            yield timed(task.name, "plan", count, rollouts, [1e3 * one for one in whole], "ms")
            yield timed(
                task.name, "plan beside rollouts", count, rollouts, [1e3 * one for one in python], "ms"
            )


def label_figures(settings: Settings, threads: Sequence[int], solves: int) -> Iterator[Figure]:
    """Wall time of a label, for each number of threads: an update's states, over their number."""
    task, config = settings.task, settings.learner
    value = shipped_value(settings) or flat_value(task.feature_count, config)
    states, executed = acted(settings, config.target_states, config.target_horizon)
    solvers = {count: TargetSolver(task, target_settings(config), 0, count) for count in threads}
    taken: dict[int, list[float]] = {count: [] for count in threads}
    for number in range(-1, solves):
        for count in threads[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            solvers[count].solve(states, executed, value)
            if number >= 0:
                taken[count].append((time.perf_counter() - began) / len(states))
    for count in threads:
        yield timed(task.name, "label", count, config.target_rollouts, taken[count], "s")
    yield counted(task.name, "labels an update", config.target_states, "1")
    yield counted(task.name, "transitions an update", config.update_period, "1")


def acted(settings: Settings, count: int, horizon: int) -> tuple[Array, Array]:
    """States of one episode (count, state_size), and the controls executed after each (count, N, nu)."""
    task = settings.task
    planner = Planner(task, settings.planner, seed=1)
    planner.value = shipped_value(settings)
    world = World(task, np.random.default_rng(1))
    states, controls = [], []
    for _ in range(LEAD + count + horizon):
        states.append(world.state)
        control = planner.control(planner.plan(world.state, world.data.time).plan, world.data.time)
        controls.append(control)
        world.step(control)
    starts = range(LEAD, LEAD + count)
    return np.array(states)[LEAD : LEAD + count], np.array([controls[at : at + horizon] for at in starts])


def gradient_figures(settings: Settings, updates: int) -> Iterator[Figure]:
    """Wall time of an update's gradient steps on one thread, with as many labels as are kept."""
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    from polo_ros.learner.ensemble import EnsembleTrainer

    torch.set_num_threads(1)  # as the learner does
    config, inputs = settings.learner, settings.task.feature_count
    rng = np.random.default_rng(0)
    trainer = EnsembleTrainer(inputs, config, seed=0)
    features = rng.normal(size=(config.label_capacity, inputs))
    targets = config.value_scale * rng.uniform(-1.0, 1.0, (config.ensemble_size, len(features)))
    trainer.fit_standardiser(features)
    taken = [seconds(lambda: trainer.update(features, targets, rng)) for _ in range(updates + 1)][1:]
    yield timed(settings.task.name, "gradient steps of an update", 1, 0, taken, "s")


def intake_figures(settings: Settings, batches: int) -> Iterator[Figure]:
    """Time for which a learner takes in a transition of an update's batch, from its numbers on.

    That is to check it and to compute its value features. What ROS 2 takes for its message comes on top.
    """
    task, config = settings.task, settings.learner
    count = config.update_period
    states, controls = acted(settings, count, 1)
    rows = np.column_stack([np.zeros((count, 2)), states, controls[:, 0], np.zeros(count)])

    def take_in() -> None:
        columns = experience_columns(rows.ravel(), task)
        task.value_features(task.observe(columns["state"], columns["ctrl"]))

    take_in()
    taken = [1e6 * seconds(take_in) / count for _ in range(batches)]
    yield timed(task.name, "transition taken in", 1, 0, taken, "us")


def byte_figures(settings: Settings) -> Iterator[Figure]:
    """Sizes, which are the same on every machine."""
    task, model = settings.task, settings.task.model
    name, data = task.name, mujoco.MjData(model)
    size = mujoco.mj_stateSize(model, INTEGRATION_SPEC)
    value = shipped_value(settings) or flat_value(task.feature_count, settings.learner)
    weights = encode_value(value, Origin.of(task, settings.learner.discount, 1, 1))
    yield counted(name, "control period", task.timestep, "s")
    yield counted(name, "physics steps a period", task.substeps, "1")
    yield counted(name, "horizon", settings.planner.horizon, "1")
    yield counted(name, "rollouts", settings.planner.rollouts, "1")
    yield counted(name, "records of a physics step", 8 * (model.nsensordata + model.nu), "B")
    yield counted(name, "state of a simulation", 8 * size, "B")
    yield counted(name, "MjData of a thread", data.nbuffer + data.maxuse_arena, "B")
    yield counted(name, "experience message", ENVELOPE + 8 * experience_width(task), "B")
    yield counted(name, "weights", len(weights), "B")


def memory_figures(threads: Sequence[int], copies: int) -> Iterator[Figure]:
    """Bytes a second that so many threads read and write while they copy arrays larger than a cache."""
    for count in threads:
        pairs = [(np.ones(COPIED // 8 // count), np.empty(COPIED // 8 // count)) for _ in range(count)]
        with ThreadPoolExecutor(count) as pool:

            def copy(pairs: list[tuple[Array, Array]] = pairs, pool: ThreadPoolExecutor = pool) -> None:
                list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

            copy()
            rates = [2 * COPIED / seconds(copy) for _ in range(copies)]
        yield timed("", "memory copied", count, 0, rates, "B/s")


def shipped_value(settings: Settings) -> ValueEnsemble | None:
    """The value function that the task's parameter file names, if any."""
    file = settings.planner_node.weights_file
    return load_value(file, settings.task)[0] if file else None


def flat_value(features: int, config: LearnerConfig) -> ValueEnsemble:
    """A value function of the configured sizes that is zero everywhere, and takes as long as any other."""
    sizes = (features, *config.hidden, 1)
    layers = tuple(
        Layer(np.zeros((config.ensemble_size, fan_in, fan_out)), np.zeros((config.ensemble_size, 1, fan_out)))
        for fan_in, fan_out in itertools.pairwise(sizes)
    )
    mean, std = np.zeros(features), np.ones(features)
    return ValueEnsemble(layers, layers, mean, std, 0.0, config.value_scale, config.prior_scale)


def seconds(work: Callable[[], object]) -> float:
    """The wall time of some work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
