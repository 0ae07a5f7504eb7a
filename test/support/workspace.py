"""The package, built by colcon into a folder of the test's own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
LAUNCH_ARGUMENTS = {
    "task", "use_sim", "use_sim_time", "lockstep", "namespace", "params_file", "model_path", "weights_file",
    "overrides", "seed", "robots", "learn", "viewer", "rviz", "record", "autostart", "localhost",
    "log_level",
}  # fmt: skip


def copy_source(folder: Path) -> Path:
    """A copy of the source tree without hidden folders and build results; builds may write into it."""
    copied = folder / "source"
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "install", "log", "runs")
    shutil.copytree(SOURCE, copied, ignore=skipped)
    return copied


def colcon_build(folder: Path) -> Path:
    """Build the package; its install folder."""
    colcon = "from colcon_core.command import main; import sys; sys.exit(main())"
    options = [f"--{base}-base={folder / base}" for base in ("build", "install")]
    options += [f"--base-paths={SOURCE}", "--packages-select=polo_ros"]
    subprocess.run(
        [sys.executable, "-c", colcon, f"--log-base={folder / 'log'}", "build", *options],
        cwd=folder,
        env=base_environment(),
        check=True,
        timeout=120,
    )
    return folder / "install"


def base_environment() -> dict[str, str]:
    """The environment with this Python as `python3`, and nothing of the source tree on its path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    parts = found.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [part for part in parts if part and Path(part).resolve() != SOURCE]
    return {**found, "PYTHONPATH": os.pathsep.join(kept)} if kept else found


def outside_make() -> dict[str, str]:
    """The environment without what `make` passes on: the tests themselves may run under make."""
    passed_on = re.compile("MAKE.*|MFLAGS|ARGS|VIEW|SEED|PORT|ROBOTS|TASK|ROS|PYTHON|TORCH_INDEX")
    return {name: value for name, value in os.environ.items() if not passed_on.fullmatch(name)}


def sourced_environment(install: Path) -> dict[str, str]:
    """The environment after sourcing an install folder's setup.bash."""
    listing = subprocess.run(
        ["bash", "-c", f". '{install}/setup.bash' && env --null"],
        env=base_environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    pairs = (entry.split("=", 1) for entry in listing.stdout.decode().split("\0") if "=" in entry)
    return dict(pairs)
