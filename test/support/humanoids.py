"""What the tests of the humanoid tasks share: random and mirrored states, and a slow control cost."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks import Task

# the pose's mirror image in the plane y = 0 exchanges left and right; these joints also change sign,
# because their axes are not each other's mirror images
FLIPPED = {
    "abdomen_x", "abdomen_z", "right_shoulder1", "right_shoulder2", "left_shoulder1", "left_shoulder2",
}  # fmt: skip


def counterpart(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"right": f"left_{rest}", "left": f"right_{rest}"}.get(side, name)


def random_states(task: Task, count: int, height: tuple[float, float], seed: int) -> Array:
    """States with any orientation, joint angles and velocities."""
    rng = np.random.default_rng(seed)
    model, data = task.model, mujoco.MjData(task.model)
    states = []
    for _ in range(count):
        mujoco.mj_resetData(model, data)
        data.qpos[:3] = [*rng.uniform(-1, 1, 2), rng.uniform(*height)]
        direction = rng.standard_normal(4)
        data.qpos[3:7] = direction / np.linalg.norm(direction)
        hinges = model.jnt_type == int(mujoco.mjtJoint.mjJNT_HINGE)
        low, high = model.jnt_range[hinges].T
        data.qpos[model.jnt_qposadr[hinges]] = rng.uniform(low, high)
        data.qvel[:] = rng.standard_normal(model.nv)
        states.append(task.state_of(data))
    return np.array(states)


def split(task: Task, state: Array) -> tuple[Array, Array]:
    nq, nv = task.model.nq, task.model.nv
    return state[:nq].copy(), state[nq : nq + nv].copy()


def mirrored(task: Task, state: Array) -> Array:
    """The state's mirror image in the plane y = 0."""
    model = task.model
    qpos, qvel = split(task, state)
    new_qpos, new_qvel = qpos.copy(), qvel.copy()
    for index in range(model.njnt):
        name = model.joint(index).name
        if model.jnt_type[index] == int(mujoco.mjtJoint.mjJNT_FREE):
            place, speed = model.jnt_qposadr[index], model.jnt_dofadr[index]
            new_qpos[place : place + 7] *= [1, -1, 1, 1, -1, 1, -1]
            new_qvel[speed : speed + 6] *= [1, -1, 1, -1, 1, -1]  # an angular velocity is a pseudovector
            continue
        other = model.joint(counterpart(name))
        sign = -1 if name in FLIPPED else 1
        new_qpos[other.qposadr[0]] = sign * qpos[model.jnt_qposadr[index]]
        new_qvel[other.dofadr[0]] = sign * qvel[model.jnt_dofadr[index]]
    goals = state[model.nq + model.nv :].copy()
    positions, quaternions = np.split(goals, [3 * model.nmocap])
    positions.reshape(-1, 3)[:] *= [1, -1, 1]
    quaternions.reshape(-1, 4)[:] *= [1, -1, 1, -1]
    return np.concatenate([new_qpos, new_qvel, goals])


def mirrored_features(features: Array) -> Array:
    """What the 34 features of a mirrored pose must be."""
    flip = np.array([1.0, -1.0, 1.0])
    forward, up, right_hand, left_hand, right_foot, left_foot = features[:18].reshape(6, 3)
    root, right_hand_z, left_hand_z, right_foot_z, left_foot_z = features[18:23]
    linear, angular = features[23:26], features[26:29]
    head, right_hand_touch, left_hand_touch, right_foot_touch, left_foot_touch = features[29:]
    return np.concatenate(
        [
            *(flip * block for block in (forward, up, left_hand, right_hand, left_foot, right_foot)),
            [root, left_hand_z, right_hand_z, left_foot_z, right_foot_z],
            flip * linear,
            -flip * angular,
            [head, left_hand_touch, right_hand_touch, left_foot_touch, right_foot_touch],
        ]
    )


def features_of(task: Task, state: Array) -> Array:
    return task.value_features(task.observe(state))


def control_cost(model: mujoco.MjModel, ctrl: Array) -> float:
    """(Bᵀu)ᵀ M⁻¹ (Bᵀu) over trace(B M⁻¹ Bᵀ), from forces that MuJoCo applies, in the reference pose."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    inertia = np.empty((model.nv, model.nv))
    for dof in range(model.nv):
        mujoco.mj_mulM(model, data, inertia[dof], np.eye(model.nv)[dof])
    inverse = np.linalg.inv(inertia)
    forces = []
    for actuator in range(model.nu):
        data.ctrl[:] = np.eye(model.nu)[actuator]
        mujoco.mj_forward(model, data)
        forces.append(data.qfrc_actuator.copy())
    trace = sum(float(force @ inverse @ force) for force in forces)
    total = sum((u * force for u, force in zip(ctrl, forces, strict=True)), np.zeros(model.nv))
    return float(total @ inverse @ total) / trace
