"""How a result was made: settings that differ from the defaults, and digests of model and value function."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from polo_ros import __version__
from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import Checkpoint
from polo_ros.learner.weights import value_tensors
from polo_ros.parameters.node_tables import SETUP
from polo_ros.parameters.schema import table, values_of
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble

# results do not depend on these: rollouts are the same at any number of threads, and the digest of the model
# covers its path
WITHOUT_EFFECT = ("threads", "model_path", "labels_workers", "labels_threads")
# these say where something is, and are not stated: files of results are passed on to others
UNSTATED = ("task", "labels_address")


def differing_settings(settings: Settings) -> dict[str, Any]:
    """The parameters that differ from their defaults, as `node.name`, with JSON values.

    Those of the planner node come first; the weights of the task's reward and its setup are among them.
    """
    found: dict[str, Any] = {}
    for node, configs in (
        ("planner_node", (settings.planner_node, settings.planner)),
        ("learner_node", (settings.learner_node, settings.learner)),
    ):
        for config in configs:
            defaults = {row.name: row.default for row in table(type(config))}
            for name, value in values_of(config).items():
                if value != defaults[name] and name not in UNSTATED:
                    found[f"{node}.{name}"] = list(value) if isinstance(value, tuple) else value
    setup = settings.task.setup
    defaults = {row.name: row.default for row in table(type(setup))}
    for name, value in values_of(setup).items():
        if value != defaults[name]:
            found[f"{SETUP}{name}"] = list(value) if isinstance(value, tuple) else value
    weights = {term.name: term.weight for term in settings.task.terms}
    for name, weight in settings.task.weights.items():
        if weight != weights[name]:
            found[f"reward.{name}"] = weight
    return found


def description(settings: Settings, without: Collection[str] = (), /, **facts: object) -> str:
    """One line for the head of a result file: facts, version, digests and differing settings.

    Args:
      settings: of all that the file holds.
      without: parameters that differ within the file, by name.
      facts: come first.
    """
    task = settings.task
    facts |= {"version": __version__, "model_hash": task.model_hash(), "dynamics_hash": task.dynamics_hash()}
    words = [f"{name}={fact}" for name, fact in facts.items()]
    for name, value in differing_settings(settings).items():
        if not {name, name.partition(".")[2]} & set(without):
            words.append(f"{name}:={json.dumps(value, separators=(',', ':'))}")
    return " ".join(words)


def value_digest(value: ValueEnsemble | None) -> str:
    """A digest of a value function; `none` without one."""
    if value is None:
        return "none"
    digest = hashlib.sha256()
    for name, array in sorted(value_tensors(value).items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:16]


def resumable_settings(settings: Settings, seed: int, episode_steps: int) -> dict[str, str]:
    """What a resumed training must have in common with the one before, as metadata of its checkpoint."""
    found = {
        name: value
        for name, value in differing_settings(settings).items()
        if name.partition(".")[2] not in WITHOUT_EFFECT
    }
    return {"settings": json.dumps(found | {"seed": seed, "episode": episode_steps}, sort_keys=True)}


def check_same_settings(loaded: Checkpoint, present: Mapping[str, str]) -> None:
    """Refuse to continue a training with other settings.

    Args:
      loaded: the training's checkpoint; those of earlier versions do not state the settings.
      present: `resumable_settings` of the training that is to continue.

    Raises:
      PoloError: names the settings that differ, or the stored ones are unreadable.
    """
    if "settings" not in loaded.metadata:
        return
    try:
        old = json.loads(loaded.metadata["settings"])
        if not isinstance(old, dict):
            raise ValueError("no mapping")
    except (ValueError, RecursionError):
        raise PoloError(f"{loaded.what} have unreadable settings; use another file") from None
    new = json.loads(present["settings"])
    differences = [
        f"{name} {_shown(old, name)}, not {_shown(new, name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    if differences:
        raise PoloError(
            f"{loaded.what} are of a training with {'; '.join(differences)}; resume with the same settings"
        )


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return f"{settings[name]!r:.40}" if name in settings else "its default"
