"""The learner node: experience in, N-step targets and ensemble regression, weights out."""

from polo_ros.nodes.start import learner_node

if __name__ == "__main__":  # before the imports that take seconds
    learner_node()

import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.control.status import Level, Status
from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ports import BackgroundOutputs, BackgroundSettings
from polo_ros.learner.store import Answer
from polo_ros.nodes.experience_receiver import ExperienceReceiver
from polo_ros.nodes.fleet import WEIGHTS
from polo_ros.nodes.messages import pack_bytes
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import LATCHED
from polo_ros.nodes.sole_source import SoleSource
from polo_ros.parameters.node_tables import LearnerNodeConfig


class LearnerNode(PoloNode):
    """Messages in, to a learner on a thread of its own, and its weights out as messages."""

    counted = ("weights_sequence", "updates")
    summarised = ("buffer", "loss")

    def __init__(self) -> None:
        super().__init__("learner_node")
        settings = self.config(LearnerNodeConfig)
        self.task.weights.update(self.reward_weights())
        self._sole = SoleSource(self, WEIGHTS)
        self._weights = self.create_publisher(UInt8MultiArray, WEIGHTS, LATCHED)
        # weights that wait until it is known that no other learner publishes
        self._waiting: UInt8MultiArray | None = None
        self._publishing = threading.Lock()
        self._learner = BackgroundLearner(
            self.task,
            self._background_settings(),
            BackgroundOutputs(
                publish=self._publish,
                info=self.get_logger().info,
                warn=self.get_logger().warning,
                error=self.get_logger().error,
            ),
            self.seed,
            settings.threads,
            Path(settings.checkpoint_path) if settings.checkpoint_path else None,
            settings.weights_file,
        )
        self._robots = [
            ExperienceReceiver(self, topic, self._learner, partial(self._log.write, Level.ERROR))
            for topic in settings.experience_topics
        ]
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/save_checkpoint", self._on_save)
        self.create_service(Trigger, "~/load_checkpoint", self._on_load)

    # ---- parameters and diagnostics

    def configs(self) -> tuple[type[object], ...]:
        """What must stay consistent."""
        return LearnerNodeConfig, LearnerConfig

    def on_parameters_changed(self) -> None:
        """Hand the new parameters to the learner, which takes them over before an update."""
        self._learner.configure(self._background_settings())
        for robot in self._robots:
            robot.check()

    def _background_settings(self) -> BackgroundSettings:
        period = self.config(LearnerNodeConfig).checkpoint_period
        return BackgroundSettings(self.config(LearnerConfig), self.reward_weights(), period)

    def status(self) -> Status:
        """How learning goes, and bad input."""
        text, values = self._learner.progress()
        if self._learner.fault:
            return Status(Level.ERROR, self._learner.fault, values)
        faults = [robot.fault for robot in self._robots if robot.fault]
        if faults:
            others = [text] if len(faults) < len(self._robots) else []
            return Status(Level.WARN, "; ".join(others + faults), values)
        return Status(Level.OK, text, values)

    def check(self) -> None:
        """End the node where its learner has failed, or where another learner was there before."""
        self._learner.check()
        self._sole.yield_to_earlier()
        with self._publishing:
            self._publish_waiting()

    # ---- weights out

    def _publish(self, content: bytes) -> None:
        """Called by the learning thread, mostly."""
        with self._publishing:
            self._waiting = pack_bytes(content)
            self._publish_waiting()

    def _publish_waiting(self) -> None:
        """Not beside an earlier learner, nor before one that is listed has had time to say that it is."""
        uncertain = self._sole.earlier or self._sole.discovering() or self._sole.unsettled()
        if self._waiting is not None and not uncertain:
            self._weights.publish(self._waiting)
            self._waiting = None

    # ---- services

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._learner.pause(request.data)
        response.success, response.message = True, "paused" if request.data else "learning"
        return response

    def _on_save(self, _: Trigger.Request, response: Trigger.Response) -> Future[Trigger.Response]:
        return respond_later(self._learner.save(), response)

    def _on_load(self, _: Trigger.Request, response: Trigger.Response) -> Future[Trigger.Response]:
        return respond_later(self._learner.load(), response)

    def close(self) -> None:
        """Give up the current update and keep what was learned."""
        self._learner.close()


def respond_later(answer: Future[Answer], response: Trigger.Response) -> Future[Trigger.Response]:
    """The response that holds an answer, once that is known."""
    responded: Future[Trigger.Response] = Future()

    def respond(done: Future[Answer]) -> None:
        response.success, response.message = done.result()
        responded.set_result(response)

    answer.add_done_callback(respond)
    return responded
