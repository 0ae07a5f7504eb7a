"""Packages that only some users need: they are the extras of setup.cfg."""

import importlib.util

from polo_ros.errors import PoloError


def require(extra: str, what: str, *packages: str) -> None:
    """Refuse what needs a package that is not installed.

    Args:
      extra: the extra of this package that installs them.
      what: what needs them, as the beginning of a sentence.
      packages: their names as modules.

    Raises:
      PoloError: one is not installed.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise PoloError(
                f"{what} needs the package {package}, which is not installed: pip install 'polo_ros[{extra}]'"
            )
