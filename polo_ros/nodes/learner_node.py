"""The learner node: experience in, N-step targets and ensemble regression, weights out."""

import threading
import time
from collections import deque
from pathlib import Path

import numpy as np
import torch
from std_msgs.msg import Float64MultiArray, String, UInt8MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner, UpdateReport
from polo_ros.learner.weights import Origin, encode_value, package_file
from polo_ros.nodes.messages import check_schema, pack_bytes, unpack_experience
from polo_ros.nodes.node import ERROR, LATCHED, OK, WARN, PoloNode, exit_with
from polo_ros.parameters.node_tables import LearnerNodeConfig


class LearnerNode(PoloNode):
    """Learns on a thread of its own while experience keeps arriving."""

    def __init__(self) -> None:
        super().__init__("learner_node")
        torch.set_num_threads(1)  # the networks are tiny, and the planner needs the cores
        settings = self.config(LearnerNodeConfig)
        self._settings = settings
        self.apply_reward_weights()
        self._learner = Learner(
            self.task, self.config(LearnerConfig), seed=self.seed, threads=settings.threads
        )
        self._epoch = time.time_ns()
        self._checkpoint = Path(settings.checkpoint_path) if settings.checkpoint_path else None
        if self._checkpoint is not None and self._checkpoint.exists():
            self._learner.load(self._checkpoint)
            self.get_logger().info(f"resumed from {self._checkpoint} at update {self._learner.sequence}")
        elif settings.weights_file:
            self._learner.load(package_file(settings.weights_file))
        self._condition = threading.Condition()
        self._running = True
        self._paused = False
        # as much as the buffer holds: while learning is paused, the oldest leave
        self._pending: deque[dict[str, Array]] = deque(maxlen=self._learner.buffer.capacity)
        # held while the learner works: services that save or load wait for the update at hand
        self._busy = threading.Lock()
        # experience waits for its schema: without one nobody knows which model it is of
        self._schema_known = False
        self._schema_fault = ""
        self._experience_fault = ""
        self._learning_fault = ""
        self._last: UpdateReport | None = None
        self._saved_at = time.monotonic()
        self._weights = self.create_publisher(UInt8MultiArray, "value_function/weights", LATCHED)
        self.create_subscription(Float64MultiArray, "experience", self._on_experience, 100)
        self.create_subscription(String, "experience/schema", self._on_schema, LATCHED)
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/save_checkpoint", self._on_save)
        self.create_service(Trigger, "~/load_checkpoint", self._on_load)
        self._publish_weights()
        self._thread = threading.Thread(target=self._learn, name="learning", daemon=True)
        self._thread.start()

    def configs(self) -> tuple[type[object], ...]:
        """What must stay consistent."""
        return LearnerNodeConfig, LearnerConfig

    def status(self) -> tuple[int, str, dict[str, object]]:
        """How learning goes."""
        learner = self._learner
        # asked before anything is read: an update at hand is finished first, and counts
        resting = self._paused and not self._busy.locked()
        values: dict[str, object] = {"weights_sequence": learner.sequence, "buffer": len(learner.buffer)}
        if self._last is not None:
            values |= {
                "loss": f"{self._last.loss:.4g}",
                "target_mean": f"{self._last.target_mean:.4g}",
                "target_std": f"{self._last.target_std:.4g}",
            }
        if self._learning_fault:
            return ERROR, self._learning_fault, values
        fault = self._schema_fault or self._experience_fault
        if fault:
            return WARN, fault, values
        return OK, "paused" if resting else "learning", values

    def _on_schema(self, message: String) -> None:
        try:
            check_schema(message.data, self.task)
        except PoloError as error:
            self._schema_fault = str(error)
            self.get_logger().error(self._schema_fault)
            with self._condition:
                self._schema_known = False
                self._pending.clear()
            return
        self._schema_fault = ""
        with self._condition:
            self._schema_known = True
            self._condition.notify()

    def _on_experience(self, message: Float64MultiArray) -> None:
        if self._schema_fault:
            return
        try:
            rows = unpack_experience(message, self.task)
        except PoloError as error:
            if str(error) != self._experience_fault:
                self.get_logger().error(str(error))
            self._experience_fault = str(error)
            return
        self._experience_fault = ""
        with self._condition:
            self._pending.append(rows)
            self._condition.notify()

    def _learn(self) -> None:
        """The learning thread: one update whenever enough has been experienced."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: not self._running or self._due())
                if not self._running:
                    return
            with self._busy:
                with self._condition:
                    if not self._due():  # paused in between: whoever heard so sees no further update
                        continue
                    pending = list(self._pending)
                    self._pending.clear()
                # one batch, so that the features of all rows are computed in one call
                columns = ("state", "ctrl", "reward", "episode")
                self._learner.add(*(np.concatenate([rows[name] for rows in pending]) for name in columns))
                self._update()
                if time.monotonic() - self._saved_at > self._settings.checkpoint_period:
                    self._save()

    def _due(self) -> bool:
        fresh = sum(len(rows["state"]) for rows in self._pending)
        ready = self._schema_known and not self._paused
        return ready and fresh >= int(self.get_parameter("update_period").value)

    def _update(self) -> None:
        if self.take_changes():
            self._settings = self.config(LearnerNodeConfig)
            self._learner.configure(self.config(LearnerConfig))
            self.apply_reward_weights()
        try:
            self._last = self._learner.update()
        except PoloError as error:
            # the planner keeps its last good weights; learning waits for a person
            self._learning_fault = str(error)
            self._paused = True
            self.get_logger().error(f"{error}; learning is paused")
            return
        self._publish_weights()

    def _publish_weights(self) -> None:
        origin = Origin(self.task.name, self.task.model_hash(), self._epoch, self._learner.sequence)
        self._weights.publish(pack_bytes(encode_value(self._learner.value(), origin)))

    def _save(self) -> str:
        """Write the checkpoint, if there is a path; the sentence says how it went."""
        if self._checkpoint is None:
            return "checkpoint_path is empty, so that nothing is kept; set it to a file"
        self._saved_at = time.monotonic()
        try:
            self._learner.save(self._checkpoint, self._epoch)
        except PoloError as error:
            self.get_logger().error(str(error))
            return str(error)
        return f"saved update {self._learner.sequence} to {self._checkpoint}"

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        with self._condition:
            self._paused = request.data
            self._learning_fault = ""
            self._condition.notify()
        response.success, response.message = True, "paused" if request.data else "learning"
        return response

    def _on_save(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._busy:
            response.message = self._save()
        response.success = response.message.startswith("saved")
        return response

    def _on_load(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._checkpoint is None:
            response.success, response.message = False, "checkpoint_path is empty; set it to a file"
            return response
        try:
            with self._busy:
                self._learner.load(self._checkpoint)
                self._epoch = time.time_ns()  # its sequence is older, so that planners would refuse it
                self._publish_weights()
            response.success = True
            response.message = f"loaded update {self._learner.sequence} from {self._checkpoint}"
        except PoloError as error:
            response.success, response.message = False, str(error)
        return response

    def close(self) -> None:
        """Finish the update at hand and keep what was learned."""
        with self._condition:
            self._running = False
            self._condition.notify()
        self._thread.join()
        if self._checkpoint is not None:
            self._save()


def main() -> None:
    """Run the node."""
    exit_with(LearnerNode)


if __name__ == "__main__":
    main()
