"""The tables of docs/reliability.md from the CSV files, as Markdown.

python -m benchmarks.faults.tables
"""

import argparse
from collections import Counter

import numpy as np

from benchmarks.faults.contrary import COLUMNS as CONTRARY
from benchmarks.faults.contrary import ROBOTS
from benchmarks.faults.support import COLUMNS, RESULTS, Rows

FILES = ("kill_nodes", "stopped_nodes", "enable_cycles", "parameter_storm", "storage", "storage_cuts")


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    faults()
    print()
    contrary()


def faults() -> None:
    """Tries, survivors, losses and time to safe of each fault."""
    print("| fault | tries | survived | updates lost | safe after, p50 | p99 | largest |")
    print("|---|---|---|---|---|---|---|")
    for name in FILES:
        rows = Rows(RESULTS / f"{name}.csv", COLUMNS).known
        for case in sorted({row["case"] for row in rows}):
            chosen = [row for row in rows if row["case"] == case]
            survived = sum(int(row["survived"]) for row in chosen)
            lost = [int(row["lost"]) for row in chosen if row["lost"]]
            times = [float(row["safe_s"]) for row in chosen if row["safe_s"]]
            figures = (
                [f"{number:.2f} s" for number in (*np.percentile(times, (50, 99)), max(times))]
                if times
                else 3 * ["–"]
            )
            told = f"0 to {max(lost)}" if lost else "–"
            print(
                f"| {chosen[0]['fault']}: {case} | {len(chosen):,} | {survived:,} | {told} | {' | '.join(figures)} |"
            )


def contrary() -> None:
    """What each case comes to, and in what share of the control periods the task was achieved."""
    rows = Rows(RESULTS / "contrary_driver.csv", CONTRARY).known
    print(f"| driver | {' | '.join(ROBOTS)} | reason on /diagnostics |")
    print("|---|---|---|---|")
    for case in dict.fromkeys(
        row["case"] for row in sorted(rows, key=lambda row: row["robot"] != "humanoid")
    ):
        cells, reasons = [], set()
        for robot in ROBOTS:
            chosen = [row for row in rows if (row["case"], row["robot"]) == (case, robot)]
            outcomes = Counter(row["outcome"] for row in chosen)
            shares = [float(row["achieved"]) for row in chosen if row["achieved"] != "nan"]
            share = f" ({min(shares):.2f})" if shares else ""
            cells.append(
                ", ".join(f"{n} × {text}" for text, n in outcomes.items()) + share if chosen else "–"
            )
            reasons |= {
                text.removeprefix("safe action: ")
                for row in chosen
                for text in row["said"].split(" | ")
                if text.startswith("safe action")
                and "no message yet" not in text
                and "no plan yet" not in text
            }
        print(f"| {case} | {' | '.join(cells)} | {'; '.join(sorted(reasons))} |")


if __name__ == "__main__":
    main()
