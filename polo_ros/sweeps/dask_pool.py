"""Worker processes of Dask, on this machine or by a running scheduler."""

import contextlib
import logging
import signal
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import dask
from distributed import Client, LocalCluster, Worker, WorkerPlugin
from distributed.scheduler import KilledWorker

from polo_ros.errors import PoloError
from polo_ros.sweeps.pool import LostWorkerError, Pool, on_one_thread

# how long a scheduler may take to answer, in s
PATIENCE = 10


class DaskPool(Pool):
    """Jobs as tasks of Dask.

    Args:
      workers: how many run at a time; 0 for one per thread of the cluster's workers.
      address: of a running scheduler, such as `tcp://host:8786`; empty starts workers on this machine.

    Raises:
      PoloError: no scheduler answers, or it has no workers.
    """

    backend = "dask"

    def __init__(self, workers: int, address: str) -> None:
        self._cluster: LocalCluster | None = None
        if not address:
            # the scheduler would try a job four times before it says that its worker died
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self._cluster = LocalCluster(
                    workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
        try:
            self._client = Client(self._cluster or address, timeout=PATIENCE)
        except (OSError, ValueError):
            raise PoloError(f"there is no Dask scheduler at {address}; name it as tcp://host:8786") from None
        if self._cluster:
            self._client.register_plugin(_LeaveInterrupts())
        threads = sum(self._client.nthreads().values())
        if not threads:
            self._client.close()
            raise PoloError(f"the Dask scheduler at {address} has no workers; start some with `dask worker`")
        self.size = min(workers, threads) if workers else threads
        # equal jobs are to run as often as they are submitted
        self._executor = self._client.get_executor(pure=False)
        self._running: set[Future[Any]] = set()

    def submit(self, run: Callable[[Any], Any], job: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(on_one_thread, run, job)
        self._running.add(future)
        return future

    def result(self, future: Future[Any]) -> Any:
        self._running.remove(future)
        try:
            return future.result()
        except KilledWorker:
            raise LostWorkerError from None
        except CancelledError:
            raise PoloError("the Dask scheduler is gone; run the command again to go on") from None

    def stop(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()

    def close(self) -> None:
        self.stop()
        with contextlib.suppress(OSError, TimeoutError):  # the scheduler may be gone
            self._client.close()
        if self._cluster:
            self._cluster.close()


class _LeaveInterrupts(WorkerPlugin):
    """Leaves Ctrl-C in a terminal to the parent process, which ends the workers without their tracebacks."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
