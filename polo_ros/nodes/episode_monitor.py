"""Episodes over the graph: resets the simulator, keeps the rewards of the planner's experience."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.simulated_robot import RESET_GAP_S
from polo_ros.nodes.executor import spin_for
from polo_ros.nodes.leave import leave_graph
from polo_ros.nodes.lightweight_node import LightweightNode, initialise
from polo_ros.nodes.messages import unpack_experience
from polo_ros.nodes.qos import EVERY_STATE
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class EpisodeScore:
    """The mean reward of an episode's second half, and when the episode ended, in s of its phase."""

    reward: float
    ended: float


@dataclass
class Phase:
    """Rewards by wall time since the phase began, in s, and the episodes that are over.

    A phase begins when it is told to or, where nobody acts yet, with the first experience. Times are those at
    which experience arrived, and not those at which this node came to look at it.
    """

    began: float
    curve: list[tuple[float, float]] = field(default_factory=list)
    scores: list[EpisodeScore] = field(default_factory=list)


class EpisodeMonitor:
    """Follows `experience`, and resets the world at the end of each episode.

    Args:
      task: whose experience it is.
      seconds: simulated time an episode.
    """

    def __init__(self, task: Task, seconds: float) -> None:
        self._task = task
        self._seconds = seconds
        self._phases: dict[str, Phase] = {}
        self._name = ""
        self._times: list[float] = []
        self._rewards: list[float] = []
        # experience before this simulated time is of an episode that is over
        self._from = 0.0
        self._updates = "-"
        self._acted = self._was_reset = False
        initialise([])
        self._node = LightweightNode("episode_monitor")
        self._node.create_subscription(Float64MultiArray, "experience", self._on_experience, EVERY_STATE)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._reset: Any = self._node.create_client(Trigger, "simulator_node/reset_world")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def begin_phase(self, name: str) -> None:
        """Begin another phase with a new episode."""
        self._name = name
        self._phases[name] = Phase(time.time())
        if self._times:
            self._end_episode()

    def scores(self, name: str) -> list[EpisodeScore]:
        """The episodes of a phase that are over."""
        return self._phases[name].scores if name in self._phases else []

    def curve(self, name: str) -> Array:
        """Wall time in s since a phase began and reward of each transition in it, (n, 2)."""
        return np.array(self._phases[name].curve).reshape(-1, 2)

    def spin(self, seconds: float, episodes: int) -> None:
        """Listen for some wall time, or until so many episodes of the phase are over."""
        spin_for(self._executor, seconds, lambda: len(self.scores(self._name)) >= episodes)

    def _on_experience(self, message: Float64MultiArray, info: Mapping[str, int]) -> None:
        rows = unpack_experience(message, self._task)
        if not self._name:
            return
        if not self._was_reset:
            # the world may have moved for seconds before this node was discovered
            if self._reset.service_is_ready():
                self._times.append(float(rows["time"][-1]))
                self._end_episode()
            return
        phase, arrived = self._phases[self._name], info["received_timestamp"] / NANOSECONDS
        for moment, reward in zip(rows["time"].tolist(), rows["reward"].tolist(), strict=True):
            if moment < self._from:
                continue
            if not self._acted:
                self._acted, phase.began = True, arrived
            self._times.append(moment)
            self._rewards.append(reward)
            phase.curve.append((arrived - phase.began, reward))
        if self._times and self._times[-1] - self._times[0] >= self._seconds - 1.5 * self._task.timestep:
            rewards = self._rewards[len(self._rewards) // 2 :]
            phase.scores.append(EpisodeScore(float(np.mean(rewards)), arrived - phase.began))
            self._print(f"{self._name}, episode {len(phase.scores)}: {phase.scores[-1].reward:.2f}")
            self._end_episode()

    def _end_episode(self) -> None:
        """Reset the world; what is still on its way does not count."""
        self._from = self._times[-1] + 0.5 * RESET_GAP_S
        self._times.clear()
        self._rewards.clear()
        self._was_reset = True
        self._reset.call_async(Trigger.Request())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("learner_node"):
                values = {pair.key: pair.value for pair in status.values}
                self._updates = values.get("weights_sequence", "-")

    def show(self) -> None:
        """The live line, over itself in a terminal."""
        if sys.stdout.isatty() and self._rewards:
            recent = np.mean(self._rewards[-round(0.5 / self._task.timestep) :])
            bar = "█" * round(30 * float(np.clip(recent, 0.0, 1.0)))
            phase = self._phases[self._name]
            where = f"{time.time() - phase.began:5.1f} s  episode {len(phase.scores) + 1:2d}"
            line = f"{self._name:16}  {where}  updates {self._updates:>4}  reward {recent:5.2f} {bar:30}"
            print(f"\r{line}", end="", flush=True)

    def _print(self, sentence: str) -> None:
        clear = f"\r{'':100}\r" if sys.stdout.isatty() else ""
        print(f"{clear}{sentence}", flush=True)

    def close(self) -> None:
        """Leave the graph."""
        leave_graph(self._node, code=1)
