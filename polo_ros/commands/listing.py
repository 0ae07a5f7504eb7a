"""What there is: `polo tasks` and `polo parameters`."""

import argparse
from dataclasses import asdict
from pathlib import Path

from polo_ros.commands.shared import Commands, json_option, print_json


def add(commands: Commands) -> None:
    """Add the commands."""
    listing = commands.add_parser("tasks", help="list the tasks")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--pictures", type=Path, metavar="FOLDER", help="write a picture of each task's start")
    form.add_argument("--markdown", action="store_true", help="print the page docs/tasks.md")
    form.add_argument("--json", action="store_true", help="print one JSON object, for machines")
    listing.set_defaults(run=run_tasks)

    parameters = commands.add_parser(
        "parameters", parents=[json_option()], help="print every node's parameters as Markdown"
    )
    parameters.set_defaults(run=run_parameters)


def run_tasks(options: argparse.Namespace) -> int:
    """List the tasks, draw them, or print their page."""
    if options.markdown:
        from polo_ros.parameters.documentation import tasks_markdown

        print(tasks_markdown(), end="")
        return 0
    from polo_ros.tasks import task_classes

    if options.json:
        print_json({"tasks": {name: cls.summary for name, cls in task_classes().items()}})
        return 0
    pictures: dict[str, Path] = {}
    if options.pictures:
        from polo_ros.viewer.task_pictures import write_pictures

        pictures = write_pictures(options.pictures)
    for name, cls in task_classes().items():
        print(f"{name:24}{cls.summary}{f'  {pictures[name]}' if pictures else ''}")
    return 0


def run_parameters(options: argparse.Namespace) -> int:
    """Print the page docs/parameters.md, or the same table for machines."""
    from polo_ros.parameters.documentation import DOCUMENTED_TASK, parameters_markdown
    from polo_ros.parameters.node_tables import NODES, node_table
    from polo_ros.tasks import task_class

    if options.json:
        task = task_class(DOCUMENTED_TASK)
        print_json({node: [asdict(row) for row in node_table(node, task)] for node in NODES})
    else:
        print(parameters_markdown(), end="")
    return 0
