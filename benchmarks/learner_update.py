"""The gradient steps of all heads at once against a loop over heads, interleaved in one run.

    python -m benchmarks.learner_update

The loop has a `torch.nn.Sequential` and a `torch.optim.Adam` for every head and trains one head after the
other. Both start from the same weights, use the same standardised features, targets and minibatches,
subtract the fixed priors once, and run on one thread. The table gives the largest absolute difference of a
weight after the update; weights are around 0.1 to 1.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

from polo_ros.arrays import Array
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer, linear_layers
from polo_ros.planner.value import Layer

# value features of humanoid_getup, and labelled states
INPUTS, LABELS = 34, 2000
WARM_UP = 3
COLUMNS = (
    "heads", "batch_size", "gradient_steps", "pairs", "speed_up", "quartile_low", "quartile_high",
    "ensemble_ms", "loop_ms", "max_weight_difference",
)  # fmt: skip


def main() -> None:
    """Print and write the median ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--gradient-steps", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/learner_update.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # as the learner does
    config = LearnerConfig(
        ensemble_size=options.heads,
        batch_size=options.batch_size,
        gradient_steps=options.gradient_steps,
    )
    seconds = np.empty((options.pairs, 2))
    worst = 0.0
    for pair in range(-WARM_UP, options.pairs):
        ensemble, loop, difference = race(config, seed=pair + WARM_UP, ensemble_first=pair % 2 == 0)
        if pair >= 0:
            seconds[pair] = ensemble, loop
            worst = max(worst, difference)
    low, median, high = statistics.quantiles(seconds[:, 1] / seconds[:, 0], n=4)
    ensemble_ms, loop_ms = 1e3 * np.median(seconds, axis=0)
    row = (
        options.heads, options.batch_size, options.gradient_steps, options.pairs,
        *(f"{ratio:.2f}" for ratio in (median, low, high)), f"{ensemble_ms:.2f}", f"{loop_ms:.2f}",
        f"{worst:.1e}",
    )  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.learner_update {' '.join(sys.argv[1:])}".rstrip() + "\n")
        csv.writer(file).writerows((COLUMNS, row))
    print(
        f"loop / ensemble: {median:.2f} ({low:.2f} to {high:.2f}) over {options.pairs} pairs, "
        f"{loop_ms:.1f} and {ensemble_ms:.1f} ms; largest difference of a weight {worst:.1e}"
    )


def race(config: LearnerConfig, seed: int, ensemble_first: bool) -> tuple[float, float, float]:
    """One update of both from scratch: wall times of ensemble and loop in s, largest weight difference."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(LABELS, INPUTS))
    # any smooth function will do; each head has targets of its own, as bootstrapping gives them
    smooth = 0.5 * np.tanh(features @ rng.normal(size=(INPUTS, config.ensemble_size)) / INPUTS**0.5)
    targets = config.value_scale * smooth.T
    trainer = EnsembleTrainer(INPUTS, config, seed)
    trainer.fit_standardiser(features)
    value = trainer.value()
    inputs = (features - value.feature_mean) / value.feature_std
    draws_seed = seed + 1
    heads = [module_of(value.network, head) for head in range(config.ensemble_size)]
    priors = [module_of(value.prior, head) for head in range(config.ensemble_size)]
    runs: list[Callable[[], object]] = [
        lambda: trainer.update(features, targets, np.random.default_rng(draws_seed)),
        lambda: train_loop(heads, priors, inputs, targets, config, np.random.default_rng(draws_seed)),
    ]
    seconds = [0.0, 0.0]
    for index in (0, 1) if ensemble_first else (1, 0):
        began = time.perf_counter()
        runs[index]()
        seconds[index] = time.perf_counter() - began
    return seconds[0], seconds[1], largest_difference(trainer.network, heads)


def module_of(layers: tuple[Layer, ...], head: int) -> nn.Sequential:
    """One head as a torch module with the same weights and tanh between layers."""
    sizes = [layers[0].weight.shape[1], *(layer.weight.shape[2] for layer in layers)]
    stages: list[nn.Module] = []
    for layer, (fan_in, fan_out) in zip(layers, pairwise(sizes), strict=True):
        linear = nn.Linear(fan_in, fan_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(layer.weight[head].T))
            linear.bias.copy_(torch.from_numpy(layer.bias[head, 0]))
        stages += [linear, nn.Tanh()]
    return nn.Sequential(*stages[:-1])


def train_loop(
    heads: list[nn.Sequential],
    priors: list[nn.Sequential],
    inputs: Array,
    targets: Array,
    config: LearnerConfig,
    rng: np.random.Generator,
) -> None:
    """Train head after head on minibatches drawn with replacement.

    Args:
      heads, priors: the networks, and what stays added to them.
      inputs: (n, features), standardised.
      targets: (heads, n), in reward units.
      config: gives the sizes and rates.
      rng: draws the minibatches, as the ensemble's.
    """
    seen = torch.from_numpy(inputs).float()
    wanted = torch.from_numpy(targets / config.value_scale).float()
    draws = torch.from_numpy(
        rng.integers(0, len(seen), (config.gradient_steps, len(heads), config.batch_size))
    )
    for index, (head, prior) in enumerate(zip(heads, priors, strict=True)):
        with torch.no_grad():
            rest = wanted[index] - config.prior_scale * prior(seen)[:, 0]
        # weight_decay · |θ|² as Adam takes it: its weight_decay multiplies |θ|²/2
        optimiser = torch.optim.Adam(
            head.parameters(), lr=config.learning_rate, weight_decay=2.0 * config.weight_decay
        )
        for picked in draws[:, index]:
            loss = nn.functional.mse_loss(head(seen[picked])[:, 0], rest[picked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def largest_difference(stacked: nn.Sequential, heads: list[nn.Sequential]) -> float:
    """The largest absolute difference between the ensemble's weights and the modules'."""
    worst = 0.0
    for index, head in enumerate(heads):
        linears = [stage for stage in head if isinstance(stage, nn.Linear)]
        for layer, linear in zip(linear_layers(stacked), linears, strict=True):
            weight = layer.weight[index] - linear.weight.T
            bias = layer.bias[index, 0] - linear.bias
            worst = max(worst, weight.abs().max().item(), bias.abs().max().item())
    return worst


if __name__ == "__main__":
    main()
