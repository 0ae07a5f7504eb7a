"""What to solve: a model, named reward terms, value features, start states and a goal."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.files import share_path

# What a rollout, a replay and a bag need to know of a world; goals travel in the mocap bodies.
STATE_SPEC = int(
    mujoco.mjtState.mjSTATE_QPOS
    | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_ACT
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)


@dataclass(frozen=True)
class RewardTerm:
    """A named part of the reward: the total is the weighted sum of all terms.

    Attributes:
      name: the term; its weight is the ROS parameter `reward.<name>`.
      weight: the default weight.
      low, high: the range of the weight, tight enough for a slider.
      description: one sentence, with the unit of the unweighted term.
    """

    name: str
    weight: float
    low: float
    high: float
    description: str


@dataclass(frozen=True)
class Feature:
    """A block of the value function's input: its name, number of entries and unit."""

    name: str
    size: int
    unit: str


@dataclass(frozen=True)
class Measure:
    """The one number that tells people how a task goes: its name and unit."""

    name: str
    unit: str


class View:
    """Recorded sensors and controls of any number of states, read by sensor name.

    Args:
      slices: where each sensor lies in `sensordata`.
      sensordata: (..., nsensordata).
      ctrl: (..., nu), the control applied in each state; zeros where a state is looked at alone.
    """

    def __init__(self, slices: Mapping[str, slice], sensordata: Array, ctrl: Array) -> None:
        self._slices = slices
        self.sensordata = sensordata
        self.ctrl = ctrl

    def sensor(self, name: str) -> Array:
        """The readings of one sensor, (..., dim).

        Raises:
          PoloError: the model has no sensor of that name.
        """
        try:
            where = self._slices[name]
        except KeyError:
            raise PoloError(
                f"the model has no sensor named '{name}'; add it to the model's <sensor> section "
                f"(it has {', '.join(self._slices) or 'none'})"
            ) from None
        return self.sensordata[..., where]


class Task(ABC):
    """A world and what is wanted in it; subclasses fill in the abstract methods.

    Everything that judges a state does so for whole arrays at once: a view holds states of any leading
    shape and the methods return arrays of that shape, so no Python runs per rollout or step.

    Args:
      model_path: an MJCF file in place of the task's own.
      torque_scale: factor on every actuator's gear.

    Raises:
      PoloError: the model is missing, broken, or lacks a sensor or a control range that is needed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    model_file: ClassVar[str]
    terms: ClassVar[tuple[RewardTerm, ...]]
    features: ClassVar[tuple[Feature, ...]]
    # a (3,) position sensor that stands for the robot in lines and status displays
    trace_sensor: ClassVar[str]
    # how long `achieved` must hold on end before the task counts as solved, in s
    hold_time: ClassVar[float] = 2.0
    # what `measured` tells, for people
    measure: ClassVar[Measure]
    # physics steps per control period
    substeps: ClassVar[int] = 1
    # control periods between goals that the world draws by itself; 0 where the goal stays
    goal_period: ClassVar[int] = 0

    def __init__(self, model_path: str | Path = "", torque_scale: float = 1.0) -> None:
        path = Path(model_path) if model_path else share_path("models", self.model_file)
        self.model = load_model(path)
        self.model.actuator_gear[:] *= torque_scale
        unlimited = np.flatnonzero(~self.model.actuator_ctrllimited.astype(bool))
        if unlimited.size:
            name = self.model.actuator(int(unlimited[0])).name
            raise PoloError(
                f"actuator '{name}' of {path} has no ctrlrange; the planner samples inside that range"
            )
        self.weights = {term.name: term.weight for term in self.terms}
        self._slices = {
            self.model.sensor(i).name: slice(
                int(self.model.sensor_adr[i]), int(self.model.sensor_adr[i] + self.model.sensor_dim[i])
            )
            for i in range(self.model.nsensor)
        }
        try:  # the model's own sensors decide whether it fits, so ask it before anyone relies on it
            probe = self.observe(self.state_of(mujoco.MjData(self.model)))
            self.reward(probe)
            given, listed = self.value_features(probe).size, self.feature_count
            if given != listed:
                raise PoloError(f"value_features gives {given} numbers, features lists {listed}")
            self.achieved(probe)
            self.measured(probe)
            probe.sensor(self.trace_sensor)
            self.start_state(np.random.default_rng(0))
        except (PoloError, KeyError) as error:  # MuJoCo answers an unknown name with a KeyError
            raise PoloError(f"{path} does not fit task {self.name}: {error.args[0]}") from None

    @abstractmethod
    def reward_terms(self, view: View) -> dict[str, Array]:
        """The unweighted reward terms of each state, each (...)."""

    @abstractmethod
    def value_features(self, view: View) -> Array:
        """The value function's input for each state, (..., feature_count)."""

    @abstractmethod
    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Put `data` into a start state drawn with `rng`."""

    @abstractmethod
    def achieved(self, view: View) -> Mask:
        """Whether each state is one the task wants, (...)."""

    @abstractmethod
    def measured(self, view: View) -> Array:
        """The task's measure of each state, (...), in its unit."""

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:  # noqa: B027
        """Put a new goal into the mocap bodies of `data`; nothing where the task has no goals to draw."""

    def reward(self, view: View) -> Array:
        """The weighted sum of the reward terms, (...); zero where there are none."""
        terms = self.reward_terms(view)
        total: Array = np.zeros(view.sensordata.shape[:-1])
        for name, weight in self.weights.items():
            total += weight * terms[name]
        return total

    @property
    def feature_count(self) -> int:
        """The number of entries of the value function's input."""
        return sum(feature.size for feature in self.features)

    @property
    def state_size(self) -> int:
        """The number of entries of a flat state (`STATE_SPEC`)."""
        return int(mujoco.mj_stateSize(self.model, STATE_SPEC))

    @property
    def goal_size(self) -> int:
        """How many of a flat state's last entries are its goal: the poses of the mocap bodies."""
        return 7 * int(self.model.nmocap)

    def goal_of(self, states: Array) -> Array:
        """The goals of flat states (..., state_size): positions, then quaternions, (..., goal_size)."""
        return states[..., self.state_size - self.goal_size :]

    @property
    def control_low(self) -> Array:
        """The lower end of each actuator's control range, (nu,)."""
        return np.array(self.model.actuator_ctrlrange[:, 0])

    @property
    def control_high(self) -> Array:
        """The upper end of each actuator's control range, (nu,)."""
        return np.array(self.model.actuator_ctrlrange[:, 1])

    @property
    def neutral(self) -> Array:
        """The control that plans begin with and a robot may be left with, (nu,): the nearest to zero."""
        neutral: Array = np.clip(0.0, self.control_low, self.control_high)
        return neutral

    @property
    def timestep(self) -> float:
        """The control period and planning step, in s: `substeps` steps of the model's physics."""
        return float(self.model.opt.timestep) * self.substeps

    def view(self, sensordata: Array, ctrl: Array) -> View:
        """Recorded sensors (..., nsensordata) and controls (..., nu) by name."""
        return View(self._slices, sensordata, ctrl)

    def observe(self, states: Array, ctrl: Array | None = None) -> View:
        """Look at flat states (..., state_size) by computing their sensors, one by one.

        For displays, tests and single states; rollouts record their sensors themselves.
        """
        flat = states.reshape(-1, self.state_size)
        controls = np.zeros((len(flat), self.model.nu)) if ctrl is None else ctrl.reshape(len(flat), -1)
        data = mujoco.MjData(self.model)
        sensordata = np.empty((len(flat), self.model.nsensordata))
        for row, (state, control) in enumerate(zip(flat, controls, strict=True)):
            mujoco.mj_setState(self.model, data, state, STATE_SPEC)
            data.ctrl[:] = control
            mujoco.mj_forward(self.model, data)
            sensordata[row] = data.sensordata
        shape = states.shape[:-1]
        return self.view(sensordata.reshape(*shape, -1), controls.reshape(*shape, -1))

    def state_of(self, data: mujoco.MjData) -> Array:
        """The flat state of `data`, (state_size,)."""
        state = np.empty(self.state_size)
        mujoco.mj_getState(self.model, data, state, STATE_SPEC)
        return state

    def start_state(self, rng: np.random.Generator) -> Array:
        """A flat start state, (state_size,)."""
        data = mujoco.MjData(self.model)
        self.start(data, rng)
        return self.state_of(data)

    def model_hash(self) -> str:
        """A digest of what the value function depends on: names, sizes, masses, geometry, gears.

        Rounded to six digits, so that it outlives compilers and versions of MuJoCo.
        """
        model = self.model
        digest = hashlib.sha256(model.names)
        for array in (
            model.body_mass, model.body_pos, model.body_quat, model.jnt_type, model.jnt_axis,
            model.jnt_range, model.dof_damping, model.geom_type, model.geom_size, model.geom_pos,
            model.actuator_gear, model.actuator_ctrlrange, [model.opt.timestep],
        ):  # fmt: skip
            text = " ".join(f"{number + 0.0:.6g}" for number in np.ravel(array))
            digest.update(text.encode())
        return digest.hexdigest()[:16]


def load_model(path: Path) -> mujoco.MjModel:
    """Compile an MJCF file.

    Raises:
      PoloError: the file is missing or MuJoCo refuses it.
    """
    if not path.is_file():
        raise PoloError(f"there is no MJCF file {path}; give model_path the path of one")
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise PoloError(f"{path} is not a valid MJCF model: {reason}") from None
