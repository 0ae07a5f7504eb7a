"""Random sequences of events through the real gate and command path, counted.

`python -m benchmarks.faults.gate --sequences 10000`; the suite runs 500 of the same.
"""

import argparse
import csv
import time
from collections import Counter
from pathlib import Path

import hypothesis
from hypothesis import strategies as draw

from benchmarks.faults.gate_inputs import ROBOTS
from benchmarks.faults.gate_sequences import NAMES, Run, Sequence

RESULTS = Path(__file__).parent / "results" / "gate.csv"
EVENT = draw.tuples(draw.sampled_from(NAMES), draw.integers(0, 2**32 - 1))


def sequences(robot: str, lockstep: bool) -> draw.SearchStrategy[Sequence]:
    """Any sequences of 20 to 60 events for a robot in one mode."""
    return draw.builds(
        Sequence,
        robot=draw.just(robot),
        lockstep=draw.just(lockstep),
        autostart=draw.booleans(),
        compensates=draw.booleans(),
        seed=draw.integers(0, 2**32 - 1),
        events=draw.lists(EVENT, min_size=20, max_size=60).map(tuple),
    )


def run(robot: str, lockstep: bool, count: int, seed: int) -> Counter[str]:
    """So many sequences of one robot in one mode; what happened in them.

    Raises:
      AssertionError: a command that must not be, with the sequence that led to it.
    """
    counts: Counter[str] = Counter()

    # a failure is shown as it was found: making it smaller takes minutes
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, deadline=None, database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(sequences(robot, lockstep))
    def all_commands_may_be(sequence: Sequence) -> None:
        counts.update(Run(sequence).run())
        counts["sequences"] += 1

    all_commands_may_be()
    return counts


def run_all(count: int, seed: int = 0) -> list[dict[str, object]]:
    """The sequences shared among all robots and modes; a row each, with the events and commands counted."""
    cases = [(robot, lockstep) for robot in ROBOTS for lockstep in (True, False)]
    rows: list[dict[str, object]] = []
    for index, (robot, lockstep) in enumerate(cases):
        share = count // len(cases) + (index < count % len(cases))
        counts = run(robot, lockstep, share, seed + index)
        kinds = ("sequences", "commands", "planned", "safe", "silent", "final")
        row: dict[str, object] = {"robot": robot, "mode": "lockstep" if lockstep else "real time"}
        rows.append(
            row
            | {kind: counts[kind] for kind in kinds}
            | {"events": sum(counts[name] for name in set(NAMES))}
        )
    return rows


def main() -> None:
    """Run, write the figures and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    began = time.monotonic()
    rows = run_all(options.sequences, options.seed)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    totals = {key: sum(int(str(row[key])) for row in rows) for key in list(rows[0])[2:]}
    print(
        f"{totals['sequences']} sequences of {totals['events']} events in {time.monotonic() - began:.0f} s: "
        f"{totals['commands']} commands, {totals['planned']} of plans, {totals['safe']} safe actions, "
        f"{totals['final']} on exit, {totals['silent']} times silence; none that must not be"
    )


if __name__ == "__main__":
    main()
