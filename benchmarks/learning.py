"""Learning over ROS 2 in real time: `make learn` on some seeds, with and without the learner.

    python -m benchmarks.learning

Each run is the command itself: episodes of the planner alone, then of the same nodes with a learner that
starts from nothing. A reward is the mean over an episode's second half; times are wall time since the learner
was started, its start-up included.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

COLUMNS = ("task", "seed", "horizon", "phase", "episode", "ended", "reward")


def main() -> None:
    """Run, write a row an episode, print what each seed comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="cartpole_swingup")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/learning.csv"))
    parser.add_argument("further", nargs="*", help="options of `make learn`, after --")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    solved: list[float] = []
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.learning {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for seed in range(options.seeds):
            folder = Path("runs/learning") / f"{options.task}-{seed}"
            command = [sys.executable, "-m", "polo_ros.nodes.learn", "--task", options.task]
            command += ["--seed", str(seed), "--out", str(folder), *options.further]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            found = json.loads((folder / "outcome.json").read_text())
            for phase in ("alone", "learning"):
                for index, (ended, reward) in enumerate(found[phase]):
                    writer.writerow((options.task, seed, found["horizon"], phase, index, ended, reward))
            file.flush()
            solved += [found["solved_after"]] if found["solved_after"] is not None else []
            print(json.dumps(found), flush=True)
    times = f"median {statistics.median(solved):.0f} s (at most {max(solved):.0f})" if solved else "never"
    print(f"solved in {len(solved)} of {options.seeds} seeds, after {times}")


if __name__ == "__main__":
    main()
