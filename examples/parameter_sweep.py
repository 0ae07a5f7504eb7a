"""Compare values of a planner parameter over several seeds, on all cores, and print a table.

Run it (about a minute):  python examples/parameter_sweep.py
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed

from polo_ros.agent.agent import Agent
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner

TASK = "cartpole_swingup"


def mean_reward(sigma: float, horizon: int, seed: int, steps: int) -> float:
    """One episode; a process of its own runs it, so everything is made here."""
    settings = settings_for(TASK)  # reads config/cartpole_swingup.yaml
    config = dataclasses.replace(settings.planner, noise_sigma=sigma, horizon=horizon)
    agent = Agent(settings.task, Planner(settings.task, config, seed, threads=1), seed=seed)
    return float(np.mean([agent.step().report.reward for _ in range(steps)]))


def main(
    sigmas: Sequence[float] = (0.1, 0.3, 0.5, 0.8),
    horizons: Sequence[int] = (16, 32, 64),
    seeds: int = 5,
    steps: int = 250,
) -> dict[tuple[float, int], float]:
    """Returns the mean over the seeds of each combination's mean reward."""
    combinations = list(itertools.product(sigmas, horizons))
    jobs = [delayed(mean_reward)(*pair, seed, steps) for pair in combinations for seed in range(seeds)]
    rewards = np.reshape(Parallel(n_jobs=-1)(jobs), (len(combinations), seeds))
    table = {pair: float(row.mean()) for pair, row in zip(combinations, rewards, strict=True)}

    print(f"{TASK}: mean reward over {seeds} seeds, {steps} steps each\n")
    print("noise_sigma  " + "".join(f"{f'horizon {horizon}':>14}" for horizon in horizons))
    for sigma in sigmas:
        print(f"{sigma:11.2f}  " + "".join(f"{table[sigma, horizon]:14.3f}" for horizon in horizons))
    return table


if __name__ == "__main__":
    main()
