"""Weights that the planner receives: their order, their discount and their rewards."""

import pytest

from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.learner.weights import encode_value
from polo_ros.tasks import Task


def test_received_weights_are_ordered_within_their_run(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig()).value()
    received = ReceivedWeights(cartpole, 0.99)
    assert received.values() == {"refused_weights": 0}

    def content(epoch: int, sequence: int) -> bytes:
        return encode_value(value, Origin.of(cartpole, 0.99, epoch, sequence))

    received.receive(content(1000, 5))
    received.receive(content(1000, 5))  # the same again does no harm
    with pytest.raises(PoloError, match=r"weights 4 of epoch 1000 are older than .*; the last good weights"):
        received.receive(content(1000, 4))
    with pytest.raises(PoloError, match="the weights are corrupted"):
        received.receive(b"garbage")
    received.receive(content(999, 0))  # another run: epochs have no order, since clocks may be wrong
    assert received.values() == {"refused_weights": 2, "weights_sequence": 0, "weights_epoch": 999}
    with pytest.raises(PoloError, match=r"learner run 1000, which run 999 has replaced; stop one of the two"):
        received.receive(content(1000, 6))


def test_the_discount_of_received_weights_is_the_planners(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig(discount=0.9)).value()
    content = encode_value(value, Origin.of(cartpole, 0.9, 1, 1))
    with pytest.raises(PoloError, match=r"are of discount 0\.9, not 0\.99; set discount to the one they"):
        ReceivedWeights(cartpole, 0.99).receive(content)
    ReceivedWeights(cartpole, 0.9).receive(content)
    # without rewards there is nothing to add to the values, and any discount ranks plans the same
    cartpole.weights.update(dict.fromkeys(cartpole.weights, 0.0))
    ReceivedWeights(cartpole, 0.99).receive(content)


def test_other_reward_weights_are_a_warning_that_names_them(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig()).value()
    content = encode_value(value, Origin.of(cartpole, 0.99, 1, 1))
    received = ReceivedWeights(cartpole, 0.99)
    received.receive(content)
    assert received.warning == ""
    cartpole.weights["upright"] = 2.5
    received.receive(content)
    assert received.warning == "the value function was trained with other reward weights: upright 1, not 2.5"
    assert received.values()["weights_warning"] == received.warning
