"""Random changes of parameters, valid and not, while the planner acts.

    python -m benchmarks.faults.parameter_storm --count 1000

Each try sets one dynamic parameter of the planner to a random value: three of four within its range, the
others outside, of a wrong type or not finite. Every change must be answered within the deadline, a bad one
refused with a reason, and every command must be finite and within the actuator's range. At the end of each
hundred all parameters go back to where they were, and the planner must plan.
"""

import sys
from typing import Any

import numpy as np
from rclpy.parameter import Parameter as RosParameter
from rclpy.parameter_client import AsyncParameterClient

from benchmarks.faults.loop import TASK, Loop
from benchmarks.faults.support import Attempt, Graph, arguments, repeat, run_folder
from polo_ros.parameters.node_tables import node_table
from polo_ros.parameters.schema import Parameter
from polo_ros.tasks import make_task, task_class

# sizes that keep a plan within about a second here
LARGEST = {"rollouts": 200, "horizon": 200, "iterations": 5}


class Storm:
    """Changes of one planner's parameters.

    Args:
      loop: whose planner.
      seed: of the changes.
    """

    def __init__(self, loop: Loop, seed: int) -> None:
        self._loop = loop
        self._seed = seed
        rows = node_table("planner_node", task_class(TASK))
        self._rows = [row for row in rows if row.dynamic]
        self._client = AsyncParameterClient(loop.graph.node, "planner_node")
        loop.graph.wait(self._client.services_are_ready, "the planner's parameters")
        names = [row.name for row in self._rows]
        before = self._answer(self._client.get_parameters(names), "the planner's parameters")
        self._before = [
            RosParameter.from_parameter_msg(_message(name, value))
            for name, value in zip(names, before.values, strict=True)
        ]
        self._force = float(make_task(TASK).model.actuator_gear[0, 0])

    def attempt(self, number: int) -> Attempt:
        """One change."""
        graph, rng = self._loop.graph, np.random.default_rng([self._seed, number])
        row = self._rows[rng.integers(len(self._rows))]
        valid = bool(rng.random() < 0.75)
        value = valid_value(row, rng) if valid else bad_value(row, rng)
        self._loop.forget()
        result = self._set([RosParameter(row.name, value=value)])[0]
        for _ in range(5):
            graph.spin_once(0.01)
        forces = [force for _, message in self._loop.commands for force in message.data]
        within = all(np.isfinite(force) and abs(force) <= self._force + 1e-9 for force in forces)
        refused = not result.successful and bool(result.reason)
        if number % 100 == 99:
            self._restore()
        return Attempt(
            "in range" if valid else "bad", survived=within and (valid or refused),
            said=f"{row.name}={value}: {'set' if result.successful else result.reason}",
        )  # fmt: skip

    def _restore(self) -> None:
        """All as it was, and planning."""
        # some only go together
        future = self._client.set_parameters_atomically(self._before)
        result = self._answer(future, "the parameters to be restored").result
        assert result.successful, result.reason
        self._loop.wait_for_motion()

    def _set(self, parameters: list[Any]) -> list[Any]:
        future = self._client.set_parameters(parameters)
        return list(self._answer(future, f"an answer to {parameters}").results)

    def _answer(self, future: Any, what: str) -> Any:
        """The result of a service call, once it is there."""
        self._loop.graph.wait(future.done, what)
        return future.result()


def _message(name: str, value: Any) -> Any:
    from rcl_interfaces.msg import Parameter as Message

    return Message(name=name, value=value)


def valid_value(row: Parameter, rng: np.random.Generator) -> Any:
    """A value within the range or among the choices."""
    if isinstance(row.default, bool):
        return bool(rng.integers(2))
    if row.choices:
        return str(rng.choice(row.choices))
    assert row.low is not None and row.high is not None
    if isinstance(row.default, int):
        high = min(int(row.high), LARGEST.get(row.name, int(row.high)))
        return int(rng.integers(int(row.low), high + 1))
    return float(rng.uniform(row.low, row.high))


def bad_value(row: Parameter, rng: np.random.Generator) -> Any:
    """A value outside, not finite, or of a wrong type."""
    if row.choices or isinstance(row.default, bool):
        return ["no such choice", [1.0], float("nan")][rng.integers(3)] if row.choices else "perhaps"
    assert row.low is not None and row.high is not None
    if isinstance(row.default, int):
        return [int(row.low) - 1, int(row.high) + 1, "many", float("nan")][rng.integers(4)]
    return [row.low - 1.0, 2.0 * row.high + 1.0, float("nan"), float("inf"), "much"][rng.integers(5)]


def main() -> int:
    """Change, write a row a try; 1 where one was not survived."""
    options = arguments(__doc__, 1000, "parameter_storm").parse_args()
    folder = run_folder("parameter_storm")
    with Graph(folder) as graph:
        loop = Loop(graph, folder)
        loop.start("simulator_node", "planner_node")
        loop.wait_for_motion()
        storm = Storm(loop, options.seed)
        return repeat("parameter storm", options, storm.attempt)


if __name__ == "__main__":
    sys.exit(main())
