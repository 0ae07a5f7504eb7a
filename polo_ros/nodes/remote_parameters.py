"""Another node's parameters through its services, as the page shows them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterEvent
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

from polo_ros.viewer.fields import Field, Value

# of rclpy, and of topics' quality of service: not this package's
FOREIGN = ("qos_overrides.", "use_sim_time", "start_type_description_service")


class RemoteParameters:
    """Reads a node's parameters once it is there, follows their changes and asks for changes.

    Of the changes that are asked for while one is under way, the newest of each parameter is sent: a slider
    that is drawn sends tens a second. Changes may be asked for on any thread, so that they do not wait for
    the executor's; all else is for the executor's thread.

    Args:
      node: asks.
      target: name of the node that has the parameters, in the same namespace.
      on_fields: called with all of them when they have been read, also after a restart.
      on_values: called with new values by name.
      on_refused: called with the name, the value that stays and the reason.
    """

    def __init__(
        self,
        node: Node,
        target: str,
        on_fields: Callable[[Sequence[Field]], None],
        on_values: Callable[[Mapping[str, Value]], None],
        on_refused: Callable[[str, Value, str], None],
    ) -> None:
        self.values: dict[str, Value] = {}
        self._full_name = f"{node.get_namespace().rstrip('/')}/{target}"
        self._on_fields, self._on_values, self._on_refused = on_fields, on_values, on_refused
        self._list: Any = node.create_client(ListParameters, f"{target}/list_parameters")
        self._describe: Any = node.create_client(DescribeParameters, f"{target}/describe_parameters")
        self._get: Any = node.create_client(GetParameters, f"{target}/get_parameters")
        self._set: Any = node.create_client(SetParameters, f"{target}/set_parameters")
        self._descriptors: list[ParameterDescriptor] = []
        self._lock = threading.Lock()  # of the next two
        self._wanted: dict[str, Value] = {}
        self._asked: tuple[str, Value] | None = None
        self._known = False

    def look(self) -> None:
        """Read the parameters where the node has appeared since the last call; for about once a second."""
        ready = all(c.service_is_ready() for c in (self._list, self._describe, self._get, self._set))
        if ready and not self._known:
            self._list.call_async(ListParameters.Request()).add_done_callback(self._on_names)
        elif not ready:
            with self._lock:
                self._asked = None
                self._wanted.clear()
        self._known = ready

    def refresh(self) -> None:
        """Read everything again, at the next look: changes may have been missed."""
        self._known = False

    def ask(self, name: str, value: Value) -> None:
        """Ask for a change; from any thread."""
        kept = self.values.get(name)
        with self._lock:
            self._wanted[name] = float(value) if isinstance(kept, float) and isinstance(value, int) else value
        self._send()

    def on_event(self, event: ParameterEvent) -> None:
        """Take a message of /parameter_events; those of other nodes are ignored."""
        if event.node != self._full_name:
            return
        values: dict[str, Any] = {
            p.name: parameter_value_to_python(p.value) for p in event.changed_parameters
        }
        changed: dict[str, Value] = {name: value for name, value in values.items() if name in self.values}
        self.values |= changed
        # a value that a user is changing is not reset to the one before
        self._on_values({name: value for name, value in changed.items() if name not in self._wanted})

    def _send(self) -> None:
        with self._lock:
            if self._asked is not None or not self._wanted:
                return
            name = next(iter(self._wanted))
            value = self._wanted.pop(name)
            self._asked = name, value
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        self._set.call_async(request).add_done_callback(self._on_answer)

    def _on_answer(self, future: Any) -> None:
        with self._lock:
            asked, self._asked = self._asked, None
        response = future.result()
        if asked is not None and response is not None:
            name, value = asked
            (result,) = response.results
            if result.successful:
                self.values[name] = value
                if name not in self._wanted:
                    self._on_values({name: value})
            elif name not in self._wanted:
                self._on_refused(name, self.values.get(name, value), result.reason)
        self._send()

    def _on_names(self, future: Any) -> None:
        names = [name for name in future.result().result.names if not name.startswith(FOREIGN)]
        request = DescribeParameters.Request(names=names)
        self._describe.call_async(request).add_done_callback(self._on_descriptors)

    def _on_descriptors(self, future: Any) -> None:
        self._descriptors = list(future.result().descriptors)
        request = GetParameters.Request(names=[each.name for each in self._descriptors])
        self._get.call_async(request).add_done_callback(self._on_all_values)

    def _on_all_values(self, future: Any) -> None:
        values = [parameter_value_to_python(value) for value in future.result().values]
        fields = [field_of(d, v) for d, v in zip(self._descriptors, values, strict=True) if v is not None]
        self.values = {field.name: field.value for field in fields}
        self._on_fields(fields)


def field_of(descriptor: ParameterDescriptor, value: Any) -> Field:
    """A parameter with the range and the choices that `polo_ros.nodes.node.describe` has given it."""
    ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
    low, high = (float(ranges[0].from_value), float(ranges[0].to_value)) if ranges else (None, None)
    choices = descriptor.additional_constraints.removeprefix("one of ")
    return Field(
        descriptor.name, list(value) if not isinstance(value, (bool, int, float, str)) else value,
        descriptor.description, low, high,
        tuple(choices.split(", ")) if descriptor.additional_constraints.startswith("one of ") else (),
        descriptor.read_only,
    )  # fmt: skip
