"""The paper's figures and the baselines, each a command: `polo reproduce NAME`.

Experiments are found by their modules, so that a new one is one new file here and changes none.
"""

import sys

from experiments.experiment import Experiment, Row
from polo_ros.errors import PoloError
from polo_ros.tasks.registry import concrete_classes

__all__ = ["Experiment", "Row", "experiment", "experiments"]


def experiments() -> dict[str, type[Experiment]]:
    """Every experiment by name."""
    found = concrete_classes(sys.modules[__name__], Experiment)  # type: ignore[type-abstract]
    return dict(sorted((member.name, member) for member in found))


def experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
      PoloError: there is none of that name.
    """
    known = experiments()
    if name not in known:
        raise PoloError(f"there is nothing to reproduce named '{name}'; known are {', '.join(known)}")
    return known[name]()
