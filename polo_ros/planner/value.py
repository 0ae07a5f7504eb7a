"""The value ensemble as the planner evaluates it: NumPy, one matrix product per layer for all heads."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array

# states evaluated at a time, so few that the hidden layers of all heads fit into the cache of a core
BLOCK = 1024


@dataclass(frozen=True)
class Layer:
    """An affine layer of every head: weight (heads, inputs, outputs) and bias (heads, 1, outputs)."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class ValueEnsemble:
    """Heads V_k(s) = offset + scale · (f_θk(x) + prior_scale · f_θ̃k(x)), x the standardised features.

    f_θ̃k is the fixed randomised prior of eq. (5); tanh is applied between layers. Values are discounted
    sums of rewards, in reward units.

    Attributes:
      network, prior: the layers of the learned networks and of their priors.
      feature_mean, feature_std: (features,), in the features' units.
      offset, scale: in reward units.
      prior_scale: the prior's weight, in units of `scale`.
    """

    network: tuple[Layer, ...]
    prior: tuple[Layer, ...]
    feature_mean: Array
    feature_std: Array
    offset: float
    scale: float
    prior_scale: float

    @property
    def head_count(self) -> int:
        """The number of heads."""
        return int(self.network[0].weight.shape[0])

    def heads(self, features: Array) -> Array:
        """Each head's value of each state.

        Args:
          features: (..., features).

        Returns:
          (heads, ...), in reward units.
        """
        flat = features.reshape(-1, features.shape[-1])
        total = np.empty((self.head_count, len(flat)))
        for start in range(0, len(flat), BLOCK):
            inputs = (flat[start : start + BLOCK] - self.feature_mean) / self.feature_std
            some = evaluate(self.network, inputs)
            if self.prior_scale:
                some = some + self.prior_scale * evaluate(self.prior, inputs)
            total[:, start : start + BLOCK] = some
        return (self.offset + self.scale * total).reshape(self.head_count, *features.shape[:-1])


def evaluate(layers: tuple[Layer, ...], inputs: Array) -> Array:
    """The networks of all heads on the same inputs, (n, features) -> (heads, n).

    The NumPy counterpart of `polo_ros.learner.ensemble.make_network`: the two change together.
    """
    hidden = inputs
    for layer in layers[:-1]:
        hidden = np.tanh(hidden @ layer.weight + layer.bias)
    last = layers[-1]
    output: Array = hidden @ last.weight + last.bias
    return output[..., 0]


def optimistic(values: Array, kappa: float) -> Array:
    """(1/κ) log mean_k exp(κ V_k): the value-preserving form of the paper's eq. (6).

    As printed, eq. (6) equals κV + log K where the heads agree, so that κ would scale the value against
    the rewards. This form equals V there, and mean + κ/2 · variance + … elsewhere; κ = 0 gives the mean,
    κ < 0 is pessimistic.

    Args:
      values: (heads, ...), in reward units.
      kappa: in inverse reward units.
    """
    mean: Array = values.mean(axis=0)
    if kappa == 0.0:
        return mean
    scaled = kappa * (values - mean)
    peak = scaled.max(axis=0)
    preserved: Array = mean + (peak + np.log(np.exp(scaled - peak).mean(axis=0))) / kappa
    return preserved
