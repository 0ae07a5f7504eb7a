"""Keeping a simulated robot on this machine: environment variables that must be set before ROS 2 starts."""

import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution

from polo_ros.files import share_path

DISCOVERY_RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
LOCALHOST = "LOCALHOST"
# the name of Fast DDS 3, and that of Fast DDS 2 (ROS 2 Jazzy), of which later distributions warn
PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
# a user who sets one of these wants to reach other machines
REMOTE = ("ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER")
FAST_DDS = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")


def local_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Variables that keep discovery and the ports of DDS on this machine, unless the user's settings differ.

    Discovery alone is not enough: Fast DDS binds its UDP ports on all interfaces all the same.

    Args:
      environment: variables as they are; empty ones count as absent.

    Returns:
      The variables to set, and a sentence for the user where the environment's own hold; empty where not.
    """
    given = {name: value for name, value in environment.items() if value}
    elsewhere = [name for name in REMOTE if name in given]
    if given.get(DISCOVERY_RANGE, LOCALHOST) != LOCALHOST:
        elsewhere.append(DISCOVERY_RANGE)
    if elsewhere:
        return {}, f"DDS follows your {' and '.join(elsewhere)}: other machines may reach the nodes"
    chosen = {DISCOVERY_RANGE: LOCALHOST}
    middleware = given.get("RMW_IMPLEMENTATION", FAST_DDS[0])
    if middleware not in FAST_DDS:
        return chosen, f"{middleware} chooses its ports itself: the package's profile is for Fast DDS"
    path = str(share_path("config", "security", "localhost.xml"))
    profiles = [name for name in PROFILES if given.get(name, path) != path]
    if profiles:
        return chosen, f"Fast DDS follows your {' and '.join(profiles)}, not the package's localhost.xml"
    return chosen | {profile_variable(given): path}, ""


def profile_variable(environment: Mapping[str, str]) -> str:
    """The one of `PROFILES` that the installed distribution of ROS 2 reads."""
    distro = environment.get("ROS_DISTRO", "")
    if not distro:  # ROS 2 from wheels
        try:
            distribution("ros-jazzy-rclpy")
            distro = "jazzy"
        except PackageNotFoundError:
            pass
    return PROFILES[distro == "jazzy"]


def stay_local() -> None:
    """Set what `local_environment` finds in this process, and print its sentence."""
    chosen, sentence = local_environment(os.environ)
    os.environ.update(chosen)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
