"""Value functions learned from bags against those that were learned live while the bags were recorded.

    python -m benchmarks.bag_round_trip --runs 5 --out benchmarks/results/bag_round_trip.csv

A run is `make learn` of the cart-pole, in lockstep with a learner from the start and a seed of its own,
beside `polo record`. The last weights in its bag are those that were learned live; `polo train --from-bag`
learns others from it. Both are judged by `polo evaluate` on the same seeds, planning with the run's horizon,
which is too short without a value function.
"""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from polo_ros.agent.evaluation import evaluate
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import settings_for
from polo_ros.planner.value import ValueEnsemble
from polo_ros.recordings.learning import train_from_recordings
from polo_ros.recordings.recording import read_recording

TASK, HORIZON = "cartpole_swingup", 8
NONE, LIVE, BAG = "none", "live", "from bag"
COLUMNS = ("run", "transitions", "value_function", "seed", "mean_reward", "last_reward", "solved")
LONGEST_RUN_S = 900.0


def record(seed: int, episodes: int, folder: Path) -> Path:
    """Learn live in a graph of nodes, and record it; the bag."""
    bag = folder / "bag"
    recording = [sys.executable, "-m", "polo_ros.nodes.recorder", TASK, "--out", str(bag)]
    learning = [sys.executable, "-m", "polo_ros.nodes.learn", "--task", TASK, "--horizon", str(HORIZON)]
    learning += ["--lockstep", "--seed", str(seed), "--alone", "0", "--episodes", str(episodes)]
    recorder = subprocess.Popen(recording, stdout=subprocess.PIPE, text=True)
    assert recorder.stdout is not None
    recorder.stdout.readline()  # it listens
    try:
        # its exit code says whether the last episode was solved, which is judged below
        subprocess.run([*learning, "--out", str(folder / "learn")], timeout=LONGEST_RUN_S, check=False)
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=60)
    return bag


def main() -> None:
    """Record, learn again, judge, write a row a run, value function and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=8, help="of 6 s, a run")
    parser.add_argument("--seeds", type=int, default=10, help="that judge")
    parser.add_argument("--steps", type=int, default=300, help="of each of these")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    settings = settings_for(TASK, overrides={"horizon": HORIZON})
    means: dict[str, list[float]] = {}
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.bag_round_trip {' '.join(sys.argv[1:])}\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for run in range(options.runs):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                recording = read_recording(record(run, options.episodes, folder), settings.task)
                received = ReceivedWeights(settings.task, settings.planner.discount)
                live = received.receive(recording.weights[-1][1])
                weights = train_from_recordings(settings, [recording], run, folder / "learned")
                learned = ReceivedWeights(settings.task, settings.planner.discount).load(str(weights))
                judged: dict[str, ValueEnsemble | None] = {NONE: None, LIVE: live, BAG: learned}
                for which, value in judged.items():
                    rows = evaluate(settings, value, range(options.seeds), options.steps, folder / which)
                    for row in rows:
                        numbers = (row["seed"], row["mean_reward"], row["last_reward"], row["solved"])
                        writer.writerow((run, len(recording.time), which, *numbers))
                    mean = statistics.fmean(float(row["mean_reward"]) for row in rows)
                    means.setdefault(which, []).append(mean)
                    print(f"run {run}, {which}: mean reward {mean:.3f}", flush=True)
                file.flush()
    for which, rewards in means.items():
        print(f"{which}: {statistics.fmean(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f})")
    differences = [after - before for before, after in zip(means[LIVE], means[BAG], strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    print(f"from bag − live: {statistics.fmean(differences):+.3f} ± {error:.3f} (standard error over runs)")


if __name__ == "__main__":
    main()
