"""Enable and disable a planner that acts, again and again.

    python -m benchmarks.faults.enable_cycles --count 100

Each enabling must lead to motion, and each disabling to none: time to safe is from the call of ~/enable with
false to the last force that was commanded.
"""

import sys
import time

import numpy as np

from benchmarks.faults.loop import Loop
from benchmarks.faults.support import Attempt, Graph, arguments, listen, repeat, run_folder

LONGEST_MOTION_S = 0.5
# after this nothing may move, in s of wall time
REST_S = 0.3


def main() -> int:
    """Cycle, write a row a try; 1 where one was not survived."""
    options = arguments(__doc__, 100, "enable_cycles").parse_args()
    folder = run_folder("enable_cycles")
    with Graph(folder) as graph:
        loop = Loop(graph, folder, autostart=False)
        loop.start("simulator_node", "planner_node")
        graph.wait_says("planner_node", "not enabled")
        return repeat("enable cycle", options, lambda number: cycle(loop, options.seed, number))


def cycle(loop: Loop, seed: int, number: int) -> Attempt:
    """Motion and rest once."""
    graph, rng = loop.graph, np.random.default_rng([seed, number])
    loop.forget()
    assert graph.enable(True).success
    graph.wait(lambda: any(any(message.data) for _, message in loop.commands), "force after enabling")
    listen(graph, rng.uniform(0.0, LONGEST_MOTION_S))
    called = time.monotonic()
    assert graph.enable(False).success
    listen(graph, REST_S)
    safe_s = loop.moved_until(called)
    loop.forget()
    listen(graph, REST_S)
    moving = sum(any(message.data) for _, message in loop.commands)
    return Attempt(
        "disable while acting", survived=not moving and len(loop.commands) > 0, safe_s=safe_s,
        said=f"{moving} forces afterwards" if moving else "",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
