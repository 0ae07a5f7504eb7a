"""A node that stands still (SIGSTOP) and goes on later: the clock stops with the simulator.

    python -m benchmarks.faults.stopped_nodes --count 60
    python -m benchmarks.faults.stopped_nodes --count 12 --seconds 22 32 --out runs/stopped_long.csv

In turn the simulator, which publishes the clock, the planner, the learner and all three are stopped, for two
to four seconds or as `--seconds` says: DDS gives up a participant that it does not hear for 20 s. The robot
must come to rest where simulator or planner stand still, must say why, and must move again once the node goes
on. Time to safe as in `kill_nodes`.
"""

import signal
import sys
import time

import numpy as np

from benchmarks.faults.loop import Loop
from benchmarks.faults.support import Attempt, Graph, arguments, listen, repeat, run_folder

NODES = ("simulator_node", "planner_node", "learner_node")
ALL = "all nodes"


def main() -> int:
    """Stop and go on, write a row a try; 1 where one was not survived."""
    parser = arguments(__doc__, 60, "stopped_nodes")
    parser.add_argument("--seconds", type=float, nargs=2, default=[2.0, 4.0], metavar=("LEAST", "MOST"))
    options = parser.parse_args()
    shortest, longest = options.seconds
    folder = run_folder("stopped_nodes")
    with Graph(folder) as graph:
        loop = Loop(graph, folder)
        loop.start(*NODES)
        return repeat(
            "node stopped", options, lambda number: stop(loop, options.seed, number, shortest, longest)
        )


def stop(loop: Loop, seed: int, number: int, shortest: float, longest: float) -> Attempt:
    """One standstill of so many s at least and at most."""
    graph, rng = loop.graph, np.random.default_rng([seed, number])
    node = (*NODES, ALL)[number % (len(NODES) + 1)]
    stopped_nodes = NODES if node == ALL else (node,)
    loop.start(*NODES)
    loop.wait_for_motion()
    listen(graph, rng.uniform(0.0, 0.5))
    children = [graph.children[each] for each in stopped_nodes]
    loop.forget()
    stopped = time.monotonic()
    for child in children:
        child.send_signal(signal.SIGSTOP)
    said, safe_s = "", None
    try:
        listen(graph, rng.uniform(shortest, longest))
        if node == "simulator_node":
            safe_s = loop.moved_until(stopped)
            graph.wait_says("planner_node", "no state has come for")
            said = loop.said("planner_node")
        elif node == "planner_node":
            safe_s = loop.pushed_until(stopped)
            graph.wait_says("simulator_node", "safe action")
            said = loop.said("simulator_node")
        elif node == "learner_node":
            assert any(any(m.data) for at, m in loop.commands if at > stopped + 1.0), "no commands"
    finally:
        went_on = time.monotonic()
        for child in children:
            child.send_signal(signal.SIGCONT)
    loop.wait_for_motion()
    said = f"{said}; " if said else ""
    said += f"stopped for {went_on - stopped:.0f} s, moving again after {time.monotonic() - went_on:.1f} s"
    return Attempt(node, survived=True, safe_s=safe_s, said=said)


if __name__ == "__main__":
    sys.exit(main())
