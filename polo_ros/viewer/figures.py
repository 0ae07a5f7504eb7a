"""What matplotlib's figures of this package share: colours, and how they become files."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # takes most of a second to load

# of Okabe and Ito's palette, which colour-blind readers can tell apart
GREY, BLUE, VERMILION, GREEN, ORANGE = "#595959", "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, BLACK = "#CC79A7", "#000000"


def in_words(task: str) -> str:
    """A task's name as titles have it: humanoid_getup becomes Humanoid getup."""
    return Path(task).stem.replace("_", " ").capitalize()


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG; missing folders are made, an older file is replaced as a whole.

    Raises:
      PoloError: the file could not be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())
