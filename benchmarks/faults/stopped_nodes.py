"""A node that stands still (SIGSTOP) and goes on later: the clock stops with the simulator.

    python -m benchmarks.faults.stopped_nodes --count 60

In turn the simulator, which publishes the clock, the planner and the learner are stopped for two to four
seconds. The robot must come to rest where simulator or planner stand still, must say why, and must move again
once the node goes on. Time to safe as in `kill_nodes`.
"""

import signal
import sys
import time

import numpy as np

from benchmarks.faults.loop import Loop
from benchmarks.faults.support import Attempt, Graph, arguments, listen, repeat, run_folder

NODES = ("simulator_node", "planner_node", "learner_node")
SHORTEST_S, LONGEST_S = 2.0, 4.0


def main() -> int:
    """Stop and go on, write a row a try; 1 where one was not survived."""
    options = arguments(__doc__, 60, "stopped_nodes").parse_args()
    folder = run_folder("stopped_nodes")
    with Graph(folder) as graph:
        loop = Loop(graph, folder)
        loop.start(*NODES)
        return repeat("node stopped", options, lambda number: stop(loop, options.seed, number))


def stop(loop: Loop, seed: int, number: int) -> Attempt:
    """One standstill."""
    graph, rng = loop.graph, np.random.default_rng([seed, number])
    node = NODES[number % len(NODES)]
    loop.start(*NODES)
    loop.wait_for_motion()
    listen(graph, rng.uniform(0.0, 0.5))
    child = graph.children[node]
    loop.forget()
    stopped = time.monotonic()
    child.send_signal(signal.SIGSTOP)
    said, safe_s = "", None
    try:
        listen(graph, rng.uniform(SHORTEST_S, LONGEST_S))
        if node == "simulator_node":
            safe_s = loop.moved_until(stopped)
            graph.wait_says("planner_node", "no state has come for")
            said = loop.said("planner_node")
        elif node == "planner_node":
            safe_s = loop.pushed_until(stopped)
            graph.wait_says("simulator_node", "safe action")
            said = loop.said("simulator_node")
        else:
            assert any(any(m.data) for at, m in loop.commands if at > stopped + 1.0), "no commands"
    finally:
        child.send_signal(signal.SIGCONT)
    loop.wait_for_motion()
    return Attempt(node, survived=True, safe_s=safe_s, said=said)


if __name__ == "__main__":
    sys.exit(main())
