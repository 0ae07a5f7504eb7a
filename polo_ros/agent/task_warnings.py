"""What is probably wrong with a task, each as one sentence."""

from collections.abc import Iterator

import mujoco
import numpy as np

from polo_ros.agent.task_states import SETTLING_TIME, TaskStates
from polo_ros.parameters.settings import Settings
from polo_ros.tasks.actuators import actuator_kind
from polo_ros.tasks.model import free_joints, scalar_joints

# two geoms overlap at the start where they penetrate each other by more, in m: moved joints press a foot some
# millimetres into the floor
PENETRATION = 0.01
# a term outweighs all others where its share is more
OUTWEIGHING = 0.9
# a body's inertial frame is another one where it is turned by more, in rad, or its origin further away, in m
TURNED, AWAY = 0.01, 0.001
# a neutral pose is stable where the base turns and sinks by less, in rad and as a share of its height, and
# joints move by less, in rad or m
TILT, SINKING, MOTION = 0.5, 0.2, 0.3
# sensors whose reading depends on which frame of a body is meant
FRAME_SENSORS = [
    int(kind)
    for kind in (
        mujoco.mjtSensor.mjSENS_FRAMEPOS,
        mujoco.mjtSensor.mjSENS_FRAMEQUAT,
        mujoco.mjtSensor.mjSENS_FRAMEXAXIS,
        mujoco.mjtSensor.mjSENS_FRAMEYAXIS,
        mujoco.mjtSensor.mjSENS_FRAMEZAXIS,
        mujoco.mjtSensor.mjSENS_FRAMELINVEL,
        mujoco.mjtSensor.mjSENS_FRAMEANGVEL,
    )
]


def task_warnings(settings: Settings, states: TaskStates) -> list[str]:
    """All sentences, in the order of what to mend first."""
    return [
        *inertial_frames(settings),
        *actuators(settings),
        *collisions(states),
        *neutral_pose(states),
        *rewards(states),
        *features(states),
    ]


def inertial_frames(settings: Settings) -> Iterator[str]:
    """Sensors of a body's inertial frame where that is not the body's own."""
    model = settings.task.model
    for index in range(model.nsensor):
        if mujoco.mjtSensor(int(model.sensor_type[index])) not in FRAME_SENSORS:
            continue
        for kind, number in (
            (model.sensor_objtype[index], model.sensor_objid[index]),
            (model.sensor_reftype[index], model.sensor_refid[index]),
        ):
            if kind != int(mujoco.mjtObj.mjOBJ_BODY) or number <= 0:
                continue
            turn = 2.0 * np.arccos(min(abs(float(model.body_iquat[number, 0])), 1.0))
            way = float(np.linalg.norm(model.body_ipos[number]))
            if turn > TURNED or way > AWAY:
                yield (
                    f"sensor '{model.sensor(index).name}' reads the inertial frame of body "
                    f"'{model.body(int(number)).name}', which is turned by {np.degrees(turn):.0f}° and "
                    f'{way:.3f} m away from the body\'s own; write objtype="xbody" or use add_frame_sensors'
                )


def actuators(settings: Settings) -> Iterator[str]:
    """Actuators that commands cannot be sent to, without limits, or with noise beyond what they can do."""
    task, model = settings.task, settings.task.model
    sigma = settings.planner.noise_sigma * task.noise_scale
    for index in range(model.nu):
        name, kind = model.actuator(index).name, actuator_kind(model, index)
        if not kind:
            yield (
                f"actuator '{name}' is neither a motor nor a position servo, so that no topic can carry its "
                f"commands; call to_motors or to_position_servos in build"
            )
        if kind != "servo":
            continue
        if not model.actuator_forcelimited[index]:
            yield f"servo '{name}' has no limit of its effort; give to_position_servos an effort"
            continue
        limit, stiffness = model.actuator_forcerange[index, 1], model.actuator_gainprm[index, 0]
        if stiffness * sigma[index] > limit:
            noise = sigma[index]
            asked = stiffness * noise
            yield (
                f"noise of {noise:.2f} rad asks servo '{name}' for {asked:.0f} N·m of its {limit:.0f}; "
                f"lower noise_sigma, or set noise_scale for each actuator"
            )
    driven = set(model.actuator_trnid[:, 0].tolist())
    for joint in scalar_joints(model):
        if joint in driven and not model.jnt_limited[joint]:
            yield f"joint '{model.joint(joint).name}' has no limits, so that plans may turn it without end"


def collisions(states: TaskStates) -> Iterator[str]:
    """Geoms that penetrate each other in the start state."""
    model, data = states.task.model, states.data[0]
    seen = set()
    for contact in data.contact:
        bodies = [int(model.geom_bodyid[geom]) for geom in (contact.geom1, contact.geom2)]
        pair = tuple(sorted(model.body(body).name or f"body {body}" for body in bodies))
        if contact.dist > -PENETRATION or pair in seen:
            continue
        seen.add(pair)
        hint = "; raise the robot in its keyframe" if "world" in pair else ""
        yield f"in the start state {pair[0]} and {pair[1]} overlap by {-1000 * contact.dist:.0f} mm{hint}"


def neutral_pose(states: TaskStates) -> Iterator[str]:
    """A robot that does not keep its start state under the neutral control."""
    model, (start, settled) = states.task.model, states.data
    within = f"within {SETTLING_TIME:g} s of the neutral control"
    roots = {int(model.body_rootid[model.jnt_bodyid[joint]]) for joint in model.actuator_trnid[:, 0]}
    for body in model.jnt_bodyid[free_joints(model)].tolist():
        if body not in roots:
            continue
        name, height = model.body(body).name, float(start.xpos[body, 2])
        up = start.xmat[body].reshape(3, 3).T @ settled.xmat[body].reshape(3, 3)
        tilt = float(np.arccos(np.clip((np.trace(up) - 1.0) / 2.0, -1.0, 1.0)))
        sunk = height - float(settled.xpos[body, 2])
        if tilt > TILT or sunk > SINKING * abs(height):
            yield f"{within} '{name}' turns by {np.degrees(tilt):.0f}° and sinks by {sunk:.2f} m"
    for joint in scalar_joints(model):
        if model.body_rootid[model.jnt_bodyid[joint]] not in roots:
            continue
        way = abs(float(settled.qpos[model.jnt_qposadr[joint]] - start.qpos[model.jnt_qposadr[joint]]))
        if way > MOTION:
            yield f"{within} joint '{model.joint(joint).name}' moves by {way:.2f} rad or m"
    if not np.isfinite(settled.qpos).all() or settled.warning[:].number.any():
        yield f"{within} the simulation diverges; take a shorter timestep or softer servos"
    if states.diverged:
        yield f"{100 * states.diverged:.0f} % of the sampled rollouts diverge"


def rewards(states: TaskStates) -> Iterator[str]:
    """Terms that outweigh all others, never count, or are not listed."""
    task, shares = states.task, states.shares()
    weighted = [name for name, weight in task.weights.items() if weight]
    for name in weighted:
        size, spread = shares[name]
        if len(weighted) > 1 and spread > OUTWEIGHING:
            share = f"{100 * spread:.0f} %"
            yield f"reward term '{name}' outweighs all others: {share} of what tells rollouts apart"
        if not size:
            yield f"reward term '{name}' is zero in all sampled states"
    for name in task.reward_terms(states.start):
        if name not in task.weights:
            yield f"reward_terms returns '{name}', which terms does not list: it does not count"


def features(states: TaskStates) -> Iterator[str]:
    """Value features that say nothing."""
    values = states.task.value_features(states.sampled)
    if not np.isfinite(values).all():
        yield "value_features gives numbers that are not finite"
    constant = np.ptp(values.reshape(-1, values.shape[-1]), axis=0) == 0.0
    start = 0
    for feature in states.task.listed_features():
        if constant[start : start + feature.size].all():
            yield f"value feature '{feature.name}' is the same in all sampled states"
        start += feature.size
