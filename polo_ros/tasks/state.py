"""The flat state of a task: its layout, and how it is read from and written to MuJoCo's data.

The entries are, in this order: positions, velocities, activations, the gait clock where the model has one,
and the poses of the mocap bodies, which are the goals.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array

# MuJoCo's flat vector of everything that a step depends on, the layout of the rows of `Batch.state`
INTEGRATION_SPEC = int(mujoco.mjtState.mjSTATE_INTEGRATION)
# the flat state of a model without a gait clock
STATE_SPEC = int(
    mujoco.mjtState.mjSTATE_QPOS
    | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_ACT
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)
TIME_SPEC = int(mujoco.mjtState.mjSTATE_TIME)
# the sensor of simulated time that makes time a part of the state
GAIT_CLOCK = "gait_clock"
# of positions, velocities and rewards: far beyond those of a robot, and far below those that overflow
LARGEST_VALUE = 1e6


def clock_entry(model: mujoco.MjModel) -> int | None:
    """Which entry of a flat state is the gait clock, in s; None where the model has no sensor `gait_clock`.

    The clock is MuJoCo's simulated time: it advances in rollouts, predictions and simulations alike.
    """
    sensor = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_SENSOR), GAIT_CLOCK)
    if sensor < 0 or model.sensor_type[sensor] != int(mujoco.mjtSensor.mjSENS_CLOCK):
        return None
    return int(model.nq + model.nv + model.na)


def state_size(model: mujoco.MjModel) -> int:
    """The number of entries of a flat state."""
    return int(mujoco.mj_stateSize(model, STATE_SPEC)) + (clock_entry(model) is not None)


def state_entries(model: mujoco.MjModel) -> NDArray[np.int64]:
    """The entries of MuJoCo's integration state that make up the flat state, (state_size,)."""
    entries, clock = spec_entries(model, STATE_SPEC), clock_entry(model)
    return entries if clock is None else np.insert(entries, clock, spec_entries(model, TIME_SPEC))


def spec_entries(model: mujoco.MjModel, spec: int) -> NDArray[np.int64]:
    """The entries of MuJoCo's integration state that make up the state of another `mjtState` spec, (n,)."""
    entries = np.empty(mujoco.mj_stateSize(model, spec))
    numbered = np.arange(mujoco.mj_stateSize(model, INTEGRATION_SPEC), dtype=float)
    mujoco.mj_extractState(model, numbered, INTEGRATION_SPEC, entries, spec)
    return entries.astype(np.int64)


def get_state(model: mujoco.MjModel, data: mujoco.MjData) -> Array:
    """The flat state of `data`, (state_size,)."""
    state = np.empty(mujoco.mj_stateSize(model, STATE_SPEC))
    mujoco.mj_getState(model, data, state, STATE_SPEC)
    clock = clock_entry(model)
    return state if clock is None else np.insert(state, clock, data.time)


def set_state(model: mujoco.MjModel, data: mujoco.MjData, state: Array) -> None:
    """Put `data` into a flat state (state_size,); derived quantities need `mujoco.mj_forward` afterwards."""
    clock = clock_entry(model)
    if clock is not None:
        data.time = state[clock]
        state = np.delete(state, clock)
    mujoco.mj_setState(model, data, state, STATE_SPEC)
