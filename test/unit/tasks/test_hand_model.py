"""The hand's model: parity with the Adroit hand of gymnasium-robotics, and physics that can be trusted."""

import importlib.util
from functools import cache
from pathlib import Path

import mujoco
import numpy as np
import pytest
from transforms3d.quaternions import quat2mat

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.hand_cube import FINGERS, JOINTS

# how the reference calls the fingers, and contact shapes that are not named after their body
SHORT = {"forefinger": "ff", "middle_finger": "mf", "ring_finger": "rf", "little_finger": "lf", "thumb": "th"}
SHAPES = {"palm": "C_palm0", "palm_edge": "C_palm1", "forearm": "C_forearm1", "wrist": "C_wrist"}


@pytest.fixture
def task() -> Task:
    return make_task("hand_cube")


@pytest.fixture
def reference() -> mujoco.MjModel:
    return compiled_reference()


@cache
def compiled_reference() -> mujoco.MjModel:
    # found, not imported: its assets are all that is wanted
    spec = importlib.util.find_spec("gymnasium_robotics")
    if spec is None or spec.origin is None:
        pytest.skip("gymnasium-robotics is not installed")
    assets = Path(spec.origin).parent / "envs" / "assets" / "adroit_hand"
    return mujoco.MjModel.from_xml_path(str(assets / "adroit_pen.xml"))


def theirs(name: str) -> str:
    """The reference's name for a body of ours; the digits' parts are written without a gap."""
    for finger, short in SHORT.items():
        if name.startswith(f"{finger}_"):
            return short + name.removeprefix(f"{finger}_")
    return name


def hand_bodies(model: mujoco.MjModel) -> list[str]:
    return [model.body(i).name for i in range(1, model.nbody) if model.body(i).name not in ("cube", "goal")]


def inertia(model: mujoco.MjModel, body: str) -> Array:
    """The inertia matrix in the body's frame, (3, 3)."""
    turn = quat2mat(model.body(body).iquat)
    return turn @ np.diag(model.body(body).inertia) @ turn.T


def tips(model: mujoco.MjModel, angles: Array, names: list[str]) -> Array:
    """Sites' positions in the forearm's frame, (names, 3), at the angles of `JOINTS`."""
    data = mujoco.MjData(model)
    for joint, angle in zip(JOINTS, angles, strict=True):
        data.joint(joint).qpos = angle
    mujoco.mj_kinematics(model, data)
    forearm = data.body("forearm")
    places = np.array([data.site(name).xpos for name in names])
    return (places - forearm.xpos) @ forearm.xmat.reshape(3, 3)


def test_joints_agree_with_the_reference(task: Task, reference: mujoco.MjModel) -> None:
    for name in JOINTS:
        ours, other = task.model.joint(name), reference.joint(name)
        np.testing.assert_allclose(ours.range, other.range, atol=1e-9)
        np.testing.assert_allclose(ours.axis, other.axis, atol=1e-6)
        for quantity in ("pos", "armature", "damping", "stiffness"):
            np.testing.assert_allclose(getattr(ours, quantity), getattr(other, quantity), atol=1e-12)


def test_servos_agree_with_the_reference(task: Task, reference: mujoco.MjModel) -> None:
    assert [task.model.actuator(i).name for i in range(task.model.nu)] == list(JOINTS)
    for name in JOINTS:
        ours, other = task.model.actuator(name), reference.actuator(f"A_{name}")
        for quantity in ("gaintype", "biastype", "gear", "ctrlrange", "forcelimited", "forcerange"):
            np.testing.assert_array_equal(getattr(ours, quantity), getattr(other, quantity))
        for quantity in ("gainprm", "biasprm"):
            np.testing.assert_allclose(getattr(ours, quantity), getattr(other, quantity), rtol=1e-6)


def test_bodies_agree_with_the_reference(task: Task, reference: mujoco.MjModel) -> None:
    bodies = hand_bodies(task.model)
    for name in bodies:
        ours, other = task.model.body(name), reference.body(theirs(name))
        np.testing.assert_allclose(ours.mass, other.mass, rtol=1e-9)
        np.testing.assert_allclose(ours.ipos, other.ipos, atol=1e-9)
        np.testing.assert_allclose(
            inertia(task.model, name), inertia(reference, theirs(name)), rtol=1e-3, atol=1e-7
        )
        if name != "forearm":  # where the hand is fixed differs
            np.testing.assert_allclose(ours.pos, other.pos, atol=1e-9)
            np.testing.assert_allclose(ours.quat, other.quat, atol=1e-6)
    total = sum(task.model.body(name).mass[0] for name in bodies)
    assert total == pytest.approx(sum(reference.body(theirs(name)).mass[0] for name in bodies), rel=1e-9)


def test_fingertips_agree_with_the_reference(task: Task, reference: mujoco.MjModel) -> None:
    rng = np.random.default_rng(1)
    ranges = np.array([task.model.joint(name).range for name in JOINTS])
    for _ in range(200):
        angles = rng.uniform(ranges[:, 0], ranges[:, 1])
        ours = tips(task.model, angles, [f"{finger}_tip" for finger in FINGERS])
        other = tips(reference, angles, [f"S_{SHORT[finger]}tip" for finger in FINGERS])
        np.testing.assert_allclose(ours, other, atol=1e-6)


def test_contacts_and_couplings_agree_with_the_reference(task: Task, reference: mujoco.MjModel) -> None:
    model = task.model

    def shape(index: int) -> str:
        name = model.geom(index).name
        return SHAPES.get(name, f"C_{theirs(name)}")

    touching = [i for i in range(model.ngeom) if model.geom_contype[i] and model.geom(i).name != "floor"]
    assert len(touching) == 20
    for index in touching:
        ours, other = model.geom(index), reference.geom(shape(index))
        assert ours.type == other.type
        sizes = 3 if ours.type == mujoco.mjtGeom.mjGEOM_BOX else 2  # a capsule has two
        np.testing.assert_allclose(ours.size[:sizes], other.size[:sizes], atol=1e-9)
        np.testing.assert_allclose(ours.pos, other.pos, atol=1e-9)
        np.testing.assert_array_equal(ours.friction, other.friction)
    pairs = {frozenset(map(shape, pair)) for pair in zip(model.pair_geom1, model.pair_geom2, strict=True)}
    assert pairs == {
        frozenset(reference.geom(geom).name for geom in pair)
        for pair in zip(reference.pair_geom1, reference.pair_geom2, strict=True)
    }
    for finger in FINGERS[:4]:
        ours, other = f"{finger}_coupling", f"T_{SHORT[finger].upper()}J1c"
        for side, name in ((model, ours), (reference, other)):
            tendon = side.tendon(name).id
            first = side.tendon_adr[tendon]
            np.testing.assert_array_equal(side.tendon_range[tendon], [-0.001, 0.001])
            np.testing.assert_array_equal(side.wrap_prm[first : first + 2], [0.00705, -0.00805])
            joints = [side.joint(int(joint)).name for joint in side.wrap_objid[first : first + 2]]
            assert joints == [f"{SHORT[finger].upper()}J0", f"{SHORT[finger].upper()}J1"]


def test_the_hand_in_numbers(task: Task) -> None:
    """What needs no reference: degrees of freedom, masses, gains, an outstretched and a bent finger."""
    model = task.model
    assert (model.nu, model.nv, model.njnt) == (24, 30, 25)
    assert (task.timestep, task.substeps, model.opt.timestep) == (0.01, 2, 0.005)
    assert sum(model.body(name).mass[0] for name in hand_bodies(model)) == pytest.approx(4.911)
    assert model.actuator_gainprm[:, 0].tolist() == [10.0] * 2 + [1.0] * 22
    np.testing.assert_array_equal(model.actuator_biasprm[:, 1], -model.actuator_gainprm[:, 0])
    np.testing.assert_array_equal(model.joint("WRJ0").range, [-0.785, 0.611])
    np.testing.assert_array_equal(model.actuator("FFJ2").ctrlrange, [0, 1.6])
    palm = 0.396 + 0.034
    straight = tips(model, np.zeros(24), ["forefinger_tip"])[0]
    np.testing.assert_allclose(straight, [0.033, 0, palm + 0.095 + 0.045 + 0.025 + 0.026], atol=1e-9)
    angles = np.zeros(24)
    angles[JOINTS.index("FFJ2")] = np.pi / 2  # towards the palm's side, which is -y
    bent = tips(model, angles, ["forefinger_tip"])[0]
    np.testing.assert_allclose(bent, [0.033, -0.045 - 0.025 - 0.026, palm + 0.095], atol=1e-9)
    assert model.body("cube").mass[0] == 0.08
    np.testing.assert_array_equal(model.geom("cube").size, [0.025] * 3)


def test_drivers_see_24_position_servos_and_a_free_cube(task: Task) -> None:
    robot = JointMapping(task.model)
    assert robot.position_controlled and robot.command_topic == "position_controller/commands"
    assert robot.base is None and [thing.name for thing in robot.objects] == ["cube"]
    assert robot.command_joints == list(JOINTS)
    assert robot.command(task.neutral) == pytest.approx(task.neutral)  # ctrl is an angle in rad


def test_random_controls_neither_diverge_nor_push_the_hand_into_the_cube(task: Task) -> None:
    cube, floor = task.model.geom("cube").id, task.model.geom("floor").id
    deepest = 0.0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        world = World(task, rng)
        for _ in range(500):
            world.step(rng.uniform(task.control_low, task.control_high))
            touches = (touch for touch in world.data.contact if cube in touch.geom)
            deepest = min([deepest, *(touch.dist for touch in touches if floor not in touch.geom)])
        assert not world.diverged and np.isfinite(world.state).all()
    assert deepest > -0.006  # in m; a fingertip's radius is 0.007


def test_five_milliseconds_move_the_cube_as_one_millisecond_does(task: Task) -> None:
    fine = make_task("hand_cube")
    fine.model.opt.timestep, fine.substeps = 0.001, 10
    start, rng = task.start_state(np.random.default_rng(11)), np.random.default_rng(12)
    apart = []
    for _ in range(20):
        ctrl = task.neutral + 0.15 * rng.standard_normal(24) * (task.control_high - task.control_low)
        ctrl = ctrl.clip(task.control_low, task.control_high)
        ends = []
        for one in (task, fine):
            data = mujoco.MjData(one.model)
            data.qpos[:] = start[: one.model.nq]
            data.ctrl[:] = ctrl
            mujoco.mj_step(one.model, data, 10 * one.substeps)
            ends.append(data.qpos.copy())
        apart.append([np.abs(ends[0] - ends[1])[:24].max(), np.linalg.norm((ends[0] - ends[1])[24:27])])
    joints, cube = np.median(apart, axis=0)
    assert joints < 0.02 and cube < 0.002  # rad and m, after 0.1 s
