"""Parameters that a benchmark is given on its command line, as NAME=VALUE."""

import argparse
from collections.abc import Iterable
from typing import Any

from polo_ros.parameters.yaml_files import parse_overrides

NONE = "none"


def add_override_option(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Let `--override NAME=VALUE` be given any number of times."""
    parser.add_argument("--override", action="append", default=[], metavar="NAME=VALUE", help=meaning)


def override_values(texts: Iterable[str]) -> dict[str, Any]:
    """The values of NAME=VALUE texts, by name.

    Raises:
      PoloError: a text is not of that form.
    """
    return parse_overrides(text.replace("=", ":=", 1) for text in texts)


def overrides_column(texts: Iterable[str]) -> str:
    """NAME=VALUE texts as an entry of a CSV file; `none` where there are none."""
    return " ".join(texts) or NONE


def column_values(entry: str) -> dict[str, Any]:
    """The values of an entry that `overrides_column` made, by name.

    Raises:
      PoloError: a text of it is not of the form NAME=VALUE.
    """
    return override_values(text for text in entry.split() if text != NONE)
