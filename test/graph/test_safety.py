"""When the planner commands and what it does otherwise, with a driver in the simulator's place; and how
the simulator acts when commands stop."""

from collections.abc import Generator

import mujoco
import numpy as np
import pytest
from hardware import Hardware
from harness import EVERYTHING, LATCHED, Graph, stamps
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray

from polo_ros.control.joints import JointMapping
from polo_ros.files import share_path
from polo_ros.nodes.messages import pack_command
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks import make_task

FORCE = 10.0  # N, the cart's motor
PERIOD = 20_000_000  # ns


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hardware]:
    with Graph(tmp_path_factory.mktemp("hardware")) as graph:
        yield Hardware(graph)


def press(hardware: Hardware, pressed: bool) -> None:
    """Press or release the e-stop."""
    publisher = hardware.graph.node.create_publisher(Bool, "hardware/e_stop", LATCHED)
    hardware.graph.wait(publisher.get_subscription_count, "reader of the e-stop")
    publisher.publish(Bool(data=pressed))


@pytest.fixture
def moving(planner: Hardware) -> Generator[Hardware]:
    """The planner, enabled and planning; disabled again and as it was afterwards."""
    assert planner.graph.enable(True).success
    planner.wait_for_motion()
    yield planner
    press(planner, False)
    planner.driver.running = True
    planner.driver.velocities = [0.0, 0.0]
    planner.driver.age = 0.0
    defaults = {
        "safety__action": "zero", "safety__max_effort_scale": 1.0, "safety__state_timeout": 1.0,
        "safety__damping": 5.0,
    }  # fmt: skip
    assert all(result.successful for result in planner.graph.set("planner_node", **defaults))
    planner.graph.enable(False)


def test_before_it_is_enabled_a_planner_commands_nothing(planner: Hardware) -> None:
    for _ in range(2):
        planner.graph.wait_says("planner_node", "safe action: not enabled; call ~/enable")
    assert not planner.commands


def test_enabling_moves_and_disabling_stops(moving: Hardware) -> None:
    answer = moving.graph.enable(False)
    assert answer.success and answer.message == "disabled"
    assert set(moving.forces()) == {0.0}
    moving.graph.wait_says("planner_node", "safe action: not enabled; call ~/enable")


def test_after_an_e_stop_motion_needs_an_explicit_enable(moving: Hardware) -> None:
    press(moving, True)
    moving.graph.wait_says("planner_node", "safe action: e-stop pressed")
    assert set(moving.forces()) == {0.0}
    refused = moving.graph.enable(True)
    assert not refused.success and "e-stop is pressed" in refused.message
    assert set(moving.forces()) == {0.0}
    press(moving, False)
    moving.graph.wait_says("planner_node", "safe action: not enabled")
    assert set(moving.forces()) == {0.0}
    assert moving.graph.enable(True).success
    moving.wait_for_motion()
    moving.graph.wait_says("planner_node", "planning")


def test_a_stale_state_stops_until_it_is_fresh_again(moving: Hardware) -> None:
    moving.driver.running = False
    moving.wait_for_rest()
    moving.graph.wait_says("planner_node", "s old, more than 1.000 s")
    moving.driver.running = True
    moving.wait_for_motion()


def test_damping_brakes_the_joints(moving: Hardware) -> None:
    moving.graph.enable(False)
    assert set(moving.forces()) == {0.0}
    moving.driver.velocities = [1.0, 0.0]
    # parameters of safety act at once, while disabled, too
    for gain in (4.0, 2.0):
        set_ = moving.graph.set("planner_node", safety__action="damping", safety__damping=gain)
        assert all(result.successful for result in set_)
        assert set(moving.forces()) == {-gain}


def test_hold_damps_efforts_after_an_e_stop_and_says_so(moving: Hardware) -> None:
    moving.driver.velocities = [0.5, 0.0]
    moving.graph.set("planner_node", safety__action="hold", safety__damping=4.0)
    press(moving, True)
    moving.graph.wait_says("planner_node", "safe action: e-stop pressed")
    assert set(moving.forces()) == {-2.0}
    moving.driver.velocities = [0.0, 0.0]
    assert set(moving.forces()[1:]) == {0.0}
    press(moving, False)
    moving.graph.wait_says("planner_node", "safe action: not enabled")
    assert set(moving.forces()) == {0.0}
    assert "efforts are damped instead" in moving.graph.log("planner_node")


def test_a_brake_ends_with_the_states(moving: Hardware) -> None:
    moving.driver.velocities = [0.5, 0.0]
    moving.graph.set("planner_node", safety__action="damping")
    moving.graph.enable(False)
    assert set(moving.forces()) == {-2.5}
    moving.driver.running = False
    moving.wait_for_rest()


def test_raising_the_timeout_leads_out_of_a_stale_state(moving: Hardware) -> None:
    moving.driver.age = 1.3
    moving.graph.wait_says("planner_node", "s old, more than 1.000 s")
    assert all(r.successful for r in moving.graph.set("planner_node", safety__state_timeout=2.0))
    moving.graph.wait_says("planner_node", "planning")


def test_plans_that_find_nothing_end_in_the_safe_action(moving: Hardware) -> None:
    moving.driver.velocities = [1e6, 0.0]
    moving.graph.wait_says("planner_node", "every rollout diverged; safe action: the plan has run out")
    moving.wait_for_rest()
    moving.driver.velocities = [0.0, 0.0]
    moving.wait_for_motion()
    moving.graph.wait_says("planner_node", "planning")


def test_efforts_are_clamped_to_their_share(moving: Hardware) -> None:
    moving.graph.set("planner_node", noise_sigma=1.0)
    assert max(map(abs, moving.forces(50))) > 0.05 * FORCE
    moving.graph.set("planner_node", safety__max_effort_scale=0.05)
    moving.forces()
    assert 0.0 < max(map(abs, moving.forces(50))) <= 0.05 * FORCE


@pytest.mark.parametrize("latency", [0.0, 0.1])
def test_the_simulator_lets_go_when_commands_stop(graph: Graph, latency: float) -> None:
    task = make_task("cartpole_swingup")
    data = mujoco.MjData(task.model)
    states = graph.record(JointState, "joint_states")
    commands = graph.node.create_publisher(Float64MultiArray, "effort_controller/commands", EVERYTHING)
    graph.start("simulator_node", lockstep=False, command_timeout=0.1, latency=latency)
    graph.wait(lambda: states and commands.get_subscription_count(), "simulator")
    graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    sent = len(states)
    commands.publish(pack_command(np.array([0.5 * FORCE]), 0))

    def force(before: JointState, after: JointState) -> float:
        """Which of the two controls leads from one state to the next."""
        for ctrl in (0.0, 0.5):
            mujoco.mj_resetData(task.model, data)
            data.qpos[:], data.qvel[:], data.ctrl[:] = before.position, before.velocity, ctrl
            mujoco.mj_step(task.model, data)
            if np.allclose(data.qvel, after.velocity, rtol=0, atol=1e-9):
                return ctrl * FORCE
        raise AssertionError(f"neither control leads from {before} to {after}")

    def forces() -> list[float]:
        pairs = zip(states[sent - 1 :], states[sent:], strict=False)
        return [force(before, after) for before, after in pairs]

    graph.wait(lambda: len(states) >= sent + 10 and any(forces()) and not any(forces()[-10:]), "safe action")
    assert set(np.diff(stamps(states))) == {PERIOD}
    assert forces().count(0.5 * FORCE) == 5
    graph.wait_says("simulator_node", "no command for 0.1 s: safe action")


@pytest.mark.parametrize("action", ["damping", "hold"])
def test_an_ended_planner_leaves_no_effort(graph: Graph, action: str) -> None:
    hardware = Hardware(graph, autostart=True)
    hardware.driver.velocities = [1.0, 0.0]
    graph.set("planner_node", safety__action=action)
    hardware.wait_for_motion()
    assert graph.end("planner_node") == 0
    graph.wait(lambda: hardware.commands[-1].data[0] == 0.0, "release")


def test_servos_begin_where_they_are(graph: Graph) -> None:
    """A disabled planner of the hand is silent; enabled, it leads off from the measured pose, no faster
    than allowed."""
    config = share_path("config", "hand_cube.yaml")
    joints = JointMapping(settings_for("hand_cube").task.model)
    states = graph.record(JointState, "joint_states")
    commands = graph.record(Float64MultiArray, "position_controller/commands")
    rate = 0.5
    graph.start("simulator_node", config=config, lockstep=False, realtime_factor=0.2)
    graph.start(
        "planner_node", config=config, lockstep=False, use_sim_time=True, threads=1, horizon=8, rollouts=8,
        noise_knots=2, safety__max_rate=rate, safety__state_timeout=1.0,
    )  # fmt: skip
    for _ in range(2):
        graph.wait_says("planner_node", "safe action: not enabled; call ~/enable")
    graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    assert not commands
    assert graph.enable(True).success
    graph.wait(lambda: len(commands) > 20, "commands")
    sent = np.array([message.data for message in commands])
    poses = [dict(zip(m.name, m.position, strict=True)) for m in states]
    measured = np.array([[pose[name] for name in joints.command_joints] for pose in poses])
    low, high = map(joints.command, joints.model.actuator_ctrlrange.T)
    assert np.abs(measured.clip(low, high) - sent[0]).max(axis=1).min() < 1e-9
    assert np.abs(np.diff(sent, axis=0)).max() <= rate * 0.01 + 1e-12
    assert np.abs(sent[-1] - sent[0]).max() > 0.0
