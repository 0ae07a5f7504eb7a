"""The networks of the tests of weights, and reading a file's metadata."""

import json
import struct

from polo_ros.learner.config import LearnerConfig

CONFIG = LearnerConfig(ensemble_size=3, hidden=(8, 6), prior_scale=0.5)


def metadata_of(content: bytes) -> dict[str, str]:
    (length,) = struct.unpack("<Q", content[:8])
    found: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return found
