"""Ensemble regression with randomised priors (eq. (5), Osband et al. 2018) in torch, all heads at once."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.planner.value import Layer, ValueEnsemble

Tensors = dict[str, torch.Tensor]
# the learned part starts near zero, so that fresh heads differ by their priors alone
OUTPUT_GAIN = 0.01


class EnsembleTrainer:
    """Networks, priors and optimiser; heads are a leading dimension of every tensor.

    Adam works entry by entry, so that one optimiser over the stacked tensors is one per head. The networks
    are so small that calls cost more than arithmetic: all weights lie in one vector, for one fused step, and
    the gradients are written out, for no graph has to be recorded and walked back.

    Args:
      inputs: the number of value features.
      config: see `LearnerConfig`.
      seed: of the initial weights, the priors and the target noise.
    """

    def __init__(self, inputs: int, config: LearnerConfig, seed: int) -> None:
        self._config = config
        self._generator = torch.Generator().manual_seed(seed)
        sizes = (inputs, *config.hidden, 1)
        initial = self._layers(sizes, config.ensemble_size, OUTPUT_GAIN)
        self.prior = self._layers(sizes, config.ensemble_size, 1.0)
        weights = torch.cat([tensor.flatten() for tensor in initial.values()])
        weights.grad = torch.zeros_like(weights)
        # views by name: whoever writes to one writes to the vector
        self.network = views_like(initial, weights)
        self._gradient = views_like(initial, weights.grad)
        self.feature_mean = np.zeros(inputs)
        self.feature_std = np.ones(inputs)
        self._weights = weights
        self._optimiser = torch.optim.Adam([weights], lr=config.learning_rate, fused=True)

    def _layers(self, sizes: tuple[int, ...], heads: int, output_gain: float) -> Tensors:
        """Glorot-uniform weights and zero biases by name: weight0, bias0, weight1, …"""
        tensors: Tensors = {}
        last = len(sizes) - 2
        for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            bound = (6.0 / (fan_in + fan_out)) ** 0.5 * (output_gain if index == last else 1.0)
            uniform = torch.rand(heads, fan_in, fan_out, generator=self._generator)
            tensors[f"weight{index}"] = (2.0 * uniform - 1.0) * bound
            tensors[f"bias{index}"] = torch.zeros(heads, 1, fan_out)
        return tensors

    def fit_standardiser(self, features: Array) -> None:
        """Centre and scale the features by those of given states, (n, features).

        To be called before the first update: later it would change what the networks have learned.
        Entries that hardly vary keep a floor, so that a first sight of them does not saturate the net.
        """
        self.feature_mean = features.mean(axis=0)
        self.feature_std = np.maximum(features.std(axis=0), 0.1)

    def update(self, features: Array, targets: Array, rng: np.random.Generator) -> float:
        """Take the configured gradient steps on minibatches drawn with replacement, one per head.

        Args:
          features: (n, features).
          targets: (heads, n), in reward units.
          rng: draws the minibatches.

        Returns:
          The mean squared error over the last minibatches before their steps, in reward units squared.
        """
        config = self._config
        scale = config.value_scale
        inputs = torch.from_numpy((features - self.feature_mean) / self.feature_std).float()
        # the priors are fixed: what is left for the networks is fixed, too
        wanted = torch.from_numpy(targets / scale).float() - config.prior_scale * forward(self.prior, inputs)
        if config.target_noise:
            noise = torch.randn(wanted.shape, generator=self._generator)
            wanted = wanted + config.target_noise * noise
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate
            # Adam adds this times the weights to the gradient: the derivative of weight_decay · |θ|²
            group["weight_decay"] = 2.0 * config.weight_decay
        heads, n = wanted.shape
        draws = torch.from_numpy(rng.integers(0, n, (config.gradient_steps, heads, config.batch_size)))
        residual = torch.zeros(())
        for picked in draws:
            seen = inputs[picked]
            if config.input_noise:
                seen = seen + config.input_noise * torch.randn(seen.shape, generator=self._generator)
            residual = differentiate(self.network, seen, wanted.gather(1, picked), self._gradient)
            self._optimiser.step()
        return residual.square().mean().item() * scale**2

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self._config = config

    def dump_optimiser(self) -> dict[str, Array]:
        """Adam's moments and the generator's state, beside what `value` holds."""
        state: dict[str, Array] = {"torch_rng": self._generator.get_state().numpy()}
        for kind, moment in self._optimiser.state[self._weights].items():
            # the number of steps is one for all
            named = views_like(self.network, moment) if moment.dim() else dict.fromkeys(self.network, moment)
            state |= {f"adam.{name}.{kind}": tensor.numpy().copy() for name, tensor in named.items()}
        return state

    def restore(self, tensors: Mapping[str, Array], value: ValueEnsemble) -> None:
        """Take over a value function and, where there is one, the optimiser that trained it.

        Args:
          tensors: as of `dump_optimiser`; other entries are ignored.
          value: what to go on from.

        Raises:
          PoloError: the value function has another architecture; nothing is changed.
        """
        stored = {"network": value.network, "prior": value.prior}
        own = {"network": self.network, "prior": self.prior}
        for name, layers in stored.items():
            shapes = [tuple(layer.weight.shape) for layer in layers]
            wanted = [tuple(t.shape) for key, t in own[name].items() if key.startswith("weight")]
            if shapes != wanted:
                raise PoloError(
                    f"the checkpoint's {name} has layers {shapes}, not {wanted}; "
                    f"set ensemble_size and hidden to the checkpoint's"
                )
        for name, layers in stored.items():
            for index, layer in enumerate(layers):
                own[name][f"weight{index}"].copy_(torch.from_numpy(layer.weight))
                own[name][f"bias{index}"].copy_(torch.from_numpy(layer.bias))
        self.feature_mean, self.feature_std = value.feature_mean, value.feature_std
        if "torch_rng" not in tensors:
            return
        self._generator.set_state(torch.from_numpy(tensors["torch_rng"].copy()))
        moments: Tensors = {}
        if any(name.startswith("adam.") for name in tensors):  # none before the first gradient step
            for kind in ("exp_avg", "exp_avg_sq"):
                parts = [tensors[f"adam.{name}.{kind}"].ravel() for name in self.network]
                moments[kind] = torch.from_numpy(np.concatenate(parts))
            steps = tensors[f"adam.{next(iter(self.network))}.step"]
            moments["step"] = torch.tensor(float(steps.item()))
        self._optimiser.state[self._weights] = moments

    def value(self) -> ValueEnsemble:
        """The ensemble as the planner reads it."""
        return ValueEnsemble(
            network=as_layers(self.network),
            prior=as_layers(self.prior),
            feature_mean=self.feature_mean.copy(),
            feature_std=self.feature_std.copy(),
            offset=0.0,
            scale=self._config.value_scale,
            prior_scale=self._config.prior_scale,
        )


def views_like(tensors: Tensors, vector: torch.Tensor) -> Tensors:
    """Consecutive parts of a vector by the names and shapes of tensors of as many entries together."""
    parts = torch.split(vector, [tensor.numel() for tensor in tensors.values()])
    return {name: part.view(tensors[name].shape) for name, part in zip(tensors, parts, strict=True)}


def forward(tensors: Tensors, inputs: torch.Tensor) -> torch.Tensor:
    """Evaluate all heads, (n, features) or (heads, n, features) -> (heads, n)."""
    return activations(tensors, inputs)[-1][..., 0]


def activations(tensors: Tensors, inputs: torch.Tensor) -> list[torch.Tensor]:
    """The input of every layer, then the output (heads, n, 1); tanh stands between layers."""
    outputs = [inputs]
    count = len(tensors) // 2
    for index in range(count):
        hidden = outputs[-1] @ tensors[f"weight{index}"] + tensors[f"bias{index}"]
        outputs.append(torch.tanh(hidden) if index < count - 1 else hidden)
    return outputs


def differentiate(
    tensors: Tensors, inputs: torch.Tensor, wanted: torch.Tensor, gradient: Tensors
) -> torch.Tensor:
    """Each head's gradient of its own mean squared error, by back-propagation.

    Args:
      tensors: the networks.
      inputs: (heads, n, features).
      wanted: (heads, n).
      gradient: as `tensors`; written to.

    Returns:
      The residuals, (heads, n).
    """
    *layer_inputs, output = activations(tensors, inputs)
    residual = output[..., 0] - wanted
    upstream = (2.0 / wanted.shape[1]) * residual[..., None]
    for index in reversed(range(len(layer_inputs))):
        seen = layer_inputs[index]
        torch.bmm(seen.mT, upstream, out=gradient[f"weight{index}"])
        torch.sum(upstream, dim=1, keepdim=True, out=gradient[f"bias{index}"])
        if index:  # tanh' = 1 - tanh²
            upstream = torch.bmm(upstream, tensors[f"weight{index}"].mT) * (1.0 - seen.square())
    return residual


def as_layers(tensors: Tensors) -> tuple[Layer, ...]:
    """Stacked tensors as the planner's NumPy layers."""
    arrays = {name: tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}
    return tuple(Layer(arrays[f"weight{index}"], arrays[f"bias{index}"]) for index in range(len(arrays) // 2))
