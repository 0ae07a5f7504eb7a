"""The messages of a topic and the times of their arrival."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from polo_ros.control import NANOSECONDS
from polo_ros.control.checkup import TopicFigures
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import from_stamp


class Arrivals:
    """The messages of one topic: times of arrival and stamps.

    Args:
      kind: the message's type.
      figures: filled in by `finish`.
      check: raises PoloError where a message cannot be used.
    """

    def __init__(self, kind: type[Any], figures: TopicFigures, check: Callable[[Any], object]) -> None:
        self.kind, self.figures = kind, figures
        self.came: list[float] = []
        self.stamps: list[int] = []
        self.ages: list[float] = []
        self.behind: list[float] = []
        self._check = check

    def add(self, message: Any, now: int) -> None:
        """Take a message that came at a time in ns by the node's clock."""
        self.came.append(time.monotonic())
        header = getattr(message, "header", None)
        if header is not None:
            stamp = from_stamp(header.stamp)
            self.stamps.append(stamp)
            self.ages.append((now - stamp) / NANOSECONDS)
        try:
            self._check(message)
            self.figures.fault = ""
        except PoloError as error:
            self.figures.fault = str(error)

    def finish(self) -> None:
        """Compute the figures."""
        figures, came = self.figures, self.came
        figures.messages = len(came)
        if len(came) > 1:
            figures.rate = (len(came) - 1) / (came[-1] - came[0])
            figures.gap = float(np.diff(came).max())
        if self.ages:
            figures.age, figures.oldest = float(np.mean(self.ages)), float(np.max(self.ages))
        if self.behind:
            figures.behind = float(np.mean(self.behind))
