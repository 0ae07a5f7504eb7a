"""`polo reproduce`: run an experiment's jobs on all cores, resumably, and write CSV, picture and report."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from experiments import experiment
from experiments.experiment import Experiment, Row
from polo_ros.files import write_atomically
from polo_ros.sweeps.jobs import LostJobsError, run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile

# columns of every row: the time that its job took, in s
TIMES = ("wall_time", "cpu_time")
# between updates of the progress bar, in s: on a terminal, and in a file
BAR_PERIODS = (0.1, 60.0)


def reproduce(
    name: str, quick: bool, out: Path, workers: int = 0, backend: str = "loky", address: str = ""
) -> list[str]:
    """Run the jobs that the CSV file lacks, then draw and report all of it.

    Args:
      name: of the experiment.
      quick: a size of seconds.
      out: folder for NAME.csv, pictures and NAME.md.
      workers, backend, address: as for `worker_processes`.

    Returns:
      The lines of the report.

    Raises:
      PoloError: an unknown name or back end, a CSV file of other columns or settings, or jobs whose worker
        died twice.
    """
    chosen = experiment(name)
    with worker_processes(workers, backend, address):
        frame = complete(chosen, quick, out / f"{name}.csv")
    chosen.draw(frame, out)
    lines = [*chosen.report(frame), "", cost(frame, chosen)]
    write_atomically(out / f"{name}.md", ("\n".join(lines) + "\n").encode())
    return lines


def complete(chosen: Experiment, quick: bool, file: Path) -> pd.DataFrame:
    """Run the jobs that a CSV file lacks; the file is complete after each of them.

    Args:
      chosen, quick: as for `reproduce`.
      file: the CSV file; it is created where there is none.

    Returns:
      The rows of all jobs, in the jobs' order.

    Raises:
      PoloError: as for `reproduce`.
    """
    results = ResultsFile(file, header(chosen, quick), chosen.settings, (*chosen.results, *TIMES))
    jobs = chosen.jobs(quick)
    missing = results.missing(jobs)
    if not missing:
        print(f"polo reproduce {chosen.name}: already complete, nothing run", file=sys.stderr)
        return results.frame(jobs)
    results.write()  # before hours of computing, in case it cannot be written
    run = partial(timed, chosen, quick, file.parent)
    bar = tqdm(
        total=len(jobs), initial=len(jobs) - len(missing), unit="job", desc=chosen.name,
        mininterval=BAR_PERIODS[not sys.stderr.isatty()], smoothing=0,  # the mean rate
    )  # fmt: skip
    lost: list[Row] = []
    with bar:
        for stage in stages(chosen, missing):
            untrained = {chosen.training(job) for job in lost}
            ready = [job for job in stage if chosen.training(job) not in untrained - {""}]
            try:
                with closing(run_jobs(run, ready)) as found:
                    for rows in found:
                        results.add(rows, jobs)
                        bar.update()
            except LostJobsError as error:
                lost += error.jobs
    if lost:
        raise LostJobsError(lost)
    return results.frame(jobs)


def header(chosen: Experiment, quick: bool) -> str:
    """The first line of the CSV file: the command, and the settings that all jobs share as JSON."""
    command = f"# polo reproduce {chosen.name}{' --quick' if quick else ''}"
    fixed = chosen.fixed(quick)
    # of objects JSON knows none: those here are dataclasses
    return f"{command}; {json.dumps(fixed, default=asdict, sort_keys=True, ensure_ascii=False)}"


def stages(chosen: Experiment, jobs: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The jobs in two stages, so that every training runs once.

    The first has one job of each training, then those that need none; the second has the others.
    """
    first: dict[str, Row] = {}
    independent, second = [], []
    for job in jobs:
        name = chosen.training(job)
        if not name:
            independent.append(job)
        elif name in first:
            second.append(job)
        else:
            first[name] = job
    return [*first.values(), *independent], second


def timed(chosen: Experiment, quick: bool, folder: Path, job: Row) -> list[Row]:
    """A job's whole rows: settings, results and the time that they took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = chosen.run(job, quick, folder)
    times = dict(zip(TIMES, (time.perf_counter() - wall, time.process_time() - cpu), strict=True))
    return [{**job, **row, **times} for row in found]


def cost(frame: pd.DataFrame, chosen: Experiment) -> str:
    """One line on the time that the jobs took."""
    jobs = frame.drop_duplicates(list(chosen.settings))
    wall, cpu = (duration(jobs[name].sum()) for name in TIMES)
    return f"{len(jobs)} jobs took {wall} of wall time and {cpu} of CPU time."


def duration(seconds: float) -> str:
    """A time in s or minutes, to three significant digits or a tenth of a minute."""
    return f"{seconds:.3g} s" if seconds < 100.0 else f"{seconds / 60.0:.1f} minutes"
