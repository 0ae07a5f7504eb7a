"""Lockstep for long, with everything running: memory, threads and descriptors of each node.

    python -m benchmarks.faults.soak --seconds 7200

Simulator, planner, learner and viewer run the cart-pole. A row is written every `--period` seconds for each
node, so that an interrupted run goes on: the nodes start anew, as another segment, until all segments
together have lasted for `--seconds`. The slope of the resident memory is that of a straight line through each
segment's rows after `--warm-up` seconds, in which buffers fill.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.faults.rows import RESULTS, Rows
from benchmarks.faults.support import Graph, listen, process_figures, run_folder

NODES = ("simulator_node", "planner_node", "learner_node", "viewer_node")
COLUMNS = ("segment", "seconds", "node", "rss_mib", "threads", "descriptors", "periods", "updates")


def main() -> int:
    """Run for the time that is left, then print slopes; 1 where a node ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=7200.0, help="of wall time, all segments together")
    parser.add_argument("--period", type=float, default=20.0, help="between rows, in s")
    parser.add_argument("--warm-up", type=float, default=300.0, help="left out of the slopes, in s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.csv")
    options = parser.parse_args()
    rows = Rows(options.out, COLUMNS)
    ends: dict[int, float] = {}
    for row in rows.known:
        ends[int(row["segment"])] = float(row["seconds"])
    left, segment = options.seconds - sum(ends.values()), len(ends)
    if left > 0:
        run(rows, segment, left, options)
    slopes(options.out, options.warm_up)
    return 0


def run(rows: Rows, segment: int, seconds: float, options: argparse.Namespace) -> None:
    """One segment.

    Raises:
      AssertionError: a node ended.
    """
    folder = run_folder("soak")
    checkpoint = folder / "checkpoint.safetensors"
    with Graph(folder) as graph:
        graph.start("simulator_node", seed=options.seed)
        graph.start("planner_node", seed=options.seed, autostart=True, value_weight=0.1)
        graph.start("learner_node", seed=options.seed, checkpoint_path=str(checkpoint), warmup_labels=64)
        graph.start("viewer_node", port=8911)
        graph.wait(lambda: set(NODES) <= set(graph.statuses), "diagnostics of all nodes")
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            listen(graph, options.period)
            for node in NODES:
                child = graph.children[node]
                code = child.poll()
                assert code is None, f"{node} ended with {code} after {elapsed:.0f} s:\n{graph.log(node)}"
                figures = process_figures(child.pid)
                rows.append(
                    segment=segment, seconds=f"{time.monotonic() - began:.0f}", node=node,
                    rss_mib=f"{figures.rss:.2f}", threads=figures.threads, descriptors=figures.descriptors,
                    periods=graph.reported("planner_node", "plans"),
                    updates=graph.reported("learner_node", "weights_sequence"),
                )  # fmt: skip


def slopes(path: Path, warm_up: float) -> None:
    """Print for each segment and node how memory, threads and descriptors went."""
    rows = Rows(path, COLUMNS).known
    for segment in sorted({row["segment"] for row in rows}):
        for node in NODES:
            chosen = [row for row in rows if (row["segment"], row["node"]) == (segment, node)]
            settled = [row for row in chosen if float(row["seconds"]) >= warm_up]
            if len(settled) < 3:
                print(f"segment {segment}, {node}: too short for a slope")
                continue
            seconds = np.array([float(row["seconds"]) for row in settled])
            rss = np.array([float(row["rss_mib"]) for row in settled])
            slope = 3600.0 * np.polyfit(seconds, rss, 1)[0]
            threads, descriptors = (
                {int(row[column]) for row in settled} for column in ("threads", "descriptors")
            )
            print(
                f"segment {segment}, {node}: {seconds[-1]:.0f} s, {chosen[-1]['periods']} plans, "
                f"{chosen[-1]['updates']} updates; RSS {rss[0]:.1f} to {rss[-1]:.1f} MiB, "
                f"{slope:+.2f} MiB/h; threads {min(threads)} to {max(threads)}, "
                f"descriptors {min(descriptors)} to {max(descriptors)}"
            )


if __name__ == "__main__":
    sys.exit(main())
