"""Jobs on several processes, with the results as they come."""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from polo_ros.errors import PoloError

Job = TypeVar("Job")
Result = TypeVar("Result")
# how often a worker looks for its parent process, in s
PARENT_CHECK_PERIOD = 0.5


@contextmanager
def worker_processes(workers: int) -> Generator[None]:
    """Let `run_jobs` use so many processes of this machine, each on one thread; 0 for one per core.

    Raises:
      PoloError: a negative number of workers.
    """
    if workers < 0:
        raise PoloError(f"workers must be at least 1, or 0 for one per core, not {workers}")
    count = workers or len(os.sched_getaffinity(0))
    with parallel_config("loky", n_jobs=count, inner_max_num_threads=1, initializer=_start_worker):
        yield


def run_jobs(run: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[Result]:
    """The results of `run(job)`, each as soon as it is there.

    Where they run is up to `joblib.parallel_config`, such as that of `worker_processes`; in this process
    where nothing else is configured or there is one job. The workers end when the generator is closed.

    Raises:
      PoloError: a worker process died, or a job raised it.
    """
    if not jobs:
        return
    count = min(effective_n_jobs(None), len(jobs))
    if count == 1:  # in this process
        import torch  # takes a second, and other processes may not need it

        torch.set_num_threads(1)
    # one job at a time: short ones would otherwise come in batches
    parallel = Parallel(count, return_as="generator_unordered", batch_size=1)
    try:
        yield from parallel(delayed(run)(job) for job in jobs)
    except BrokenProcessPool:
        raise PoloError(
            "a worker process died, perhaps because memory ran out; "
            "run the command again to go on, with fewer --workers"
        ) from None


def _start_worker() -> None:
    """Leave Ctrl-C to the parent process, and end when it has ended, however that happened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_PERIOD)
    os._exit(1)
