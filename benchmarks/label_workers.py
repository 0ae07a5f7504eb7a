"""Labels a second: in the learner's process with two threads, and by one and two workers on Ray.

    python -m benchmarks.label_workers

All three label the same states of an episode, request after request, as a learner asks for them, and take
turns within a round. Ratios are of the same round. Workers have one thread each. What the learner itself does
between requests (acting, gradient steps) is left out: with Ray it goes on while labels are made.
"""

import argparse
import csv
import itertools
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.scale_measure import acted, flat_value, shipped_value
from polo_ros.learner.label_pool import InProcessPool, LabelPool, LabelRequest
from polo_ros.learner.ports import ON_STDERR
from polo_ros.learner.remote_labels import RemotePool, ray_pool
from polo_ros.parameters.settings import Settings, settings_for

TASKS = ("humanoid_getup", "cartpole_swingup")
# seconds of labels that a turn lasts, about
TURN_S = 3.0
START_S = 120.0
# which pools' rates are divided by each other
RATIOS = (("ray_2", "ray_1"), ("ray_2", "in_process_2"))
COLUMNS = ("task", "round", "pool", "labels", "seconds", "labels_per_s")


@dataclass(frozen=True)
class Work:
    """Requests of a turn, and the value function of the search."""

    settings: Settings
    requests: Sequence[LabelRequest]

    def seconds(self, pool: LabelPool) -> float:
        """Wall time until all requests are answered, one handed in after the other."""
        settings = self.settings
        value = shipped_value(settings) or flat_value(settings.task.feature_count, settings.learner)
        began = time.perf_counter()
        answers = [pool.label(request, value) for request in self.requests]
        answers.append(pool.settle())
        taken = time.perf_counter() - began
        assert sum(map(len, answers)) == len(self.requests)
        return taken

    @property
    def labels(self) -> int:
        """Of all requests."""
        return sum(len(request.states) for request in self.requests)


def main() -> None:
    """Measure, write a row a turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/label_workers.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.label_workers {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for name in options.tasks:
            rates = measure(settings_for(name), options.rounds, writer)
            for above, below in RATIOS:
                ratios = [one / other for one, other in zip(rates[above], rates[below], strict=True)]
                low, median, high = statistics.quantiles(ratios, n=4)
                print(f"{name}: {above} / {below}: {median:.2f} ({low:.2f} to {high:.2f})", flush=True)


def measure(settings: Settings, rounds: int, writer: "csv.DictWriter[str]") -> dict[str, list[float]]:
    """Labels a second of each pool in each round."""
    task, config = settings.task, settings.learner
    pools: dict[str, LabelPool] = {"in_process_2": InProcessPool(task, config, 0, 2)}
    for count in (1, 2):
        remote = replace(config, labels="ray", labels_workers=count)
        pools[f"ray_{count}"] = ray_pool(task, remote, 0, 1, ON_STDERR)
    request = request_for(settings)
    rates: dict[str, list[float]] = {name: [] for name in pools}
    try:
        for name, pool in pools.items():
            if isinstance(pool, RemotePool):
                wait_for_workers(pool, settings, request, int(name[-1]))
        single = Work(settings, [request])
        turn = Work(settings, [request] * max(2, round(TURN_S / single.seconds(pools["in_process_2"]))))
        order = list(itertools.permutations(pools))
        for number in range(-1, rounds):  # the first round is not counted
            for name in order[number % len(order)]:
                taken = turn.seconds(pools[name])
                if number < 0:
                    continue
                rates[name].append(turn.labels / taken)
                writer.writerow(
                    {
                        "task": task.name, "round": number, "pool": name, "labels": turn.labels,
                        "seconds": f"{taken:.4f}", "labels_per_s": f"{turn.labels / taken:.3f}",
                    }
                )  # fmt: skip
    finally:
        for pool in pools.values():
            pool.close()
    return rates


def request_for(settings: Settings) -> LabelRequest:
    """As many states as the learner labels in an update, of one episode."""
    config = settings.learner
    states, executed = acted(settings, config.target_states, config.target_horizon)
    count = len(states)
    return LabelRequest(
        states=states,
        executed=executed,
        streams=np.zeros(count),
        visited=np.arange(count),
        earned=np.full(count, -np.inf),
        reached=np.zeros((count, settings.task.feature_count)),
    )


def wait_for_workers(pool: RemotePool, settings: Settings, request: LabelRequest, count: int) -> None:
    """Let the pool connect, and wait until its workers are there."""
    until = time.monotonic() + START_S
    while pool.workers < count:
        Work(settings, [request]).seconds(pool)
        if time.monotonic() > until:
            raise SystemExit(f"{count} workers did not start within {START_S:g} s")


if __name__ == "__main__":
    main()
