"""The paper's figures: `polo reproduce`."""

import argparse
import os
from pathlib import Path

from polo_ros.commands.shared import Commands, run_module
from polo_ros.errors import PoloError
from polo_ros.extras import require

# the folder that holds `experiments/` where this package lies in its repository
REPOSITORY = Path(__file__).resolve().parents[2]


def add(commands: Commands) -> None:
    """Add the commands."""
    # its options are those of `python -m experiments`, which prints their help
    reproduction = commands.add_parser(
        "reproduce", add_help=False, help="reproduce a figure or table of the paper (in the repository)"
    )
    reproduction.set_defaults(run=run_reproduce)


def run_reproduce(options: argparse.Namespace) -> int:
    """Run `python -m experiments`, which is not part of this package."""
    if not (REPOSITORY / "experiments").is_dir():
        raise PoloError(
            "polo reproduce needs the folder experiments/ of the repository, which is not installed; "
            "clone the repository and run the command there"
        )
    require("sweep", "polo reproduce", "joblib", "pandas")
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return run_module("experiments", options.rest, environment)
