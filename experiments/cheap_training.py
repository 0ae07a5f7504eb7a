"""Getup learned from nothing within 96 s of experience and a quarter of a core-hour, in several trainings.

    python -m experiments.cheap_training

Each training is a short run of `experiments.aggregation` with a seed of its own. Experience is what a robot
would do: the episodes of the expert and of the planners with the value function. The expert's continuations
are simulated by the model, like the plans behind other targets, and count as computing. Every value function
is judged in lockstep beside the planner alone, on start seeds that no training had.
"""

import argparse
import resource
import shutil
import subprocess
import sys
from dataclasses import asdict
from itertools import product
from pathlib import Path

import pandas as pd

from experiments.continuations import Amounts
from experiments.lockstep_runs import judged_run
from experiments.style import METHODS, add_caption, add_legend, new_figure
from polo_ros.errors import PoloError
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.results_file import ResultsFile, Row

TASK, OVERRIDE = "humanoid_getup", "setup.joint_features=true"
# two rounds: 48 s of the expert, and 48 s of two planners with the first value function
ROUNDS = 2
# few states need a small network: see docs/values.md
UNITS = 16
AMOUNTS = Amounts(
    expert_episodes=12, expert_seconds=4.0, acting_episodes=6, acting_seconds=4.0, continuations=450,
    continuation_seconds=1.0,
)  # fmt: skip
# horizon and rollouts of the planners that act with the value function, and of those that judge it
PLANNERS = ((16, 16), (32, 8))
JUDGES = ((32, 12),)
SETTINGS = ("training", "method", "horizon", "rollouts", "seed", "steps")
RESULTS = ("core_hours", "experience", "success", "achieved_seconds", "mean_reward")


def main() -> None:
    """Train, judge what is missing, write a row a run, draw, print means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--first-training", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=400, help="control periods a run, of 8 ms")
    parser.add_argument("--out", type=Path, default=Path("results/cheap_training"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "cheap_training.csv"
    file = ResultsFile(path, "# python -m experiments.cheap_training", SETTINGS, RESULTS)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    trainings = range(options.first_training, options.first_training + options.trainings)
    jobs: list[Row] = [
        {
            "training": training, "method": method, "horizon": horizon, "rollouts": rollouts, "seed": seed,
            "steps": options.steps,
        }
        for training, seed, (horizon, rollouts), method in product(
            trainings, seeds, JUDGES, ("polo", "mpc")
        )
        if method == "polo" or training == options.first_training  # the planner alone has no training
    ]  # fmt: skip
    for training in trainings:
        weights, core_hours = train(training, options.out)
        for job in file.missing([job for job in jobs if job["training"] == training]):
            about = {"core_hours": core_hours, "experience": experience()}
            if job["method"] == "mpc":
                about = {"core_hours": 0.0, "experience": 0.0}
            file.add([{**job, **about, **run(job, weights)}], jobs)
    frame = file.frame(jobs)
    draw(frame, path.with_suffix(".png"))
    print(frame.groupby(list(SETTINGS[:4]))[list(RESULTS)].mean().to_string(float_format="{:.3f}".format))


def experience() -> float:
    """Of a training, in s."""
    acting = AMOUNTS.acting_episodes * AMOUNTS.acting_seconds * len(PLANNERS) * (ROUNDS - 1)
    return AMOUNTS.expert_episodes * AMOUNTS.expert_seconds + acting


def train(training: int, out: Path) -> tuple[Path, float]:
    """Learn from nothing, unless it has been done; the weights, and the CPU time in core-hours.

    Raises:
      PoloError: the training failed.
    """
    folder = out / f"training-{training}"
    weights, spent = folder / f"weights-{ROUNDS}.safetensors", folder / "core_hours.txt"
    if spent.exists():
        return weights, float(spent.read_text())
    command = [sys.executable, "-m", "experiments.aggregation", TASK, "--override", OVERRIDE]
    command += ["--seed", str(training), "--rounds", str(ROUNDS), "--evaluate", "--workers", "1"]
    command += ["--hidden", str(UNITS), str(UNITS)]
    for horizon, rollouts in PLANNERS:
        command += ["--planner", f"horizon={horizon}", f"rollouts={rollouts}"]
    for name, amount in asdict(AMOUNTS).items():
        command += ["--amount", f"{name}={amount}"]
    scratch = Path("runs/cheap_training") / str(training)
    for left in (folder, scratch):  # an interrupted training begins anew, or its CPU time would be unknown
        shutil.rmtree(left, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--out", str(folder), "--scratch", str(scratch)], check=False)
    if done.returncode:
        raise PoloError(f"training {training} failed: see above")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    core_hours = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3600.0
    spent.write_text(f"{core_hours:.4f}\n")
    return weights, core_hours


def run(job: Row, weights: Path) -> Row:
    """The results of a run in lockstep, with the value function or without."""
    given = {name: job[name] for name in ("horizon", "rollouts")}
    settings = settings_for(TASK, None, {**given, "threads": 1})
    value = load_value(str(weights), settings.task)[0] if job["method"] == "polo" else None
    result = judged_run(settings, value, job["seed"], job["steps"])
    return {name: result[name] for name in RESULTS if name in result}


def draw(frame: pd.DataFrame, picture: Path) -> None:
    """Runs that succeed, a bar a training, a panel a planner."""
    planners = list(dict.fromkeys(zip(frame["horizon"], frame["rollouts"], strict=True)))
    figure = new_figure(max(4.2 * len(planners), 6.5), 4.2)
    panels = figure.subplots(1, len(planners), sharey=True, squeeze=False)[0]
    for axes, (horizon, rollouts) in zip(panels, planners, strict=True):
        runs = frame[(frame["horizon"] == horizon) & (frame["rollouts"] == rollouts)]
        shares = runs.groupby(["method", "training"])["success"].mean()
        names = ["alone", *(f"training {training}" for training in shares["polo"].index)]
        axes.bar(names[:1], shares["mpc"], color=METHODS["mpc"].colour, label=METHODS["mpc"].label)
        axes.bar(names[1:], shares["polo"], color=METHODS["polo"].colour, label=METHODS["polo"].label)
        axes.set(title=f"H = {horizon}, K = {rollouts}", ylim=(0.0, 1.04))
    panels[0].set(ylabel="runs that succeed")
    add_legend(figure, panels[0])
    seconds = frame["steps"].iloc[0] * 8e-3
    add_caption(
        figure,
        f"{frame['seed'].nunique()} start seeds of {seconds:.1f} s in lockstep.\n"
        "A run succeeds where the robot has stood upright for 2 s and does so at the end.",
    )
    figure.savefig(picture)


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
