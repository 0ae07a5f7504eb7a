"""`polo train --from-bag`: a value function from what a robot did."""

import csv
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from polo_ros.agent.episode import rounded
from polo_ros.agent.provenance import description
from polo_ros.agent.tensorboard import tensorboard_events
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.weights import encode_value
from polo_ros.parameters.settings import Settings
from polo_ros.progress import progress_bar
from polo_ros.recordings.recording import Recording

COLUMNS = ("transitions", "updates", "loss", "target_mean", "target_std")


def train_from_recordings(
    settings: Settings, recordings: Sequence[Recording], seed: int, out: Path, tensorboard: bool = False
) -> Path:
    """Rebuild the replay buffer and learn as if the transitions came now: an update every `update_period`.

    Writes metrics.csv with a row an update, the weights, and a checkpoint that the learner node can load.

    Args:
      settings: see `settings_for`.
      recordings: in the order in which they are learned from.
      seed: of networks, labels and minibatches.
      out: the folder; it must not hold a checkpoint.
      tensorboard: write the rows as TensorBoard's events, too.

    Returns:
      The path of the weights.

    Raises:
      PoloError: the recordings are too short to learn from, the folder holds a checkpoint, a full disk, or no
        tensorboard.
      ExplodedError: the values have exploded.
    """
    checkpoint, weights = out / "checkpoint.safetensors", out / "weights.safetensors"
    if checkpoint.exists():
        raise PoloError(f"{checkpoint} exists; give another --out")
    torch.set_num_threads(1)  # networks this small gain nothing from more
    learner = Learner(settings.task, settings.learner, seed, settings.planner_node.threads)
    columns = {
        name: np.concatenate([getattr(recording, name) for recording in recordings])
        for name in ("state", "ctrl", "reward", "episode")
    }
    total, period = len(columns["reward"]), settings.learner.update_period
    out.mkdir(parents=True, exist_ok=True)
    with (
        closing(learner),
        (out / "metrics.csv").open("w", newline="") as file,
        tensorboard_events(out, tensorboard) as write_events,
        progress_bar(total, f"train {settings.task.name} from bags", "step") as progress,
    ):
        file.write(f"# polo train {settings.task.name} --from-bag {description(settings, seed=seed)}\n")
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for start in range(0, total - period + 1, period):
            some = slice(start, start + period)
            learner.add(*(columns[name][some] for name in ("state", "ctrl", "reward", "episode")))
            update = learner.update()
            numbers = (start + period, update.sequence, update.loss, update.target_mean, update.target_std)
            writer.writerow(dict(zip(COLUMNS, map(rounded, numbers), strict=True)))
            write_events(start + period, dict(zip(COLUMNS, numbers, strict=True)))
            progress.update(period)
    if not learner.trained:
        raise PoloError(
            f"{total} transitions are too few to learn from: {len(learner.labels)} of "
            f"{settings.learner.warmup_labels} labels; record longer, or set warmup_labels lower"
        )
    epoch = new_epoch()
    learner.save(checkpoint, epoch, {})
    origin = Origin.of(settings.task, settings.learner.discount, epoch, learner.sequence)
    write_atomically(weights, encode_value(learner.value(), origin))
    return weights
