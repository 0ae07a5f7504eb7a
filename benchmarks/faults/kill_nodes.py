"""kill -9 of each node at a random moment while learning.

    python -m benchmarks.faults.kill_nodes --count 200

The nodes are killed in turn (simulator, planner, learner, viewer), each after a random time of work. The
others must go on, the robot must come to rest where its simulator or planner is gone, and the node, started
again, must take up its work. `lost` counts the updates of a killed learner since its last checkpoint.
Time to safe: after the planner's death until no force acts on the simulated robot, after the simulator's
until no force is commanded. A learner or viewer may go without any effect on motion.
"""

import re
import sys
import time

import numpy as np

from benchmarks.faults.loop import Loop
from benchmarks.faults.support import Attempt, Graph, arguments, listen, repeat, run_folder
from polo_ros.learner.checkpoint import read_checkpoint
from polo_ros.learner.config import LearnerConfig
from polo_ros.tasks import make_task

# the longest time of work before a node is killed, in s of wall time
LONGEST_WORK_S = 1.0
RESUMED = re.compile(r"resumed from \S+ at update (\d+)")


def main() -> int:
    """Kill, write a row a try; 1 where one was not survived."""
    options = arguments(__doc__, 200, "kill_nodes").parse_args()
    folder = run_folder("kill_nodes")
    with Graph(folder) as graph:
        loop = Loop(graph, folder)
        loop.checkpoint.unlink(missing_ok=True)
        loop.start()
        return repeat("kill -9", options, lambda number: kill(loop, options.seed, number))


def kill(loop: Loop, seed: int, number: int) -> Attempt:
    """One death and recovery."""
    graph, rng = loop.graph, np.random.default_rng([seed, number])
    node = loop.nodes[number % len(loop.nodes)]
    loop.start()  # what an earlier attempt may have left dead
    loop.wait_for_motion()
    graph.wait(lambda: graph.reported("learner_node", "weights_sequence") > 0, "updates")
    graph.wait(loop.checkpoint.exists, "a checkpoint")
    listen(graph, rng.uniform(0.0, LONGEST_WORK_S))
    updates = graph.reported("learner_node", "weights_sequence")
    loop.forget()
    killed = time.monotonic()
    graph.kill(node)
    loop.watch()
    safe = {"planner_node": loop.pushed_until, "simulator_node": loop.moved_until}.get(node)
    safe_s = safe(killed) if safe else None
    other = {"planner_node": "simulator_node", "simulator_node": "planner_node"}.get(node)
    said = ""
    if other:
        graph.wait_says(other, "safe action")
        said = loop.said(other)
    else:
        assert any(any(message.data) for at, message in loop.commands if at > killed + 0.5), "no commands"
    lost = None
    if node == "learner_node":
        # whole, whenever it was killed
        read_checkpoint(loop.checkpoint, make_task("cartpole_swingup"), LearnerConfig().discount)
    resumed = len(RESUMED.findall(graph.log("learner_node")))
    loop.start(node)
    loop.wait_for_motion()
    if node == "learner_node":
        graph.wait(lambda: len(RESUMED.findall(graph.log(node))) > resumed, "the learner to resume")
        began_at = int(RESUMED.findall(graph.log(node))[-1])
        lost = max(updates - began_at, 0)
        graph.wait(lambda: graph.reported(node, "weights_sequence") > began_at, "further updates")
        said = f"resumed at update {began_at}"
    return Attempt(node, survived=True, lost=lost, safe_s=safe_s, said=said)


if __name__ == "__main__":
    sys.exit(main())
