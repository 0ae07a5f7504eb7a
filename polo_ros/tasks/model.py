"""Functions of a MuJoCo model for tasks and rollouts: digests and batched sensors."""

import copy
import hashlib

import mujoco
import numpy as np
from mujoco.batch import Batch

from polo_ros.arrays import Array
from polo_ros.tasks.state import set_state, spec_entries, state_entries

CTRL_SPEC = int(mujoco.mjtState.mjSTATE_CTRL)
# kinds of joints as integers: the numbers in a model are never found among MuJoCo's enumeration members
FREE = int(mujoco.mjtJoint.mjJNT_FREE)
HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
SCALAR_JOINTS = (HINGE, SLIDE)
# m/s²
STANDARD_GRAVITY = 9.81


def model_hash(model: mujoco.MjModel) -> str:
    """A digest of what a value function depends on: names, sizes, masses, geometry, gears.

    Numbers are rounded to six digits, so that the digest is the same with other compilers and versions of
    MuJoCo.
    """
    digest = hashlib.sha256(model.names)
    for array in (
        model.body_mass, model.body_pos, model.body_quat, model.jnt_type, model.jnt_axis,
        model.jnt_range, model.dof_damping, model.geom_type, model.geom_size, model.geom_pos,
        model.actuator_gear, model.actuator_ctrlrange, [model.opt.timestep],
    ):  # fmt: skip
        text = " ".join(f"{number + 0.0:.6g}" for number in np.ravel(array))
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def dynamics_hash(model: mujoco.MjModel) -> str:
    """A digest of what `model_hash` leaves out and a value function depends on: gains, friction, gravity.

    It is a digest of its own so that `model_hash` stays comparable with that of earlier versions.
    """
    digest = hashlib.sha256()
    for array in (
        model.actuator_gaintype, model.actuator_gainprm, model.actuator_biastype, model.actuator_biasprm,
        model.actuator_dyntype, model.actuator_dynprm, model.dof_armature, model.dof_frictionloss,
        model.jnt_stiffness, model.geom_friction, model.opt.gravity,
    ):  # fmt: skip
        digest.update(" ".join(f"{number + 0.0:.6g}" for number in np.ravel(array)).encode())
    return digest.hexdigest()[:16]


def scalar_joints(model: mujoco.MjModel) -> list[int]:
    """The numbers of the hinge and slide joints."""
    return [int(joint) for joint in np.flatnonzero(np.isin(model.jnt_type, SCALAR_JOINTS))]


def free_joints(model: mujoco.MjModel) -> list[int]:
    """The numbers of the free joints, those of floating bases and free objects."""
    return [int(joint) for joint in np.flatnonzero(model.jnt_type == FREE)]


# up to so many states are read one by one: a batch copies the model, which takes 20 ms where it has meshes
FEW_STATES = 4


def without_forces(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy without contacts, limits and sensors, whose inverse dynamics are those of the bodies alone."""
    found, flags = copy.copy(model), mujoco.mjtDisableBit
    found.opt.disableflags |= int(flags.mjDSBL_CONSTRAINT | flags.mjDSBL_SENSOR | flags.mjDSBL_CONTACT)
    return found


def sensor_readings(model: mujoco.MjModel, states: Array, ctrl: Array) -> Array:
    """The sensors of states, as `mj_forward` computes them, in one batched call where they are many.

    Args:
      model: the model as it is now; later changes of it are seen by later calls.
      states: (n, state_size), flat states.
      ctrl: (n, nu).

    Returns:
      (n, nsensordata).
    """
    if not len(states):
        return np.empty((0, model.nsensordata))
    if len(states) <= FEW_STATES:
        data = mujoco.MjData(model)
        return np.array([_reading(model, data, *one) for one in zip(states, ctrl, strict=True)])
    batch = Batch(model, len(states), 1)
    readings = batch.bind("sensordata")
    batch.state[:, state_entries(model)] = states
    batch.state[:, spec_entries(model, CTRL_SPEC)] = ctrl
    silence_divergence_log()
    batch.forward()
    found = np.array(readings)
    # the batch resets states that MuJoCo would not step, such as diverged ones, and counts a warning
    for row in np.flatnonzero(batch.warning[:, :, 1].any(axis=1)):
        found[row] = _reading(model, mujoco.MjData(model), states[row], ctrl[row])
    return found


def _reading(model: mujoco.MjModel, data: mujoco.MjData, state: Array, ctrl: Array) -> Array:
    """The sensors of one state, (nsensordata,)."""
    mujoco.mj_resetData(model, data)
    set_state(model, data, state)
    data.ctrl[:] = ctrl
    mujoco.mj_forward(model, data)
    return np.array(data.sensordata)


def silence_divergence_log() -> None:
    """Stop MuJoCo from printing a line, and writing a file, for each simulation that diverges.

    Some random samples are expected to diverge; the batch counts them.
    """
    log = mujoco.MjLogConfig.get()
    log.logto_console = log.logto_file = False
    log.set()
