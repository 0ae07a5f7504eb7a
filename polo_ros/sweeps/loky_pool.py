"""Worker processes of this machine, by loky."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from polo_ros.sweeps.pool import LostWorkerError, Pool

# how often a worker looks for its parent process, in s
PARENT_CHECK_PERIOD = 0.5
# what numerical libraries read when a process begins
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    ),
    "1",
)  # fmt: skip


class LokyPool(Pool):
    """One executor for each process, so that a process that dies breaks no other job than its own.

    Args:
      size: the number of processes; they start with the first jobs.
    """

    backend = "loky"

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: list[ProcessPoolExecutor] = []
        self._busy: dict[Future[Any], ProcessPoolExecutor] = {}

    def submit(self, run: Callable[[Any], Any], job: Any) -> Future[Any]:
        executor = self._idle.pop() if self._idle else self._make()
        try:
            future: Future[Any] = executor.submit(run, job)
        except BrokenProcessPool:  # it died while it had nothing to do
            executor = self._make()
            future = executor.submit(run, job)
        self._busy[future] = executor
        return future

    def result(self, future: Future[Any]) -> Any:
        executor = self._busy.pop(future)
        if isinstance(future.exception(), BrokenProcessPool):
            executor.shutdown(kill_workers=True)
            raise LostWorkerError
        self._idle.append(executor)
        return future.result()

    def stop(self) -> None:
        for executor in self._busy.values():
            executor.shutdown(kill_workers=True)
        self._busy.clear()

    def close(self) -> None:
        self.stop()
        for executor in self._idle:
            executor.shutdown(kill_workers=True)
        self._idle.clear()

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, initializer=_start_worker, env=ONE_THREAD)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent process, and end when it has ended, however that happened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_PERIOD)
    os._exit(1)
