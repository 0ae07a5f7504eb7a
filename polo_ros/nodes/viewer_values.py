"""The value function that the viewer shows."""

import math
import time
from collections.abc import Callable, Mapping

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.planner.value import ValueEnsemble, optimistic
from polo_ros.tasks.task import Task
from polo_ros.viewer.fields import Value

# values of the map along each side
MAP_RESOLUTION = 48


class ViewerValues:
    """The planner's value function, as a map over the world where the task has one.

    It is the newest that a learner has published; until one has, that of the planner's `weights_file`. The
    map is drawn with the planner's optimism κ, and again when that changes.

    Args:
      task: what the values are about.
      parameters: gives the planner's present parameters by name.
      show: draws the map, values (`MAP_RESOLUTION`, `MAP_RESOLUTION`).
      on_fault: called with the sentence about a file that cannot be shown.
    """

    def __init__(
        self,
        task: Task,
        parameters: Callable[[], Mapping[str, Value]],
        show: Callable[[Array], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._parameters, self._show, self._on_fault = parameters, show, on_fault
        self._received = ReceivedWeights(task)
        self._came = -math.inf
        self._file = ""
        self._value: ValueEnsemble | None = None
        self._drawn: ValueEnsemble | None = None
        self._optimism = 0.0  # of the drawn map
        states = task.map_states(MAP_RESOLUTION)
        self._features = None if states is None else task.value_features(task.observe(states))

    def age(self) -> float:
        """Time since weights came from a learner, in s of wall time; infinite where none have."""
        return time.monotonic() - self._came

    def receive(self, content: bytes) -> None:
        """Take published weights.

        Raises:
          PoloError: they are refused, and the last good ones stay.
        """
        self._value = self._received.receive(content)
        self._came = time.monotonic()

    def draw(self) -> None:
        """Draw the map, where there is one and anything has changed."""
        if self._features is None:
            return
        parameters = self._parameters()
        self._read_file(str(parameters.get("weights_file", "")))
        kappa = parameters.get("optimism", 0.0)
        optimism = kappa if isinstance(kappa, float) else 0.0
        if self._value is not None and not (self._value is self._drawn and optimism == self._optimism):
            self._drawn, self._optimism = self._value, optimism
            self._show(optimistic(self._value.heads(self._features), optimism))

    def _read_file(self, file: str) -> None:
        """Read the planner's file, once, while no learner has published."""
        if file == self._file or self._came > -math.inf:
            return
        self._file = file
        if not file:
            return
        try:
            self._value = self._received.load(file)
        except PoloError as error:  # the robot's disk may be another one
            self._on_fault(f"the map of the planner's values cannot be drawn: {error}")
