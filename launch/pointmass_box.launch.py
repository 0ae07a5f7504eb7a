"""A point mass explores a box; `--show-args` lists the arguments."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def generate_launch_description() -> LaunchDescription:
    """The shared launch file with this task."""
    # a plain path, not a substitution: --show-args follows only those
    shared = PythonLaunchDescriptionSource(str(Path(__file__).with_name("polo.launch.py")))
    task = {"task": "pointmass_box"}
    return LaunchDescription([IncludeLaunchDescription(shared, launch_arguments=task.items())])
