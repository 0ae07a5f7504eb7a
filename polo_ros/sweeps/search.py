"""`polo sweep --sampler optuna`: a search that tries promising parameters first and ends poor ones early."""

import sys
from dataclasses import dataclass

import optuna
from optuna.trial import Trial, TrialState
from tqdm import tqdm

from polo_ros.agent.episode import check_counts
from polo_ros.errors import PoloError
from polo_ros.parameters.schema import Value
from polo_ros.progress import progress_bar
from polo_ros.sweeps.axes import Axis, described, rounded_number
from polo_ros.sweeps.jobs import LostJobsError
from polo_ros.sweeps.outcomes import Outcome
from polo_ros.sweeps.results_file import Row, text
from polo_ros.sweeps.runs import SEED, Runs
from polo_ros.sweeps.sweep import CSV, SweepPlan, write_results

DATABASE = "search.db"
# of a trial whose parameters do not go together: why
REFUSED = "refused"


def search(plan: SweepPlan, trials: int, at_once: int) -> list[Outcome]:
    """Try combinations that optuna chooses (TPE), and write the results; a folder's earlier trials count.

    Trials run in rounds, seed after seed; after each seed those below the median are ended (MedianPruner). A
    round that was interrupted is taken up again with the same parameters.

    Args:
      plan: what is to be done; of the axes, ranges are searched between their ends.
      trials: in all.
      at_once: trials in a round.

    Returns:
      The outcomes, the best first.

    Raises:
      PoloError: no trials, a folder of other settings, or parameters of which none go together.
      LostJobsError: workers died; everything else is done and written.
    """
    plan.check()
    check_counts(trials=trials)
    files = [axis for axis in plan.axes if axis.name == "weights_file"]
    setup = plan.setup.prepared([{axis.name: value} for axis in files for value in axis.values] or [{}])
    names = [axis.name for axis in plan.axes]
    words = " ".join(axis.words for axis in plan.axes)
    sought = f"{plan.objective.words} of seeds {plan.seeds.start} to {plan.seeds.stop - 1}"
    header = setup.header(f"{setup.task} --sampler optuna for the {sought}: {words};", names)
    runs = Runs(setup, plan.out / CSV, header, names)
    runs.results.write()
    study = _open_study(plan)
    rounds = _Rounds(plan, runs, study)
    begun = len(_finished(study))
    with progress_bar(trials, f"sweep {setup.task}", "trial", min(begun, trials)) as bar:
        while (left := trials - len(_finished(study)) - rounds.lost_trials) > 0:
            rounds.run(min(left, at_once), bar)
    tried = {tuple(map(text, values.values())): values for values in _tried(plan, study)}
    outcomes = write_results(plan, runs, list(tried.values()), header)
    if rounds.lost:
        raise LostJobsError(rounds.lost)
    if not outcomes:
        raise PoloError("none of the trials' parameters go together; their sentences are above")
    return outcomes


class _Rounds:
    """Trials side by side, in rounds.

    Attributes:
      lost: runs whose worker died twice.
      lost_trials: how many trials those have cost.
    """

    def __init__(self, plan: SweepPlan, runs: Runs, study: optuna.Study) -> None:
        self.lost: list[Row] = []
        self.lost_trials = 0
        self._plan = plan
        self._runs = runs
        self._study = study

    def run(self, count: int, bar: tqdm) -> None:
        """One round of so many trials."""
        alive = [asked for asked in (self._ask() for _ in range(count)) if asked]
        bar.update(count - len(alive))
        last = len(self._plan.seeds) - 1
        for step, seed in enumerate(self._plan.seeds):
            jobs = {text(asked.values): {**asked.values, SEED: seed} for asked in alive}
            try:
                self._runs.complete(list(jobs.values()))
            except LostJobsError as error:
                self.lost += error.jobs
            alive = [asked for asked in alive if self._goes_on(asked, step, last, bar)]

    def _ask(self) -> "_Asked | None":
        """A new trial; None where its parameters do not go together, which is said."""
        trial = self._study.ask()
        values = {axis.name: _suggest(trial, axis) for axis in self._plan.axes}
        try:
            self._runs.setup.settings(values)
        except PoloError as error:
            print(f"polo: trial {trial.number} ({described(values)}) is left out: {error}", file=sys.stderr)
            trial.set_user_attr(REFUSED, str(error))
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        return _Asked(trial, values)

    def _goes_on(self, asked: "_Asked", step: int, last: int, bar: tqdm) -> bool:
        """Report what a trial came to so far; whether it has more seeds to run."""
        rows = self._runs.rows(self._plan.jobs(asked.values)[: step + 1])
        if len(rows) <= step:  # its worker died: it stays open, and the command goes on with it
            self.lost_trials += 1
            return False
        score = sum(float(row[self._plan.objective.name]) for row in rows) / len(rows)
        asked.trial.report(score, step)
        if step == last:
            self._study.tell(asked.trial, score)
        elif asked.trial.should_prune():
            self._study.tell(asked.trial, state=TrialState.PRUNED)
        else:
            return True
        bar.update()
        return False


@dataclass(frozen=True)
class _Asked:
    """A trial and its parameters."""

    trial: Trial
    values: dict[str, Value]


def _open_study(plan: SweepPlan) -> optuna.Study:
    """The study in the folder, or a new one; trials that were interrupted come first."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = (plan.out / DATABASE).absolute()
    if "?" in str(file):  # the address of a database has its options behind one
        raise PoloError(f"a search cannot be stored in {plan.out}; give an --out without a question mark")
    study = optuna.create_study(
        storage=f"sqlite:///{file}",
        study_name="sweep",
        direction="minimize" if plan.objective.minimize else "maximize",
        pruner=optuna.pruners.MedianPruner(),
        load_if_exists=True,
    )
    # a continued search draws other numbers than it began with
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials), constant_liar=True)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that count."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial for trial in study.trials if trial.state in ended or REFUSED in trial.user_attrs]


def _tried(plan: SweepPlan, study: optuna.Study) -> list[dict[str, Value]]:
    """The parameters of the trials that ran."""
    ran = [trial for trial in _finished(study) if REFUSED not in trial.user_attrs]
    return [{axis.name: _value(axis, trial.params[axis.name]) for axis in plan.axes} for trial in ran]


def _suggest(trial: Trial, axis: Axis) -> Value:
    """A value of a parameter."""
    low, high = axis.values[0], axis.values[-1]
    if not axis.is_range:
        return _value(axis, trial.suggest_categorical(axis.name, [text(value) for value in axis.values]))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(axis.name, low, high)
    assert isinstance(low, float) and isinstance(high, float)
    return _value(axis, trial.suggest_float(axis.name, low, high))


def _value(axis: Axis, suggested: Value) -> Value:
    """The parameter's value for a value of optuna's."""
    if not axis.is_range:
        return next(value for value in axis.values if text(value) == suggested)
    return rounded_number(suggested) if isinstance(suggested, float) else suggested
