"""The controls that a trajectory carries beyond the present one: within the gate's limits, and no longer."""

from dataclasses import replace

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import PlannerNodeConfig, SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.safety import SafetyGate
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import from_stamp, pack_trajectory
from polo_ros.parameters.schema import build
from polo_ros.planner import Plan, Planner, PlannerConfig
from polo_ros.tasks import Task
from test.support.quadruped import Trot

PERIOD = NANOSECONDS // 50


class Following:
    """Servos of the quadruped that follow plans.

    Args:
      parameters: of safety.
    """

    def __init__(self, parameters: SafetyParameters) -> None:
        self.task = Trot()
        config = PlannerConfig(rollouts=8, horizon=4, noise_knots=2, interpolation="linear")
        self.planner = Planner(self.task, config, seed=0, threads=1)
        self.joints = JointMapping(self.task.model)
        self.gate = SafetyGate(self.task, self.joints, True, parameters)
        self.follower = PlanFollower(self.planner, self.gate, PERIOD)
        qpos = self.task.start_state(np.random.default_rng(0))[: self.task.model.nq]
        self.measured = Measured(qpos, np.zeros(self.task.model.nv), fresh=True)

    def plan(self, start: float, first: float, last: float) -> None:
        """Follow, from a time in s on for 0.08 s, all servos from one angle to another in rad."""
        knots = np.linspace(first, last, 2)[:, None] * np.ones(self.task.model.nu)
        self.follower.schedule.add(Plan(start, 0.08, knots, "linear"), 0, start)

    def following(self, time: float, count: int) -> Array:
        return self.follower.following(round(time * NANOSECONDS), count, self.measured)


def test_the_plans_next_samples_follow_across_plans_and_end_with_them() -> None:
    found = Following(SafetyParameters())
    found.plan(0.0, 0.0, 0.08)
    np.testing.assert_allclose(found.following(0.0, 3)[:, 0], [0.02, 0.04, 0.06], atol=1e-9)
    assert len(found.following(0.0, 50)) == 4
    assert found.following(0.0, 0).shape == (0, 8)
    assert found.following(0.08, 5).shape == (0, 8)
    found.plan(0.04, 0.5, 0.58)
    np.testing.assert_allclose(found.following(0.0, 3)[:, 0], [0.02, 0.5, 0.52], atol=1e-9)


def test_each_point_is_within_range_and_rate() -> None:
    found = Following(SafetyParameters(max_rate=2.0))
    found.plan(0.0, 100.0, 100.0)
    plan = found.follower.schedule.at(0.0)
    assert plan is not None
    now = found.follower.command(plan.plan, 0.0, found.measured)
    assert now is not None
    controls = np.array([now.ctrl, *found.following(0.0, 4)])
    steps = np.diff(controls, axis=0)
    np.testing.assert_allclose(steps, 2.0 * 0.02, atol=1e-9)
    assert (controls <= found.task.control_high).all()
    # what is expected has not been commanded: the next command is the first that followed
    after = found.follower.command(plan.plan, 0.02, found.measured)
    assert after is not None
    np.testing.assert_allclose(after.ctrl, controls[1], atol=1e-12)


def test_nothing_follows_where_the_gate_is_closed() -> None:
    found = Following(SafetyParameters())
    found.plan(0.0, 0.0, 0.08)
    found.gate.e_stop(True)
    assert found.following(0.0, 3).shape == (0, 8)
    found.gate.e_stop(False)
    found.gate.enable(True)
    found.measured = replace(found.measured, fresh=False)
    assert found.following(0.0, 3).shape == (0, 8)


def test_a_trajectory_says_when_and_where_each_joint_should_be() -> None:
    positions = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    message = pack_trajectory(["hip", "knee"], positions, 3 * NANOSECONDS, PERIOD, answered=7)
    assert (list(message.joint_names), from_stamp(message.header.stamp)) == (["hip", "knee"], 3 * NANOSECONDS)
    assert [list(point.positions) for point in message.points] == positions.tolist()
    after = [point.time_from_start for point in message.points]
    assert [(each.sec, each.nanosec) for each in after] == [(0, 0), (0, PERIOD), (0, 2 * PERIOD)]
    # a joint_trajectory_controller takes no efforts, and a last velocity other than zero only if told
    assert all(not len(point.velocities) and not len(point.effort) for point in message.points)


def test_trajectories_are_for_servos_in_real_time(cartpole: Task) -> None:
    JointMapping(Trot().model).check_trajectories()
    sentence = "carries positions, but the actuator of joint 'slider' is no position servo; set"
    with pytest.raises(PoloError, match=sentence):
        JointMapping(cartpole.model).check_trajectories()
    with pytest.raises(PoloError, match="command_message: trajectory needs lockstep: false"):
        build(PlannerNodeConfig, {"command_message": "trajectory", "lockstep": True})
    settings = build(PlannerNodeConfig, {"command_message": "trajectory", "lockstep": False})
    assert settings.following_points == 4
    assert PlannerNodeConfig().following_points == 0
