"""What to solve: a model, named reward terms, value features, start states and a goal."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError, nearest
from polo_ros.tasks.actuators import holding_ctrl
from polo_ros.tasks.building import add_gait_clock
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.goals import Goals
from polo_ros.tasks.model import dynamics_hash, model_hash, scalar_joints, sensor_readings
from polo_ros.tasks.sources import ModelSource, compile_spec, load_spec
from polo_ros.tasks.state import get_state, state_size
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.validation import check_class, check_task, require_attribute
from polo_ros.tasks.view import View


@dataclass(frozen=True)
class NoSetup:
    """The setup of a task that has none: a dataclass without fields."""


class Task(ABC):
    """A model, a reward and a goal; subclasses fill in the abstract methods.

    Rewards, features and goals are computed for whole arrays: a view holds states of any leading shape, and
    the methods return arrays of that shape. No Python code runs once per rollout or step.

    Args:
      model_path: a model in place of the task's own: a path, or the name of a robot description.
      torque_scale: factor on every actuator's gear.
      setup: an instance of `setup_type`; the default one where it is None.

    Attributes:
      model: compiled, with everything that `build` has added.
      model_path, torque_scale: as given.
      setup: of this robot; see `setup_type`.
      weights: of the reward terms, by name.
      goals: the goals that the model has.

    Raises:
      PoloError: the class lacks an attribute that every task needs, or the model is missing or invalid, or
        lacks a sensor, a keyframe or a control range that is needed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    # the MJCF file: a path, the name of a robot description, or a function that returns a mujoco.MjSpec; see
    # `polo_ros.tasks.sources.load_spec`
    model_source: ClassVar[ModelSource]
    # the keyframe that start states and the neutral control are taken from; empty for the reference pose
    home: ClassVar[str] = ""
    # largest deviation of each joint of a start state from it, in rad or m
    start_noise: ClassVar[float] = 0.0
    terms: ClassVar[tuple[RewardTerm, ...]]
    features: ClassVar[tuple[Feature, ...]]
    # a frozen dataclass of `polo_ros.parameters.schema.parameter`: each field is a read-only ROS parameter
    # `setup.<field>`, such as the names of a robot's feet
    setup_type: ClassVar[type[Any]] = NoSetup
    # whether there are `reference_controls`; `build` may set it on the instance
    has_reference: bool = False
    # the clock that gait rewards follow; `build` may set it on the instance
    gait: Gait | None = None
    # the position sensor (3,) whose path is drawn for each rollout
    trace_sensor: ClassVar[str]
    # how long `achieved` must hold without a break before the task counts as solved, in s
    hold_time: ClassVar[float] = 2.0
    # name and unit of what `measured` returns
    measure: ClassVar[Measure] = Measure("reward", "1")
    # physics steps per control period
    substeps: ClassVar[int] = 1
    # of `map_states`: lowest and highest x, lowest and highest y, in m
    map_extent: ClassVar[tuple[float, float, float, float]] = (-1.0, 1.0, -1.0, 1.0)
    # control periods between goals that are drawn at random; 0 where the goal does not change
    goal_period: ClassVar[int] = 0

    def __init__(
        self, model_path: str | Path = "", torque_scale: float = 1.0, setup: Any | None = None
    ) -> None:
        check_class(type(self))
        self.setup = self.setup_type() if setup is None else setup
        self.model_path, self.torque_scale = model_path, torque_scale
        spec, what = load_spec(model_path) if model_path else load_spec(self.source(), self._folder())
        with self._fitting(what):
            self.build(spec)
        if self.gait:
            add_gait_clock(spec)
        self.model = compile_spec(spec, what)
        self.model.actuator_gear[:] *= torque_scale
        unlimited = np.flatnonzero(~self.model.actuator_ctrllimited.astype(bool))
        if unlimited.size:
            name = self.model.actuator(int(unlimited[0])).name
            raise PoloError(
                f"actuator '{name}' of {what} has no ctrlrange; the planner samples inside that range"
            )
        self.weights = {term.name: term.weight for term in self.terms}
        self.goals = Goals(self.model, self.name)
        self._slices = {
            self.model.sensor(i).name: slice(
                int(self.model.sensor_adr[i]), int(self.model.sensor_adr[i] + self.model.sensor_dim[i])
            )
            for i in range(self.model.nsensor)
        }
        with self._fitting(what):  # missing sensors or keyframes are an error now, not in the first plan
            check_task(self)

    def _folder(self) -> Path:
        """The folder of the task's file; the current one where it was typed in."""
        return Path(getattr(sys.modules.get(type(self).__module__), "__file__", None) or "task.py").parent

    @contextmanager
    def _fitting(self, what: str) -> Iterator[None]:
        """Adds the names of model and task to errors about a model that does not fit the task."""
        try:
            yield
        except (PoloError, KeyError) as error:  # MuJoCo raises KeyError for an unknown name
            raise PoloError(f"{what} does not fit task {self.name}: {error.args[0]}") from None

    def source(self) -> ModelSource:
        """Where the model comes from: `model_source`, unless a task chooses it by its setup.

        Raises:
          PoloError: the class has no `model_source`.
        """
        what = (
            "the path of an MJCF, the name of a robot description, or a function that returns a mujoco.MjSpec"
        )
        require_attribute(type(self), "model_source", what)
        return type(self).model_source

    def build(self, spec: mujoco.MjSpec) -> None:  # noqa: B027
        """Change the model before it is compiled: add sensors, a floor and goals, or replace actuators.

        `polo_ros.tasks.building` and `polo_ros.tasks.actuators` have functions for this. By default the model
        stays as it is.
        """

    @abstractmethod
    def reward_terms(self, view: View) -> dict[str, Array]:
        """The unweighted reward terms of each state, each (...)."""

    @abstractmethod
    def value_features(self, view: View) -> Array:
        """The value function's input for each state, (..., feature_count)."""

    def listed_features(self) -> tuple[Feature, ...]:
        """What the entries of `value_features` are: `features`, unless the setup adds to them."""
        return self.features

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Put `data` into a start state drawn with `rng`.

        By default at rest in `home`, each hinge and slide joint moved by up to `start_noise`.
        """
        if self.home:
            mujoco.mj_resetDataKeyframe(self.model, data, self.home_keyframe())
        else:
            mujoco.mj_resetData(self.model, data)
        moved = self.model.jnt_qposadr[scalar_joints(self.model)]
        data.qpos[moved] += rng.uniform(-self.start_noise, self.start_noise, len(moved))

    def home_keyframe(self) -> int:
        """The number of the keyframe `home`.

        Raises:
          PoloError: the model has no such keyframe.
        """
        names = [self.model.key(index).name for index in range(self.model.nkey)]
        if self.home not in names:
            raise PoloError(f"the model has no keyframe '{self.home}'{nearest(self.home, names)}")
        return names.index(self.home)

    def reference_controls(self, states: Array, times: Array) -> Array:
        """Controls that the planner searches around, such as those of a gait from the legs' kinematics.

        Where `has_reference` is set, knots are deviations from these controls: a planner whose deviations are
        zero follows them. They are computed once a sampling round and can depend on the states planned from.

        Args:
          states: (P, state_size).
          times: (n,), in s from the states.

        Returns:
          (P, n, nu).
        """
        raise NotImplementedError(f"task {self.name} sets has_reference and lacks reference_controls")

    def achieved(self, view: View) -> Mask:
        """Whether each state fulfils the task, (...); by default never."""
        return np.zeros(view.sensordata.shape[:-1], dtype=bool)

    def measured(self, view: View) -> Array:
        """The task's measure of each state, (...), in its unit; by default the reward."""
        return self.reward(view)

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
        return sum(feature.size for feature in self.listed_features())

    @property
    def state_size(self) -> int:
        """The number of entries of a flat state; see `polo_ros.tasks.state`."""
        return state_size(self.model)

    @property
    def goal_size(self) -> int:
        """How many of a flat state's last entries are its goals: the poses of the mocap bodies."""
        return self.goals.size

    def goal_of(self, states: Array) -> Array:
        """The goals of flat states (..., state_size): positions, then quaternions, (..., goal_size)."""
        return states[..., self.state_size - self.goal_size :]

    def clock_at(self, stamp: int) -> float:
        """The gait clock at a time in ns, in s: a time within the gait's cycle, which begins at time 0."""
        assert self.gait is not None
        return stamp % round(1e9 * self.gait.period) / 1e9

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
        """The control of the first plan and of a robot at rest, (nu,).

        With a `home`, the controls of that keyframe or, where it has none, those with which servos hold its
        pose. Without, the nearest to zero in the range.
        """
        rest = np.zeros(self.model.nu)
        if self.home:
            key = self.home_keyframe()
            rest = self.model.key_ctrl[key]
            if not rest.any():
                rest = holding_ctrl(self.model, self.model.key_qpos[key])
        neutral: Array = np.clip(rest, self.control_low, self.control_high)
        return neutral

    @property
    def noise_scale(self) -> Array:
        """What a `noise_sigma` of 1 is for each actuator, (nu,), in its control's unit: half its range."""
        scale: Array = 0.5 * (self.control_high - self.control_low)
        return scale

    @property
    def rate_limits(self) -> Array | None:
        """How fast each control may change, (nu,), in its unit per second; None for no limits."""
        return None

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
        readings = sensor_readings(self.model, flat, controls.reshape(len(flat), self.model.nu))
        return self.view(readings.reshape(*shape, self.model.nsensordata), controls)

    def state_of(self, data: mujoco.MjData) -> Array:
        """The flat state of `data`, (state_size,)."""
        return get_state(self.model, data)

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
