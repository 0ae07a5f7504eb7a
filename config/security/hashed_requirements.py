"""Requirements with hashes from a report of pip, without the addresses of the index.

python config/security/hashed_requirements.py report.json requirements-hashed.txt
"""

import json
import sys
from pathlib import Path

HEADER = """\
# The files of `pip install -c constraints.txt .[ros-jazzy,viewer]` with all that they depend on, for CPython
# 3.11 on Linux x86-64. docs/security.md says how to use it and how to make it anew.
"""


def requirements(report: str) -> str:
    """A requirement with its hash for each package but this one, by name."""
    lines = []
    for item in json.loads(report)["install"]:
        archive = item["download_info"].get("archive_info")
        if archive is None:  # this package, from its folder
            continue
        metadata, digest = item["metadata"], archive["hashes"]["sha256"]
        lines.append(f"{metadata['name'].lower()}=={metadata['version']} \\\n    --hash=sha256:{digest}\n")
    return HEADER + "".join(sorted(lines))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(requirements(Path(sys.argv[1]).read_text()))
