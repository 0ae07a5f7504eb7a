"""`polo sweep`: every combination of some parameters, each on the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polo_ros.agent.episode import check_counts
from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.parameters.schema import Value
from polo_ros.progress import progress_bar
from polo_ros.sweeps.axes import Axis, combinations
from polo_ros.sweeps.jobs import LostJobsError
from polo_ros.sweeps.outcomes import Objective, Outcome, outcome, ranked, write_best, write_page
from polo_ros.sweeps.results_file import Row
from polo_ros.sweeps.runs import SEED, EpisodeSetup, Runs
from polo_ros.viewer.figures import in_words

CSV, PARQUET, PAGE, PICTURE, BEST = "sweep.csv", "sweep.parquet", "sweep.md", "sweep.png", "best.yaml"


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep is to do.

    Attributes:
      setup: what all runs share.
      axes: what varies.
      objective: what is looked for.
      seeds: of start states and sampling noise, the same for all combinations.
      out: the folder.
    """

    setup: EpisodeSetup
    axes: Sequence[Axis]
    objective: Objective
    seeds: range
    out: Path

    def check(self) -> None:
        """Refuse a plan that cannot be carried out.

        Raises:
          PoloError: nothing varies, no seeds or steps, a negative seed, or an unknown objective.
        """
        if not self.axes:
            raise PoloError(
                "nothing varies: give a parameter several values, -p horizon:=8,16,32 or -p horizon:=8..32"
            )
        check_counts(steps=self.setup.steps, seeds=len(self.seeds))
        if self.seeds.start < 0:
            raise PoloError(f"seeds must be at least 0, not {self.seeds.start}")
        self.objective.check()

    def jobs(self, values: Mapping[str, Value]) -> list[Row]:
        """The runs of a combination."""
        return [{**values, SEED: seed} for seed in self.seeds]


def sweep(plan: SweepPlan) -> list[Outcome]:
    """Run every combination on every seed, and write the results; runs that the folder has stay.

    Returns:
      The outcomes, the best first.

    Raises:
      PoloError: parameters that do not go together, or a folder of other settings.
      LostJobsError: workers died; everything else is done and written.
    """
    plan.check()
    every = combinations(plan.axes)
    setup = plan.setup.prepared(every)
    names = [axis.name for axis in plan.axes]
    header = setup.header(setup.task, names)
    runs = Runs(setup, plan.out / CSV, header, names)
    jobs = [job for values in every for job in plan.jobs(values)]
    missing = runs.results.missing(jobs)
    runs.results.write()  # before hours of computing, in case it cannot be written
    lost = None
    with progress_bar(len(jobs), f"sweep {setup.task}", "episode", len(jobs) - len(missing)) as bar:
        try:
            runs.complete(missing, bar, jobs)
        except LostJobsError as error:
            lost = error
    outcomes = write_results(plan, runs, every, header)
    if lost:
        raise lost
    return outcomes


def write_results(
    plan: SweepPlan, runs: Runs, tried: Sequence[Mapping[str, Value]], header: str
) -> list[Outcome]:
    """Write page, picture and best parameters.

    Args:
      plan: of the sweep.
      runs: that are done.
      tried: the combinations.
      header: of the results file.

    Returns:
      The outcomes of the combinations that have rows, the best first.
    """
    from polo_ros.sweeps.pictures import draw_sweep  # imports half a second of libraries

    found = [(values, runs.rows(plan.jobs(values))) for values in tried]
    outcomes = [outcome(values, rows, len(plan.seeds), plan.objective) for values, rows in found if rows]
    best_first = ranked(outcomes, plan.objective)
    if best_first:
        title = f"{in_words(plan.setup.task)}: {plan.objective.name} of {len(best_first)} combinations"
        draw_sweep(best_first, plan.axes, plan.objective, plan.out / PICTURE, title)
        write_page(
            plan.out / PAGE, f"Sweep of {plan.setup.task}", header, best_first, plan.objective, PICTURE
        )
        write_best(best_first[0], plan.setup.fixed, plan.out / BEST)
    return best_first


def write_parquet(out: Path) -> Path:
    """Write the rows of a sweep as Parquet, with numbers as numbers, and return the file.

    Raises:
      PoloError: pyarrow is not installed, or the file could not be written.
    """
    require("sweep", "--parquet", "pyarrow")
    import pandas as pd

    file = out / PARQUET
    try:
        pd.read_csv(out / CSV, comment="#").to_parquet(file, index=False)
    except OSError as error:
        raise PoloError(f"{file} could not be written ({error.strerror})") from None
    return file
