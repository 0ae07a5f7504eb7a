"""What a robot did: `polo replay`, `explain` and `export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.commands.shared import Commands, json_option, parameter_options, print_json, settings_of

if TYPE_CHECKING:
    from polo_ros.parameters.settings import Settings
    from polo_ros.recordings.recording import Recording

FORMATS = ("csv", "lerobot", "rerun")


def add(commands: Commands) -> None:
    """Add the commands."""
    recorded = argparse.ArgumentParser(add_help=False, parents=[parameter_options()])
    recorded.add_argument("bag", type=Path, help="folder of a bag, or one mcap file")
    recorded.add_argument("--namespace", default="", help="of the robot, such as /robot1")
    recorded.add_argument("--task", help="Python file of the task, where it is not among `polo tasks`")

    replaying = commands.add_parser("replay", parents=[recorded], help="show a bag on a page")
    replaying.add_argument("--port", type=int, default=8080, help="first port that is tried (default: 8080)")
    replaying.set_defaults(run=run_replay)

    explaining = commands.add_parser("explain", parents=[recorded], help="why did it do that?")
    explaining.add_argument(
        "--at", type=float, required=True, metavar="SECONDS", help="since the bag's start"
    )
    explaining.add_argument("--seed", type=int, default=0, help="of the candidates (default: 0)")
    explaining.add_argument("--json", action="store_true", help="for machines")
    explaining.set_defaults(run=run_explain)

    exporting = commands.add_parser(
        "export", parents=[recorded, json_option()], help="write a bag for other programs"
    )
    exporting.add_argument(
        "--format", choices=FORMATS, default="csv",
        help="a table, a LeRobot dataset or a file for the Rerun viewer (default: csv)",
    )  # fmt: skip
    exporting.add_argument(
        "--out", type=Path, help="the file (default: BAG.csv, BAG.rrd); lerobot: the folder (BAG-lerobot)"
    )
    exporting.set_defaults(run=run_export)


def run_replay(options: argparse.Namespace) -> int:
    """Show a bag on a page until Ctrl-C."""
    from polo_ros.recordings.replay import replay

    settings, recording = read_bag(options)
    replay(settings, recording, options.port)
    return 0


def run_explain(options: argparse.Namespace) -> int:
    """Print why the robot did what it did at one moment."""
    from polo_ros.recordings.explanation import explain
    from polo_ros.recordings.explanation_table import explanation_text

    settings, recording = read_bag(options)
    explanation = explain(settings, recording, options.at, options.seed)
    print(explanation.as_json() if options.json else explanation_text(explanation))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write a bag's transitions for another program, and say where."""
    from polo_ros.recordings.export import export_csv
    from polo_ros.recordings.lerobot import export_lerobot
    from polo_ros.recordings.rerun_file import export_rerun

    _, recording = read_bag(options)
    bag, form, transitions = options.bag, options.format, len(recording.time)
    written: dict[str, object] = {"format": form, "transitions": transitions}
    if form == "lerobot":
        out = options.out or bag.with_name(f"{bag.stem}-lerobot")
        written["episodes"] = export_lerobot(recording, out)
    elif form == "rerun":
        out = options.out or bag.with_suffix(".rrd")
        export_rerun(recording, out)
    else:
        out = options.out or bag.with_suffix(".csv")
        export_csv(recording, out)
    if options.json:
        print_json(written | {"file": out})
    else:
        episodes = f"{written['episodes']} episodes, " if "episodes" in written else ""
        print(f"{episodes}{transitions} transitions: {out}")
    return 0


def read_bag(options: argparse.Namespace) -> "tuple[Settings, Recording]":
    """The settings and the recording that a command about a bag is given."""
    from polo_ros.recordings.bag import schema_of
    from polo_ros.recordings.recording import read_recording

    options.task = options.task or str(schema_of(options.bag, options.namespace)["task"])
    settings = settings_of(options)
    return settings, read_recording(options.bag, settings.task, options.namespace)
