"""Metrics of a training as TensorBoard's events, beside the CSV."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.extras import require

WriteRow = Callable[[int, Mapping[str, object]], None]


@contextmanager
def tensorboard_events(folder: Path, wanted: bool, steps: int = 0) -> Iterator[WriteRow]:
    """A function that writes each number of a row as a scalar at a step; it does nothing unless wanted.

    Args:
      folder: of the event file; it is made.
      wanted: whether events are written.
      steps: that are done already; what an interrupted run wrote after them is hidden.

    Raises:
      PoloError: tensorboard is not installed, or the file cannot be written.
    """
    if not wanted:
        yield lambda _, __: None
        return
    require("tensorboard", "--tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(folder, purge_step=steps + 1 if steps else None)
    except OSError as error:
        raise PoloError(f"{folder} could not be written ({error.strerror})") from None

    def write(step: int, row: Mapping[str, object]) -> None:
        for name, value in row.items():
            if isinstance(value, int | float) and math.isfinite(value):
                writer.add_scalar(name, value, step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
