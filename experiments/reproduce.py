"""`polo reproduce`: run an experiment's jobs on all cores, resumably, and write CSV, picture and report."""

import csv
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from experiments import experiment
from experiments.experiment import Experiment, Row
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically

# between looks for an interruption, in s
POLL_PERIOD = 0.5
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
      PoloError: an unknown name, a CSV file of other columns or settings, or a worker that died.
    """
    chosen = experiment(name)
    rows = complete(chosen, quick, out / f"{name}.csv", workers)
    chosen.draw(rows, out)
    lines = [*chosen.report(rows), "", cost(rows, chosen)]
    write_atomically(out / f"{name}.md", ("\n".join(lines) + "\n").encode())
    return lines


def complete(chosen: Experiment, quick: bool, file: Path, workers: int = 0) -> list[Row]:
    """Run the jobs that a CSV file lacks; it is replaced as a whole after each, rows in the jobs' order.

    Args:
      chosen, quick, workers: as for `reproduce`.
      file: the CSV file; it is begun where there is none.

    Returns:
      The rows of all jobs, as the file writes them, in the jobs' order.

    Raises:
      PoloError: as for `reproduce`.
    """
    if workers < 0:
        raise PoloError(f"workers must be at least 1, or 0 for one per core, not {workers}")
    columns = (*chosen.settings, *chosen.results, *TIMES)
    command = f"polo reproduce {chosen.name}{' --quick' if quick else ''}"
    header = "; ".join(filter(None, (f"# {command}", chosen.fixed(quick))))
    rows = read_rows(file, header, columns) if file.exists() else []
    jobs = {key(chosen, job): job for job in chosen.jobs(quick)}
    order = {name: index for index, name in enumerate(jobs)}
    done = jobs.keys() & {key(chosen, row) for row in rows}
    missing = [job for name, job in jobs.items() if name not in done]
    write_rows(file, header, columns, rows)
    # the mean rate: jobs end in bursts, one a worker
    bar = tqdm(total=len(jobs), initial=len(done), unit="job", desc=chosen.name, smoothing=0)
    # a fresh interpreter a worker: forked ones would share torch's threads
    context = multiprocessing.get_context("spawn")
    count = max(1, min(workers or len(os.sched_getaffinity(0)), len(missing)))
    with (
        bar,
        deferred_interrupts() as seen,
        ProcessPoolExecutor(count, context, initializer=begin_worker) as pool,
    ):
        futures = [pool.submit(timed, chosen, job, quick, file.parent) for job in missing]
        try:
            for future in ended(futures, seen):
                rows += [{name: text(row[name]) for name in columns} for row in future.result()]
                # jobs of an earlier version stay, at the end
                rows.sort(key=lambda row: order.get(key(chosen, row), len(order)))
                write_rows(file, header, columns, rows)
                bar.update()
        except BrokenProcessPool:
            raise PoloError(
                f"a process of {command} died, perhaps for want of memory; "
                "run the command again to go on, with fewer --workers"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    return [row for row in rows if key(chosen, row) in order]


@contextmanager
def deferred_interrupts() -> Iterator[list[int]]:
    """Collect the signals of Ctrl-C instead of raising wherever they come.

    An exception that comes while the pool's locks are taken would leave them so, and its end would be waited
    for in vain.
    """
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen  # signals come to the main thread only
        return
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def ended(futures: Sequence[Future[Any]], seen: Sequence[int]) -> Iterator[Future[Any]]:
    """The futures as they end; of those that end together, the ones with results come first.

    Raises:
      KeyboardInterrupt: a signal was seen; here no lock is taken.
    """
    waiting = set(futures)
    while waiting:
        if seen:
            raise KeyboardInterrupt
        done, waiting = wait(waiting, POLL_PERIOD, FIRST_COMPLETED)
        # whoever stops at a failure has lost no result by then
        yield from sorted(done, key=lambda future: future.exception() is not None)


def begin_worker() -> None:
    """Use one thread, leave Ctrl-C to the parent, and end when it does."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this process once its parent has, however that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def timed(chosen: Experiment, job: Row, quick: bool, folder: Path) -> list[Row]:
    """A job's whole rows: settings, results and the time they took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = chosen.run(job, quick, folder)
    times = dict(zip(TIMES, (time.perf_counter() - wall, time.process_time() - cpu), strict=True))
    return [{**job, **row, **times} for row in found]


def key(chosen: Experiment, row: Row) -> tuple[str, ...]:
    """What identifies a row's job, as the CSV file writes it."""
    return tuple(text(row[name]) for name in chosen.settings)


def text(value: object) -> str:
    """A value as the CSV file writes it: floats to six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_rows(file: Path, header: str, columns: Sequence[str]) -> list[Row]:
    """The rows of an earlier run.

    Raises:
      PoloError: the file is of other columns or settings, or a row is incomplete.
    """
    first, *rest = file.read_text(encoding="utf-8").splitlines() or [""]
    reader = csv.DictReader(rest)
    rows: list[Row] = list(reader)
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise PoloError(f"{file} has other columns than this version writes; give another --out")
    if first != header:
        raise PoloError(f"{file} was begun with other settings ({first}); give another --out")
    for row in rows:
        if None in row or None in row.values():
            raise PoloError(f"{file} has an incomplete row; remove its job's rows to run that job again")
    return rows


def write_rows(file: Path, header: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Replace the CSV file as a whole, so that whoever stops this finds whole rows only.

    Raises:
      PoloError: the file could not be written.
    """
    stream = io.StringIO()
    stream.write(f"{header}\n")
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(file, stream.getvalue().encode())


def cost(rows: Sequence[Row], chosen: Experiment) -> str:
    """One line on the time that the jobs took."""
    jobs = {key(chosen, row): row for row in rows}.values()
    wall, cpu = (sum(float(row[name]) for row in jobs) for name in TIMES)
    return f"{len(jobs)} jobs took {duration(wall)} of wall time and {duration(cpu)} of CPU time."


def duration(seconds: float) -> str:
    """A time to read, of two digits or more."""
    return f"{seconds:.3g} s" if seconds < 100.0 else f"{seconds / 60.0:.1f} minutes"
