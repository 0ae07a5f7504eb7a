"""What every node shares: the parameter table, faults and a place on /diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter as RosParameter

from polo_ros.control.config import CommonConfig
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.messages import pack_diagnostics
from polo_ros.parameters.node_tables import node_table
from polo_ros.parameters.schema import Parameter, build, table
from polo_ros.tasks import Task, make_task, task_class

C = TypeVar("C")
DIAGNOSTICS_PERIOD_S = 1.0
CHECK_PERIOD_S = 0.1


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

    Attributes:
      task: the world and what is wanted in it.
      seed: of everything random in the node.
      fault: the last bad input that still counts; empty where there is none.
      stops: signals received; a node with one ends itself.

    Raises:
      PoloError: a bad parameter, or a task that cannot be made.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
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
        self.fault = ""
        self.stops: list[int] = []
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.every(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self.every(CHECK_PERIOD_S, self._check)
        self.add_on_set_parameters_callback(self._validate)
        self.add_post_set_parameters_callback(lambda _: self.on_parameters_changed())

    def every(self, period: float, callback: Callable[[], None]) -> None:
        """Call back in wall time, whatever the simulated clock does; the period is in s."""
        self.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # ---- parameters

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

    def reward_weights(self) -> dict[str, float]:
        """The weight of each reward term, from the current parameters."""
        return {term.name: float(self.get_parameter(f"reward.{term.name}").value) for term in self.task.terms}

    def configs(self) -> tuple[type[Any], ...]:
        """The configuration classes whose values must go together; for validation."""
        return (CommonConfig,)

    def on_parameters_changed(self) -> None:
        """Called after each change of parameters, which has passed validation."""

    def _validate(self, parameters: list[RosParameter[Any]]) -> SetParametersResult:
        """Refuse what does not go together; changes nothing."""
        proposed = {parameter.name: parameter.value for parameter in parameters}
        try:
            for config in self.configs():
                self.config(config, proposed)
        except PoloError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    # ---- faults and diagnostics

    def report_fault(self, fault: str) -> None:
        """Show bad input on /diagnostics, and log it where it is not the last one again."""
        if fault != self.fault:
            self.get_logger().error(fault)
        self.fault = fault

    def clear_fault(self) -> None:
        """Good input has come."""
        self.fault = ""

    def status(self) -> Status:
        """What /diagnostics says of this node."""
        return Status(Level.OK, "running")

    def check(self) -> None:
        """Called ten times a second; raises what has gone wrong outside the executor's thread."""

    def close(self) -> None:
        """End threads and save what must be saved; publishing still works here."""

    def _check(self) -> None:
        if self.stops:
            raise Stopped
        self.check()

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        stamp = self.get_clock().now().nanoseconds
        self._diagnostics.publish(pack_diagnostics(name, self.status(), stamp))
