"""Pools of worker processes: their interface, and the choice between the engines."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ClassVar

from polo_ros.errors import PoloError
from polo_ros.extras import require

BACKENDS = ("loky", "ray", "dask")


class LostWorkerError(Exception):
    """The process that ran a job has died."""


class Pool(ABC):
    """Processes on one thread each, which end with this one at the latest.

    Attributes:
      backend: its name.
      size: how many jobs run at a time; `submit` is not called while so many run.
    """

    backend: ClassVar[str]
    size: int

    @abstractmethod
    def submit(self, run: Callable[[Any], Any], job: Any) -> Future[Any]:
        """Begin a job; the future is done when the job is, or has failed."""

    @abstractmethod
    def result(self, future: Future[Any]) -> Any:
        """The result of a job that is done.

        Raises:
          LostWorkerError: its process died.
          Exception: what the job raised.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all running jobs; others may be submitted afterwards."""

    @abstractmethod
    def close(self) -> None:
        """End all processes that this pool started."""


def make_pool(backend: str, workers: int, address: str) -> Pool | None:
    """The pool that a user asks for; None where that is this process.

    Args:
      backend: one of `BACKENDS`.
      workers: processes; 0 for one per core, of the cluster where there is one.
      address: of a running Ray cluster or Dask scheduler; empty starts workers on this machine.

    Raises:
      PoloError: an unknown back end, one that is not installed, an address for loky, a cluster that does not
        answer, or a negative number of workers.
    """
    if workers < 0:
        raise PoloError(f"workers must be at least 1, or 0 for one per core, not {workers}")
    if backend not in BACKENDS:
        raise PoloError(f"there is no back end '{backend}'; known are {', '.join(BACKENDS)}")
    cores = len(os.sched_getaffinity(0))
    if backend == "loky":
        if address:
            raise PoloError("--address is for a Ray cluster or a Dask scheduler: add --backend ray or dask")
        if (workers or cores) == 1:
            return None
        from polo_ros.sweeps.loky_pool import LokyPool

        return LokyPool(workers or cores)
    if not address:
        workers = workers or cores
    if backend == "ray":
        require("ray", "--backend ray", "ray")
        from polo_ros.sweeps.ray_pool import RayPool

        return RayPool(workers, address)
    require("dask", "--backend dask", "distributed")
    from polo_ros.sweeps.dask_pool import DaskPool

    return DaskPool(workers, address)


def on_one_thread(run: Callable[[Any], Any], job: Any) -> Any:
    """The result of a job, with one thread for torch, also where the job is what imports it."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    return run(job)
