"""How good a value function is where the planner uses it: `polo rank`."""

import argparse
from pathlib import Path

from polo_ros.commands.shared import (
    Commands,
    add_episode_options,
    json_option,
    print_json,
    seeds_of,
    settings_of,
    task_options,
)


def add(commands: Commands) -> None:
    """Add the command."""
    ranking = commands.add_parser(
        "rank",
        parents=[task_options(), json_option()],
        help="measure how well value functions order the terminal states of rival rollouts",
    )
    ranking.add_argument(
        "--weights", nargs="+", required=True, metavar="FILE",
        help="value functions; the planner acts with the first, which labels are bootstrapped on, too",
    )  # fmt: skip
    add_episode_options(ranking, seeds=4, steps=250)
    ranking.add_argument("--states", type=int, default=10, help="states of each episode (default: 10)")
    ranking.add_argument("--siblings", type=int, default=8, help="rollouts of each state (default: 8)")
    ranking.add_argument("--labels", type=int, default=4, help="labels of each rollout's end (default: 4)")
    ranking.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-ranks)")
    ranking.set_defaults(run=run_rank)


def run_rank(options: argparse.Namespace) -> int:
    """Rank, print the table by phase, and name the folder."""
    from polo_ros.agent.tables import table_lines
    from polo_ros.agent.value_ranks import rank_values, summary
    from polo_ros.learner.weights import load_value

    settings = settings_of(options)
    values = {file: load_value(file, settings.task)[0] for file in options.weights}
    seeds = seeds_of(options)
    out = options.out or Path("runs") / f"{settings.task.name}-ranks"
    rankings = rank_values(
        settings, values, seeds, options.steps, options.states, options.siblings, options.labels, out
    )
    means = summary(rankings)
    if options.json:
        print_json({"task": settings.task.name, "phases": means, "file": out / "ranks.csv"})
        return 0
    lines = list(means["all"])
    rows = [
        [phase, str(found[lines[0]][2]), *(f"{found[name][0]:.2f} ± {found[name][1]:.2f}" for name in lines)]
        for phase, found in means.items()
    ]
    print("\n".join(table_lines(rows, ["phase", "groups", *lines])))
    spread = sum(each.spread for each in rankings) / len(rankings)
    noise = sum(each.noise for each in rankings) / len(rankings)
    print(f"standard deviation of labels: {noise:.2g} about a sibling's mean, {spread:.2g} between siblings")
    print(out)
    return 0
