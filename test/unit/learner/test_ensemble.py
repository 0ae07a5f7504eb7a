"""Ensemble regression: batched heads against a loop, randomised priors, and what it learns."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.planner.value import ValueEnsemble

CONFIG = LearnerConfig(ensemble_size=3, hidden=(16, 8), gradient_steps=64, weight_decay=1e-3)
INPUTS = 4


def features_of(count: int, seed: int = 0) -> Array:
    """Features with a mean and spread of their own each."""
    rng = np.random.default_rng(seed)
    return rng.normal([1.0, -2.0, 0.0, 30.0], [1.0, 0.5, 2.0, 10.0], (count, INPUTS))


def targets_of(features: Array, heads: int = 3) -> Array:
    """A smooth function of the features in reward units, for every head, (heads, n)."""
    x = (features - [1.0, -2.0, 0.0, 30.0]) / [1.0, 0.5, 2.0, 10.0]
    return np.tile(40.0 + 20.0 * np.sin(x[:, 0]) - 10.0 * x[:, 1] * x[:, 2], (heads, 1))


def trained(config: LearnerConfig, updates: int, seed: int = 0) -> EnsembleTrainer:
    """A trainer after some updates on the function."""
    trainer, rng = EnsembleTrainer(INPUTS, config, seed), np.random.default_rng(seed)
    features = features_of(400)
    trainer.fit_standardiser(features)
    for _ in range(updates):
        trainer.update(features, targets_of(features, config.ensemble_size), rng)
    return trainer


def tensors_of(value: ValueEnsemble) -> dict[str, Array]:
    return {
        f"{name}.{kind}{index}": getattr(layer, kind)
        for name in ("network", "prior")
        for index, layer in enumerate(getattr(value, name))
        for kind in ("weight", "bias")
    }


def equal(first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
    """Whether two sets of arrays are the same to the bit."""
    return first.keys() == second.keys() and all(
        np.array_equal(array, second[name]) for name, array in first.items()
    )


def test_batched_heads_equal_a_loop_over_heads_with_an_optimiser_each() -> None:
    config = CONFIG
    trainer = EnsembleTrainer(INPUTS, config, seed=3)
    features, rng = features_of(200), np.random.default_rng(1)
    targets = targets_of(features) + rng.normal(0.0, 5.0, (3, 200))  # each head has its own
    trainer.fit_standardiser(features)
    inputs = torch.from_numpy((features - features.mean(axis=0)) / features.std(axis=0)).float()
    draws = np.random.default_rng(7).integers(0, 200, (64, 3, config.batch_size))
    heads = []
    for head in range(3):
        own = [tensor.detach()[head].clone().requires_grad_() for tensor in trainer.network.parameters()]
        prior = [tensor[head] for tensor in trainer.prior.parameters()]

        def evaluate(layers: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
            x = torch.tanh(x @ layers[0] + layers[1])
            x = torch.tanh(x @ layers[2] + layers[3])
            return (x @ layers[4] + layers[5])[:, 0]

        optimiser = torch.optim.Adam(own, lr=config.learning_rate)
        for batch in draws[:, head]:
            x = inputs[torch.from_numpy(batch)]
            wanted = torch.from_numpy(targets[head, batch] / config.value_scale).float()
            output = evaluate(own, x) + config.prior_scale * evaluate(prior, x)
            penalty = torch.stack([tensor.square().sum() for tensor in own]).sum()
            loss = (output - wanted).square().mean() + config.weight_decay * penalty
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        heads.append(own)
    before = [tensor.detach().clone() for tensor in trainer.network.parameters()]
    trainer.update(features, targets, np.random.default_rng(7))
    for index, tensor in enumerate(trainer.network.parameters()):
        for head in range(3):
            # single precision over 64 steps of 1e-3 each
            torch.testing.assert_close(tensor[head], heads[head][index], rtol=1e-4, atol=2e-6)
        assert (tensor - before[index]).abs().max() > 1e-2


def test_priors_are_fixed_and_part_of_the_value() -> None:
    trainer = EnsembleTrainer(INPUTS, CONFIG, seed=0)
    before = tensors_of(trainer.value())
    rng, features = np.random.default_rng(0), features_of(100)
    trainer.fit_standardiser(features)
    trainer.update(features, targets_of(features), rng)
    value = trainer.value()
    after = tensors_of(value)
    for name in before:
        assert np.array_equal(before[name], after[name]) == name.startswith("prior")
    without = dataclasses.replace(value, prior_scale=0.0)
    inputs = torch.from_numpy((features - value.feature_mean) / value.feature_std).float()
    prior = trainer.prior(inputs)[..., 0].numpy()
    np.testing.assert_allclose(
        value.heads(features) - without.heads(features),
        CONFIG.value_scale * CONFIG.prior_scale * prior,
        rtol=1e-3,
        atol=1e-4,
    )


def test_fresh_heads_differ_by_their_priors() -> None:
    features = features_of(200)
    none, some, much = (
        EnsembleTrainer(INPUTS, dataclasses.replace(CONFIG, prior_scale=scale), seed=0)
        .value()
        .heads(features)
        for scale in (0.0, 0.1, 1.0)
    )
    assert none.std(axis=0).mean() < 0.05 * much.std(axis=0).mean()  # the networks start near zero
    np.testing.assert_allclose(much - none, 10.0 * (some - none), rtol=1e-9)


def test_trained_heads_agree_where_there_are_data_and_not_elsewhere() -> None:
    value = trained(dataclasses.replace(CONFIG, prior_scale=1.0), updates=20).value()
    seen, unseen = features_of(200, seed=1), features_of(200, seed=1)
    unseen[:, 0] += 6.0
    assert value.heads(unseen).std(axis=0).mean() > 2 * value.heads(seen).std(axis=0).mean()


def test_planner_evaluates_what_torch_trained() -> None:
    trainer = trained(CONFIG, updates=2)
    value, features = trainer.value(), features_of(50, seed=4)
    inputs = torch.from_numpy((features - trainer.feature_mean) / trainer.feature_std).float()
    with torch.no_grad():
        output = trainer.network(inputs) + CONFIG.prior_scale * trainer.prior(inputs)
    np.testing.assert_allclose(
        value.heads(features), CONFIG.value_scale * output[..., 0], rtol=1e-4, atol=1e-4
    )
    shaped = value.heads(features.reshape(5, 10, INPUTS))
    np.testing.assert_allclose(shaped.reshape(3, 50), value.heads(features), rtol=1e-12)


def test_handed_out_value_does_not_change_while_training_goes_on() -> None:
    trainer = trained(CONFIG, updates=1)
    value, features = trainer.value(), features_of(50)
    before = value.heads(features)
    trainer.update(features, targets_of(features), np.random.default_rng(0))
    np.testing.assert_array_equal(value.heads(features), before)
    assert not np.array_equal(trainer.value().heads(features), before)


def test_every_head_fits_a_known_function() -> None:
    config = dataclasses.replace(CONFIG, weight_decay=0.0, learning_rate=5e-3)
    value = trained(config, updates=30).value()
    unseen = features_of(500, seed=9)
    wanted = targets_of(unseen)
    explained = 1.0 - ((value.heads(unseen) - wanted) ** 2).mean(axis=1) / wanted[0].var()
    assert (explained > 0.9).all()


def test_loss_is_in_squared_reward_units() -> None:
    features = features_of(100)
    trainer = EnsembleTrainer(INPUTS, dataclasses.replace(CONFIG, prior_scale=0.0, gradient_steps=1), 0)
    trainer.fit_standardiser(features)
    loss = trainer.update(features, np.full((3, 100), 30.0), np.random.default_rng(0))
    assert loss == pytest.approx(900.0, rel=0.02)  # of networks that start near zero


def test_target_noise_has_the_given_size() -> None:
    config = dataclasses.replace(
        CONFIG, target_noise=0.2, prior_scale=0.0, batch_size=1024, gradient_steps=1, learning_rate=1e-5
    )
    trainer, features = EnsembleTrainer(INPUTS, config, seed=0), features_of(5000)
    trainer.fit_standardiser(features)
    loss = trainer.update(features, np.zeros((3, 5000)), np.random.default_rng(0))
    assert loss == pytest.approx((0.2 * config.value_scale) ** 2, rel=0.1)


@pytest.mark.parametrize("noise", ["target_noise", "input_noise"])
def test_noise_is_seeded(noise: str) -> None:
    noisy = dataclasses.replace(CONFIG, **{noise: 0.3})  # type: ignore[arg-type]
    first, again, other, plain = (
        tensors_of(trained(config, updates=2, seed=seed).value())
        for config, seed in ((noisy, 0), (noisy, 0), (noisy, 1), (CONFIG, 0))
    )
    assert equal(first, again)
    assert not equal(first, other) and not equal(first, plain)


def test_standardiser_centres_and_scales_with_a_floor() -> None:
    trainer = EnsembleTrainer(INPUTS, CONFIG, seed=0)
    features = features_of(1000)
    features[:, 2] = 0.5  # never varies
    trainer.fit_standardiser(features)
    value = trainer.value()
    np.testing.assert_allclose(value.feature_mean, features.mean(axis=0))
    np.testing.assert_allclose(value.feature_std, [*features.std(axis=0)[:2], 0.1, features[:, 3].std()])
    # what the networks see has no units: the same function of features in other units
    scaled = EnsembleTrainer(INPUTS, CONFIG, seed=0)
    scaled.fit_standardiser(features * [1.0, 10.0, 1.0, 0.1])
    np.testing.assert_allclose(
        scaled.value().heads(features * [1.0, 10.0, 1.0, 0.1]), value.heads(features), rtol=1e-9
    )


def test_learning_rate_changes_live() -> None:
    moved = []
    for rate in (1e-5, 1e-3):
        trainer = trained(CONFIG, updates=1)
        before = trainer.network[0].weight.detach().clone()
        trainer.configure(dataclasses.replace(CONFIG, learning_rate=rate))
        features = features_of(100)
        trainer.update(features, targets_of(features), np.random.default_rng(0))
        moved.append(float((trainer.network[0].weight.detach() - before).abs().mean()))
    assert moved[1] > 20 * moved[0]


def test_restored_trainer_continues_to_the_bit() -> None:
    config = dataclasses.replace(CONFIG, target_noise=0.1, input_noise=0.1)
    source, other = trained(config, updates=3), EnsembleTrainer(INPUTS, config, seed=99)
    other.restore(source.dump_optimiser(), source.value())
    features = features_of(100)
    for trainer in (source, other):
        trainer.update(features, targets_of(features), np.random.default_rng(0))
    assert equal(tensors_of(source.value()), tensors_of(other.value()))
    assert equal(source.dump_optimiser(), other.dump_optimiser())


@pytest.mark.parametrize("change", ["missing", "short"])
def test_incomplete_optimiser_is_refused_and_nothing_changes(change: str) -> None:
    source, trainer = trained(CONFIG, updates=1), trained(CONFIG, updates=1, seed=1)
    before, optimiser = tensors_of(trainer.value()), trainer.dump_optimiser()
    tensors = source.dump_optimiser()
    if change == "missing":
        del tensors["adam.bias1.exp_avg_sq"]
    else:
        tensors["adam.bias1.exp_avg_sq"] = tensors["adam.bias1.exp_avg_sq"][:1]
    with pytest.raises(PoloError, match=r"adam\.bias1\.exp_avg_sq (is missing|of shape)"):
        trainer.restore(tensors, source.value())
    assert equal(tensors_of(trainer.value()), before)
    assert equal(trainer.dump_optimiser(), optimiser)


def test_restoring_bare_weights_leaves_the_optimiser_fresh() -> None:
    source, other = trained(CONFIG, updates=1), EnsembleTrainer(INPUTS, CONFIG, seed=99)
    other.restore({}, source.value())
    assert equal(tensors_of(source.value()), tensors_of(other.value()))
    assert list(other.dump_optimiser()) == ["torch_rng"]


@pytest.mark.parametrize(
    "other", [{"ensemble_size": 4}, {"hidden": (16, 9)}, {"hidden": (16,)}, {"hidden": (16, 8, 8)}]
)
def test_another_architecture_is_refused_and_nothing_changes(other: dict[str, object]) -> None:
    trainer = trained(CONFIG, updates=1)
    before, optimiser = tensors_of(trainer.value()), trainer.dump_optimiser()
    stranger = trained(dataclasses.replace(CONFIG, **other), updates=1)  # type: ignore[arg-type]
    with pytest.raises(PoloError, match="set ensemble_size and hidden to the checkpoint's"):
        trainer.restore(stranger.dump_optimiser(), stranger.value())
    assert equal(tensors_of(trainer.value()), before)
    assert equal(trainer.dump_optimiser(), optimiser)
