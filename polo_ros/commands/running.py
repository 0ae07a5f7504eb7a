"""A running robot, by programs that need ROS 2: `polo record` and `polo doctor`."""

import argparse
import importlib.util
import os

from polo_ros.commands.shared import Commands, run_module
from polo_ros.errors import PoloError


def add(commands: Commands) -> None:
    """Add the commands."""
    # its options are those of `python -m polo_ros.nodes.recorder`, which needs ROS 2 and prints their help
    recording = commands.add_parser("record", add_help=False, help="record a run into a bag (needs ROS 2)")
    recording.set_defaults(run=run_record)

    # its options are those of `python -m polo_ros.nodes.doctor`
    doctor = commands.add_parser("doctor", add_help=False, help="measure a running robot's topics (ROS 2)")
    doctor.set_defaults(run=run_doctor)


def run_record(options: argparse.Namespace) -> int:
    """Run `python -m polo_ros.nodes.recorder`, since this command itself needs no ROS 2."""
    return run_module("polo_ros.nodes.recorder", options.rest, dict(os.environ))


def run_doctor(options: argparse.Namespace) -> int:
    """Run `python -m polo_ros.nodes.doctor`, which needs ROS 2."""
    if importlib.util.find_spec("rclpy") is None:
        raise PoloError("polo doctor needs ROS 2; source its setup file, or install the extra ros-jazzy")
    return run_module("polo_ros.nodes.doctor", options.rest, dict(os.environ))
