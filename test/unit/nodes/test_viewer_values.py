"""The map of the planner's values on the page: whose values, and when it is drawn again."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from weights_files import CONFIG

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value
from polo_ros.nodes.viewer_values import MAP_RESOLUTION, ViewerValues
from polo_ros.planner.value import ValueEnsemble, optimistic
from polo_ros.tasks import make_task
from polo_ros.viewer.fields import Value

TASK = make_task("pointmass_box")
VALUE, OTHER = (Learner(TASK, CONFIG, seed).value() for seed in (0, 1))


class Shown:
    """A viewer's values with what they show and say.

    Attributes:
      parameters: of the planner, to be changed.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, Value] = {"optimism": 0.5, "weights_file": ""}
        self.maps: list[Array] = []
        self.faults: list[str] = []
        self.values = ViewerValues(TASK, lambda: self.parameters, self.maps.append, self.faults.append)

    def draw(self) -> Array:
        """Draw twice; the one map that this adds."""
        before = len(self.maps)
        self.values.draw()
        self.values.draw()
        (drawn,) = self.maps[before:]
        return drawn


def expected(value: ValueEnsemble, optimism: float) -> Array:
    states = TASK.map_states(MAP_RESOLUTION)
    assert states is not None
    return optimistic(value.heads(TASK.value_features(TASK.observe(states))), optimism)


def published(value: ValueEnsemble, sequence: int = 1) -> bytes:
    return encode_value(value, Origin.of(TASK, 0.99, 7, sequence))


@pytest.fixture
def weights_file(tmp_path: Path) -> str:
    file = tmp_path / "values.safetensors"
    file.write_bytes(published(OTHER))
    return str(file)


def test_published_weights_and_a_change_of_optimism_draw_the_map() -> None:
    shown = Shown()
    shown.values.draw()
    assert not shown.maps and shown.values.age() == np.inf
    shown.values.receive(published(VALUE))
    assert_allclose(shown.draw(), expected(VALUE, 0.5))
    shown.parameters["optimism"] = 3.0
    assert_allclose(shown.draw(), expected(VALUE, 3.0))
    assert shown.values.age() < 60.0
    shown.values.receive(published(OTHER, sequence=2))
    assert_allclose(shown.draw(), expected(OTHER, 3.0))


def test_without_a_learner_the_map_is_that_of_the_planners_file(weights_file: str) -> None:
    shown = Shown()
    shown.parameters["weights_file"] = weights_file
    assert_allclose(shown.draw(), expected(OTHER, 0.5))
    assert shown.values.age() == np.inf  # no learner has sent them
    shown.values.receive(published(VALUE, sequence=2))
    assert_allclose(shown.draw(), expected(VALUE, 0.5))
    assert not shown.faults


def test_a_file_that_cannot_be_read_is_told_once() -> None:
    shown = Shown()
    shown.parameters["weights_file"] = "/nowhere/values.safetensors"
    shown.values.draw()
    shown.values.draw()
    (fault,) = shown.faults
    assert "there is no file /nowhere/values.safetensors" in fault
    assert not shown.maps


def test_refused_weights_leave_the_map_as_it_is() -> None:
    shown = Shown()
    shown.values.receive(published(VALUE))
    shown.values.draw()
    with pytest.raises(PoloError, match="the last good weights stay"):
        shown.values.receive(b"nonsense")
    shown.values.draw()
    assert len(shown.maps) == 1
