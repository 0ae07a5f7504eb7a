"""Training and evaluation in a second: a parameter file, and reading the tables that they leave."""

import csv
from collections.abc import Sequence
from pathlib import Path

TIMES = {"plan_time", "plan_time_median", "wall_time"}
FAST = """
/**:
  ros__parameters: {task: cartpole_swingup}
/**/planner_node:
  ros__parameters: {threads: 1, horizon: 16, rollouts: 8, noise_sigma: 0.5}
/**/learner_node:
  ros__parameters:
    update_period: 5
    gradient_steps: 4
    target_states: 6
    warmup_labels: 10
    target_horizon: 8
    target_rollouts: 6
    target_iterations: 1
    ensemble_size: 2
    hidden: [8]
"""


def table(path: Path) -> tuple[str, list[dict[str, str]]]:
    """The first line of a CSV file and its rows."""
    heading, *lines = path.read_text().splitlines()
    return heading, list(csv.DictReader(lines))


def without_times(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: cell for name, cell in row.items() if name not in TIMES} for row in rows]
