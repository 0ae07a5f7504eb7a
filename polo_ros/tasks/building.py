"""Changes of a model that is left as its maker published it: sensors, floor, goals, keyframes, collisions.

All functions change a `mujoco.MjSpec` in a task's hook `build`; `polo_ros.tasks.features` reads what the
sensors say. Names that the model does not have are refused, with what was probably meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import mujoco

from polo_ros.errors import PoloError, nearest
from polo_ros.tasks.features import VELOCITY_GOAL
from polo_ros.tasks.model import SCALAR_JOINTS, free_joints
from polo_ros.tasks.state import GAIT_CLOCK

OBJECT, SENSOR, GEOM = mujoco.mjtObj, mujoco.mjtSensor, mujoco.mjtGeom
# sites that only carry sensors are in a group that viewers hide
HIDDEN_GROUP = 5
# what a contact sensor reports: whether there is any, and the sum of the forces
CONTACT_DATA = (1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)) | (
    1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE)
)
NET_FORCE = 3


def require(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that a model does not have.

    Raises:
      PoloError: names the kind of thing, the name, and what was probably meant.
    """
    names = [one for one in known if one]
    if name not in names:
        raise PoloError(f"the model has no {kind} named '{name}'{nearest(name, names)}")


def add_floor(spec: mujoco.MjSpec, friction: float = 1.0) -> None:
    """A plane at height 0 named `floor`, and a light, where the world has no plane or height field.

    Args:
      spec: of the model.
      friction: the floor's sliding friction coefficient.
    """
    if any(geom.type in (GEOM.mjGEOM_PLANE, GEOM.mjGEOM_HFIELD) for geom in spec.worldbody.geoms):
        return
    spec.worldbody.add_geom(
        name="floor",
        type=GEOM.mjGEOM_PLANE,
        size=[0.0, 0.0, 0.05],
        rgba=[0.75, 0.77, 0.8, 1.0],
        friction=[friction, 0.005, 0.0001],
    )
    if not spec.lights:
        spec.worldbody.add_light(
            pos=[0.0, 0.0, 4.0],
            dir=[0.2, 0.1, -1.0],
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            castshadow=True,
        )


def add_frame_sensors(spec: mujoco.MjSpec, body: str) -> None:
    """Pose and velocity of a body's own frame, never of its inertial frame, which may be turned.

    The sensors are `<body>_position`, `<body>_orientation`, and in the body's frame `<body>_linear_velocity`
    and `<body>_angular_velocity`.

    Raises:
      PoloError: the model has no such body.
    """
    require("body", body, (one.name for one in spec.bodies))
    frame = {"objtype": OBJECT.mjOBJ_XBODY, "objname": body}
    spec.add_sensor(name=f"{body}_position", type=SENSOR.mjSENS_FRAMEPOS, **frame)
    spec.add_sensor(name=f"{body}_orientation", type=SENSOR.mjSENS_FRAMEQUAT, **frame)
    site = f"{body}_frame"
    spec.body(body).add_site(name=site, group=HIDDEN_GROUP)
    for name, kind in (
        ("linear_velocity", SENSOR.mjSENS_VELOCIMETER),
        ("angular_velocity", SENSOR.mjSENS_GYRO),
    ):
        spec.add_sensor(name=f"{body}_{name}", type=kind, objtype=OBJECT.mjOBJ_SITE, objname=site)


def add_joint_sensors(spec: mujoco.MjSpec, joints: str | Sequence[str] = "*") -> list[str]:
    """`<joint>_position` and `<joint>_velocity` of each hinge and slide joint that matches.

    Args:
      spec: of the model.
      joints: names or patterns as `*_knee_joint`.

    Returns:
      The joints' names, in the model's order.

    Raises:
      PoloError: a pattern matches no joint.
    """
    names = [joint.name for joint in matching_joints(spec, joints)]
    for name in names:
        joint = {"objtype": OBJECT.mjOBJ_JOINT, "objname": name}
        spec.add_sensor(name=f"{name}_position", type=SENSOR.mjSENS_JOINTPOS, **joint)
        spec.add_sensor(name=f"{name}_velocity", type=SENSOR.mjSENS_JOINTVEL, **joint)
    return names


def add_foot_contacts(spec: mujoco.MjSpec, feet: Sequence[str]) -> None:
    """Position, velocity and contact of feet, each the name of a geom, a site or a body.

    The sensors are `<foot>_foot_position`, of the lowest point of a geom that is a sphere and of the origin
    of anything else, `<foot>_foot_velocity`, and `<foot>_foot_contact`: the number of contacts and the force
    (3,) on what is touched.

    Raises:
      PoloError: the model has no such geom, site or body.
    """
    for foot in feet:
        kind, below = _foot(spec, foot)
        ground = f"{foot}_foot_ground"
        spec.worldbody.add_site(name=ground, pos=[0.0, 0.0, below], group=HIDDEN_GROUP)
        spec.add_sensor(
            name=f"{foot}_foot_position",
            type=SENSOR.mjSENS_FRAMEPOS,
            objtype=kind,
            objname=foot,
            reftype=OBJECT.mjOBJ_SITE,
            refname=ground,
        )
        spec.add_sensor(
            name=f"{foot}_foot_velocity", type=SENSOR.mjSENS_FRAMELINVEL, objtype=kind, objname=foot
        )
        # a site cannot touch: the body that carries it does
        touching = foot if kind != OBJECT.mjOBJ_SITE else spec.site(foot).parent.name
        spec.add_sensor(
            name=f"{foot}_foot_contact",
            type=SENSOR.mjSENS_CONTACT,
            objtype=kind if kind == OBJECT.mjOBJ_GEOM else OBJECT.mjOBJ_XBODY,
            objname=touching,
            intprm=[CONTACT_DATA, NET_FORCE, 1],
        )


def _foot(spec: mujoco.MjSpec, foot: str) -> tuple[mujoco.mjtObj, float]:
    """What kind of object a foot is, and how far its lowest point is below its centre, in m."""
    geom = spec.geom(foot)
    if geom is not None:
        radius = float(geom.size[0]) if geom.type == GEOM.mjGEOM_SPHERE else 0.0
        return OBJECT.mjOBJ_GEOM, radius
    if spec.site(foot) is not None:
        return OBJECT.mjOBJ_SITE, 0.0
    things = (*spec.geoms, *spec.sites, *spec.bodies)
    require("foot (geom, site or body)", foot, (thing.name for thing in things))
    return OBJECT.mjOBJ_XBODY, 0.0


def add_site_sensors(spec: mujoco.MjSpec, site: str) -> None:
    """Pose and velocity of a site in the world: `<site>_position`, `_orientation`, `_linear_velocity`.

    Raises:
      PoloError: the model has no such site.
    """
    require("site", site, (one.name for one in spec.sites))
    for name, kind in (
        ("position", SENSOR.mjSENS_FRAMEPOS),
        ("orientation", SENSOR.mjSENS_FRAMEQUAT),
        ("linear_velocity", SENSOR.mjSENS_FRAMELINVEL),
    ):
        spec.add_sensor(name=f"{site}_{name}", type=kind, objtype=OBJECT.mjOBJ_SITE, objname=site)


def add_pose_goal(spec: mujoco.MjSpec, position: Sequence[float], size: float = 0.02) -> None:
    """A goal that is a pose: a mocap body `goal` with the sensors `goal_position` and `goal_orientation`.

    Args:
      spec: of the model.
      position: where it is before a start state or the topic `goal` moves it, (3,), in m.
      size: half an edge of the box that marks it, in m.
    """
    body = spec.worldbody.add_body(name="goal", mocap=True, pos=list(position))
    body.add_geom(type=GEOM.mjGEOM_BOX, size=[size] * 3, rgba=[0.2, 0.8, 0.3, 0.5], contype=0, conaffinity=0)
    frame = {"objtype": OBJECT.mjOBJ_XBODY, "objname": "goal"}
    spec.add_sensor(name="goal_position", type=SENSOR.mjSENS_FRAMEPOS, **frame)
    spec.add_sensor(name="goal_orientation", type=SENSOR.mjSENS_FRAMEQUAT, **frame)


def add_velocity_goal(spec: mujoco.MjSpec) -> None:
    """A goal that is a velocity, as `cmd_vel` gives it: a mocap body and a sensor named `velocity_goal`.

    A mocap body is a part of the state that no physics changes. The three numbers of its position are the
    velocities ahead and to the left in m/s and the yaw rate in rad/s; it has no geometry.
    """
    spec.worldbody.add_body(name=VELOCITY_GOAL, mocap=True)
    spec.add_sensor(
        name=VELOCITY_GOAL,
        type=SENSOR.mjSENS_FRAMEPOS,
        objtype=OBJECT.mjOBJ_XBODY,
        objname=VELOCITY_GOAL,
    )


def add_gait_clock(spec: mujoco.MjSpec) -> None:
    """The sensor that makes time a part of the state; a task with a `gait` has it without this call."""
    if spec.sensor(GAIT_CLOCK) is None:
        spec.add_sensor(name=GAIT_CLOCK, type=SENSOR.mjSENS_CLOCK)


def add_keyframe(
    spec: mujoco.MjSpec, name: str, joints: Mapping[str, float], base: Sequence[float] = ()
) -> None:
    """A keyframe for models that have none: angles of joints, and the pose of the floating base.

    Args:
      spec: of the model, complete but for its goals.
      name: of the keyframe, for the task's `home`.
      joints: positions in rad or m by name or pattern; later entries replace earlier ones, and joints that
        are not named keep their reference position.
      base: position (3,), or position and quaternion wxyz (7,), of the first free joint.

    Raises:
      PoloError: a pattern matches no joint, or there is no free joint for `base`.
    """
    model = spec.copy().compile()
    qpos = model.qpos0.copy()
    if len(base):
        free = free_joints(model)
        if not free:
            raise PoloError(f"keyframe '{name}' gives the pose of a base, but the model has no free joint")
        start = int(model.jnt_qposadr[free[0]])
        qpos[start : start + len(base)] = base
    for pattern, value in joints.items():
        for joint in matching_joints(spec, pattern):
            qpos[model.joint(joint.name).qposadr[0]] = value
    spec.add_key(name=name, qpos=qpos)


def collide_only(spec: mujoco.MjSpec, geoms: Sequence[str]) -> None:
    """Let the robot touch the world with some geoms alone: contacts take most of the time of a step.

    Args:
      spec: of the model.
      geoms: names or patterns of geoms that keep their contacts; a body's name stands for its geoms.

    Raises:
      PoloError: a name or pattern matches neither a geom nor a body.
    """
    unused = set(geoms)
    for body in spec.bodies:
        for geom in body.geoms:
            names = (body.name, geom.name)
            found = {
                pattern for pattern in geoms if any(name and fnmatchcase(name, pattern) for name in names)
            }
            unused -= found
            if not found and body.name != "world":
                geom.contype = geom.conaffinity = 0
    for pattern in sorted(unused):
        require("geom or body", pattern, (one.name for one in (*spec.geoms, *spec.bodies)))


def matching_joints(spec: mujoco.MjSpec, patterns: str | Sequence[str]) -> list[mujoco.MjsJoint]:
    """The hinge and slide joints whose names match one of some patterns, in the model's order.

    Raises:
      PoloError: a pattern matches none.
    """
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    joints = [joint for joint in spec.joints if int(joint.type) in SCALAR_JOINTS]
    for pattern in wanted:
        if not any(fnmatchcase(joint.name, pattern) for joint in joints):
            require("hinge or slide joint", pattern, (joint.name for joint in joints))
    return [joint for joint in joints if any(fnmatchcase(joint.name, pattern) for pattern in wanted)]
