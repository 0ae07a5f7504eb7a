"""`polo rank`: how well value functions order the states that the planner has to choose between.

A plan depends on how V orders the terminal states of rival rollouts (siblings), not on the size of V's error.
The reference order is that of the mean of several independent labels (eq. (7)) of each sibling. Labels are
noisy: how well they agree with each other limits what any value function can reach.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import rankdata

from polo_ros.agent.episode import check_counts, rounded
from polo_ros.agent.provenance import description, value_digest
from polo_ros.agent.siblings import PHASES, Siblings, collect_siblings
from polo_ros.agent.statistics import half_interval
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.targets import INVALID_REWARD, TargetSolver, bootstrap, target_settings
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.progress import progress_bar
from polo_ros.seeding import Stream, seed_of
from polo_ros.viewer.figures import in_words

# the baseline that a value function is compared with
REWARD = "the state's own reward"
COLUMNS = ("seed", "time", "phase", "measure", "siblings", "spread", "noise", "agreement")


@dataclass(frozen=True)
class Ranking:
    """How labels and value functions order one group of siblings.

    Attributes:
      siblings: what is ordered.
      labels: labels of each sibling.
      spread: standard deviation of the mean labels over the siblings, in reward units.
      noise: standard deviation of one label about a sibling's mean, in reward units.
      agreement: mean rank correlation (Spearman) of one label with another.
      correlations: rank correlation of each value function with the mean label, by its name.
    """

    siblings: Siblings
    labels: int
    spread: float
    noise: float
    agreement: float
    correlations: Mapping[str, float]


def label(
    settings: Settings, groups: Sequence[Siblings], value: ValueEnsemble, labels: int, seed: int
) -> list[Array]:
    """Independent labels of every sibling: for each group (labels, siblings), in reward units.

    Each is the target of eq. (7) for the mean of the heads, from one plan with the learner's `target_…`
    settings that starts from neutral controls; hugely negative where every rollout diverged.
    """
    task, config = settings.task, settings.learner
    solver = TargetSolver(
        task, target_settings(config), seed_of(seed, Stream.LABELS), settings.planner_node.threads
    )
    discount = config.discount**config.target_horizon
    found = []
    with progress_bar(len(groups) * labels, f"label {task.name}", "group") as bar:
        for group in groups:
            start = np.tile(task.neutral, (len(group.states), config.target_horizon, 1))
            made = []
            for _ in range(labels):
                solved = solver.solve(group.states, start, value)
                rewards = np.maximum(solved.rewards, INVALID_REWARD)
                made.append(bootstrap(rewards, solved.terminal_features, value, discount).mean(axis=0))
                bar.update()
            found.append(np.array(made))
    return found


def rank(group: Siblings, labels: Array, values: Mapping[str, Array]) -> Ranking:
    """How labels (labels, siblings) and values (siblings,) by name order a group."""
    mean = labels.mean(axis=0)
    count = len(labels)
    pairs = [correlation(labels[i], labels[j]) for i in range(count) for j in range(i)]
    agreement = float(np.mean(pairs))
    return Ranking(
        group,
        count,
        spread=float(mean.std(ddof=1)),
        noise=float(np.sqrt(labels.var(axis=0, ddof=1).mean())),
        agreement=agreement,
        correlations={name: correlation(each, mean) for name, each in values.items()},
    )


def correlation(one: Array, other: Array) -> float:
    """Spearman's rank correlation; 0 where one of the two does not vary."""
    first, second = rankdata(one), rankdata(other)
    if not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def ceiling(agreement: float, siblings: int, labels: int) -> float:
    """The mean rank correlation of the true values with the mean label, for normal values and noise.

    The correlation ρ of one label with another follows from their mean rank correlation. The reliability of a
    mean of n labels is then n ρ / (1 + (n - 1) ρ) (Spearman and Brown, 1910), and the root of this is the
    correlation with the truth.

    Args:
      agreement: mean rank correlation of one label with another.
      siblings: how many are ordered.
      labels: how many are averaged.
    """
    most = mean_rank_correlation(1.0, siblings)
    if not 0.0 < agreement < most:
        return float(np.clip(agreement, 0.0, 1.0) > 0.0)
    single = brentq(lambda rho: mean_rank_correlation(rho, siblings) - agreement, 0.0, 1.0)
    reliability = labels * single / (1.0 + (labels - 1) * single)
    return mean_rank_correlation(reliability**0.5, siblings)


def mean_rank_correlation(rho: float, count: int) -> float:
    """The expectation of Spearman's correlation of so many normal pairs with correlation ρ (Moran, 1948)."""
    parts = np.arcsin(rho) + (count - 2) * np.arcsin(0.5 * rho)
    return float(6.0 / (np.pi * (count + 1)) * parts)


def rank_values(
    settings: Settings,
    values: Mapping[str, ValueEnsemble],
    seeds: Sequence[int],
    steps: int,
    states: int,
    siblings: int,
    labels: int,
    out: Path,
) -> list[Ranking]:
    """Judge value functions and write ranks.csv, a row a group of siblings, and ranks.png.

    The planner acts with the first value function, which the labels are bootstrapped on, too.

    Args:
      settings: of task, planner and labels.
      values: by name.
      seeds, steps, states, siblings: see `collect_siblings`.
      labels: independent labels of each sibling.
      out: the folder; it is made where it is missing.

    Raises:
      PoloError: a count is too small, no plan had enough rollouts, or the folder holds a result already.
    """
    check_counts(seeds=len(seeds), steps=steps, states=states)
    for name, number, least in (("siblings", siblings, 3), ("labels", labels, 2)):
        if number < least:
            raise PoloError(f"{name} must be at least {least}, not {number}")
    if siblings > settings.planner.rollouts:
        raise PoloError(f"siblings {siblings} exceed the planner's rollouts {settings.planner.rollouts}")
    file = out / "ranks.csv"
    if file.exists():
        raise PoloError(f"{file} exists; give another --out, or remove it")
    task, first = settings.task, next(iter(values.values()))
    groups = collect_siblings(settings, first, seeds, steps, states, siblings)
    if not groups:
        raise PoloError(f"no plan had {siblings} rollouts that did not diverge")
    rankings = []
    for group, made in zip(groups, label(settings, groups, first, labels, seeds[0]), strict=True):
        view = task.observe(group.states)
        features = task.value_features(view)
        judged = {REWARD: task.reward(view)}
        judged |= {name: value.heads(features).mean(axis=0) for name, value in values.items()}
        rankings.append(rank(group, made, judged))
    facts = {"seeds": len(seeds), "steps": steps, "labels": labels}
    digests = {name: value_digest(value) for name, value in values.items()}
    heading = f"# polo rank {task.name} {description(settings, **facts, **digests)}\n"
    write_atomically(file, (heading + table_of(rankings)).encode())

    from polo_ros.viewer.rank_plot import rank_plot  # takes most of a second to load

    title = f"{in_words(task.name)}: rank correlation among rival rollouts"
    rank_plot(summary(rankings), out / "ranks.png", title)
    return rankings


def table_of(rankings: Sequence[Ranking]) -> str:
    """The rows of ranks.csv."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*COLUMNS, *rankings[0].correlations], lineterminator="\n")
    writer.writeheader()
    for ranking in rankings:
        group = ranking.siblings
        row: dict[str, Any] = {
            "seed": group.seed,
            "time": group.time,
            "phase": group.phase,
            "measure": group.measure,
            "siblings": len(group.states),
            "spread": ranking.spread,
            "noise": ranking.noise,
            "agreement": ranking.agreement,
            **ranking.correlations,
        }
        writer.writerow({name: rounded(cell) for name, cell in row.items()})
    return stream.getvalue()


def summary(rankings: Sequence[Ranking]) -> dict[str, dict[str, tuple[float, float, int]]]:
    """Mean, half of its 95 % interval (nan for a single group), and number of groups, by phase and line.

    The lines are "one label with another", "a perfect value (estimate)", REWARD and the value functions. The
    interval is that of a mean of independent groups, although neighbouring groups of an episode are alike.
    """
    found: dict[str, dict[str, tuple[float, float, int]]] = {}
    for phase in ("all", *PHASES):
        chosen = [each for each in rankings if phase in ("all", each.siblings.phase)]
        if not chosen:
            continue
        agreements = [each.agreement for each in chosen]
        size, labels = len(chosen[0].siblings.states), chosen[0].labels
        mean, half = float(np.mean(agreements)), half_interval(agreements)
        # half of what the interval of the agreement allows
        low, high = (
            ceiling(mean + sign * (half if half < 1.0 else 1.0), size, labels) for sign in (-1.0, 1.0)
        )
        found[phase] = {
            "one label with another": (mean, half, len(chosen)),
            "a perfect value (estimate)": (ceiling(mean, size, labels), 0.5 * (high - low), len(chosen)),
        }
        for name in chosen[0].correlations:
            numbers = [each.correlations[name] for each in chosen]
            found[phase][name] = (float(np.mean(numbers)), half_interval(numbers), len(chosen))
    return found
