"""The replay buffer and the labels of a checkpoint, checked before anything is replaced."""

from collections.abc import Callable, Mapping

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import Checkpoint, check_range, whole_numbers
from polo_ros.learner.targets import INVALID_REWARD
from polo_ros.learner.weights import FEATURE_LIMIT

Columns = dict[str, Array]


def check_label_shapes(checkpoint: Checkpoint, target_horizon: int, candidates: int) -> None:
    """Refuse a checkpoint whose labels the settings would not make.

    Raises:
      PoloError: its labels have another horizon or number of candidates.
    """
    horizon = checkpoint.metadata.get("target_horizon", str(target_horizon))
    if horizon != str(target_horizon):
        raise PoloError(
            f"{checkpoint.what} hold labels of {horizon:.20} steps, not {target_horizon}; "
            f"set target_horizon to the checkpoint's"
        )
    stored = checkpoint.tensors.get("labels.rewards")
    if stored is not None and stored.shape[1:] != (candidates,):
        raise PoloError(
            f"the labels in {checkpoint.what} have candidates of shape {stored.shape[1:]}, not "
            f"({candidates},); set target_rollouts to the checkpoint's"
        )


def stored_transitions(
    checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]], features: Callable[[Array, Array], Array]
) -> tuple[Columns, int]:
    """The columns of a checkpoint's replay buffer, and how many transitions it had ever taken.

    Earlier versions stored no features, and transitions of one robot alone, which had no numbers.

    Args:
      checkpoint: see `Checkpoint`.
      shapes: of a transition's part in each column.
      features: value features of states (n, state_size) under controls (n, nu).

    Raises:
      PoloError: a column is missing, of another shape or out of range.
    """
    lacking = {"features", "stream", "number"} - {name.removeprefix("buffer.") for name in checkpoint.tensors}
    rows = checkpoint.columns("buffer", {name: shapes[name] for name in shapes.keys() - lacking})
    added = _added(checkpoint, "buffer", rows)
    held = len(rows["reward"])
    known = {"stream": np.zeros(held), "number": np.arange(added - held, added, dtype=float), **rows}
    for name in ("stream", "number"):
        whole_numbers(known[name], name, checkpoint.what)
    if "features" in lacking:
        known["features"] = features(known["state"], known["ctrl"])
    return known, added


def stored_labels(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Columns, int]:
    """The columns of a checkpoint's labels, and how many labels there had ever been.

    Args:
      checkpoint: see `Checkpoint`.
      shapes: of a label's part in each column.

    Raises:
      PoloError: a column is missing, of another shape or out of range.
    """
    rows = checkpoint.columns("labels", shapes)
    for name in ("features", "terminal_features"):
        check_range(rows[name], name, -FEATURE_LIMIT, FEATURE_LIMIT, checkpoint.what)
    check_range(rows["rewards"], "rewards", INVALID_REWARD, -INVALID_REWARD, checkpoint.what)
    return rows, _added(checkpoint, "labels", rows)


def _added(checkpoint: Checkpoint, store: str, rows: Columns) -> int:
    """How many rows a stored buffer had ever taken: at least those that it holds."""
    added, held = checkpoint.count(f"{store}_added"), len(next(iter(rows.values())))
    if added < held:
        raise PoloError(f"{checkpoint.what} hold {held} rows of {store} of {added} ever added")
    return added
