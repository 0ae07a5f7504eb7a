"""The value ensemble in NumPy and the optimistic aggregate of its heads."""

from itertools import pairwise

import numpy as np
import pytest
from strictness import no_warnings

from polo_ros.arrays import Array
from polo_ros.planner.value import Layer, ValueEnsemble, evaluate, optimistic

HEADS, FEATURES = 4, 5


def layers(rng: np.random.Generator, *sizes: int) -> tuple[Layer, ...]:
    return tuple(
        Layer(rng.standard_normal((HEADS, inputs, outputs)), rng.standard_normal((HEADS, 1, outputs)))
        for inputs, outputs in pairwise(sizes)
    )


def ensemble(seed: int, prior_scale: float = 0.7) -> ValueEnsemble:
    rng = np.random.default_rng(seed)
    return ValueEnsemble(
        network=layers(rng, FEATURES, 8, 6, 1),
        prior=layers(rng, FEATURES, 7, 1),
        feature_mean=rng.standard_normal(FEATURES),
        feature_std=rng.uniform(0.5, 2.0, FEATURES),
        offset=3.0,
        scale=25.0,
        prior_scale=prior_scale,
    )


def network_in_loops(network: tuple[Layer, ...], head: int, inputs: Array) -> float:
    values = [float(number) for number in inputs]
    for index, layer in enumerate(network):
        weight, bias = layer.weight[head], layer.bias[head, 0]
        sums = [
            sum(value * weight[i, j] for i, value in enumerate(values)) + bias[j]
            for j in range(weight.shape[1])
        ]
        values = sums if index == len(network) - 1 else [float(np.tanh(number)) for number in sums]
    assert len(values) == 1
    return values[0]


def head_in_loops(value: ValueEnsemble, head: int, features: Array) -> float:
    inputs = (features - value.feature_mean) / value.feature_std
    network = network_in_loops(value.network, head, inputs)
    prior = network_in_loops(value.prior, head, inputs)
    return value.offset + value.scale * (network + value.prior_scale * prior)


@pytest.mark.parametrize("prior_scale", [0.0, 0.7])
def test_heads_equal_one_head_at_a_time(prior_scale: float) -> None:
    value = ensemble(1, prior_scale)
    features = np.random.default_rng(2).standard_normal((3, 2, FEATURES))
    heads = value.heads(features)
    assert heads.shape == (HEADS, 3, 2) and value.head_count == HEADS
    for head in range(HEADS):
        for row, column in np.ndindex(3, 2):
            expected = head_in_loops(value, head, features[row, column])
            assert heads[head, row, column] == pytest.approx(expected, abs=1e-10)


def test_one_state_gives_one_value_a_head() -> None:
    value = ensemble(3)
    features = np.random.default_rng(4).standard_normal(FEATURES)
    heads = value.heads(features)
    assert heads.shape == (HEADS,)
    np.testing.assert_allclose(heads, value.heads(features[None])[:, 0], rtol=1e-12)


def test_no_states_give_no_values() -> None:
    assert ensemble(3).heads(np.empty((0, FEATURES))).shape == (HEADS, 0)


def test_a_non_finite_state_spoils_no_other() -> None:
    value = ensemble(5)
    features = np.random.default_rng(6).standard_normal((4, FEATURES))
    clean = value.heads(features)
    features[2] = np.nan
    spoilt = value.heads(features)
    assert np.isnan(spoilt[:, 2]).all()
    np.testing.assert_allclose(spoilt[:, [0, 1, 3]], clean[:, [0, 1, 3]], rtol=1e-12)


def test_a_single_layer_is_affine() -> None:
    layer = Layer(np.full((1, 2, 1), 2.0), np.full((1, 1, 1), 0.5))
    np.testing.assert_array_equal(evaluate((layer,), np.array([[1.0, 2.0], [0.0, -1.0]])), [[6.5, -1.5]])


@pytest.mark.parametrize("kappa", [-2.0, -0.01, 0.0, 1e-6, 0.01, 1.0, 2.0])
def test_agreeing_heads_keep_their_value(kappa: float) -> None:
    values = np.tile(np.array([[-500.0, 0.0, 3.0, 1e6]]), (6, 1))
    np.testing.assert_allclose(optimistic(values, kappa), values[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kappa", [-0.5, 0.3, 1.5])
def test_the_formula(kappa: float) -> None:
    values = np.random.default_rng(7).standard_normal((6, 5))
    naive = np.log(np.exp(kappa * values).sum(axis=0) / 6) / kappa
    np.testing.assert_allclose(optimistic(values, kappa), naive, rtol=1e-10)


def test_kappa_zero_is_the_mean() -> None:
    values = np.random.default_rng(8).standard_normal((6, 5))
    np.testing.assert_array_equal(optimistic(values, 0.0), values.mean(axis=0))


@pytest.mark.parametrize("kappa", [1e-3, -1e-3])
def test_small_kappa_adds_half_kappa_times_the_variance(kappa: float) -> None:
    values = np.random.default_rng(9).standard_normal((6, 5)) * 3
    bonus = optimistic(values, kappa) - values.mean(axis=0)
    np.testing.assert_allclose(bonus, 0.5 * kappa * values.var(axis=0), rtol=0.02)


def test_a_vanishing_kappa_is_numerically_the_mean() -> None:
    values = 100.0 + np.random.default_rng(10).standard_normal((6, 5))
    np.testing.assert_allclose(optimistic(values, 1e-9), values.mean(axis=0), atol=1e-6)


def test_it_grows_with_kappa_from_the_least_head_to_the_greatest() -> None:
    values = np.random.default_rng(11).standard_normal((6, 5)) * 10
    kappas = [-2.0, -0.5, -0.1, 0.0, 0.1, 0.5, 2.0]
    results = np.array([optimistic(values, kappa) for kappa in kappas])
    assert (np.diff(results, axis=0) > 0).all()
    assert (results[0] > values.min(axis=0)).all() and (results[-1] < values.max(axis=0)).all()
    assert (results[:3] < values.mean(axis=0)).all() and (results[4:] > values.mean(axis=0)).all()


@no_warnings
@pytest.mark.parametrize("kappa", [-2.0, 2.0])
def test_large_values_do_not_overflow(kappa: float) -> None:
    values = np.array([[-1e5, 1e5, 0.0], [1e5, 1e5 + 1, 1e300], [0.0, 1e5 + 2, -1e300]])
    result = optimistic(values, kappa)
    assert np.isfinite(result).all()
    extreme = values.max(axis=0) if kappa > 0 else values.min(axis=0)
    np.testing.assert_allclose(result[[0, 2]], extreme[[0, 2]], rtol=1e-4)
