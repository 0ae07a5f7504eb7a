"""Lockstep: one control period per command, the same run for the same seed."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import CARTPOLE, EVERYTHING, Graph, stamps, wait
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from polo_ros.files import share_path
from polo_ros.nodes.messages import from_stamp, pack_command, unpack_command
from polo_ros.parameters.settings import settings_for

PERIOD = 20_000_000  # ns, of the cart-pole
HUMANOID = share_path("config", "humanoid_getup.yaml")


class RecordedRun:
    """A recorded run of planner and simulator from one seed."""

    def __init__(self, folder: Path, seed: int, config: Path = CARTPOLE) -> None:
        folder.mkdir()
        self.graph = Graph(folder)
        self._options: dict[str, Any] = {"config": config, "seed": seed}
        self._joints = self.graph.record(JointState, "joint_states")
        self._odometry = self.graph.record(Odometry, "odom")
        self.commands = self.graph.record(Float64MultiArray, "effort_controller/commands")
        self.graph.start("simulator_node", **self._options)

    def plan(self) -> None:
        """Set the world in motion; until then the simulator repeats its first state."""
        self.graph.start("planner_node", **self._options, autostart=True, threads=1, weights_file="")

    def end_commands(self) -> None:
        """Leave out later commands."""
        self.commands = list(self.commands)

    def answered(self) -> set[int | None]:
        """The stamps of the states that the commands answer."""
        return {unpack_command(message)[1] for message in self.commands}

    def knows_what_was_answered(self) -> bool:
        """Whether the states that the commands answer have reached the probe, where they queue up."""
        return self.answered() <= self.states().keys()

    def end(self) -> None:
        """Stop the nodes, with what was heard until now: a planner leaves its safe action, at any moment."""
        self._joints, self._odometry = list(self._joints), list(self._odometry)
        self.graph.__exit__(None, None, None)

    def states(self) -> dict[int, tuple[object, ...]]:
        """Everything that was published about each state, to the bit, by stamp."""
        bases = {
            stamp: repr((message.pose.pose, message.twist.twist))
            for stamp, message in zip(stamps(self._odometry), self._odometry, strict=True)
        }
        return {
            stamp: (bytes(message.position), bytes(message.velocity), bases.get(stamp))
            for stamp, message in zip(stamps(self._joints), self._joints, strict=True)
            if stamp in bases or not bases  # of the last one, only a part may have arrived
        }


def record(folder: Path, steps: int, seeds: tuple[int, ...], config: Path = CARTPOLE) -> list[RecordedRun]:
    """Runs from several seeds, side by side, each of so many control periods at least."""
    runs = [RecordedRun(folder / str(index), seed, config) for index, seed in enumerate(seeds)]
    graphs = [run.graph for run in runs]
    try:
        # The probe hears the first state before anyone answers it, so that it misses none.
        wait(lambda: all(run.states() for run in runs), "the first state", *graphs)
        for run in runs:
            run.plan()
        # the probe may find a new planner's commands later than the world has moved
        wait(
            lambda: all(len(run.states()) > steps and run.commands for run in runs),
            f"{steps} steps and commands",
            *graphs,
        )
        for run in runs:
            run.end_commands()
        wait(lambda: all(run.knows_what_was_answered() for run in runs), "the answered states", *graphs)
    finally:
        for run in runs:
            run.end()
    return runs


@pytest.fixture(scope="module")
def cartpoles(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedRun]:
    """Two runs from seed 3 and one from seed 4."""
    return record(tmp_path_factory.mktemp("cartpoles"), 100, (3, 3, 4))


def common(first: RecordedRun, second: RecordedRun) -> list[tuple[object, object]]:
    """The states that both runs have published; one has gone on for longer than the other."""
    one, other = first.states(), second.states()
    return [(one[stamp], other[stamp]) for stamp in sorted(one.keys() & other.keys())]


def test_the_same_seed_gives_the_same_states_to_the_bit(cartpoles: list[RecordedRun]) -> None:
    pairs = common(cartpoles[0], cartpoles[1])
    assert len(pairs) >= 100
    assert all(one == other for one, other in pairs)


def test_another_seed_gives_other_states(cartpoles: list[RecordedRun]) -> None:
    pairs = common(cartpoles[0], cartpoles[2])
    assert len(pairs) >= 100
    assert all(one != other for one, other in pairs)


def test_the_world_steps_one_control_period_per_command(cartpoles: list[RecordedRun]) -> None:
    times = sorted(cartpoles[0].states())
    assert set(np.diff(times)) == {PERIOD}
    answered = cartpoles[0].answered()
    assert answered
    assert answered <= set(times)


def test_the_humanoid_repeats_to_the_bit(tmp_path: Path) -> None:
    first, second = record(tmp_path, 10, (0, 0), HUMANOID)
    pairs = common(first, second)
    assert len(pairs) >= 10
    assert all(one == other for one, other in pairs)


class World:
    """A simulator without a planner, and the probe in the planner's place."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.states = graph.record(JointState, "joint_states")
        self.clock = graph.record(Clock, "/clock")
        self.commands = graph.node.create_publisher(
            Float64MultiArray, "effort_controller/commands", EVERYTHING
        )
        graph.start("simulator_node")
        graph.wait(lambda: self.states and self.commands.get_subscription_count(), "simulator")

    @property
    def now(self) -> int:
        """The newest state's stamp, in ns."""
        return stamps(self.states)[-1]

    def send(self, force: float, answered: int) -> None:
        """Command a force in N as an answer to a stamp."""
        self.commands.publish(pack_command(np.array([force]), answered))

    def wait_for_repetitions(self) -> None:
        """Until the simulator has asked again and again, so that what was sent has been handled."""
        seen = len(self.states)
        self.graph.wait(lambda: len(self.states) >= seen + 3, "repeated states")

    def step(self, force: float) -> None:
        """Answer the newest state and wait for the next."""
        before = self.now
        self.send(force, before)
        self.graph.wait(lambda: self.now > before, "next state")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with Graph(tmp_path_factory.mktemp("world")) as graph:
        yield World(graph)


def test_a_repeated_command_does_not_step_twice(world: World) -> None:
    start = world.now
    world.step(5.0)
    world.send(5.0, start)
    world.wait_for_repetitions()
    assert world.now == start + PERIOD


def test_a_command_without_a_label_steps(world: World) -> None:
    start = world.now
    world.commands.publish(Float64MultiArray(data=[1.0]))
    world.graph.wait(lambda: world.now > start, "next state")
    assert world.now == start + PERIOD


def test_the_simulator_says_that_it_waits_for_a_command(world: World) -> None:
    world.graph.wait_says("simulator_node", "lockstep awaits a command")


def test_reset_starts_afresh_without_turning_back_the_clock(world: World) -> None:
    for _ in range(5):
        world.step(10.0)
    before = world.now
    assert abs(world.states[-1].velocity[0]) > 0.1
    answer = world.graph.call(Trigger, "simulator_node/reset_world")
    assert answer.success and "start state" in answer.message
    world.graph.wait(lambda: world.now > before, "state after the reset")
    assert list(world.states[-1].velocity) == [0.0, 0.0]
    world.step(0.0)
    world.graph.wait(lambda: from_stamp(world.clock[-1].clock) == world.now, "clock of the newest state")
    times = [from_stamp(message.clock) for message in world.clock]
    assert times == sorted(times)


def test_a_paused_world_steps_on_request_only(world: World) -> None:
    def pause(on: bool) -> str:
        answer = world.graph.call(SetBool, "simulator_node/set_pause", data=on)
        assert answer.success
        return str(answer.message)

    start = world.now
    refused = world.graph.call(Trigger, "simulator_node/step_simulation")
    assert not refused.success and "pause first" in refused.message
    assert pause(True) == "paused"
    world.send(5.0, start)
    stepped = world.graph.call(Trigger, "simulator_node/step_simulation")
    assert stepped.success and "stepped to" in stepped.message
    world.graph.wait(lambda: world.now > start, "the step asked for")
    world.wait_for_repetitions()
    assert world.now == start + PERIOD
    assert pause(False) == "running"
    world.step(5.0)
    assert world.now == start + 2 * PERIOD


def test_the_start_state_is_the_tasks(world: World) -> None:
    expected = settings_for("cartpole_swingup").task.start_state(np.random.default_rng(0))
    first = world.states[0]
    assert [*first.position, *first.velocity] == list(expected)
