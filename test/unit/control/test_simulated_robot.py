"""A world that takes commands as a robot does: late, safely when they stop, measured with noise."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.faults.robots import make_arm
from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.config import SimulatorNodeConfig
from polo_ros.control.joints import JointMapping
from polo_ros.control.simulated_robot import PUSH_S, RESET_GAP_S, SimulatedRobot
from polo_ros.errors import PoloError
from polo_ros.tasks import Task

PERIOD = NANOSECONDS // 50
CONFIG = SimulatorNodeConfig(control_rate=50.0, command_timeout=0.1)


def robot(task: Task, config: SimulatorNodeConfig = CONFIG, seed: int = 0) -> tuple[SimulatedRobot, World]:
    world = World(task, np.random.default_rng(0))
    return SimulatedRobot(world, task, JointMapping(task.model), config, seed), world


def test_a_command_acts_once_its_latency_is_over_and_until_commands_time_out(cartpole: Task) -> None:
    simulated, world = robot(cartpole, replace(CONFIG, latency=0.04))
    assert simulated.commands_stopped
    simulated.add_command(np.array([0.5]))
    acted = []
    for _ in range(12):
        simulated.advance_by_clock()
        acted.append(float(world.data.ctrl[0]))
    # 2 periods of latency, then as long as the timeout and the latency last since the command was sent
    assert acted == [0.0] * 2 + [0.5] * 5 + [0.0] * 5
    assert simulated.commands_stopped
    assert simulated.time == 12 * PERIOD


def test_the_safe_action_may_brake(cartpole: Task) -> None:
    simulated, world = robot(cartpole, replace(CONFIG, safe_action="damping", damping=4.0))
    world.data.qvel[0] = 1.0
    simulated.advance_by_clock()
    assert world.data.ctrl[0] == pytest.approx(-0.4)  # N·s/m over the motor's gear of 10


@pytest.mark.parametrize("action", ["zero", "damping", "hold"])
def test_no_effort_is_held_and_servos_stay(action: str) -> None:
    simulated, world = robot(make_arm("motor"), replace(CONFIG, safe_action=action))
    begun = 2.0 * world.data.qpos[0]  # at a gear of 2
    for expected in (begun, 0.4):
        for _ in range(12):
            speed = world.data.qvel[1]
            simulated.advance_by_clock()
        shoulder, elbow = world.data.ctrl
        assert shoulder == expected
        assert abs(elbow) < 0.1 and elbow * speed <= 0.0
        assert action != "zero" or elbow == 0.0
        world.data.qvel[1] = 0.5
        simulated.add_command(np.array([0.4, 0.9]))


def test_without_a_new_control_the_last_one_acts(cartpole: Task) -> None:
    simulated, world = robot(cartpole)
    simulated.advance(np.array([0.3]))
    simulated.advance()
    assert world.data.ctrl[0] == 0.3


def test_a_restart_keeps_time_going_and_drops_commands(cartpole: Task) -> None:
    simulated, world = robot(cartpole)
    simulated.add_command(np.array([0.5]))
    simulated.advance_by_clock()
    simulated.add_command(np.array([0.7]))
    before = simulated.time
    simulated.restart()
    assert simulated.time == before + round(RESET_GAP_S * NANOSECONDS)
    assert world.data.time == 0.0
    simulated.advance_by_clock()
    assert world.data.ctrl[0] == 0.0


def test_a_world_that_diverges_begins_again(cartpole: Task) -> None:
    simulated, world = robot(cartpole)
    assert not simulated.advance(np.zeros(1))
    world.data.qvel[0] = 1e30
    assert simulated.advance()
    assert abs(world.data.qvel[0]) < 1.0
    assert not simulated.advance()


def test_measurements_are_exact_noisy_or_lost(cartpole: Task) -> None:
    simulated, world = robot(cartpole)
    measured = simulated.measure()
    assert measured is not None
    assert (list(measured[0]), list(measured[1])) == (list(world.data.qpos), list(world.data.qvel))
    simulated.config = replace(CONFIG, noise=0.1)
    noisy = np.array([np.concatenate(simulated.measure() or ()) for _ in range(200)])
    assert np.allclose((noisy - np.concatenate(measured)).std(axis=0), 0.1, rtol=0.3)
    simulated.config = replace(CONFIG, drop_rate=0.5)
    lost = sum(simulated.measure() is None for _ in range(200))
    assert 60 < lost < 140


def test_a_control_rate_that_does_not_divide_the_physics_is_refused(cartpole: Task) -> None:
    with pytest.raises(PoloError, match=r"control_rate 33\.0 does not divide the model's rate of"):
        robot(cartpole, replace(CONFIG, control_rate=33.0))


def test_a_push_lasts_a_moment_and_is_stopped_by_a_zero_one(cartpole: Task) -> None:
    simulated, world = robot(cartpole)
    push = np.array([50.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    simulated.push("cart", push)
    pushed = []
    for _ in range(15):
        simulated.advance_by_clock()
        pushed.append(float(world.data.body("cart").xfrc_applied[0]))
    periods = round(PUSH_S * NANOSECONDS / PERIOD)
    assert pushed == [50.0] * periods + [0.0] * (15 - periods)
    assert world.data.qvel[0] > 0.0
    simulated.push("cart", push)
    simulated.push("cart", np.zeros(6))
    simulated.advance_by_clock()
    assert not world.data.xfrc_applied.any()


@pytest.mark.parametrize("body", ["world", "elbow"])
def test_what_cannot_be_pushed_is_named(cartpole: Task, body: str) -> None:
    simulated, _ = robot(cartpole)
    with pytest.raises(PoloError, match=f"there is no body '{body}' to push"):
        simulated.push(body, np.zeros(6))
