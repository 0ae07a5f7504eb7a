"""The parameters among a node's ROS 2 arguments, as layers.

rclpy itself drops parameters that a node does not declare without a word, and lets the blocks of a file win
over `-p name:=value` where they are for the node's own name.
"""

from collections.abc import Sequence
from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.parameters.yaml_files import EVERY_NODE, ParameterFile, parse_overrides

FILE_OPTION = "--params-file"
PARAMETER_OPTIONS = ("-p", "--param")


def parameter_layers(arguments: Sequence[str]) -> list[ParameterFile]:
    """The parameters of a node's command line: files in their order, then each `-p [node:]name:=value`.

    Args:
      arguments: after the command itself; only those between `--ros-args` and `--` count.

    Raises:
      PoloError: a file is missing or no parameter file, or a parameter is not of the form name:=value.
    """
    files, single = [], []
    for option, value in _options(arguments):
        if option == FILE_OPTION:
            files.append(ParameterFile.read(Path(value)))
        else:
            node, _, _ = value.partition(":=")[0].rpartition(":")
            parameters = parse_overrides([value.removeprefix(f"{node}:") if node else value])
            key = f"{EVERY_NODE}/{node.strip('/')}" if node else EVERY_NODE
            single.append(ParameterFile(f"-p {value}", {key: parameters}))
    return [*files, *single]


def _options(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The parameter options with their values."""
    found: list[tuple[str, str]] = []
    in_ros, option = False, ""
    for word in arguments:
        if option:
            found.append((option, word))
            option = ""
        elif word == "--ros-args":
            in_ros = True
        elif word == "--":
            in_ros = False
        elif in_ros and word in (FILE_OPTION, *PARAMETER_OPTIONS):
            option = word
    if option:
        missing = "a file" if option == FILE_OPTION else "name:=value"
        raise PoloError(f"{option} must be followed by {missing}")
    return found
