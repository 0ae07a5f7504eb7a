"""Ten seeds of `make demo`: shipped, with the paper's torques, and with the paper's sampler.

    python -m benchmarks.getup_seeds

Each run is the demo itself, over ROS 2 in lockstep: from supine until the root has been above 1 m for 2 s
of simulated time, or until the bound of wall time.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

from polo_ros.files import share_path

PAPER_TORQUE = ("--config", str(share_path("config", "humanoid_getup_paper_torque.yaml")))
SETTINGS: dict[str, tuple[str, ...]] = {
    "shipped": (),
    "no value function": ("--no-value",),
    "paper's torque": PAPER_TORQUE,
    "paper's torque, no value function": (*PAPER_TORQUE, "--no-value"),
    "paper's sampler": ("--config", str(share_path("config", "humanoid_getup_paper.yaml")), "--no-value"),
}
COLUMNS = ("setting", "seed", "solved", "solved_at", "sim_time", "wall_time", "outcome")


def main() -> None:
    """Run, print and write a row a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--bound", type=float, default=300.0, help="wall time a seed, in s")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/getup_seeds.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.getup_seeds --seeds {options.seeds} --bound {options.bound:g}\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for setting in options.settings:
            for seed in range(options.seeds):
                row = run(setting, seed, options.bound)
                writer.writerow(row)
                file.flush()
                print(dict(zip(COLUMNS, row, strict=True)), flush=True)


def run(setting: str, seed: int, bound: float) -> tuple[object, ...]:
    """One demo."""
    out = Path("runs/getup_seeds") / f"{setting.replace(' ', '_')}-{seed}"
    command = [sys.executable, "-m", "polo_ros.nodes.demo", "--seed", str(seed), "--bound", str(bound)]
    command += ["--out", str(out), *SETTINGS[setting]]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    found = json.loads((out / "outcome.json").read_text())
    solved = int(ended.returncode == 0)
    return setting, seed, solved, *(found[key] for key in ("solved_at", "sim_time", "wall_time", "outcome"))


if __name__ == "__main__":
    main()
