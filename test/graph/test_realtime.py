"""Real time: simulator and planner run by the clock, and each survives the other."""

import signal
from collections.abc import Generator
from typing import Any

import mujoco
import numpy as np
import pytest
from hardware import Driver
from harness import Graph
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool

from polo_ros.control.timing import Timing
from polo_ros.nodes.messages import unpack_experience
from polo_ros.tasks import make_task
from polo_ros.tasks.state import set_state


class Loop:
    """Simulator and planner on the simulator's clock."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.commands = graph.record(Float64MultiArray, "effort_controller/commands")
        # half speed, so that a busy machine keeps up
        self.settings: dict[str, dict[str, Any]] = {
            "simulator_node": {"lockstep": False, "realtime_factor": 0.5},
            "planner_node": {"lockstep": False, "use_sim_time": True, "autostart": True},
        }

    def restore(self) -> None:
        """Start what is not running, and wait until it works."""
        for node, parameters in self.settings.items():
            if node not in self.graph.children or self.graph.children[node].poll() is not None:
                self.graph.start(node, **parameters)
        self.wait_for_motion()

    def wait_for_motion(self) -> None:
        """Until the planner plans, commands forces and the simulator follows."""
        self.graph.wait_says("planner_node", "planning")
        seen = len(self.commands)
        self.graph.wait(lambda: any(any(m.data) for m in self.commands[seen:]), "force")
        self.graph.wait_says("simulator_node", "running")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Loop]:
    with Graph(tmp_path_factory.mktemp("loop")) as graph:
        yield Loop(graph)


@pytest.fixture
def loop(both: Loop) -> Loop:
    """Simulator and planner, acting."""
    both.restore()
    return both


def test_commands_flow_by_the_clock(loop: Loop) -> None:
    plans = loop.graph.reported("planner_node", "plans")
    loop.graph.wait(lambda: loop.graph.reported("planner_node", "plans") > plans, "further plans")


def test_experience_pairs_each_state_with_the_control_that_moved_it(loop: Loop) -> None:
    task = make_task("cartpole_swingup")
    data = mujoco.MjData(task.model)
    messages = loop.graph.record(Float64MultiArray, "experience")
    rows: list[dict[str, np.ndarray]] = []
    in_succession = 0

    def leads(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> bool:
        if round((after["time"][0] - before["time"][0]) / task.timestep) != 1:
            return False
        mujoco.mj_resetData(task.model, data)
        set_state(task.model, data, before["state"][0])
        data.ctrl[:] = before["ctrl"][0]
        mujoco.mj_step(task.model, data, task.substeps)
        return np.allclose(task.state_of(data), after["state"][0], rtol=0, atol=1e-9)

    def moved() -> int:
        """How many times in succession, up to the newest, a state's control led to the next state."""
        nonlocal in_succession
        for message in messages[len(rows) :]:
            rows.append(unpack_experience(message, task))
            in_succession = in_succession + 1 if len(rows) > 1 and leads(*rows[-2:]) else 0
            if in_succession >= 10:
                break
        return in_succession

    # on a busy machine a command may come a period late, now and then
    loop.graph.wait(lambda: moved() >= 10, "states that their controls lead on from")
    times = [row["time"][0] for row in rows]
    assert times == sorted(set(times))


def test_a_killed_planner_leaves_the_robot_safe_and_its_successor_goes_on(loop: Loop) -> None:
    loop.graph.kill("planner_node")
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    seen = len(loop.commands)
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    assert len(loop.commands) == seen
    loop.restore()
    assert "another publisher" not in loop.graph.log("planner_node")  # the killed one does not count


def test_an_interrupted_planner_ends_with_its_safe_action(loop: Loop) -> None:
    """However often it is interrupted: users press Ctrl-C again, and launch interrupts its nodes as well."""
    for _ in range(20_000):
        loop.graph.children["planner_node"].send_signal(signal.SIGINT)
    assert loop.graph.end("planner_node") == 0
    loop.graph.wait(lambda: set(loop.commands[-1].data) == {0.0}, "the safe action as the last command")
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    assert set(loop.commands[-1].data) == {0.0}


def test_a_simulator_that_starts_again_turns_back_time_and_the_planner_says_so(loop: Loop) -> None:
    loop.graph.kill("simulator_node")
    loop.graph.wait_says("planner_node", "safe action: no state has come for")  # its clock stands still, too
    loop.restore()
    assert "time jumped back" in loop.graph.log("planner_node")


def test_a_plan_that_runs_out_is_counted_and_said(graph: Graph) -> None:
    driver = Driver(graph)
    # plans last 0.1 s and states are fresh for 2 s: with a silent driver the last plan runs out
    graph.start(
        "planner_node", lockstep=False, autostart=True, horizon=5, noise="white",
        safety__state_timeout=2.0,
    )  # fmt: skip

    def names() -> set[str]:
        found = graph.statuses.get("planner_node")
        return {pair.key for pair in found.values} if found else set()

    known = {"deadline_misses", "plan_age", "plan_age_max", "state_age", "state_age_max", "plan_rate"}
    graph.wait(lambda: names() >= known, "ages and rate")
    missed = graph.reported("planner_node", "missed_plans")
    driver.running = False
    graph.wait_says("planner_node", "safe action: the plan has run out")
    assert graph.reported("planner_node", "missed_plans") > missed
    assert graph.reported("planner_node", "safe_ticks") > 0


def test_a_node_that_joins_while_the_world_is_paused_learns_the_time(graph: Graph) -> None:
    graph.start("simulator_node", lockstep=False)
    states = graph.record(JointState, "joint_states")
    graph.wait(lambda: states, "first state")
    assert graph.call(SetBool, "simulator_node/set_pause", data=True).success
    clock = graph.record(Clock, "/clock", qos_profile_sensor_data)
    graph.wait(lambda: len(clock) > 1, "time of the paused world")
    graph.wait(lambda: states[-1].header.stamp == clock[-1].clock, "the newest state")


def test_enabling_again_begins_with_a_new_plan(graph: Graph) -> None:
    Driver(graph)
    graph.start("planner_node", lockstep=False, autostart=True, safety__state_timeout=2.0)
    graph.wait_says("planner_node", "planning")
    episode = graph.reported("planner_node", "episode")
    assert graph.enable(False).success
    assert graph.enable(True).success
    graph.wait(lambda: graph.reported("planner_node", "episode") == episode + 1, "another episode")
    assert graph.enable(True).success  # which changes nothing
    plans = graph.reported("planner_node", "plans")
    graph.wait(lambda: graph.reported("planner_node", "plans") > plans, "further plans")
    assert graph.reported("planner_node", "episode") == episode + 1


def test_time_is_judged_by_stamps() -> None:
    second = 1_000_000_000
    timing = Timing(period=10 * second)
    assert timing.report(0, plans=2) == {"control_ticks": 0, "safe_ticks": 0, "deadline_misses": 0}
    timing.tick(10 * second, state=None, plan=None)
    timing.tick(24 * second, state=20 * second, plan=14 * second)  # late by less than half a period
    timing.tick(40 * second, state=38 * second, plan=20 * second)  # and by more
    assert timing.report(40 * second, plans=12) == {
        "control_ticks": 3, "safe_ticks": 1, "deadline_misses": 1,
        "plan_age": "15.0000", "plan_age_max": "20.0000",
        "state_age": "3.0000", "state_age_max": "4.0000",
        "plan_rate": "0.25",
    }  # fmt: skip
    assert timing.report(50 * second, plans=12) == {
        "control_ticks": 3, "safe_ticks": 1, "deadline_misses": 1, "plan_rate": "0.00",
    }  # fmt: skip
