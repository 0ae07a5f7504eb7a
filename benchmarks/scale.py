"""What one machine gives to planning and learning, from which docs/scale.md computes larger ones.

    python -m benchmarks.scale --threads 1 2

Measures each task as it ships: physics steps a second in rollouts, the time that a plan takes beside them,
the time of a label and of an update's gradient steps, sizes in bytes, and the speed of the memory. Plans are
measured with the task's own K and with 256 rollouts, so that many threads have work. All numbers of threads
take turns from the same states, and figures are medians with quartiles.

`--draw-only` measures nothing; it prints the tables of docs/scale.md and draws the picture from --out.
Tables and picture need pandas and matplotlib (extra `experiments`); without pandas only figures are written.

Needs no ROS. Tasks whose model is not on the machine are left out with a message, and so are the gradient
steps without torch.
"""

import argparse
import csv
import dataclasses
import importlib.util
import itertools
import os
import platform
import sys
from pathlib import Path

from benchmarks.scale_measure import (
    Figure,
    byte_figures,
    gradient_figures,
    intake_figures,
    label_figures,
    memory_figures,
    planner_figures,
)
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import settings_for

TASKS = ("cartpole_swingup", "humanoid_getup", "quadruped_walk", "hand_cube")
OUT = Path("benchmarks/results/scale.csv")


def main() -> None:
    """Measure, write a row a figure, print tables and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of rollout threads")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--plans", type=int, default=30, help="timed plans of each size")
    parser.add_argument(
        "--repeats", type=int, default=5, help="timed labellings, updates and copies, at least two"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, use the figures of --out")
    options = parser.parse_args()
    if not options.draw_only:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        measure(options)
    if importlib.util.find_spec("pandas") is None:
        print("tables and picture need pandas, which is not installed", file=sys.stderr)
        return
    from benchmarks.scale_projection import draw, tables

    for lines in tables(options.out):
        print(*lines, sep="\n", end="\n\n")
    draw(options.out, options.out.with_suffix(".png"))


def measure(options: argparse.Namespace) -> None:
    """Measure, print and write all figures."""
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.scale {' '.join(sys.argv[1:])}".rstrip() + "\n")
        file.write(f"# {processor()}, {os.cpu_count()} cores\n")
        writer = csv.writer(file)
        writer.writerow(field.name for field in dataclasses.fields(Figure))

        def keep(figure: Figure) -> None:
            cells = dataclasses.asdict(figure)
            for name in ("median", "low", "high"):
                cells[name] = f"{cells[name]:.6g}"
            writer.writerow(cells.values())
            file.flush()
            print(*(cell for cell in cells.values() if cell != ""), flush=True)

        for figure in memory_figures(options.threads, options.repeats):
            keep(figure)
        for name in options.tasks:
            try:
                settings = settings_for(name)
            except PoloError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            for figure in itertools.chain(
                byte_figures(settings),
                planner_figures(settings, options.threads, options.plans),
                label_figures(settings, options.threads, options.repeats),
                gradient_figures(settings, options.repeats),
                intake_figures(settings, options.plans),
            ):
                keep(figure)


def processor() -> str:
    """The name of the machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
