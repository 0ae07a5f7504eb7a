"""Simulator, planner, learner and viewer in real time, and how long the robot moves on after a fault."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from benchmarks.faults.support import Graph, listen
from polo_ros.tasks import make_task

TASK = "cartpole_swingup"
# simulated seconds per second, so that a busy machine keeps up
REALTIME_FACTOR = 0.5
# how long after a fault it is watched that nothing moves, in s of wall time
WATCH_S = 1.5
# of the viewer: another one for each of these commands, since several may run at once
PORT = 20_000 + os.getpid() % 20_000
# of a velocity in one period that tells a force: 5e-3 N; contacts repeat less exactly without warm start
LEAST_CHANGE = 1e-4


class Loop:
    """The cart-pole's nodes by the clock, with everything that they say kept.

    Args:
      graph: where they run.
      folder: for the learner's checkpoint.
      autostart: whether the planner commands from the start.

    Attributes:
      commands, states: (wall time of arrival in s, message).
    """

    def __init__(self, graph: Graph, folder: Path, autostart: bool = True) -> None:
        self.graph = graph
        self.checkpoint = folder / "checkpoint.safetensors"
        self.commands: list[tuple[float, Float64MultiArray]] = []
        self.states: list[tuple[float, JointState]] = []
        self._record(Float64MultiArray, "effort_controller/commands", self.commands)
        self._record(JointState, "joint_states", self.states)
        self._settings: dict[str, dict[str, Any]] = {
            "simulator_node": {"lockstep": False, "realtime_factor": REALTIME_FACTOR},
            "planner_node": {"lockstep": False, "use_sim_time": True, "autostart": autostart},
            "learner_node": {
                "checkpoint_path": str(self.checkpoint), "checkpoint_period": 1.0, "warmup_labels": 32,
                "target_states": 4, "gradient_steps": 8,
            },
            "viewer_node": {"port": PORT},
        }  # fmt: skip
        self._task = make_task(TASK)
        self._data = mujoco.MjData(self._task.model)

    def _record(self, kind: type[Any], topic: str, kept: list[tuple[float, Any]]) -> None:
        self.graph.node.create_subscription(
            kind, topic, lambda message: kept.append((time.monotonic(), message)), 1000
        )

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes by name."""
        return tuple(self._settings)

    def start(self, *nodes: str) -> None:
        """Start those of the nodes that do not run."""
        for node in nodes or self.nodes:
            if node not in self.graph.children or self.graph.children[node].poll() is not None:
                self.graph.start(node, **self._settings[node])

    def forget(self) -> None:
        """Drop what was recorded."""
        self.commands.clear()
        self.states.clear()

    def wait_for_motion(self) -> None:
        """Until a plan's force is commanded and the simulator follows."""
        self.graph.wait_says("planner_node", "planning")
        self.forget()
        self.graph.wait(lambda: any(any(message.data) for _, message in self.commands), "force")
        self.graph.wait_says("simulator_node", "running")

    def moved_until(self, since: float) -> float:
        """Wall time in s from a moment to the last force that was commanded after it; 0 for none."""
        times = [arrived for arrived, message in self.commands if arrived > since and any(message.data)]
        return max(times, default=since) - since

    def pushed_until(self, since: float) -> float:
        """Wall time in s from a moment to the last state that a force led to; 0 for none."""
        states = [(arrived, state) for arrived, state in self.states if arrived > since]
        pairs = pairwise(states)
        times = [arrived for (_, before), (arrived, after) in pairs if not self._free(before, after)]
        return max(times, default=since) - since

    def _free(self, before: JointState, after: JointState) -> bool:
        """Whether no force leads from one state to the next one that was received."""
        model, data = self._task.model, self._data
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = before.position, before.velocity
        period = round(self._task.timestep * 1e9)
        stamps = [1_000_000_000 * s.header.stamp.sec + s.header.stamp.nanosec for s in (before, after)]
        mujoco.mj_step(model, data, self._task.substeps * max(round((stamps[1] - stamps[0]) / period), 1))
        return bool(np.allclose(data.qvel, after.velocity, rtol=0, atol=LEAST_CHANGE))

    def said(self, node: str) -> str:
        """The newest status of a node."""
        return self.graph.statuses[node].message if node in self.graph.statuses else ""

    def watch(self) -> None:
        """Listen for `WATCH_S`."""
        listen(self.graph, WATCH_S)
