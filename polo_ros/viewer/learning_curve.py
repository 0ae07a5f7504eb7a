"""Reward against seconds, with and without learning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from polo_ros.arrays import Array
from polo_ros.viewer.figures import BLUE, GREY, write_figure

COLOURS = (GREY, BLUE)
AVERAGED_S = 0.2


class EpisodeScore(Protocol):
    """An episode's reward and when it ended, in s of the phase's time."""

    @property
    def reward(self) -> float:
        """Mean over the second half of the episode."""

    @property
    def ended(self) -> float:
        """In s."""


def learning_curve(
    phases: Sequence[tuple[str, Array, Sequence[EpisodeScore]]], path: Path, title: str
) -> None:
    """Draw the phases over each other.

    Args:
      phases: of each its name, seconds and rewards (n, 2), and its episodes.
      path: of the PNG file; missing folders are made, an older file is replaced as a whole.
      title: above the picture.

    Raises:
      PoloError: the file could not be written.
    """
    from matplotlib.figure import Figure  # takes most of a second to load

    figure = Figure(figsize=(9, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for (name, curve, episodes), colour in zip(phases, COLOURS, strict=True):
        times, rewards = averaged(curve)
        axes.plot(times, rewards, color=colour, lw=0.8, alpha=0.45, label=f"{name}: mean of {AVERAGED_S:g} s")
        axes.plot(
            [episode.ended for episode in episodes], [episode.reward for episode in episodes], "o-",
            color=colour, lw=2, ms=6, label=f"{name}: mean of each episode's second half",
        )  # fmt: skip
    axes.set(
        xlabel="wall time, in s; every few seconds the next episode begins", ylabel="reward", title=title
    )
    axes.set_ylim(top=1.08)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    write_figure(figure, path)


def averaged(curve: Array) -> tuple[Array, Array]:
    """Times and rewards (n, 2) as means over `AVERAGED_S`."""
    bins = np.floor(curve[:, 0] / AVERAGED_S).astype(int)
    found, places = np.unique(bins, return_inverse=True)
    sums = np.bincount(places, weights=curve[:, 1], minlength=len(found))
    counts = np.bincount(places, minlength=len(found))
    return (found + 0.5) * AVERAGED_S, sums / np.maximum(counts, 1)
