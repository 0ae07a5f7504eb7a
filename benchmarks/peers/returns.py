"""Return of every planner at equal simulator steps, at shipped settings and tuned with equal effort.

    python -m benchmarks.peers.returns

Every planner plans once a control period with K rollouts of H physics steps, from the same start states, in
a world that is its model; ours plans H - 1 steps, since it takes one more to know the terminal state. Tuning
gives all our number of knots and, where they know it, our curve between them, tries the same grid of
temperature and sigma for each on seeds of its own and takes the cell of the highest mean; evaluation then
uses other seeds. An interrupted run continues with the jobs that are missing.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Sampler, Size
from benchmarks.peers.problems import PROBLEMS
from benchmarks.peers.returns_figure import draw
from benchmarks.peers.roster import PEERS
from polo_ros.agent.scores import score
from polo_ros.agent.world import World
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row, text

METHODS = ("polo_ros", "polo_ros, no value", "judo, our threads", "pytorch_mppi", "pytorch_mppi, knots")
# judo's default, pytorch_mppi's default and its documentation's advice (0.01) are among them
TEMPERATURES = (0.01, 0.05, 0.2, 1.0)
SIGMAS = (0.03, 0.1, 0.25, 0.5)
# seeds of tuning count from here, those of evaluation from 0
FIRST_TUNING_SEED = 1000
TUNING, SHIPPED, TUNED = "tuning", "shipped", "tuned"
SETTINGS = ("problem", "planner", "setting", "temperature", "sigma", "seed")
RESULTS = (
    "mean_reward", "last_quarter", "achieved", "longest_hold", "refused", "diverged", "simulator_steps",
    "wall_time",
)  # fmt: skip


def episode(job: Row, steps: int) -> Row:
    """One episode of one planner.

    Args:
      job: by the columns of `SETTINGS`; temperature and sigma are empty where they are as shipped.
      steps: control periods, 0 for the problem's own.

    Returns:
      The job with the columns of `RESULTS`: the mean reward a control period, over the episode and over its
      last quarter; the share of states that the task wants and the longest run of them, in s; controls that
      were not finite and were replaced by the neutral one; whether the world diverged; the physics steps of
      all rollouts; and the wall time, in s.
    """
    began = time.perf_counter()
    problem = PROBLEMS[job["problem"]]()
    task, config, steps = problem.task, problem.planner, steps or problem.steps
    sampler = Sampler()
    if job["setting"] != SHIPPED:
        sampler = Sampler(job["temperature"], job["sigma"], config.knots)
    # ours takes one step more a rollout than it plans
    extra = int(issubclass(PEERS[job["planner"]], Ours))
    size = Size(config.rollouts, config.horizon - extra, threads=1)
    peer = PEERS[job["planner"]](problem, size, job["seed"], sampler)
    world = World(task, np.random.default_rng(job["seed"]))
    states, ctrls, refused = [], [], 0
    for _ in range(steps):
        state = world.state
        ctrl = peer.plan(state, float(world.data.time))
        if not np.isfinite(ctrl).all():
            ctrl, refused = task.neutral, refused + 1
        states.append(state)
        ctrls.append(ctrl)
        world.step(ctrl)
    visited = np.array(states)
    view = task.observe(visited, np.array(ctrls))
    rewards = task.reward(view)
    return job | {
        "mean_reward": float(rewards.mean()),
        "last_quarter": float(rewards[3 * steps // 4 :].mean()),
        "achieved": float(task.achieved(view).mean()),
        "longest_hold": score(task, visited).longest_hold,
        "refused": refused,
        "diverged": int(world.diverged),
        "simulator_steps": steps * config.rollouts * config.horizon * task.substeps,
        "wall_time": time.perf_counter() - began,
    }


class Results:
    """The rows of a CSV file, complete after every job, and the jobs it lacks.

    Args:
      file: created where there is none.
      header: its first line; a file of another one is refused.
      steps: control periods of an episode, 0 for the problem's own.

    Raises:
      PoloError: the file is of other settings.
    """

    def __init__(self, file: Path, header: str, steps: int) -> None:
        self._file = ResultsFile(file, header, SETTINGS, RESULTS)
        self._steps = steps

    def complete(self, jobs: Sequence[Row]) -> None:
        """Run the jobs that have no row."""
        missing = self._file.missing(jobs)
        with closing(run_jobs(partial(episode, steps=self._steps), missing)) as found:
            for count, row in enumerate(found, start=1):
                self._file.add([row])
                shown = " ".join(text(row[name]) for name in (*SETTINGS, "mean_reward", "wall_time"))
                print(f"{count}/{len(missing)} {shown}", flush=True)

    def returns(self, problem: str, planner: str, setting: str) -> dict[tuple[str, str], list[float]]:
        """Mean rewards of the seeds, by temperature and sigma as the file writes them."""
        found: dict[tuple[str, str], list[float]] = {}
        for row in self._file.rows:
            if (row["problem"], row["planner"], row["setting"]) == (problem, planner, setting):
                found.setdefault((row["temperature"], row["sigma"]), []).append(float(row["mean_reward"]))
        return found


def make_jobs(
    problem: str, planner: str, setting: str, cell: tuple[object, object], seeds: range
) -> list[Row]:
    """A job a seed."""
    return [dict(zip(SETTINGS, (problem, planner, setting, *cell, seed), strict=True)) for seed in seeds]


def main() -> None:
    """Tune, evaluate, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--planners", nargs="+", choices=list(PEERS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5, help="of evaluation, at least 2")
    parser.add_argument("--tuning-seeds", type=int, default=2)
    parser.add_argument("--temperatures", nargs="+", type=float, default=list(TEMPERATURES))
    parser.add_argument("--sigmas", nargs="+", type=float, default=list(SIGMAS))
    parser.add_argument("--steps", type=int, default=0, help="of an episode; 0 for the problem's own")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one per core")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/peers_returns.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    named = ("problems", "planners", "seeds", "tuning_seeds", "temperatures", "sigmas", "steps")
    command = "# python -m benchmarks.peers.returns"
    for name in named:
        value = getattr(options, name)
        if value != parser.get_default(name):
            shown = " ".join(f'"{each}"' if " " in str(each) else str(each) for each in np.atleast_1d(value))
            command += f" --{name.replace('_', '-')} {shown}"
    results = Results(options.out, command, options.steps)
    pairs = [
        (problem, planner)
        for problem in options.problems
        for planner in options.planners
        if planner != "polo_ros, no value" or PROBLEMS[problem]().weights_file
    ]
    cells = list(itertools.product(options.temperatures, options.sigmas))
    tuning = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + options.tuning_seeds)
    with worker_processes(options.workers):
        results.complete(
            [
                job
                for pair in pairs
                for setting, cell, seeds in [
                    (SHIPPED, ("", ""), range(options.seeds)),
                    *((TUNING, cell, tuning) for cell in cells),
                ]
                for job in make_jobs(*pair, setting, cell, seeds)
            ]
        )
        evaluation = []
        for pair in pairs:
            tried = results.returns(*pair, TUNING)
            best = max(tried, key=lambda cell: statistics.fmean(tried[cell]))
            evaluation += make_jobs(*pair, TUNED, (float(best[0]), float(best[1])), range(options.seeds))
        results.complete(evaluation)
    for (problem, planner), setting in itertools.product(pairs, (SHIPPED, TUNED)):
        for cell, values in results.returns(problem, planner, setting).items():
            mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
            chosen = f" (temperature {cell[0]}, sigma {cell[1]})" if setting == TUNED else ""
            print(f"{problem}, {planner}, {setting}{chosen}: {mean:.4f} ± {error:.4f} a control period")
    draw(options.out)


if __name__ == "__main__":
    main()
