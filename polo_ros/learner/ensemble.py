"""Ensemble regression with randomised priors (eq. (5), Osband et al. 2018) in torch, all heads at once."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import mse_loss

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.tensors import check_array
from polo_ros.planner.value import Layer, ValueEnsemble

# factor on the initial weights of the output layer: new networks are near zero, so that the heads of a new
# ensemble differ by their priors alone
OUTPUT_GAIN = 0.01
# far beyond Adam's moments of a training run that has not diverged, and within single precision
MOMENT_LIMIT = 1e30


class StackedLinear(nn.Module):
    """An affine layer of every head: weight (heads, inputs, outputs), bias (heads, 1, outputs).

    Weights are Glorot-uniform times a gain, biases zero.
    """

    def __init__(
        self, heads: int, inputs: int, outputs: int, gain: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        bound = (6.0 / (inputs + outputs)) ** 0.5 * gain
        uniform = torch.rand(heads, inputs, outputs, generator=generator)
        self.weight = nn.Parameter((2.0 * uniform - 1.0) * bound)
        self.bias = nn.Parameter(torch.zeros(heads, 1, outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, inputs), the same for all heads, or (heads, n, inputs) -> (heads, n, outputs)."""
        return torch.baddbmm(self.bias, inputs.expand(len(self.weight), -1, -1), self.weight)


def make_network(
    sizes: tuple[int, ...], heads: int, output_gain: float, generator: torch.Generator
) -> nn.Sequential:
    """The networks of all heads, tanh between layers; other activations or normalisations go in here.

    `polo_ros.planner.value.evaluate` computes the same in NumPy and must be changed with it.

    Args:
      sizes: inputs, units of each hidden layer, outputs.
      heads: the number of heads.
      output_gain: factor on the initial weights of the last layer.
      generator: draws the weights.
    """
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        gain = output_gain if index == last else 1.0
        layers += [StackedLinear(heads, inputs, outputs, gain, generator), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class EnsembleTrainer:
    """Networks, priors and optimiser; heads are the leading dimension of every parameter.

    The loss is the sum of the heads' losses, so that the gradient of each head is that of its own loss. Adam
    treats every entry on its own: one optimiser of stacked parameters equals one for each head.

    Args:
      inputs: the number of value features.
      config: see `LearnerConfig`.
      seed: of the initial weights, the priors and the noise.

    Attributes:
      network, prior: map standardised features (n, inputs) to values (heads, n, 1) in units of the value
        scale; see `make_network`.
      feature_mean, feature_std: (inputs,), of the standardisation.
      offset, scale, prior_scale: as of `ValueEnsemble`; from the settings, or from a restored file, since
        with others the same networks are another function.
    """

    def __init__(self, inputs: int, config: LearnerConfig, seed: int) -> None:
        self._config = config
        self._generator = torch.Generator().manual_seed(seed)
        sizes = (inputs, *config.hidden, 1)
        self.network = make_network(sizes, config.ensemble_size, OUTPUT_GAIN, self._generator)
        self.prior = make_network(sizes, config.ensemble_size, 1.0, self._generator).requires_grad_(False)
        self.feature_mean = np.zeros(inputs)
        self.feature_std = np.ones(inputs)
        self.offset = 0.0
        self.scale = config.value_scale
        self.prior_scale = config.prior_scale
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, fused=True)

    def fit_standardiser(self, features: Array) -> None:
        """Set mean and standard deviation of the features from those of given states, (n, features).

        Must precede the first update, since it changes the input of the networks. The standard deviation is
        at least 0.1, so that a feature that hardly varied does not saturate the networks when it does.
        """
        self.feature_mean = features.mean(axis=0)
        self.feature_std = np.maximum(features.std(axis=0), 0.1)

    def update(self, features: Array, targets: Array, rng: np.random.Generator) -> float:
        """Take the configured gradient steps on minibatches drawn with replacement, one for each head.

        The regulariser σ²/λ |θ|² of eq. (5) is a part of the loss: `weight_decay` σ²/λ adds 2 σ²/λ θ to the
        gradient before Adam scales it (L2 regularisation; not AdamW's decoupled decay).

        Args:
          features: (n, features).
          targets: (heads, n), in reward units.
          rng: draws the minibatches.

        Returns:
          The mean squared error over the last minibatches before their steps, in reward units squared.
        """
        config = self._config
        scale = self.scale
        inputs = torch.from_numpy((features - self.feature_mean) / self.feature_std).float()
        # the priors do not change: the networks learn the difference to them
        wanted = torch.from_numpy((targets - self.offset) / scale).float()
        if self.prior_scale:
            wanted -= self.prior_scale * self.prior(inputs)[..., 0]
        if config.target_noise:
            wanted += config.target_noise * torch.randn(wanted.shape, generator=self._generator)
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate
            group["weight_decay"] = 2.0 * config.weight_decay
        heads, n = wanted.shape
        draws = torch.from_numpy(rng.integers(0, n, (config.gradient_steps, heads, config.batch_size)))
        loss = torch.zeros(())
        for picked in draws:
            batch = inputs[picked]
            if config.input_noise:
                batch = batch + config.input_noise * torch.randn(batch.shape, generator=self._generator)
            # the sum over heads of each head's mean squared error
            loss = mse_loss(self.network(batch)[..., 0], wanted.gather(1, picked), reduction="sum")
            loss = loss / config.batch_size
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        mean: float = loss.item() / heads
        return mean * scale * scale

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self._config = config

    def dump_optimiser(self) -> dict[str, Array]:
        """The state of Adam and of the generator, which `value` does not contain."""
        state: dict[str, Array] = {"torch_rng": self._generator.get_state().numpy()}
        for name, parameter in parameters_of(self.network):
            for kind, tensor in self._optimiser.state[parameter].items():
                state[f"adam.{name}.{kind}"] = tensor.numpy().copy()
        return state

    def restore(
        self, tensors: Mapping[str, NDArray[Any]], value: ValueEnsemble, what: str = "the checkpoint"
    ) -> None:
        """Take over a value function and, if given, the state of its optimiser.

        Args:
          tensors: as of `dump_optimiser`; other entries are ignored.
          value: the ensemble to continue from.
          what: names the file in errors.

        Raises:
          PoloError: the value function has another architecture, or the optimiser's state is incomplete or
            out of range; nothing is changed.
        """
        stored = {"network": value.network, "prior": value.prior}
        own = {"network": self.network, "prior": self.prior}
        for name, layers in stored.items():
            shapes = [tuple(layer.weight.shape) for layer in layers]
            wanted = [tuple(layer.weight.shape) for layer in linear_layers(own[name])]
            if shapes != wanted:
                raise PoloError(
                    f"the {name} in {what} has layers {shapes}, not {wanted}; "
                    f"set ensemble_size and hidden to the checkpoint's"
                )
        optimiser = self._optimiser_state(tensors, what)
        if "torch_rng" in tensors:  # otherwise weights alone
            self._generator = self._stored_generator(tensors["torch_rng"], what)
            self._optimiser.state.clear()
            self._optimiser.state.update(optimiser)
        with torch.no_grad():
            for name, layers in stored.items():
                for own_layer, layer in zip(linear_layers(own[name]), layers, strict=True):
                    own_layer.weight.copy_(torch.from_numpy(layer.weight))
                    own_layer.bias.copy_(torch.from_numpy(layer.bias))
        self.feature_mean, self.feature_std = value.feature_mean, value.feature_std
        self.offset, self.scale, self.prior_scale = value.offset, value.scale, value.prior_scale

    def _stored_generator(self, state: NDArray[Any], what: str) -> torch.Generator:
        generator, own = torch.Generator(), self._generator.get_state().numpy()
        try:
            if state.dtype != own.dtype or state.shape != own.shape:
                raise RuntimeError(f"{state.dtype} of shape {state.shape}")
            generator.set_state(torch.from_numpy(state.copy()))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise PoloError(f"{what} have no usable state of torch's generator ({reason:.100})") from None
        return generator

    def _optimiser_state(
        self, tensors: Mapping[str, NDArray[Any]], what: str
    ) -> dict[torch.Tensor, dict[str, torch.Tensor]]:
        """Adam's state from dumped arrays; empty before the first gradient step.

        Adam's fused step accesses memory beyond arrays of other sizes or types, so that both are checked.
        """
        state: dict[torch.Tensor, dict[str, torch.Tensor]] = {}
        # the number of steps is stored with one dimension or, in memory, with none
        stored = {name: np.atleast_1d(tensors[name]) for name in tensors if name.startswith("adam.")}
        if not stored:
            return state
        for name, parameter in parameters_of(self.network):
            state[parameter] = {}
            for kind in ("exp_avg", "exp_avg_sq", "step"):
                key = f"adam.{name}.{kind}"
                shape = (1,) if kind == "step" else tuple(parameter.shape)
                array = check_array(stored, key, shape, what, MOMENT_LIMIT)
                if kind != "exp_avg" and array.size and array.min() < 0.0:
                    raise PoloError(f"{what} have a negative entry in {key}")
                tensor = torch.tensor(array, dtype=torch.float32)
                state[parameter][kind] = tensor[0] if kind == "step" else tensor
        return state

    def value(self) -> ValueEnsemble:
        """The ensemble for the planner: a copy, which further training does not change."""
        return ValueEnsemble(
            network=as_layers(self.network),
            prior=as_layers(self.prior),
            feature_mean=self.feature_mean.copy(),
            feature_std=self.feature_std.copy(),
            offset=self.offset,
            scale=self.scale,
            prior_scale=self.prior_scale,
        )


def linear_layers(network: nn.Sequential) -> list[StackedLinear]:
    """The layers with weights, in order."""
    return [layer for layer in network if isinstance(layer, StackedLinear)]


def parameters_of(network: nn.Sequential) -> Iterator[tuple[str, nn.Parameter]]:
    """Names, as files have them (weight0, bias0, weight1, …), and parameters."""
    for index, layer in enumerate(linear_layers(network)):
        yield f"weight{index}", layer.weight
        yield f"bias{index}", layer.bias


def as_layers(network: nn.Sequential) -> tuple[Layer, ...]:
    """Copies of the layers in NumPy, in double precision."""
    arrays = [parameter.detach().numpy().astype(np.float64) for _, parameter in parameters_of(network)]
    return tuple(map(Layer, arrays[::2], arrays[1::2]))
