"""A benchmark in this tree and in another one, in turns: whether a change made something slower.

    git worktree add /tmp/before 8daac51
    python -m benchmarks.beside_tree /tmp/before --column rest_ms -- benchmarks.round_trip --trips 60
    python -m benchmarks.beside_tree /tmp/before --column ratio -- benchmarks.planner_overhead --pairs 10

Each round runs the benchmark once in both trees, every other round in the opposite order, with the same
interpreter. A run's rows are combined to their median for each value of `--by`; the result is the ratio of
this tree's median to the other's, its median and quartiles over the rounds.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
Medians = dict[str, float]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("other", type=Path, help="folder of the other tree")
    arguments.add_argument("--column", required=True, help="of the benchmark's CSV file, to compare")
    arguments.add_argument("--by", nargs="+", default=[], help="columns whose values are kept apart")
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--out", type=Path, required=True, help="CSV file")
    arguments.add_argument("benchmark", nargs="+", help="after --: module and options, without --out")
    return arguments


def medians(tree: Path, benchmark: Sequence[str], column: str, by: Sequence[str]) -> Medians:
    """Run a benchmark in a tree; the median of a column for each value of others.

    Raises:
      RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.csv"
        command = [sys.executable, "-m", *benchmark, "--out", str(out)]
        done = subprocess.run(
            command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} in {tree} failed:\n{done.stdout}{done.stderr}")
        lines = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    found = defaultdict(list)
    for row in csv.DictReader(lines):
        found[" ".join(f"{name}={row[name]}" for name in by)].append(float(row[column]))
    return {case: statistics.median(values) for case, values in found.items()}


def main() -> None:
    """Write a row for each round and case; print the ratios."""
    options = parser().parse_args()
    ratios = defaultdict(list)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.beside_tree {' '.join(sys.argv[1:])}\n")
        writer = csv.writer(file)
        writer.writerow(("round", "case", "here", "other", "ratio"))
        for number in range(options.rounds):
            trees = [HERE, options.other.resolve()]
            order = trees if number % 2 == 0 else trees[::-1]
            found = {tree: medians(tree, options.benchmark, options.column, options.by) for tree in order}
            for case, here in found[HERE].items():
                other = found[trees[1]][case]
                ratios[case].append(here / other)
                writer.writerow((number, case, f"{here:.4f}", f"{other:.4f}", f"{here / other:.4f}"))
            file.flush()
            print(f"round {number + 1} of {options.rounds}", flush=True)
    for case, values in ratios.items():
        low, median, high = statistics.quantiles(values, n=4)
        print(f"{case or options.column}: this tree over the other {median:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
