"""A Ray cluster to connect to, or one of this machine alone."""

import logging
import os
import socket
from typing import Any

# before Ray is imported: it reports how it is used over the network otherwise
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

# how long a cluster may take to answer, in s
PATIENCE_S = 10.0


def use_ray(address: str, cpus: int | None, **options: Any) -> int:
    """Connect to a running cluster, or start Ray on this machine.

    Args:
      address: of the cluster, such as `auto` or `host:6379`; empty starts Ray here.
      cpus: how many a Ray that is started here may use; None for all.
      options: of `ray.init`, for a Ray that is started here.

    Returns:
      The number of CPUs.

    Raises:
      ConnectionError: there is no such cluster, it refuses, or it has another version of Ray or Python.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not address:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options, **quiet)
    else:
        host, _, port = address.rpartition(":")
        try:
            if port.isdigit():  # Ray itself would try for most of a minute
                socket.create_connection((host.rpartition("/")[2], int(port)), PATIENCE_S).close()
            ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            # Ray does not say that it was refused for want of a token
            hint = "" if "RAY_AUTH_MODE" in os.environ else "; if it has a token, set RAY_AUTH_MODE=token"
            raise ConnectionError(f"{first_sentence(error)}{hint}") from None
    return int(ray.cluster_resources().get("CPU", 1.0))


def first_sentence(error: BaseException) -> str:
    """The first line of what an error says, or its name."""
    lines = str(error).strip().splitlines()
    return f"{lines[0]:.200}".rstrip(".") if lines else type(error).__name__
