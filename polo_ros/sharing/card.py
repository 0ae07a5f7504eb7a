"""The folder that is shared: the weights as they are, a model card (README.md) and a learning curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import yaml

from polo_ros.agent.provenance import WITHOUT_EFFECT, differing_settings
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.parameters import markdown
from polo_ros.sharing.checked import CheckedWeights
from polo_ros.sharing.results import Evaluation, Training

WEIGHTS, CARD, CURVE = "weights.safetensors", "README.md", "learning_curve.png"
PAPER = "https://arxiv.org/abs/1811.01848"


def write_folder(
    folder: Path,
    weights: CheckedWeights,
    results: Sequence[Training | Evaluation],
    repository: str,
    license_name: str = "",
) -> None:
    """Write everything that a repository of the Hub gets.

    Args:
      folder: made where it is missing; must not hold anything.
      weights: of the value function.
      results: of its training and evaluations, at most one training.
      repository: `owner/name` on the Hub.
      license_name: SPDX identifier; without one the card states none.

    Raises:
      PoloError: the folder is not empty, there are several trainings, or a file could not be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PoloError(f"{folder} is not an empty folder; give another --out, or remove it")
    trainings = [result for result in results if isinstance(result, Training)]
    if len(trainings) > 1:
        raise PoloError("weights come from one training; give one folder of polo train")
    write_atomically(folder / WEIGHTS, weights.content)
    if trainings:
        trainings[0].draw(folder / CURVE)
    write_atomically(folder / CARD, card(weights, results, repository, license_name).encode())


def card(
    weights: CheckedWeights,
    results: Sequence[Training | Evaluation],
    repository: str,
    license_name: str = "",
) -> str:
    """The model card; the arguments are those of `write_folder`."""
    task, origin = weights.settings.task, weights.origin
    file = f"{origin.task}.safetensors"
    trainings = [result for result in results if isinstance(result, Training)]
    evaluations = [result for result in results if isinstance(result, Evaluation)]
    lines = [
        "---",
        front_matter(origin.task, license_name),
        "---",
        "",
        f"# {origin.task}",
        "",
        f"A value function of [POLO]({PAPER}) for the task `{origin.task}` ({task.summary.rstrip('.')}). "
        "It is the terminal reward of a planner (MPPI on a MuJoCo model), trained and read by `polo_ros`.",
        "",
        "## What it fits",
        "",
        *markdown.table(("", ""), [(name, f"`{text}`") for name, text in facts(weights)]),
        "",
        "Another model, control period or discount is refused by name when the file is read.",
        "",
        "## Use",
        "",
        "```bash",
        f"polo weights pull {repository} --out {file}",
        f"polo evaluate {origin.task} --weights {file}",
        f"ros2 launch polo_ros polo.launch.py task:={origin.task} weights_file:=$PWD/{file}",
        "```",
        "",
        "## Settings",
        "",
        *settings_lines(weights, trainings),
        "",
        "## Learning",
        "",
        *learning_lines(trainings),
        "",
        "## Success",
        "",
        *success_lines(evaluations),
    ]
    return "\n".join(lines) + "\n"


def front_matter(task: str, license_name: str) -> str:
    """The metadata that the Hub reads."""
    found: dict[str, Any] = {
        "library_name": "polo_ros",
        "pipeline_tag": "robotics",
        "tags": ["polo_ros", "robotics", "mujoco", "mppi", "value-function", "ros2", task],
    }
    if license_name:
        found["license"] = license_name
    text: str = yaml.safe_dump(found, sort_keys=False)
    return text.rstrip()


def facts(weights: CheckedWeights) -> list[tuple[str, str]]:
    """Names and texts of the facts that a reader checks, and that tell one file from another."""
    metadata = weights.metadata
    names = (
        ("task", "task"), ("model hash", "model_hash"), ("gains, friction and gravity", "dynamics_hash"),
        ("control period, s", "control_period"), ("discount", "discount"), ("networks", "architecture"),
        ("reward weights", "reward_weights"), ("updates", "sequence"), ("learner run", "epoch"),
        ("polo_ros", "version"), ("format", "format"),
    )  # fmt: skip
    known = [(shown, metadata[name]) for shown, name in names if name in metadata]
    return [*known, ("bytes", str(len(weights.content))), ("SHA-256", weights.sha256)]


def settings_lines(weights: CheckedWeights, trainings: Sequence[Training]) -> list[str]:
    """The settings that differ from the defaults: of the training, or of planning where that is not known."""
    if trainings:
        return [
            "Those of the training that differ from the defaults.",
            "",
            *settings_table(trainings[0].settings),
        ]
    settings = differing_settings(weights.settings)
    planning = {name: value for name, value in settings.items() if name.startswith("planner_node.")}
    return [
        "Those of the training are not known. The task plans with these, which differ from the defaults.",
        "",
        *settings_table(planning),
    ]


def settings_table(settings: Mapping[str, Any]) -> list[str]:
    """A table of settings; of a path, the last part alone: a person's folders are private."""
    if not settings:
        return ["None: all are defaults."]
    rows = [
        (f"`{name}`", f"`{PurePath(value).name if isinstance(value, str) else value}`")
        for name, value in settings.items()
    ]
    return markdown.table(("setting", "value"), rows)


def learning_lines(trainings: Sequence[Training]) -> list[str]:
    """The learning curve and what was run."""
    if not trainings:
        return ["No training was given when this card was made."]
    (training,) = trainings
    last = training.rows[-1]
    return [
        f"`polo train`, seed {training.facts.get('seed', 'not stated')}: {len(training.rows)} episodes, "
        f"{last['steps']} control periods, mean reward {float(last['reward']):.3f} in the last episode.",
        "",
        f"![Mean reward and value of each episode]({CURVE})",
    ]


def success_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    """A table with a row for each evaluation."""
    if not evaluations:
        return ["Not measured: no evaluation was given when this card was made."]
    rows = []
    for each in evaluations:
        rewards = [float(row["mean_reward"]) for row in each.rows]
        spread = f"{sum(rewards) / len(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f})"
        seeds = [int(row["seed"]) for row in each.rows]
        settings = ", ".join(
            f"{name.removeprefix('planner_node.')} {value}"
            for name, value in each.settings.items()
            if matters(name)
        )
        rows.append(
            (
                "with" if each.with_value else "without", f"{each.solved} of {len(each.rows)}",
                f"{min(seeds)} to {max(seeds)}", each.facts.get("steps", ""), spread, settings or "defaults",
            )
        )  # fmt: skip
    head = ("value function", "seeds solved", "seeds", "control periods", "mean reward", "planner's settings")
    return [
        "`polo evaluate`, a simulated episode a seed; mean reward over seeds, with the range.",
        "",
        *markdown.table(head, rows),
    ]


def matters(setting: str) -> bool:
    """Whether a setting changes an evaluation: the learner's do not, and the file is this one or none."""
    return not setting.startswith("learner_node.") and not setting.endswith(("weights_file", *WITHOUT_EFFECT))
