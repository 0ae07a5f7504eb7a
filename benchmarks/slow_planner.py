"""The planner node with late plans: `python -m benchmarks.slow_planner --delay 0.03 --ros-args ...`."""

import argparse
import sys
import time
from collections.abc import Callable

from polo_ros.arrays import Array
from polo_ros.nodes.planner_node import PlannerNode
from polo_ros.nodes.run import run_node
from polo_ros.planner import PlanReport


class SlowPlanner(PlannerNode):
    """Sleeps in the planning thread before each plan returns.

    Args:
      delay: in s of wall time.
    """

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._planner.plan = delayed(self._planner.plan, delay)  # type: ignore[method-assign, assignment]


def delayed(plan: Callable[[Array, float], PlanReport], delay: float) -> Callable[[Array, float], PlanReport]:
    """Planning that takes so much longer, in s."""

    def late(state: Array, now: float) -> PlanReport:
        report = plan(state, now)
        time.sleep(delay)
        return report

    return late


def main() -> None:
    """Run the node; ROS 2 reads its own arguments itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, required=True, help="of every plan, in s of wall time")
    options, _ = parser.parse_known_args()
    sys.exit(run_node(lambda: SlowPlanner(options.delay)))


if __name__ == "__main__":
    main()
