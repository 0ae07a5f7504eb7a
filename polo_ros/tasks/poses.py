"""The home pose of a robot: read from its keyframe, made where there is none, and commands kept around it."""

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from polo_ros.errors import PoloError
from polo_ros.tasks.building import add_keyframe, matching_joints, require
from polo_ros.tasks.legs import foot_point

# how many numbers of a position a joint has
POSITIONS = {mujoco.mjtJoint.mjJNT_FREE: 7, mujoco.mjtJoint.mjJNT_BALL: 4}


def keyframe_positions(spec: mujoco.MjSpec, keyframe: str) -> dict[str, float]:
    """The positions of hinge and slide joints in a keyframe, by the joint's name, in rad or m.

    Raises:
      PoloError: the model has no such keyframe, or it is not for all joints.
    """
    require("keyframe", keyframe, (key.name for key in spec.keys))
    qpos = np.array(next(key.qpos for key in spec.keys if key.name == keyframe))
    sizes = [POSITIONS.get(joint.type, 1) for joint in spec.joints]
    if qpos.size != sum(sizes):
        raise PoloError(f"keyframe '{keyframe}' gives {qpos.size} of the {sum(sizes)} numbers of a position")
    starts = np.cumsum([0, *sizes])
    return {
        joint.name: float(qpos[start])
        for joint, start, size in zip(spec.joints, starts, sizes, strict=False)
        if size == 1
    }


def limit_commands(
    spec: mujoco.MjSpec, joints: str | Sequence[str], around: Mapping[str, float], reach: float
) -> None:
    """Keep the commands of position servos within `reach`, in rad or m, of positions by the joint's name.

    A sampling planner then spends its samples where the robot works: the ranges of many joints let a leg
    fold over the trunk.

    Raises:
      PoloError: the model has no such joint, or a command would have no range left.
    """
    wanted = {joint.name for joint in matching_joints(spec, joints)}
    for actuator in spec.actuators:
        if actuator.target not in wanted:
            continue
        centre = around[actuator.target]
        low, high = (float(limit) for limit in actuator.ctrlrange)
        low, high = max(low, centre - reach), min(high, centre + reach)
        if not low < high:
            raise PoloError(
                f"the commands of joint '{actuator.target}' have no range left within {reach} of {centre:.3g}"
            )
        actuator.ctrlrange = [low, high]


def add_standing_keyframe(
    spec: mujoco.MjSpec, name: str, joints: Mapping[str, float], feet: Sequence[str]
) -> None:
    """A keyframe of a robot with a floating base that stands on its feet.

    Args:
      spec: of the model.
      name: of the keyframe.
      joints: positions in rad or m by name or pattern; other joints keep their reference position.
      feet: geoms, sites or bodies; the lowest one is put on the floor at height 0.

    Raises:
      PoloError: the model has no such joint or foot, or no free joint.
    """
    model = spec.copy()
    add_keyframe(model, name, joints, (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    compiled = model.compile()
    data = mujoco.MjData(compiled)
    mujoco.mj_resetDataKeyframe(compiled, data, compiled.key(name).id)
    mujoco.mj_kinematics(compiled, data)
    lowest = min(float(foot_point(compiled, data, foot)[1][2]) for foot in feet)
    add_keyframe(spec, name, joints, (0.0, 0.0, -lowest, 1.0, 0.0, 0.0, 0.0))
