"""Compare planner parameters over several seeds, on all cores, and find the cheapest of the good ones.

Run it (about a minute):  python examples/parameter_sweep.py

`polo sweep` does the first half on the command line. An interrupted run goes on where it stopped.
"""

from collections.abc import Sequence
from pathlib import Path

from polo_ros.sweeps.axes import described, parse_axes
from polo_ros.sweeps.jobs import worker_processes
from polo_ros.sweeps.outcomes import Objective, Outcome
from polo_ros.sweeps.runs import EpisodeSetup
from polo_ros.sweeps.sweep import SweepPlan, sweep
from polo_ros.tasks import task_class

TASK = "cartpole_swingup"


def main(
    parameters: Sequence[str] = ("noise_sigma:=0.1,0.3,0.5,0.8", "horizon:=16,32,64"),
    seeds: int = 5,
    steps: int = 250,
    workers: int = 0,
    out: Path = Path("runs/parameter_sweep"),
) -> list[Outcome]:
    """Returns the combinations, the best first; `out` has table, picture and all rows."""
    axes, fixed = parse_axes(parameters, task_class(TASK))
    # what all runs share; without a parameter file, that of the task counts
    setup = EpisodeSetup(TASK, config=None, layers=[], fixed=fixed, steps=steps)
    plan = SweepPlan(setup, axes, Objective("mean_reward"), range(seeds), out)
    with worker_processes(workers):  # backend="ray", address="auto": on a cluster
        outcomes = sweep(plan)

    print(f"{TASK}: mean reward over {seeds} seeds, {steps} steps each\n")
    for outcome in outcomes:
        print(f"{described(outcome.values):40}{outcome.mean:8.3f} ± {outcome.half_interval:.3f}")

    best = outcomes[0]
    good = [each for each in outcomes if each.mean >= best.mean - best.half_interval]
    cheapest = min(good, key=lambda each: each.simulator_steps)
    saved = 1.0 - cheapest.simulator_steps / best.simulator_steps
    print(f"\ncheapest within the best one's interval: {described(cheapest.values)}, {saved:.0%} fewer steps")
    return outcomes


if __name__ == "__main__":  # worker processes import this file
    main()
