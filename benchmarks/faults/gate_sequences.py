"""Sequences of events through the real gate and command path, and what must hold of every command.

The messages are unpacked, assembled, planned from, gated and sent by the parts that the planner node uses;
only the plans' knots are random instead of optimised, so that bad plans occur.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState

from benchmarks.faults.gate_inputs import DEADLINE_S, DrawnPlanner, draw_config, task_of
from benchmarks.faults.gate_rules import Oracle, State
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.lockstep import LockstepController
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import RealTimeController
from polo_ros.control.state import Snapshot
from polo_ros.nodes.messages import to_stamp
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.tasks.state import LARGEST_VALUE

PERIOD = NANOSECONDS // 50  # of each of them
START = 1_000 * NANOSECONDS
# how often each event is drawn, relative to the others
EVENTS = {
    "state": 12, "tick": 10, "wait": 2, "jump": 1, "press": 1, "release": 2, "enable": 3, "disable": 1,
    "parameters": 2, "result": 3, "reset": 1, "slow": 1, "finish": 3,
}  # fmt: skip
NAMES = tuple(name for name, weight in EVENTS.items() for _ in range(weight))

Event = tuple[str, int]


@dataclass(frozen=True)
class Sequence:
    """What is drawn: the robot, the mode, where everything begins, and events with their random seeds."""

    robot: str
    lockstep: bool
    autostart: bool
    compensates: bool
    seed: int
    events: tuple[Event, ...]


class Run:
    """One sequence through one controller.

    Args:
      sequence: what happens.

    Attributes:
      counts: of events, and of commands by what gave them.
    """

    def __init__(self, sequence: Sequence) -> None:
        task = task_of(sequence.robot)
        joints = JointMapping(task.model)
        self.counts: Counter[str] = Counter()
        self._sequence = sequence
        self._task = task
        self._joints = joints
        self._now = START
        self._stamp = START
        self._rng = np.random.default_rng(sequence.seed)
        self._planner = DrawnPlanner(task, sequence.seed)
        self._settings = self._draw_settings(self._rng)
        self._oracle = Oracle(task, joints, sequence.lockstep, sequence.autostart, self._settings.node.safety)
        self._planner.on_begin = self._oracle.begin_plan
        self._planner.on_plan = self._oracle.end_plan
        outputs = ControllerOutputs(
            send=self._on_send, record=lambda _: None, show=lambda _: None, warn=lambda _: None
        )
        kind = LockstepController if sequence.lockstep else RealTimeController
        self._controller = kind(self._planner, joints, self._settings, lambda: self._now, outputs)
        self._observe_worker()
        # a velocity that is NaN is a fault here, as it is of a driver that has sent others before
        receiver = StateReceiver(
            joints, self._controller, lambda _: None, lambda _: None, differentiate=False
        )
        ((_, _, self._receive),) = receiver.state_topics()

    def run(self) -> Counter[str]:
        """Let everything happen and check each command.

        Raises:
          AssertionError: a command that must not be.
        """
        try:
            for name, seed in self._sequence.events:
                self.counts[name] += 1
                rng = np.random.default_rng(seed)
                getattr(self, f"_{name}")(rng)
                self._settle()
                self._controller.check()
        finally:
            self._planner.slow = False
            self._planner.finish()
            self._settle()
            self._oracle.clock = self._stamp if self._sequence.lockstep else self._now
            self._oracle.closing = True
            self._controller.close()
        return self.counts

    # ---- events

    def _state(self, rng: np.random.Generator) -> None:
        """A state of now, of one that was delayed, or in lockstep the same again."""
        if self._sequence.lockstep:
            self._stamp += PERIOD * int(rng.choice([0, 1, 1, 1, 2]))
            self._now = max(self._now, self._stamp)
        else:
            self._now += int(rng.integers(0, PERIOD))
            self._stamp = self._now - int(rng.choice([0, 0, PERIOD // 2, 3 * PERIOD, 20 * PERIOD]))
        kind = str(rng.choice(["usual", "usual", "usual", "fast", "far", "refused"]))
        qpos, qvel = rng.uniform(-1.0, 1.0, 2), rng.uniform(-2.0, 2.0, 2)
        if kind == "fast":
            qvel *= 0.5 * LARGEST_VALUE
        elif kind == "far":
            qpos *= 10.0
        elif kind == "refused":
            entry = rng.choice([np.nan, np.inf, 2.0 * LARGEST_VALUE])
            (qpos if rng.random() < 0.5 else qvel)[int(rng.integers(2))] = entry
        if kind != "refused":
            self._oracle.add_state(State(qpos, qvel, self._stamp))
        message = JointState(name=self._joints.joint_names, position=list(qpos), velocity=list(qvel))
        message.header.stamp = to_stamp(self._stamp)
        before = self.counts["commands"]
        self._oracle.clock = self._stamp if self._sequence.lockstep else self._now
        self._receive(message)
        if self._sequence.lockstep and kind != "refused" and self.counts["commands"] == before:
            self._on_silence()

    def _tick(self, rng: np.random.Generator) -> None:
        """A control tick, early or late; in lockstep the simulator asks again."""
        if self._sequence.lockstep:
            return
        self._now += int(rng.choice([PERIOD, PERIOD, PERIOD // 3, 2 * PERIOD]))
        self._oracle.clock = self._stamp if self._sequence.lockstep else self._now
        before = self.counts["commands"]
        assert isinstance(self._controller, RealTimeController)
        self._controller.tick()
        if self.counts["commands"] == before:
            self._on_silence()

    def _on_silence(self) -> None:
        self.counts["silent"] += 1
        self._oracle.on_silence()

    def _wait(self, rng: np.random.Generator) -> None:
        """Neither state nor tick for a while."""
        self._now += int(rng.integers(0, 3 * NANOSECONDS))
        if self._sequence.lockstep:
            self._stamp = self._now // PERIOD * PERIOD

    def _jump(self, rng: np.random.Generator) -> None:
        """The clock is put forward or back."""
        self._now += int(rng.integers(-5 * NANOSECONDS, 5 * NANOSECONDS))
        self._stamp = self._now // PERIOD * PERIOD

    def _press(self, _: np.random.Generator) -> None:
        self._oracle.e_stop(True)
        self._controller.e_stop(True)

    def _release(self, _: np.random.Generator) -> None:
        self._oracle.e_stop(False)
        self._controller.e_stop(False)

    def _enable(self, _: np.random.Generator) -> None:
        self._oracle.enable(True)
        self._controller.enable(True)

    def _disable(self, _: np.random.Generator) -> None:
        self._oracle.enable(False)
        self._controller.enable(False)

    def _parameters(self, rng: np.random.Generator) -> None:
        settings = self._draw_settings(rng)
        self._oracle.parameters = settings.node.safety
        self._controller.configure(settings)

    def _result(self, rng: np.random.Generator) -> None:
        self._planner.result = str(
            rng.choice(["good", "good", "good", "wild", "diverged", "diverged", "nan"])
        )

    def _reset(self, _: np.random.Generator) -> None:
        self._controller.reset()

    def _slow(self, _: np.random.Generator) -> None:
        self._planner.slow = not self._planner.slow

    def _finish(self, _: np.random.Generator) -> None:
        self._planner.finish()

    # ---- the controller

    def _draw_settings(self, rng: np.random.Generator) -> ControllerSettings:
        sequence = self._sequence
        node = draw_config(rng, sequence.lockstep, sequence.autostart, sequence.compensates)
        return ControllerSettings(node, self._planner.config, {})

    def _on_send(self, ctrl: Array, stamp: int, _: Array) -> None:
        motion = self._controller._gate._motion
        planned = motion is not None and motion.ramp_start is not None
        self.counts["commands"] += 1
        if self._oracle.closing:
            self.counts["final"] += 1
            self._oracle.check_final(ctrl)
            return
        self.counts["planned" if planned else "safe"] += 1
        if self._sequence.lockstep:
            self._oracle.clock = stamp
        self._oracle.check(ctrl, planned)

    def _observe_worker(self) -> None:
        """Know when the planning thread has nothing to do."""
        worker: Any = self._controller._worker
        condition = self._planner.condition
        self._pending = self._busy = False
        submit, work = worker.submit, worker._work

        def submitting(request: tuple[Snapshot, int]) -> None:
            with condition:
                self._pending = True
            submit(request)

        def working(request: tuple[Snapshot, int]) -> None:
            with condition:
                self._pending, self._busy = False, True
            try:
                work(request)
            finally:
                with condition:
                    self._busy = False
                    condition.notify_all()

        worker.submit, worker._work = submitting, working

    def _settle(self) -> None:
        """Wait until the planning thread has nothing to do or stands still in a plan."""

        def settled() -> bool:
            idle = not self._pending and not self._busy
            return idle or self._planner.stopped or self._controller._worker.failure is not None

        with self._planner.condition:
            assert self._planner.condition.wait_for(settled, DEADLINE_S), "planning hangs"
