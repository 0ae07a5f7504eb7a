"""What the receiver says and refuses of a driver's ways."""

from typing import Any

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import StateAssembler
from polo_ros.nodes.messages import pack_joint_state
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.tasks import Task

MILLISECOND = 1_000_000


class Driver:
    """Joint states of the cart-pole into a receiver.

    Attributes:
      said, faults: sentences.
      answers: to each part that was taken.
    """

    def __init__(self, task: Task, **options: Any) -> None:
        self.said: list[str] = []
        self.faults: list[str] = []
        self.answers: list[object] = []
        self.joints = JointMapping(task.model)
        self.states = StateAssembler(task, self.joints, lockstep=False)
        receiver = StateReceiver(
            self.joints, self.states, self.answers.append, self.faults.append, say=self.said.append, **options
        )
        ((_, _, self._receive),) = receiver.state_topics()

    def publish(self, milliseconds: int, velocities: list[float]) -> Array | None:
        """Send joints that move at 2 m/s and 3 rad/s; the state then, if there is one."""
        qpos = np.array([2e-3, 3e-3]) * milliseconds
        message = pack_joint_state(self.joints, qpos, np.zeros(2), milliseconds * MILLISECOND)
        message.velocity = velocities
        self._receive(message)
        snapshot = self.states.snapshot()
        return None if snapshot is None else snapshot.state


@pytest.mark.parametrize(
    ("velocities", "names", "expected"),
    [([], "slider, hinge", [2.0, 3.0]), ([7.0, float("nan")], "hinge", [7.0, 3.0])],
)
def test_velocities_left_out_are_differentiated_and_said_once(
    cartpole: Task, velocities: list[float], names: str, expected: list[float]
) -> None:
    driver = Driver(cartpole)
    assert driver.publish(0, velocities) is None
    for moment in (10, 20, 30):
        state = driver.publish(moment, velocities)
        assert state is not None
        np.testing.assert_allclose(state[2:], expected, rtol=0, atol=1e-9)
    assert driver.said == [f"joint_states has no velocity of {names}: positions are differentiated"]
    assert driver.faults == []


def test_velocities_left_out_are_refused_by_parameter(cartpole: Task) -> None:
    driver = Driver(cartpole, differentiate=False)
    assert driver.publish(0, []) is None
    assert driver.publish(10, []) is None
    sentence = (
        "joint_states has no velocity of slider, hinge; publish it, or set missing_velocities: differentiate"
    )
    assert driver.faults == [sentence] * 2 and driver.answers == []


def test_a_velocity_that_was_there_before_and_is_not_any_more_is_a_fault(cartpole: Task) -> None:
    driver = Driver(cartpole)
    driver.publish(0, [2.0, 3.0])
    driver.publish(10, [2.0, float("nan")])
    assert driver.faults == ["joint_states has no velocity of hinge, which it had before"]
    assert driver.states.stamp == 0
