"""What to solve: a model, named reward terms, value features, start states and a goal."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.tasks.model import dynamics_hash, load_model, model_hash, sensor_readings
from polo_ros.tasks.view import View

# The flat state of a task: positions, velocities, activations, and the poses of the mocap bodies (the goal).
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
    """The one number that summarises a state for people: its name and unit."""

    name: str
    unit: str


class Task(ABC):
    """A model, a reward and a goal; subclasses fill in the abstract methods.

    Rewards, features and goals are computed for whole arrays: a view holds states of any leading shape, and
    the methods return arrays of that shape. No Python code runs once per rollout or step.

    Args:
      model_path: an MJCF file in place of the task's own.
      torque_scale: factor on every actuator's gear.

    Raises:
      PoloError: the model is missing or invalid, or lacks a sensor or a control range that is needed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    model_file: ClassVar[str]
    terms: ClassVar[tuple[RewardTerm, ...]]
    features: ClassVar[tuple[Feature, ...]]
    # the position sensor (3,) whose path is drawn for each rollout
    trace_sensor: ClassVar[str]
    # how long `achieved` must hold without a break before the task counts as solved, in s
    hold_time: ClassVar[float] = 2.0
    # name and unit of what `measured` returns
    measure: ClassVar[Measure]
    # physics steps per control period
    substeps: ClassVar[int] = 1
    # of `map_states`: lowest and highest x, lowest and highest y, in m
    map_extent: ClassVar[tuple[float, float, float, float]] = (-1.0, 1.0, -1.0, 1.0)
    # control periods between goals that are drawn at random; 0 where the goal does not change
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
        try:  # a model of another file may lack sensors or keyframes: find out now
            probe = self.observe(self.state_of(mujoco.MjData(self.model)))
            self.reward(probe)
            given, listed = self.value_features(probe).size, self.feature_count
            if given != listed:
                raise PoloError(f"value_features gives {given} numbers, features lists {listed}")
            self.achieved(probe)
            self.measured(probe)
            probe.sensor(self.trace_sensor)
            self.start_state(np.random.default_rng(0))
        except (PoloError, KeyError) as error:  # MuJoCo raises KeyError for an unknown name
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
        """Whether each state fulfils the task, (...)."""

    @abstractmethod
    def measured(self, view: View) -> Array:
        """The task's measure of each state, (...), in its unit."""

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:  # noqa: B027
        """Put a new goal into the mocap bodies of `data`; nothing where the task has no goals to draw."""

    def map_states(self, resolution: int) -> Array | None:
        """States all over the world whose values can be drawn on its floor; None where there is no such map.

        Args:
          resolution: states along each side.

        Returns:
          (resolution, resolution, state_size), rows along y and columns along x over `map_extent`.
        """
        return None

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
        """The lower limit of each actuator's control range, (nu,)."""
        return np.array(self.model.actuator_ctrlrange[:, 0])

    @property
    def control_high(self) -> Array:
        """The upper limit of each actuator's control range, (nu,)."""
        return np.array(self.model.actuator_ctrlrange[:, 1])

    @property
    def neutral(self) -> Array:
        """The control of the first plan and of a robot at rest, (nu,): the nearest to zero in the range."""
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
        """The sensors of flat states, computed by MuJoCo in one batched call.

        For states that come from elsewhere; rollouts record their sensors while they simulate.

        Args:
          states: (..., state_size).
          ctrl: (..., nu), the control applied in each state; zeros by default.
        """
        shape = states.shape[:-1]
        controls = np.zeros((*shape, self.model.nu)) if ctrl is None else ctrl
        flat = states.reshape(-1, self.state_size)
        readings = sensor_readings(self.model, STATE_SPEC, flat, controls.reshape(len(flat), self.model.nu))
        return self.view(readings.reshape(*shape, self.model.nsensordata), controls)

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
        """A digest of the model; see `polo_ros.tasks.model.model_hash`."""
        return model_hash(self.model)

    def dynamics_hash(self) -> str:
        """A digest of gains, friction and gravity; see `polo_ros.tasks.model.dynamics_hash`."""
        return dynamics_hash(self.model)
