"""The experience of one robot, for a learner: taken in once its schema says what it is of."""

from collections.abc import Callable

from std_msgs.msg import Float64MultiArray, String

from polo_ros.errors import PoloError
from polo_ros.learner.background import BackgroundLearner
from polo_ros.nodes.messages import check_schema, unpack_experience
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import LATCHED

# messages that wait for the executor
QUEUE = 100


class ExperienceReceiver:
    """Subscribes to a robot's `experience` and its schema, and refuses by name what does not fit the node.

    Args:
      node: the learner's.
      topic: of the experience; the schema's is `<topic>/schema`.
      learner: takes the experience.
      report: takes a sentence about what is refused.
    """

    def __init__(
        self, node: PoloNode, topic: str, learner: BackgroundLearner, report: Callable[[str], object]
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(topic)
        self._learner = learner
        self._report = report
        self._schema = self._refusal = self._fault = ""
        node.create_subscription(Float64MultiArray, topic, self._on_experience, QUEUE)
        node.create_subscription(String, f"{topic}/schema", self._on_schema, LATCHED)

    @property
    def fault(self) -> str:
        """Why the robot's experience, or its last message, is not used; empty where it is."""
        return self._refusal or self._fault

    def _on_schema(self, message: String) -> None:
        self._schema = message.data
        self._learner.accept(self._is_fitting(), self._topic)

    def check(self) -> None:
        """Compare the schema with the node's parameters once more, which have changed."""
        was_fitting = not self._refusal
        if self._schema and self._is_fitting() != was_fitting:
            self._learner.accept(not was_fitting, self._topic)

    def _is_fitting(self) -> bool:
        """Whether the schema is of the node's task, model and reward; otherwise that is logged."""
        before, self._refusal = self._refusal, ""
        try:
            check_schema(self._schema, self._node.task, self._node.reward_weights())
        except PoloError as error:
            self._refusal = f"{self._topic} is refused: {error}"
            if self._refusal != before:
                self._report(self._refusal)
        return not self._refusal

    def _on_experience(self, message: Float64MultiArray) -> None:
        if self._refusal:
            return
        try:
            rows = unpack_experience(message, self._node.task)
        except PoloError as error:
            self._fault = f"{self._topic}: {error}"
            self._report(self._fault)
            return
        self._fault = ""
        self._learner.add(rows, self._topic)
