"""Many episodes with other parameters: `polo sweep`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.commands.shared import (
    Commands,
    add_episode_options,
    add_worker_options,
    json_option,
    print_json,
    seeds_of,
    task_options,
)
from polo_ros.errors import PoloError
from polo_ros.extras import require

if TYPE_CHECKING:
    from polo_ros.sweeps.sweep import SweepPlan

# combinations in the table at the end
TABLE_ROWS = 10
# of a search
TRIALS = 50


def add(commands: Commands) -> None:
    """Add the command."""
    sweeping = commands.add_parser(
        "sweep",
        parents=[task_options(), json_option()],
        help="compare parameters on several seeds, on all cores or a cluster",
        description="Act without learning with each combination of parameters. "
        "-p name:=8,16,32 gives a parameter several values, -p name:=0.2..0.6 (or 0.2..0.6:9) a range of "
        "five (or nine); a single value is for all.",
    )
    add_episode_options(sweeping, seeds=5, steps=500)
    sweeping.add_argument(
        "--objective", default="mean_reward", help="column that decides (default: mean_reward)"
    )
    sweeping.add_argument("--minimize", action="store_true", help="less of the objective is better")
    sweeping.add_argument(
        "--sampler", choices=("grid", "optuna"), default="grid",
        help="try every combination, or search with optuna (default: grid)",
    )  # fmt: skip
    sweeping.add_argument("--trials", type=int, help="combinations that optuna tries (default: 50)")
    sweeping.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-sweep)")
    sweeping.add_argument("--parquet", action="store_true", help="write sweep.parquet beside sweep.csv, too")
    add_worker_options(sweeping)
    sweeping.set_defaults(run=run_sweep)


def run_sweep(options: argparse.Namespace) -> int:
    """Run the sweep, print its best combinations and where the results are."""
    require("sweep", "polo sweep", "joblib", "pandas")
    if options.parquet:
        require("sweep", "--parquet", "pyarrow")
    if options.sampler == "optuna":
        require("optuna", "--sampler optuna", "optuna")
    elif options.trials is not None:
        raise PoloError("--trials is for a search: add --sampler optuna")
    from polo_ros.agent.tables import table_lines
    from polo_ros.sweeps.jobs import worker_processes
    from polo_ros.sweeps.outcomes import head
    from polo_ros.sweeps.sweep import sweep, write_parquet

    plan = plan_of(options)
    plan.check()
    with worker_processes(options.workers, options.backend, options.address) as workers:
        if options.sampler == "optuna":
            from polo_ros.sweeps.search import search

            trials = TRIALS if options.trials is None else options.trials
            outcomes = search(plan, trials, workers)
        else:
            outcomes = sweep(plan)
    files = [write_parquet(plan.out)] if options.parquet else []
    if options.json:
        print_json(
            {
                "task": plan.setup.task,
                "objective": plan.objective.name,
                "best": outcomes[0].as_json(),
                "combinations": [each.as_json() for each in outcomes],
                "folder": plan.out,
                "parquet": files[0] if files else None,
            }
        )
        return 0
    cells = [each.cells() for each in outcomes[:TABLE_ROWS]]
    for line in table_lines(cells, head(outcomes, plan.objective)):
        print(line)
    if len(outcomes) > TABLE_ROWS:
        print(f"… and {len(outcomes) - TABLE_ROWS} more in sweep.md")
    print(f"best parameters: {plan.out / 'best.yaml'}; all results: {plan.out}")
    return 0


def plan_of(options: argparse.Namespace) -> "SweepPlan":
    """What the options ask for."""
    from polo_ros.files import config_path
    from polo_ros.parameters.layers import check_names
    from polo_ros.parameters.settings import AGENT_NODES
    from polo_ros.parameters.yaml_files import ParameterFile
    from polo_ros.sweeps.axes import parse_axes
    from polo_ros.sweeps.outcomes import Objective
    from polo_ros.sweeps.runs import EpisodeSetup
    from polo_ros.sweeps.sweep import SweepPlan
    from polo_ros.tasks import task_class

    task = task_class(options.task)
    axes, fixed = parse_axes(options.single, task)
    check_names("-p", fixed, task, AGENT_NODES)
    file = options.config or config_path(options.task)
    setup = EpisodeSetup(
        task=options.task,
        config=ParameterFile.read(file) if file else None,
        layers=[ParameterFile.parse_overrides(options.overrides)] if options.overrides else [],
        fixed=fixed,
        steps=options.steps,
    )
    return SweepPlan(
        setup=setup,
        axes=axes,
        objective=Objective(options.objective, options.minimize),
        seeds=seeds_of(options),
        out=options.out or Path("runs") / f"{task.name}-sweep",
    )
