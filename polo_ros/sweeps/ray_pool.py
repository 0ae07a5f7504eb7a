"""Worker processes of Ray, on this machine or on a running cluster."""

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)

from polo_ros.errors import PoloError
from polo_ros.sweeps.pool import LostWorkerError, Pool, on_one_thread

# how long a cluster may take to answer, in s
PATIENCE = 10.0
LOST = (WorkerCrashedError, OutOfMemoryError, NodeDiedError, ObjectLostError, LocalRayletDiedError)


class RayPool(Pool):
    """Jobs as Ray tasks of one core each.

    Args:
      workers: how many run at a time; 0 for one per core.
      address: of a running cluster, such as `auto` or `host:6379`; empty starts Ray on this machine.

    Raises:
      PoloError: no cluster answers, or it has another version of Ray or Python.
    """

    backend = "ray"

    def __init__(self, workers: int, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report what it runs to its makers
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address:
            _join(address, quiet)
        else:
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        cores = int(ray.cluster_resources().get("CPU", 1))
        self.size = min(workers, cores) if workers else cores
        self._task = ray.remote(max_retries=0, num_cpus=1)(on_one_thread)
        self._running: dict[Future[Any], ray.ObjectRef[Any]] = {}

    def submit(self, run: Callable[[Any], Any], job: Any) -> Future[Any]:
        reference = self._task.remote(run, job)
        future: Future[Any] = reference.future()
        self._running[future] = reference
        return future

    def result(self, future: Future[Any]) -> Any:
        del self._running[future]
        try:
            return future.result()
        except LOST:
            raise LostWorkerError from None
        except RayTaskError as error:  # its text would be the worker's traceback
            raise error.cause from error

    def stop(self) -> None:
        for reference in self._running.values():
            ray.cancel(reference, force=True)
        self._running.clear()

    def close(self) -> None:
        self.stop()
        ray.shutdown()


def _join(address: str, options: dict[str, Any]) -> None:
    """Connect to a running cluster."""
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try for most of a minute
            socket.create_connection((host.rpartition("/")[2], int(port)), PATIENCE).close()
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PoloError(
            f"there is no Ray cluster to join at {address} ({reason}); "
            "if it is there and has a token, set RAY_AUTH_MODE=token"
        ) from None
