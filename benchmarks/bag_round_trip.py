"""A value function learned from a bag against the one that was learned live while the bag was recorded.

python -m benchmarks.bag_round_trip BAG --out benchmarks/results/bag_round_trip.csv

The bag is one of `polo record cartpole_swingup` beside simulator, planner and learner; its last weights are
those that were learned live. Both value functions are judged by `polo evaluate`, planning with a horizon that
is too short without one.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from polo_ros.agent.evaluation import evaluate
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import settings_for
from polo_ros.planner.value import ValueEnsemble
from polo_ros.recordings.bag import schema_of
from polo_ros.recordings.learning import train_from_recordings
from polo_ros.recordings.recording import read_recording


def main() -> None:
    """Learn from the bag, judge both on the same seeds, write a row a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--horizon", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    task = str(schema_of(options.bag)["task"])
    settings = settings_for(task, overrides={"horizon": options.horizon})
    recording = read_recording(options.bag, settings.task)
    live = ReceivedWeights(settings.task, settings.planner.discount).receive(recording.weights[-1][1])
    with tempfile.TemporaryDirectory() as folder:
        weights = train_from_recordings(settings, [recording], 0, Path(folder) / "bag")
        learned = ReceivedWeights(settings.task, settings.planner.discount).load(str(weights))
        judged: dict[str, ValueEnsemble | None] = {"none": None, "live": live, "from bag": learned}
        rows = []
        for name, value in judged.items():
            seeds = range(options.seeds)
            for row in evaluate(settings, value, seeds, options.steps, Path(folder) / name):
                rows.append((name, row["seed"], row["mean_reward"], row["last_reward"], row["solved"]))
    with options.out.open("w", newline="") as file:
        file.write(f"# {task}, {len(recording.time)} transitions, horizon {options.horizon}\n")
        writer = csv.writer(file)
        writer.writerow(("value function", "seed", "mean_reward", "last_reward", "solved"))
        writer.writerows(rows)
    for name in judged:
        rewards = [float(row[2]) for row in rows if row[0] == name]
        mean = sum(rewards) / len(rewards)
        print(f"{name}: mean reward {mean:.3f} ({min(rewards):.3f} to {max(rewards):.3f})")


if __name__ == "__main__":
    main()
