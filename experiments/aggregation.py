"""A value function from the returns of a planner that sees further, in emulated real time.

    python -m experiments.aggregation humanoid_getup --out results/aggregation/getup

Targets by trajectory optimisation, eq. (7), are plans for a standing start that no controller executes, and
deviate by more than what they tell apart. Here a target is what an expert earns that really goes on from a
state: the planner of the task's parameter file, in emulated real time (`benchmarks.emulated_time`), without a
value function or, with --expert-weights, with one that such a run made. States are those that matter to a
planner with the value function: terminal states of rollouts around what such planners do. Each round lets
planners with the present value function act, draws terminal states from their surroundings, lets the expert
go on from there, and fits the ensemble to all returns so far (AggreVaTe: Ross and Bagnell 2014,
"Reinforcement and Imitation Learning via Interactive No-Regret Learning"; the aggregation of states: DAgger,
Ross et al. 2011).

Files of a round are kept in the folder; an interrupted run goes on from them.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.overrides import add_override_option, override_values
from experiments.aggregation_plot import draw
from experiments.continuations import HIDDEN, Amounts, Episodes, Job, Setting, collect, run_all
from experiments.returns import LEARNING, ensemble_regression, fit
from polo_ros.agent.scores import succeeded
from polo_ros.files import write_atomically
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.weights import encode_value
from polo_ros.sweeps.jobs import worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row

SETTINGS = ("round", "planner", "value", "seed")
RESULTS = ("states", "explained", "explained_achieved", "success", "achieved_seconds", "mean_reward")


class Aggregation:
    """The rounds, whose files are in a folder.

    Args:
      setting: see `Setting`.
      folder: of the weights and of progress.csv.
      scratch: of the episodes, which are large.
      seeds: start seeds that each round's value function is evaluated on.
      seconds: simulated time of an evaluation.
    """

    def __init__(
        self, setting: Setting, folder: Path, scratch: Path, seeds: Sequence[int], seconds: float
    ) -> None:
        self._setting, self._folder, self._scratch = setting, folder, scratch
        self._seeds, self._seconds = seeds, seconds
        self._data: list[Episodes] = []
        self._file = ResultsFile(folder / "progress.csv", setting.header(), SETTINGS, RESULTS)
        self._configs = [setting.settings(planner).planner for planner in setting.planners]

    def run(self, rounds: int) -> None:
        """Make, evaluate and write down each round; round 0 evaluates planners without value function."""
        self._evaluate(0, {"states": 0, "explained": "", "explained_achieved": ""})
        for number in range(1, rounds + 1):
            around = self._act(number)
            self._data.append(self._continue(number, around))
            if not self._weights(number).exists() or self._file.missing(self._rows(number)):
                self._evaluate(number, self._fit(number))

    def _weights(self, number: int) -> Path:
        return self._folder / f"weights-{number}.safetensors"

    def _act(self, number: int) -> Path:
        """Episodes of the expert, then of the planners with the value function of the round before."""
        setting, path = self._setting, self._scratch / f"acting-{number}.npz"
        amounts = setting.amounts
        if number == 1:
            jobs = [
                Job(
                    setting.expert_changes(),
                    setting.expert_weights,
                    None,
                    amounts.expert_seconds,
                    (setting.seed, number, index),
                )
                for index in range(amounts.expert_episodes)
            ]
            self._data.append(collect(jobs, setting, path, "expert"))
            return path
        weights, pool = self._weights(number - 1), self._scratch / "acting-1.npz"
        jobs = [
            Job(
                {"value_weight": 1.0, **planner}, weights, pool, amounts.acting_seconds,
                (setting.seed, number, index, which),
            )
            for which, planner in enumerate(setting.planners)
            for index in range(amounts.acting_episodes)
        ]  # fmt: skip
        collect(jobs, setting, path, f"round {number}: planners with the value function")
        return path

    def _continue(self, number: int, around: Path) -> Episodes:
        """What the expert earns from terminal states of rollouts around some episodes."""
        setting = self._setting
        jobs = [
            Job(
                setting.expert_changes(), setting.expert_weights, around,
                setting.amounts.continuation_seconds, (setting.seed, number, index, 100), terminal=True,
            )
            for index in range(setting.amounts.continuations)
        ]  # fmt: skip
        path = self._scratch / f"continued-{number}.npz"
        return collect(jobs, setting, path, f"round {number}: the expert goes on")

    def _fit(self, number: int) -> Row:
        """Fit to all data so far and write the weights; what all rows of the round say of the fit."""
        settings = self._setting.expert()
        discount = settings.planner.discount
        learning = replace(LEARNING, hidden=self._setting.hidden, discount=discount)
        found = fit(self._data, discount, self._setting.seed, ensemble_regression(learning))
        origin = Origin.of(settings.task, discount, new_epoch(), number)
        write_atomically(self._weights(number), encode_value(found.value, origin))
        return {
            "states": found.states, "explained": found.explained,
            "explained_achieved": found.explained_achieved,
        }  # fmt: skip

    def _rows(self, number: int) -> list[Row]:
        """The evaluations of a round."""
        return [
            {
                "round": number,
                "planner": f"H = {config.horizon}, K = {config.rollouts}",
                "value": int(number > 0),
                "seed": seed,
            }
            for config in self._configs
            for seed in self._seeds
        ]

    def _evaluate(self, number: int, about: Row) -> None:
        """Episodes from the task's start state, with the value function at full weight or without."""
        rows = self._rows(number)
        if not self._file.missing(rows):
            return
        weights = self._weights(number) if number else None
        jobs = [
            Job({**planner, "value_weight": 1.0 if weights else 0.0}, weights, None, self._seconds, (seed,))
            for planner in self._setting.planners
            for seed in self._seeds
        ]
        runs = run_all(jobs, self._setting, f"round {number}: evaluation")
        for row, (*_, rewards, achieved) in zip(rows, runs, strict=True):
            row |= about
            row["success"] = int(succeeded(achieved > 0.5))
            row["achieved_seconds"] = float(achieved.mean() * self._seconds)
            row["mean_reward"] = float(rewards.mean())
        self._file.add(rows)
        draw(self._file.file, self._setting.task, self._seconds)
        frame = self._file.frame(rows)
        print(frame.groupby(["round", "planner"])[["success", "achieved_seconds"]].mean().to_string())


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--config", type=Path, help="parameter file (default: the task's own)")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rate", type=int, default=20_000, help="simulator steps a second")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", type=int, nargs="*", default=[9700, 9701, 9702, 9703], help="seeds")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated time of an evaluation")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    add_override_option(parser, "a parameter in place of the file's, for all planners")
    parser.add_argument(
        "--planner", nargs="*", action="append", metavar="NAME=VALUE",
        help="a planner that acts with the value function (default: the file's, and 16 rollouts of 16 steps)",
    )  # fmt: skip
    parser.add_argument(
        "--expert-weights", type=Path, help="value function that the expert plans with (default: none)"
    )
    parser.add_argument(
        "--expert", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the expert alone"
    )
    parser.add_argument(
        "--amount", action="append", default=[], metavar="NAME=VALUE",
        help="how much is collected: "
        + ", ".join(f"{name} ({value})" for name, value in asdict(Amounts()).items()),
    )  # fmt: skip
    parser.add_argument("--hidden", type=int, nargs="+", default=HIDDEN, help="units of each hidden layer")
    parser.add_argument("--out", type=Path, required=True, help="folder of weights and progress.csv")
    parser.add_argument(
        "--scratch", type=Path, help="folder of the episodes (default: runs/aggregation/<name of --out>)"
    )
    options = parser.parse_args()
    amounts = override_values(options.amount)
    for name in amounts:
        if name not in asdict(Amounts()):
            parser.error(f"--amount has no {name}; it has {', '.join(asdict(Amounts()))}")
    planners = [override_values(given) for given in options.planner or [["horizon=16", "rollouts=16"], []]]
    setting = Setting(
        options.task,
        options.config,
        override_values(options.override),
        tuple(planners),
        options.rate,
        options.seed,
        options.expert_weights,
        override_values(options.expert),
        Amounts(**amounts),
        tuple(options.hidden),
    )
    scratch = options.scratch or Path("runs/aggregation") / options.out.name
    with worker_processes(options.workers):
        Aggregation(setting, options.out, scratch, options.evaluate, options.seconds).run(options.rounds)


if __name__ == "__main__":
    main()
