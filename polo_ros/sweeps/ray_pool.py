"""Worker processes of Ray, on this machine or on a running cluster."""

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
from polo_ros.learner.ray_cluster import use_ray
from polo_ros.sweeps.pool import LostWorkerError, Pool, on_one_thread

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
        try:
            cores = use_ray(address, workers or None)
        except ConnectionError as error:
            raise PoloError(f"there is no Ray cluster to join at {address} ({error})") from None
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
