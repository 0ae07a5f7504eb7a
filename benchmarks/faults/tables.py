"""The tables of docs/reliability.md from the CSV files, as Markdown.

python -m benchmarks.faults.tables
"""

import argparse
from collections import Counter

import numpy as np

from benchmarks.faults.contrary import CASES, ROBOTS
from benchmarks.faults.contrary import COLUMNS as CONTRARY
from benchmarks.faults.rows import RESULTS, Rows
from benchmarks.faults.support import COLUMNS

FILES = ("kill_nodes", "stopped_nodes", "enable_cycles", "parameter_storm", "storage", "storage_cuts")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
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
            figures = ["–"] * 3
            if times:
                figures = [f"{number:.2f} s" for number in (*np.percentile(times, (50, 99)), max(times))]
            cells = [f"{chosen[0]['fault']}: {case}", f"{len(chosen):,}", f"{survived:,}"]
            cells += [f"0 to {max(lost)}" if lost else "–", *figures]
            print(f"| {' | '.join(cells)} |")


def contrary() -> None:
    """What each case comes to, and in what share of the control periods the task was achieved."""
    rows = Rows(RESULTS / "contrary_driver.csv", CONTRARY).known
    print(f"| driver | {' | '.join(ROBOTS)} | reason on /diagnostics |")
    print("|---|---|---|---|")
    for case in [case for case in CASES if any(row["case"] == case for row in rows)]:
        cells = [case]
        for robot in ROBOTS:
            chosen = [row for row in rows if (row["case"], row["robot"]) == (case, robot)]
            outcomes = Counter(row["outcome"] for row in chosen)
            shares = [float(row["achieved"]) for row in chosen if row["achieved"] != "nan"]
            cell = ", ".join(f"{count} × {outcome}" for outcome, count in outcomes.items())
            cells.append(f"{cell or '–'}{f' ({min(shares):.2f})' if shares else ''}")
        said = {text for row in rows if row["case"] == case for text in row["said"].split(" | ")}
        cells.append("; ".join(sorted(filter(None, map(reason, said)))))
        print(f"| {' | '.join(cells)} |")


def reason(text: str) -> str:
    """Why the action is safe, of a status; empty where it is not, and for those of every start."""
    usual = "no message yet" in text or "no plan yet" in text
    return "" if usual or not text.startswith("safe action: ") else text.removeprefix("safe action: ")


if __name__ == "__main__":
    main()
