"""Value functions to share: `polo weights card`, `push` and `pull`."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.commands.shared import Commands, json_option, parameter_options, print_json, settings_of
from polo_ros.errors import PoloError

if TYPE_CHECKING:
    from polo_ros.parameters.settings import Settings
    from polo_ros.sharing.checked import CheckedWeights


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.add_parser("weights", help="share value functions on the Hugging Face Hub")
    actions = group.add_subparsers(dest="action", required=True)

    common = argparse.ArgumentParser(add_help=False, parents=[parameter_options(), json_option()])
    common.add_argument("repository", metavar="REPO", help="owner/name on the Hub")
    common.add_argument("--task", help="the task or its Python file (default: the one that the file names)")
    shared = argparse.ArgumentParser(add_help=False, parents=[common])
    shared.add_argument("--weights", required=True, help="the value function")
    shared.add_argument(
        "--results", type=Path, nargs="+", default=[], metavar="FOLDER",
        help="folders of polo train and polo evaluate, for the card",
    )  # fmt: skip
    shared.add_argument("--license", default="", help="SPDX identifier for the card, such as apache-2.0")

    card = actions.add_parser("card", parents=[shared], help="write the folder that push would send")
    card.add_argument("--out", type=Path, help="the folder (default: runs/REPO-card)")
    card.set_defaults(run=run_card)

    pushing = actions.add_parser("push", parents=[shared], help="send weights with a model card")
    pushing.add_argument("--private", action="store_true", help="a new repository is yours alone to read")
    pushing.set_defaults(run=run_push)

    pulling = actions.add_parser("pull", parents=[common], help="fetch weights and check them")
    pulling.add_argument("--out", type=Path, help="the file (default: NAME.safetensors of REPO's name)")
    pulling.add_argument("--file", default="weights.safetensors", help="its name in the repository")
    pulling.add_argument("--revision", help="branch, tag or commit (default: main)")
    pulling.set_defaults(run=run_pull)


def run_card(options: argparse.Namespace) -> int:
    """Write the folder and say where it is."""
    out = options.out or Path("runs") / f"{repository_name(options.repository)}-card"
    write_card(options, out)
    if options.json:
        print_json({"card": out})
    else:
        print(f"card: {out}")
    return 0


def run_push(options: argparse.Namespace) -> int:
    """Send the folder and print the repository's address."""
    from polo_ros.sharing.hub import push_folder

    with tempfile.TemporaryDirectory(prefix="polo_weights_") as parent:
        folder = Path(parent) / "card"
        weights = write_card(options, folder)
        origin = weights.origin
        message = f"Value function of {origin.task}, update {origin.sequence}"
        address = push_folder(options.repository, folder, options.private, message)
    if options.json:
        print_json({"task": origin.task, "weights": address})
    else:
        print(f"weights: {address}")
    return 0


def run_pull(options: argparse.Namespace) -> int:
    """Fetch a file, check it and only then give it its name."""
    from polo_ros.files import write_atomically
    from polo_ros.sharing.checked import check_weights
    from polo_ros.sharing.hub import pull_file

    out = options.out or Path(f"{repository_name(options.repository)}.safetensors")
    if out.exists():
        raise PoloError(f"{out} exists; give another --out, or remove it")
    content = pull_file(options.repository, options.file, options.revision)
    what = f"the weights of {options.repository}"
    weights = check_weights(content, options.task, lambda task: settings_for_task(options, task), what)
    write_atomically(out, content)
    difference = weights.origin.reward_difference(weights.settings.task.weights)
    if difference:
        print(f"polo: {what} were trained with other reward weights: {difference}", file=sys.stderr)
    origin = weights.origin
    if options.json:
        print_json({"task": origin.task, "model": origin.model_hash, "weights": out})
    else:
        print(f"task {origin.task}, model {origin.model_hash}, weights: {out}")
    return 0


def write_card(options: argparse.Namespace, folder: Path) -> "CheckedWeights":
    """Check the weights and results that the options name, and write the folder."""
    from polo_ros.learner.tensors import read_file
    from polo_ros.learner.weights import SIZE_LIMIT, package_file
    from polo_ros.sharing.card import write_folder
    from polo_ros.sharing.checked import check_weights
    from polo_ros.sharing.results import read_results

    content = read_file(package_file(options.weights), SIZE_LIMIT)
    weights = check_weights(
        content, options.task, lambda task: settings_for_task(options, task), options.weights
    )
    results = [read_results(each, weights) for each in options.results]
    write_folder(folder, weights, results, options.repository, options.license)
    return weights


def settings_for_task(options: argparse.Namespace, task: str) -> "Settings":
    """The settings of a task with the parameters that the options give."""
    return settings_of(argparse.Namespace(**vars(options) | {"task": task}))


def repository_name(repository: str) -> str:
    """The part of a repository's name that may name a file.

    Raises:
      PoloError: it is not of the form owner/name.
    """
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name or name in (".", ".."):
        raise PoloError(f"{repository!r:.100} is no repository; name it as owner/name")
    return name
