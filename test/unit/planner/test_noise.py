"""Sampling noise: variance, correlation, seed."""

import numpy as np
import pytest

from polo_ros.planner.noise import FILTER_MEMORY, sample_noise

SHAPE = (2, 400, 40, 5)


@pytest.mark.parametrize("filtered", [False, True])
def test_unit_variance_and_zero_mean_at_every_knot(filtered: bool) -> None:
    noise = sample_noise(np.random.default_rng(1), SHAPE, filtered)
    assert noise.shape == SHAPE
    count = 2 * 400 * 5  # independent numbers per knot
    assert np.abs(noise.mean(axis=(0, 1, 3))).max() < 4.5 / np.sqrt(count)
    assert np.abs(noise.var(axis=(0, 1, 3)) - 1).max() < 4.5 * np.sqrt(2 / count)


def test_white_noise_is_uncorrelated_in_time() -> None:
    noise = sample_noise(np.random.default_rng(2), SHAPE, filtered=False)
    correlation = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    assert abs(correlation) < 4.5 / np.sqrt(noise.size)


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_filtered_noise_forgets_geometrically(lag: int) -> None:
    noise = sample_noise(np.random.default_rng(3), SHAPE, filtered=True)
    correlation = (noise[:, :, lag:] * noise[:, :, :-lag]).mean()
    assert correlation == pytest.approx(FILTER_MEMORY**lag, abs=0.02)


def test_filtered_noise_is_the_recursion_on_white_noise() -> None:
    white = sample_noise(np.random.default_rng(4), (1, 3, 6, 2), filtered=False)
    filtered = sample_noise(np.random.default_rng(4), (1, 3, 6, 2), filtered=True)
    np.testing.assert_array_equal(filtered[:, :, 0], white[:, :, 0])
    for knot in range(1, 6):
        expected = 0.8 * filtered[:, :, knot - 1] + 0.6 * white[:, :, knot]
        np.testing.assert_allclose(filtered[:, :, knot], expected, atol=1e-12)


@pytest.mark.parametrize("filtered", [False, True])
def test_rollouts_and_controls_are_independent(filtered: bool) -> None:
    noise = sample_noise(np.random.default_rng(5), (1, 2, 20000, 2), filtered)[0]
    series = noise.transpose(0, 2, 1).reshape(4, -1)
    correlation = np.corrcoef(series) - np.eye(4)
    assert np.abs(correlation).max() < 0.08


@pytest.mark.parametrize("filtered", [False, True])
def test_the_same_seed_gives_the_same_noise(filtered: bool) -> None:
    first = sample_noise(np.random.default_rng(6), SHAPE, filtered)
    np.testing.assert_array_equal(first, sample_noise(np.random.default_rng(6), SHAPE, filtered))
    assert (first != sample_noise(np.random.default_rng(7), SHAPE, filtered)).any()
