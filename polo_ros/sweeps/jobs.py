"""Independent jobs on several processes, with the results as they come; a lost worker costs its job alone."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from polo_ros.errors import PoloError
from polo_ros.sweeps.pool import LostWorkerError, Pool, make_pool, on_one_thread

Job = TypeVar("Job")
Result = TypeVar("Result")
# jobs that an error names
NAMED_JOBS = 3

_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)


class LostJobsError(PoloError):
    """Jobs whose process died twice.

    Attributes:
      jobs: which.
    """

    def __init__(self, jobs: Sequence[Any]) -> None:
        self.jobs = jobs
        names = ", ".join(map(_name, jobs[:NAMED_JOBS]))
        more = f" and {len(jobs) - NAMED_JOBS} more" if len(jobs) > NAMED_JOBS else ""
        super().__init__(
            f"a worker process died in both tries of {names}{more}, perhaps because memory ran out; "
            "run the command again to go on, with fewer --workers"
        )


@contextmanager
def worker_processes(workers: int, backend: str = "loky", address: str = "") -> Generator[int]:
    """Let `run_jobs` use several processes, each on one thread; their number is the context's value.

    Args:
      workers: processes; 0 for one per core, of the cluster where there is one.
      backend: `loky` for this machine, `ray` or `dask` for this machine or a cluster.
      address: of a running Ray cluster or Dask scheduler; empty starts workers on this machine.

    Raises:
      PoloError: as for `make_pool`.
    """
    pool = make_pool(backend, workers, address)
    token = _pool.set(pool)
    try:
        yield pool.size if pool else 1
    finally:
        _pool.reset(token)
        if pool:
            pool.close()


def run_jobs(run: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[Result]:
    """The results of `run(job)`, each as soon as it is there.

    Where they run is up to `worker_processes`; without it, in this process. A job whose worker died is run
    once more after the others, and with no other beside it, since memory may have run out. The workers'
    jobs end when the generator is closed.

    Raises:
      LostJobsError: workers died in both tries of some jobs; raised when all others are done.
      PoloError: a job raised it; the running ones are ended.
    """
    pool = _pool.get()
    if pool is None:
        for job in jobs:
            yield on_one_thread(run, job)
        return
    lost: list[Job] = []
    failed: list[Job] = []
    yield from _run_in(pool, run, jobs, pool.size, lost)
    yield from _run_in(pool, run, lost, 1, failed)
    if failed:
        raise LostJobsError(failed)


def _run_in(
    pool: Pool, run: Callable[[Job], Result], jobs: Iterable[Job], at_once: int, lost: list[Job]
) -> Generator[Result]:
    """The results of some jobs; those whose worker died are added to `lost`."""
    waiting = deque(jobs)
    running: dict[Future[Any], Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.popleft()
                running[pool.submit(run, job)] = job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                try:
                    result = pool.result(future)
                except LostWorkerError:
                    lost.append(job)
                else:
                    yield result
    finally:
        if running:
            pool.stop()


def _name(job: object) -> str:
    """A job as an error names it."""
    return (
        " ".join(f"{name}={value}" for name, value in job.items()) if isinstance(job, Mapping) else str(job)
    )
