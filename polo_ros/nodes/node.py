"""What every node shares: the parameter table, diagnostics, and a clean start and end."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from polo_ros.control.config import CommonConfig
from polo_ros.errors import PoloError
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.messages import pack_diagnostics
from polo_ros.parameters.node_tables import node_table
from polo_ros.parameters.schema import Parameter, build, table
from polo_ros.tasks import Task, make_task, task_class

C = TypeVar("C")
OK, WARN, ERROR = (
    int.from_bytes(level, "little")
    for level in (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)
)
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
# best effort, so that every driver matches
SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


def describe(spec: Parameter) -> ParameterDescriptor:
    """A table row as ROS 2 describes it; a float's step 0 and an integer's 1 make rqt draw sliders."""
    descriptor = ParameterDescriptor(description=spec.description, read_only=not spec.dynamic)
    if spec.choices:
        descriptor.additional_constraints = f"one of {', '.join(spec.choices)}"
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=spec.low, to_value=spec.high, step=0.0)
            ]
        elif isinstance(spec.default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)
            ]
    return descriptor


class Stopped(Exception):
    """The process was asked to end."""


class PoloNode(LightweightNode):
    """A node with the parameters of its table, a task and a place on /diagnostics.

    Args:
      name: of the node and of its table.

    Raises:
      PoloError: a bad parameter, or a task that cannot be made.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._table_name = name
        declared: RosParameter[str] = self.declare_parameter(
            "task", CommonConfig.task, describe(table(CommonConfig)[0])
        )
        task_type = task_class(str(declared.value))
        self._specs = {spec.name: spec for spec in node_table(name, task_type)}
        for spec in self._specs.values():
            if spec.name != "task":
                default = list(spec.default) or [""] if isinstance(spec.default, tuple) else spec.default
                self.declare_parameter(spec.name, default, describe(spec))
        common = self.config(CommonConfig)
        self.task: Task = make_task(common.task, common.model_path, common.torque_scale)
        self.seed = common.seed
        self.stops: list[int] = []
        self._changed = threading.Event()
        self.add_on_set_parameters_callback(self._validate)
        self.add_post_set_parameters_callback(lambda _: self._changed.set())
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.every(1.0, self._publish_diagnostics)
        self.every(0.1, self._check)

    def every(self, period: float, callback: Callable[[], None]) -> None:
        """Call back in wall time, whatever the simulated clock does; the period is in s."""
        self.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def values(self, proposed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The current parameters by name, with proposed ones in their places."""
        found: dict[str, Any] = {}
        for name, spec in self._specs.items():
            value = (proposed or {}).get(name, self.get_parameter(name).value)
            if isinstance(spec.default, tuple):
                # an empty list has no type in ROS 2, so that [""] stands for it
                value = tuple(item for item in value if item != "")
            found[name] = spec.convert(value)
        return found

    def config(self, config: type[C], proposed: Mapping[str, Any] | None = None) -> C:
        """A configuration from the current parameters.

        Raises:
          PoloError: values that do not go together.
        """
        names = {spec.name for spec in table(config)}
        return build(config, {k: v for k, v in self.values(proposed).items() if k in names})

    def take_changes(self) -> bool:
        """Whether parameters changed since the last call; asked between two plans or updates."""
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def apply_reward_weights(self) -> None:
        """Take over the reward's weights from the parameters."""
        for term in self.task.terms:
            self.task.weights[term.name] = float(self.get_parameter(f"reward.{term.name}").value)

    def configs(self) -> tuple[type[Any], ...]:
        """The configuration classes whose values must go together; for validation."""
        return (CommonConfig,)

    def status(self) -> tuple[int, str, dict[str, object]]:
        """Level, one sentence and values for /diagnostics."""
        return OK, "running", {}

    def check(self) -> None:
        """Called ten times a second; raises what has gone wrong outside the executor's thread."""

    def close(self) -> None:
        """End threads and save what must be saved; publishing still works here."""

    def _check(self) -> None:
        if self.stops:
            raise Stopped
        self.check()

    def _validate(self, parameters: "list[RosParameter[Any]]") -> SetParametersResult:
        """Refuse what does not go together; changes nothing."""
        proposed = {parameter.name: parameter.value for parameter in parameters}
        try:
            for config in self.configs():
                self.config(config, proposed)
        except PoloError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _publish_diagnostics(self) -> None:
        level, text, values = self.status()
        stamp = self.get_clock().now().nanoseconds
        name = self.get_fully_qualified_name().lstrip("/")
        self._diagnostics.publish(pack_diagnostics(name, level, text, values, stamp))


def run_node(make: Callable[[], PoloNode]) -> int:
    """Spin a node until it is told to stop; 0, or 1 after bad input, which is one sentence in the log.

    The first signal is only noted, so that the node ends itself with its context still valid: the planner
    leaves the robot with its safe action and the learner saves. Later ones are ignored.
    """
    stops: list[int] = []  # no Event: a second signal within its `set` would wait for the first for ever
    endings = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        stops.append(number)
        for ending in endings:
            signal.signal(ending, signal.SIG_IGN)

    for ending in endings:
        signal.signal(ending, note)
    node = None
    try:
        try:
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        except RuntimeError as error:  # a parameter file that is missing or no YAML, an unknown option
            raise PoloError(" ".join(str(error).split())) from None
        node = make()
        node.stops = stops
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (PoloError, ParameterException) as error:  # ROS 2 checks types and ranges itself
        rclpy.logging.get_logger("polo_ros").fatal(str(error))
        return 1
    except Stopped:
        pass
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def exit_with(make: Callable[[], PoloNode]) -> None:
    """The main function of an executable."""
    sys.exit(run_node(make))
