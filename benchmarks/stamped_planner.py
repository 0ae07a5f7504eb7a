"""The planner node that records when it commands.

python -m benchmarks.stamped_planner --stamps FILE --ros-args ...
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from polo_ros.arrays import Array
from polo_ros.nodes.planner_node import PlannerNode
from polo_ros.nodes.run import run_node


class StampedPlanner(PlannerNode):
    """Keeps the time after each control tick's command and writes all times at its end.

    Args:
      file: of int64 times by the monotonic clock, in ns, as `numpy.save` writes them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sent: list[int] = []
        super().__init__()

    def _send(self, ctrl: Array, answered: int, following: Array) -> None:
        super()._send(ctrl, answered, following)
        self._sent.append(time.monotonic_ns())

    def close(self) -> None:
        """End as every planner node does, and write."""
        super().close()
        np.save(self._file, np.array(self._sent, dtype=np.int64))


def main() -> None:
    """Run the node; ROS 2 reads its own arguments itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stamps", type=Path, required=True)
    options, _ = parser.parse_known_args()
    sys.exit(run_node(lambda: StampedPlanner(options.stamps)))


if __name__ == "__main__":
    main()
