"""Twists in another frame than the planner was told are noticed, and no others."""

import numpy as np
import pytest

from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import Sample
from polo_ros.control.twist_frame import TwistFrameCheck, turn
from polo_ros.tasks import make_task
from polo_ros.tasks.rotations import rotation_matrix

# of the actuators' ranges; at full force the simulation of a humanoid diverges now and then
FORCE = 0.3


def faults(name: str, told: str, real: str, seed: int, seconds: float = 3.0, noise: float = 0.0) -> list[str]:
    """The verdict after each message of a robot that moves at random, its twist in a real frame."""
    task = make_task(name)
    joints = JointMapping(task.model)
    body = joints.base or joints.objects[0]
    rng = np.random.default_rng(seed)
    world, check, ctrl = World(task, rng), TwistFrameCheck("odom", told), task.neutral
    said = []
    for index in range(round(seconds / task.timestep)):
        if index % 10 == 0:
            ctrl = FORCE * rng.uniform(task.control_low, task.control_high)
        world.step(ctrl)
        qpos = world.data.qpos[body.qpos : body.qpos + 7] + noise * rng.standard_normal(7)
        qpos[3:] /= np.linalg.norm(qpos[3:])
        velocity = world.data.qvel[body.qvel : body.qvel + 6] + noise * rng.standard_normal(6)
        matrix = rotation_matrix(qpos[3:])
        linear, angular = velocity[:3], matrix @ velocity[3:]  # both in the world
        if real == "child":
            linear, angular = matrix.T @ linear, matrix.T @ angular
        # as `unpack_odometry` reads them
        if told == "child":
            linear = matrix @ linear
        else:
            angular = matrix.T @ angular
        stamp = round((index + 1) * task.timestep * NANOSECONDS)
        check.add(Sample(qpos, np.concatenate([linear, angular]), stamp))
        said.append(check.fault)
    return said


@pytest.mark.parametrize("name", ["humanoid_getup", "humanoid_walk", "hand_cube"])
@pytest.mark.parametrize("frame", ["child", "world"])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_twist_in_the_told_frame_is_never_a_fault(name: str, frame: str, noise: float) -> None:
    assert not any(faults(name, frame, frame, seed=0, noise=noise))


@pytest.mark.parametrize(("told", "real"), [("child", "world"), ("world", "child")])
def test_a_twist_in_the_other_frame_is_named_with_what_to_set(told: str, real: str) -> None:
    said = faults("humanoid_getup", told, real, seed=0)
    assert said[-1] == (
        f"the twist of odom is in the {real} frame, as its poses show, and not in the {told} frame; "
        f"set odom_twist_frame to {real}"
    )


def test_a_turn_is_the_rotation_in_the_bodys_frame() -> None:
    half = np.sqrt(0.5)
    quarter = np.array([half, 0.0, 0.0, half])
    np.testing.assert_allclose(turn(np.array([1.0, 0, 0, 0]), quarter), [0, 0, np.pi / 2])
    np.testing.assert_allclose(turn(quarter, -quarter), np.zeros(3), atol=1e-12)
