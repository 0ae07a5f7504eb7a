"""What every node shares: the parameter table, faults and a status on /diagnostics."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.parameter import Parameter as RosParameter
from rclpy.timer import Timer

from polo_ros.control.config import CommonConfig
from polo_ros.control.standstill import Standstill
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.messages import pack_diagnostics
from polo_ros.nodes.status_log import StatusLog
from polo_ros.parameters.layers import check_layers, given_values
from polo_ros.parameters.node_tables import setup_values, tuning_order
from polo_ros.parameters.ros_arguments import parameter_layers
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
    """A node with the parameters of its table, a task and a status on /diagnostics.

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

    # for the log's summary: the value on /diagnostics that counts the node's work, its unit, and further
    # values
    counted: ClassVar[tuple[str, str]] = ("", "")
    summarised: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._log = StatusLog(self.get_logger(), self.counted, self.summarised)
        self._declare_parameters(name)
        common = self.config(CommonConfig)
        self.task: Task = make_task(
            common.task, common.model_path, common.torque_scale, setup_values(self.values())
        )
        self.seed = common.seed
        self.fault = ""
        self.stops: list[int] = []
        self._standstill = Standstill()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.every(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self.every(CHECK_PERIOD_S, self._check)
        self.add_pre_set_parameters_callback(self._convert)
        self.add_on_set_parameters_callback(self._validate)
        self.add_post_set_parameters_callback(lambda _: self.on_parameters_changed())

    def _declare_parameters(self, name: str) -> None:
        """Declare the table's parameters with the values that this process was given."""
        layers, own = parameter_layers(sys.argv), self.get_fully_qualified_name()
        others = check_layers(layers, own, name, CommonConfig.task)
        if others:
            self.get_logger().info(f"the parameter files are also for other nodes: {', '.join(others)}")
        given = given_values(layers, own)
        task_type = task_class(str(given.get("task", CommonConfig.task)))
        # rqt_reconfigure and the page show parameters in this order
        self._specs = {spec.name: spec for spec in tuning_order(name, task_type)}
        for spec in self._specs.values():
            value = spec.convert(given.get(spec.name, spec.default))
            plain = list(value) or [""] if isinstance(value, tuple) else value
            self.declare_parameter(spec.name, plain, describe(spec), ignore_override=True)
        simulated = given.get("use_sim_time")
        if simulated is not None and simulated != self.get_parameter("use_sim_time").value:
            self.set_parameters([RosParameter("use_sim_time", value=simulated)])

    def every(self, period: float, callback: Callable[[], None]) -> Timer:
        """Call back in wall time, whatever the simulated clock does; the period is in s."""
        return self.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # ---- parameters

    def values(self, proposed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The current parameters by name, with proposed ones in their places."""
        found: dict[str, Any] = {}
        for name, spec in self._specs.items():
            found[name] = spec.convert((proposed or {}).get(name, self.get_parameter(name).value))
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

    def set_parameters_atomically(self, parameter_list: list[RosParameter[Any]]) -> SetParametersResult:
        """As every node's; a refusal by any check is logged with its reason."""
        try:
            result = super().set_parameters_atomically(parameter_list)
        except ParameterNotDeclaredException as error:
            self._log.write(Level.WARN, f"refused parameter: {error}")
            raise
        if not result.successful:
            names = ", ".join(parameter.name for parameter in parameter_list)
            self._log.write(Level.WARN, f"refused parameter {names}: {result.reason}")
        return result

    def _convert(self, parameters: list[RosParameter[Any]]) -> list[RosParameter[Any]]:
        """Whole numbers for parameters that are floats, as `ros2 param set` sends them, become floats."""
        return [
            RosParameter(parameter.name, value=float(parameter.value))
            if type(parameter.value) is int and self._is_float(parameter.name)
            else parameter
            for parameter in parameters
        ]

    def _is_float(self, name: str) -> bool:
        return name in self._specs and isinstance(self._specs[name].default, float)

    def _validate(self, parameters: list[RosParameter[Any]]) -> SetParametersResult:
        """Refuse what does not go together; changes nothing."""
        proposed = {parameter.name: parameter.value for parameter in parameters}
        try:
            for config in self.configs():
                self.config(config, proposed)
        except PoloError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    # ---- faults, the log and diagnostics

    def report_fault(self, fault: str) -> None:
        """Show bad input on /diagnostics and log it."""
        self._log.write(Level.ERROR, fault)
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
        if stood_still := self._standstill.check(time.monotonic_ns()):
            self._log.write(Level.WARN, stood_still)
        self.check()

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        stamp = self.get_clock().now().nanoseconds
        status = self.status()
        self._diagnostics.publish(pack_diagnostics(name, status, stamp))
        self._log.add(status)
