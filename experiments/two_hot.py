"""Values by two-hot regression, and networks with layer normalisation: what other packages do.

A head gives logits over bins of the value, and its value is the mean of the bins; a target is shared by the
two bins next to it (TD-MPC2, Hansen et al. 2024; Imani and White 2018). Layer normalisation follows each
affine layer but the last.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from experiments.returns import BATCH, EPOCHS, FINAL_RATE, LEARNING, Regression
from polo_ros.arrays import Array, Mask
from polo_ros.planner.value import ValueEnsemble

BINS = 51
# of the range of the targets, beyond it on both sides
MARGIN = 0.05


@dataclass(frozen=True)
class NetworkValue(ValueEnsemble):
    """An ensemble whose heads are torch modules.

    Attributes:
      modules: of each head, standardised features (n, features) -> (n, outputs).
      bins: (outputs,) in units of the scale, of which a head's value is the mean; None for one output.
    """

    modules: tuple[nn.Module, ...] = ()
    bins: torch.Tensor | None = None

    @property
    def head_count(self) -> int:
        """The number of heads."""
        return len(self.modules)

    def heads(self, features: Array) -> Array:
        """Each head's value of each state, (..., features) -> (heads, ...), in reward units."""
        inputs = (features.reshape(-1, features.shape[-1]) - self.feature_mean) / self.feature_std
        with torch.inference_mode():
            tensor = torch.as_tensor(inputs, dtype=torch.float32)
            values = [mean_value(module(tensor), self.bins) for module in self.modules]
        total: Array = self.offset + self.scale * torch.stack(values).numpy().astype(np.float64)
        return total.reshape(len(self.modules), *features.shape[:-1])


def mean_value(output: torch.Tensor, bins: torch.Tensor | None) -> torch.Tensor:
    """The value (n,) of a network's output (n, outputs)."""
    return output[:, 0] if bins is None else output.softmax(dim=1) @ bins


def make_module(inputs: int, units: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with normalisation, tanh as in the learner's networks."""
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, units, units)):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(units, outputs))


def two_hot(targets: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
    """Shares (n, bins) of targets (n,): those of the two bins next to each, whose mean is the target."""
    place = (targets.clamp(bins[0], bins[-1]) - bins[0]) / (bins[1] - bins[0])
    low = place.floor().clamp(max=len(bins) - 2).long()
    share = place - low
    shares = torch.zeros(len(targets), len(bins))
    shares.scatter_(1, low[:, None], (1.0 - share)[:, None])
    shares.scatter_(1, low[:, None] + 1, share[:, None])
    return shares


def network_regression(units: int, binned: bool, scale: float) -> Regression:
    """A regression with the sizes and rates of the learner's, each head by its own order of the states.

    Args:
      units: of both hidden layers.
      binned: two-hot regression in place of the squared error.
      scale: of the values, in reward units.
    """

    def regress(features: Array, targets: Array, trained: Mask, seed: tuple[int, int]) -> ValueEnsemble:
        mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 0.1)
        offset = float(targets.mean())
        inputs = torch.as_tensor((features[trained] - mean) / std, dtype=torch.float32)
        wanted = torch.as_tensor((targets[trained] - offset) / scale, dtype=torch.float32)
        bins = None
        if binned:
            room = MARGIN * float(wanted.max() - wanted.min())
            bins = torch.linspace(float(wanted.min()) - room, float(wanted.max()) + room, BINS)
        modules = tuple(
            fit_module(inputs, wanted, bins, units, (*seed, head)) for head in range(LEARNING.ensemble_size)
        )
        return NetworkValue((), (), mean, std, offset, scale, 0.0, modules, bins)

    return regress


def fit_module(
    inputs: torch.Tensor,
    wanted: torch.Tensor,
    bins: torch.Tensor | None,
    units: int,
    seed: tuple[int, ...],
) -> nn.Module:
    """Fit one head."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(int(rng.integers(2**31)))
    module = make_module(inputs.shape[1], units, 1 if bins is None else len(bins))
    optimiser = torch.optim.Adam(
        module.parameters(), lr=LEARNING.learning_rate, weight_decay=LEARNING.weight_decay
    )
    steps = max(EPOCHS * len(inputs) // BATCH, LEARNING.gradient_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: max(1.0 - step / steps, FINAL_RATE / LEARNING.learning_rate)
    )
    for _ in range(steps):
        chosen = torch.as_tensor(rng.integers(len(inputs), size=BATCH))
        some = inputs[chosen] + LEARNING.input_noise * torch.randn(BATCH, inputs.shape[1])
        output = module(some)
        if bins is None:
            loss = nn.functional.mse_loss(output[:, 0], wanted[chosen])
        else:
            loss = nn.functional.cross_entropy(output, two_hot(wanted[chosen], bins))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return module.eval()
