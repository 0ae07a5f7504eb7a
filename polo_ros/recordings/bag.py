"""Reading and writing bags (rosbag2, mcap) with the pure-Python package rosbags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.progress import PATIENCE, progress_bar

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

SCHEMA, EXPERIENCE = "experience/schema", "experience"
WEIGHTS = "value_function/weights"


def open_bag(path: Path) -> AnyReader:
    """A bag for reading: a folder of rosbag2, or one mcap file. Use it as a context.

    Raises:
      PoloError: there is no bag, it cannot be read, or rosbags is not installed.
    """
    require("record", "a bag", "rosbags")
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.typesys import Stores, get_typestore

    if not path.exists():
        raise PoloError(f"there is no bag {path}")
    try:
        return AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
    except (AnyReaderError, OSError, ValueError) as error:
        raise PoloError(f"{path} is not a bag that can be read ({error})") from None


def fleet_weights(namespace: str) -> str:
    """The topic of the weights that the robots of a fleet share, in the namespace above a robot's."""
    above = namespace.strip("/").rpartition("/")[0]
    return f"/{above}/{WEIGHTS}" if above else f"/{WEIGHTS}"


def messages(path: Path, topics: Sequence[str], namespace: str = "") -> Iterator[tuple[str, int, Any]]:
    """The messages of some topics in the order of their recording; progress is shown where it takes long.

    Weights are the fleet's where there are none in the robot's namespace.

    Args:
      path: of the bag.
      topics: relative to the robot's namespace; absolute ones begin with a slash.
      namespace: of the robot, such as /robot1; empty for none.

    Yields:
      The topic as asked for, the time of recording in ns, and the message.

    Raises:
      PoloError: the bag cannot be read.
    """
    space = f"/{namespace.strip('/')}".rstrip("/")
    names = {topic if topic.startswith("/") else f"{space}/{topic}": topic for topic in topics}
    with open_bag(path) as reader:
        if WEIGHTS in topics and f"{space}/{WEIGHTS}" not in reader.topics:
            names[fleet_weights(namespace)] = WEIGHTS
        wanted = [c for c in reader.connections if c.topic in names]
        count = sum(connection.msgcount for connection in wanted)
        with progress_bar(count, f"read {path.name}", "message", patience=PATIENCE) as bar:
            for connection, stamp, raw in reader.messages(wanted) if wanted else ():
                yield names[connection.topic], stamp, reader.deserialize(raw, connection.msgtype)
                bar.update()


def schema_of(path: Path, namespace: str = "") -> dict[str, Any]:
    """The schema of a bag's experience.

    Raises:
      PoloError: the bag has none, or it is no schema.
    """
    for _, _, message in messages(path, (SCHEMA,), namespace):
        try:
            schema = json.loads(message.data)
            str(schema["task"])
        except (ValueError, KeyError, TypeError):
            raise PoloError(f"{path}: {SCHEMA} is not a schema") from None
        found: dict[str, Any] = schema
        return found
    raise PoloError(
        f"{path} has no topic {SCHEMA}; record experience and its schema, and name the robot's namespace "
        f"where it has one (--namespace)"
    )


class BagWriter:
    """Writes messages that come serialised into a new bag of mcap.

    Args:
      path: of the folder to make.

    Raises:
      PoloError: the folder exists, cannot be made, or rosbags is not installed.
    """

    def __init__(self, path: Path) -> None:
        require("record", "a bag", "rosbags")
        from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
        from rosbags.typesys import Stores, get_typestore

        path.parent.mkdir(parents=True, exist_ok=True)
        self._types = get_typestore(Stores.ROS2_JAZZY)
        try:
            self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except (WriterError, OSError) as error:
            raise PoloError(f"{path} could not be written ({error}); give another --out") from None
        self._connections: dict[str, Any] = {}

    def write(self, topic: str, kind: str, stamp: int, content: bytes) -> None:
        """Add a message: absolute topic, type such as std_msgs/msg/Bool, time in ns, bytes."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._types)
        self._writer.write(self._connections[topic], stamp, content)

    def close(self) -> None:
        """Complete the bag."""
        self._writer.close()
