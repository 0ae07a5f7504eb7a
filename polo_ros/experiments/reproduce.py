"""`polo reproduce`: run an experiment's jobs on all cores, resumably, and write CSV, picture and report."""

import csv
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm import tqdm

from polo_ros.errors import PoloError
from polo_ros.experiments import experiment
from polo_ros.experiments.experiment import Experiment, Row

# what every row tells about its job, in s
TIMES = ("wall_time", "cpu_time")


def reproduce(name: str, quick: bool, out: Path, workers: int = 0) -> list[str]:
    """Run what the CSV file lacks, then draw and report all of it.

    Args:
      name: of the experiment.
      quick: a size that takes minutes.
      out: folder for NAME.csv, pictures and NAME.md.
      workers: processes, each on one thread; 0 for one per core.

    Returns:
      The lines of the report.

    Raises:
      PoloError: an unknown name, or a CSV file of other columns.
    """
    chosen = experiment(name)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.csv"
    columns = (*chosen.settings, *chosen.results, *TIMES)
    rows = read_rows(file, columns) if file.exists() else []
    done = {key(chosen, row) for row in rows}
    jobs = [job for job in chosen.jobs(quick) if key(chosen, job) not in done]
    if not file.exists():
        command = f"polo reproduce {name}{' --quick' if quick else ''}"
        file.write_text(f"# {command}; {chosen.fixed(quick)}\n{','.join(columns)}\n")
    bar = tqdm(total=len(jobs), unit="job", desc=name)
    # a fresh interpreter a worker: forked ones would share torch's threads
    context = multiprocessing.get_context("spawn")
    with bar, ProcessPoolExecutor(workers or os.cpu_count(), context) as pool:
        futures = [pool.submit(timed, name, job, quick) for job in jobs]
        try:
            for future in as_completed(futures):
                fresh = [{key: text(value) for key, value in row.items()} for row in future.result()]
                with file.open("a", newline="") as stream:
                    csv.DictWriter(stream, columns).writerows(fresh)
                rows += fresh
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    order = {key(chosen, job): index for index, job in enumerate(chosen.jobs(quick))}
    rows = sorted((row for row in rows if key(chosen, row) in order), key=lambda row: order[key(chosen, row)])
    chosen.draw(rows, out)
    lines = [*chosen.report(rows), "", cost(rows, chosen)]
    (out / f"{name}.md").write_text("\n".join(lines) + "\n")
    return lines


def timed(name: str, job: Row, quick: bool) -> list[Row]:
    """A job's whole rows: settings, results and the time they took."""
    torch.set_num_threads(1)
    wall, cpu = time.perf_counter(), time.process_time()
    found = experiment(name).run(job, quick)
    times = dict(zip(TIMES, (time.perf_counter() - wall, time.process_time() - cpu), strict=True))
    return [{**job, **row, **times} for row in found]


def key(chosen: Experiment, row: Row) -> tuple[str, ...]:
    """What identifies a row's job, as the CSV file writes it."""
    return tuple(text(row[name]) for name in chosen.settings)


def text(value: object) -> str:
    """A value as the CSV file writes it: floats to six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_rows(file: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of an earlier run.

    Raises:
      PoloError: the file has other columns.
    """
    with file.open(newline="") as stream:
        reader = csv.DictReader(line for line in stream if not line.startswith("#"))
        rows: list[Row] = list(reader)
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise PoloError(f"{file} has other columns than this version writes; give another --out")
    return rows


def cost(rows: Sequence[Row], chosen: Experiment) -> str:
    """One line on the time that the jobs took."""
    jobs = {key(chosen, row): row for row in rows}.values()
    wall, cpu = (sum(float(row[name]) for row in jobs) for name in TIMES)
    return f"{len(jobs)} jobs took {wall / 60:.1f} minutes of wall time and {cpu / 60:.1f} of CPU time."
