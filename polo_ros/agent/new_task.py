"""`polo new-task`: a commented task for a model, which runs as it is written."""

import os
from dataclasses import dataclass
from pathlib import Path
from string import Template

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.tasks.actuators import actuator_kind, effort_limit
from polo_ros.tasks.building import matching_joints
from polo_ros.tasks.model import free_joints, scalar_joints
from polo_ros.tasks.sources import MODEL_SUFFIXES, compile_spec, load_spec

TEMPLATES = Path(__file__).parent / "templates"
# of the control period, in s
PERIOD = 0.02
# guessed gains of servos: the error of the position, in rad, that asks for the whole effort; the damping over
# the stiffness, in s; and the stiffness where no effort is known, in N·m/rad
FULL_EFFORT_ERROR, DAMPING_TIME, STIFFNESS = 0.5, 0.03, 50.0
# the goal of an arm is the hand's position with each joint moved from home by this share of its range
REACH = 0.15
# what a noise_sigma of 1 is for servos whose effort is limited
NOISE_SCALE = '''    @property
    def noise_scale(self):
        """A noise_sigma of 1 is the angle by which a servo must be off to give all of its effort."""
        return self.model.actuator_forcerange[:, 1] / self.model.actuator_gainprm[:, 0]

'''


@dataclass(frozen=True)
class Robot:
    """What the templates need to know of a model.

    Attributes:
      spec, model: as published, and compiled.
      home: the keyframe to start from; empty where there is none.
      qpos: the positions there, (nq,).
    """

    spec: mujoco.MjSpec
    model: mujoco.MjModel
    home: str
    qpos: Array

    @classmethod
    def of(cls, source: str) -> "Robot":
        """Load a model: a path, or the name of a robot description."""
        spec, what = load_spec(source)
        model = compile_spec(spec, what)
        names = [model.key(index).name for index in range(model.nkey)]
        home = "home" if "home" in names else next((name for name in names if name), "")
        qpos = model.key_qpos[names.index(home)] if home else model.qpos0
        return cls(spec, model, home, np.array(qpos))

    @property
    def base(self) -> int | None:
        """The body with the first free joint; None for a robot on a fixed base."""
        free = free_joints(self.model)
        return int(self.model.jnt_bodyid[free[0]]) if free else None

    @property
    def hand(self) -> int:
        """The body that is most joints away from the world."""
        depth = np.zeros(self.model.nbody, dtype=int)
        for body in range(1, self.model.nbody):
            depth[body] = depth[self.model.body_parentid[body]] + self.model.body_jntnum[body]
        return int(np.argmax(depth))

    def posed(self, qpos: Array) -> mujoco.MjData:
        """MuJoCo's data with positions (nq,)."""
        data = mujoco.MjData(self.model)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, data)
        return data

    def lowest(self, qpos: Array) -> float:
        """The height of the lowest point of the geoms' boxes, in m."""
        data, model = self.posed(qpos), self.model
        own = np.flatnonzero(model.geom_bodyid > 0)
        turned = np.abs(data.geom_xmat[own].reshape(-1, 3, 3)) @ model.geom_aabb[own, 3:, None]
        middle = data.geom_xmat[own].reshape(-1, 3, 3) @ model.geom_aabb[own, :3, None]
        heights = data.geom_xpos[own, 2] + middle[:, 2, 0] - turned[:, 2, 0]
        return float(heights.min())

    @property
    def joints(self) -> list[int]:
        """The hinge and slide joints."""
        return scalar_joints(self.model)


def write_task(name: str, source: str, folder: Path) -> Path:
    """Write NAME.py and NAME.yaml into a folder.

    Args:
      name: of the task and its file.
      source: of the model: a path, or the name of a robot description.
      folder: is made where it is missing.

    Returns:
      The path of the task.

    Raises:
      PoloError: the name is no name in Python, a file is there already, or the model cannot be used.
    """
    if not name.isidentifier() or name != name.lower():
        raise PoloError(f"'{name}' cannot be a task's name; use small letters, digits and underscores")
    file = folder / f"{name}.py"
    for path in (file, file.with_suffix(".yaml")):
        if path.exists():
            raise PoloError(f"{path} exists; give another name or --out, or remove it")
    robot = Robot.of(source)
    if not robot.joints:
        raise PoloError(f"{source} has no hinge or slide joint that a robot could move")
    if Path(source).suffix in MODEL_SUFFIXES or "/" in source:
        source = Path(os.path.relpath(source, folder)).as_posix()
    write_atomically(file, task_text(name, source, robot).encode())
    period = robot.model.opt.timestep * substeps(robot)
    parameters = filled("parameters", {"name": name, "period": f"{period:g}"})
    write_atomically(file.with_suffix(".yaml"), parameters.encode())
    return file


def task_text(name: str, source: str, robot: Robot) -> str:
    """The Python file of a task."""
    model, floating = robot.model, robot.base is not None
    body = robot.base if floating else robot.hand
    assert body is not None
    if not model.body(body).name:
        raise PoloError(f"body {body} of {source} has no name; the task needs one, to read its pose")
    home, height, lines = robot.home, 0.0, []
    if floating:
        lines.append("add_floor(spec)")
        lines.append(
            '# collide_only(spec, ["*foot*"])  # contacts cost most of the time: let only feet touch'
        )
        height = float(robot.posed(robot.qpos).xpos[body, 2])
        if not home:
            home, height = "home", height - robot.lowest(robot.qpos)
            base = [round(float(number), 3) for number in (*robot.qpos[:2], height, *robot.qpos[3:7])]
            lines.append(f'add_keyframe(spec, "home", joints={{}}, base={base})  # joints={{"*_knee": 1.0}}')
    lines.append(f'add_frame_sensors(spec, "{model.body(body).name}")')
    lines.append("self.joints = add_joint_sensors(spec)")
    lines += servo_lines(robot)
    addresses = [int(model.jnt_qposadr[joint]) for joint in robot.joints]
    return filled(
        "floating" if floating else "fixed",
        {
            "name": name,
            "cls": "".join(part.capitalize() for part in name.split("_")),
            "model": source,
            "home": home,
            "substeps": substeps(robot),
            "timestep": f"{model.opt.timestep:g}",
            "body": model.body(body).name,
            "height": f"{height:.3f}",
            "joints": len(addresses),
            "noise": NOISE_SCALE if lines[-1].startswith("to_position_servos") else "",
            "posture": [round(float(robot.qpos[address]), 3) for address in addresses],
            "goal": [round(number, 3) for number in reachable(robot, body)],
            "build": "".join(f"        {line}\n" for line in lines),
            "imports": imports(lines, floating),
        },
    )


def servo_lines(robot: Robot) -> list[str]:
    """The lines of `build` on actuators: what is missing, or how to change what is there."""
    model = robot.model
    kinds = [actuator_kind(model, index) for index in range(model.nu)]
    complete = bool(kinds) and all(kinds) and bool(model.actuator_ctrllimited.all())
    limited = all(model.jnt_limited[joint] for joint in robot.joints)
    if complete and ("motor" not in kinds or not limited):
        return ["# to_position_servos(spec, kp=…, kd=…) and to_motors(spec) replace the actuators"]
    driving = {actuator.target: actuator for actuator in robot.spec.actuators}
    efforts = [
        effort_limit(joint, driving[joint.name])
        for joint in matching_joints(robot.spec, "*")
        if joint.name in driving
    ]
    known = [effort for effort in efforts if effort]
    stiffness = float(f"{np.median(known) / FULL_EFFORT_ERROR:.2g}") if known else STIFFNESS
    damping = float(f"{DAMPING_TIME * stiffness:.2g}")
    effort = "" if known else f", effort={STIFFNESS:g}"
    guess = "guessed: take those of your robot's firmware"
    return [f"to_position_servos(spec, kp={stiffness:g}, kd={damping:g}{effort})  # {guess}"]


def imports(lines: list[str], floating: bool) -> str:
    """The imports that lines of `build` need."""
    used = {line.split("(")[0].removeprefix("self.joints = ") for line in lines if not line.startswith("#")}
    used |= set() if floating else {"add_pose_goal"}
    servos = (
        ["from polo_ros.tasks.actuators import to_position_servos"] if "to_position_servos" in used else []
    )
    building = ", ".join(sorted(used - {"to_position_servos"}))
    return "\n".join([*servos, f"from polo_ros.tasks.building import {building}", ""])


def substeps(robot: Robot) -> int:
    """Physics steps in a control period of about `PERIOD`."""
    return max(round(PERIOD / float(robot.model.opt.timestep)), 1)


def reachable(robot: Robot, body: int) -> list[float]:
    """The position of a body with each joint moved from home by a share of its range, (3,), in m."""
    model, qpos = robot.model, robot.qpos.copy()
    for joint in robot.joints:
        low, high = model.jnt_range[joint] if model.jnt_limited[joint] else (-np.pi, np.pi)
        address = model.jnt_qposadr[joint]
        qpos[address] += REACH * (high - low) * (1 if qpos[address] < (low + high) / 2 else -1)
    return [float(number) for number in robot.posed(qpos).xpos[body]]


def filled(template: str, values: dict[str, object]) -> str:
    """A template with its values."""
    return Template((TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)
