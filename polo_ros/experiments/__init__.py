"""The paper's figures and the baselines, each a command: `polo reproduce NAME`.

Experiments are found by their modules, so that a new one is one new file here and changes none.
"""

import importlib
import inspect
import pkgutil

from polo_ros.errors import PoloError
from polo_ros.experiments.experiment import Experiment, Row

__all__ = ["Experiment", "Row", "experiment", "experiments"]


def experiments() -> dict[str, type[Experiment]]:
    """Every experiment by name."""
    found: dict[str, type[Experiment]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Experiment) and not inspect.isabstract(member):
                found[member.name] = member
    return dict(sorted(found.items()))


def experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
      PoloError: there is none of that name.
    """
    known = experiments()
    if name not in known:
        raise PoloError(f"there is nothing to reproduce named '{name}'; known are {', '.join(known)}")
    return known[name]()
