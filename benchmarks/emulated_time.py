"""Control in real time without a clock: plans take as long as their simulator steps cost at a given rate.

The controller is the real-time controller of the planner node, its state assembly, latency estimate, state
prediction, plan schedule and safety gate included. Only its two clocks and its planning thread are replaced:
a plan that begins at some moment is made at once and handed over when its steps would have been simulated.
A run therefore repeats to the bit on any machine.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.controller import Request
from polo_ros.control.joints import JointMapping
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import BegunPlan, RealTimeController
from polo_ros.control.state import ODOM, Snapshot, object_topic
from polo_ros.control.worker import Worker
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner, PlanReport
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.goals import POSE, VELOCITY


class NewestRequest(Worker[Request]):
    """Keeps the newest request for an emulated planning thread."""

    def __init__(self) -> None:
        self.failure = None
        self.newest: Request | None = None

    def submit(self, request: Request) -> None:
        """Replace the request that has not been started."""
        self.newest = request

    def take(self) -> Request | None:
        """The request to start now, if any."""
        request, self.newest = self.newest, None
        return request

    def close(self) -> None:
        """Nothing is running."""


@dataclass(frozen=True)
class PlanUnderWay:
    """A plan that has been made and is ready at an emulated time, in ns."""

    begun: BegunPlan
    report: PlanReport
    ready: int


class EmulatedController(RealTimeController):
    """The real-time controller in emulated time.

    Args:
      planner, joints, settings: see `Controller`.
      send: takes each control (nu,).
      steps_per_second: simulator steps that planning makes in a second of emulated time.

    Attributes:
      now: the emulated time, in ns.
      ready_after: for each plan, time from its state's stamp until it was ready, in s.
    """

    _worker: NewestRequest

    def __init__(
        self,
        planner: Planner,
        joints: JointMapping,
        settings: ControllerSettings,
        send: Callable[[Array], None],
        steps_per_second: float,
    ) -> None:
        self.now = 0
        self.ready_after: list[float] = []
        self._steps_per_second = steps_per_second
        self._under_way: PlanUnderWay | None = None
        outputs = ControllerOutputs(
            send=lambda ctrl, *_: send(ctrl),
            record=lambda _: None,
            show=lambda _: None,
            warn=lambda _: None,
        )
        super().__init__(planner, joints, settings, self._read, outputs, monotonic=self._read)

    def _read(self) -> int:
        return self.now

    def _make_worker(self) -> NewestRequest:
        return NewestRequest()

    def advance(self, time: int) -> None:
        """Let emulated time pass until a time in ns, and planning with it."""
        while True:
            if self._under_way is None:
                request = self._worker.take()
                if request is None:
                    break
                self._under_way = self._begin(*request)
            if self._under_way.ready > time:
                break
            plan, self._under_way = self._under_way, None
            self.now = plan.ready
            self._end_plan(plan.begun, plan.report)
            self.ready_after.append((self.now - plan.begun.stamp) / NANOSECONDS)
        self.now = time

    def _begin(self, snapshot: Snapshot, received: int) -> PlanUnderWay:
        self._apply_changes()
        begun = self._begin_plan(snapshot, received)
        report = self._planner.plan(begun.state, begun.start / NANOSECONDS)
        predicted = (begun.start - begun.stamp) // self._period * self._task.substeps
        seconds = (report.simulator_steps + predicted) / self._steps_per_second
        return PlanUnderWay(begun, report, self.now + round(seconds * NANOSECONDS))


@dataclass(frozen=True)
class Run:
    """A run in emulated time.

    Attributes:
      states: (n, state_size), one a control period.
      ctrl: (n, nu), what acted from each on.
      plans: how many were ready in time to matter.
      ready_after: mean time from a plan's state until the plan was ready, in s.
    """

    states: Array
    ctrl: Array
    plans: int
    ready_after: float


def run(
    settings: Settings,
    value: ValueEnsemble | None,
    seed: int,
    seconds: float,
    steps_per_second: float,
    world: World | None = None,
    before_step: Callable[[int], None] = lambda _: None,
) -> Run:
    """Control a world from the task's start state.

    Args:
      settings: of task, planner and control; `lockstep` is ignored.
      value: the value function, if any.
      seed: of the start state and of planning.
      seconds: simulated time.
      steps_per_second: see `EmulatedController`.
      world: what is controlled; by default a world of the planner's own model.
      before_step: called with the number of each control period, before its state is read.
    """
    task = settings.task
    joints, world = JointMapping(task.model), world or World(task, np.random.default_rng(seed))
    substeps = round(task.timestep / world.task.model.opt.timestep)
    planner = Planner(task, settings.planner, seed, threads=1)
    planner.value = value
    acting = np.array(task.neutral)

    def send(ctrl: Array) -> None:
        acting[:] = ctrl

    control = ControllerSettings(settings.planner_node, settings.planner, dict(task.weights))
    controller = EmulatedController(planner, joints, control, send, steps_per_second)
    controller.enable(True)
    period = round(task.timestep * NANOSECONDS)
    states, controls = [], []
    for index in range(max(round(seconds / task.timestep), 1)):
        controller.advance(index * period)
        controller.tick()
        before_step(index)
        add_state(controller, joints, world, index * period)
        states.append(world.state)
        controls.append(acting.copy())
        world.step(acting, substeps)
    ready_after = controller.ready_after
    mean = float(np.mean(ready_after)) if ready_after else float("nan")
    return Run(np.array(states), np.array(controls), len(ready_after), mean)


def add_state(controller: RealTimeController, joints: JointMapping, world: World, stamp: int) -> None:
    """Hand over the world's state in the parts in which messages carry it."""
    qpos, qvel = np.array(world.data.qpos), np.array(world.data.qvel)
    goals = world.task.goals
    if POSE in goals.kinds:
        index = goals.index(POSE)
        controller.add_goal(world.data.mocap_pos[index].copy(), world.data.mocap_quat[index].copy(), stamp)
    if VELOCITY in goals.kinds:
        controller.add_velocity_goal(world.data.mocap_pos[goals.index(VELOCITY)].copy(), stamp)
    bodies = {object_topic(body.name): body for body in joints.objects}
    if joints.base is not None:
        bodies[ODOM] = joints.base
    for topic, body in bodies.items():
        pose, twist = qpos[body.qpos : body.qpos + 7], qvel[body.qvel : body.qvel + 6]
        controller.add_odometry(topic, pose, twist, stamp)
    controller.add_joints(qpos[joints.qpos], qvel[joints.qvel], stamp)
