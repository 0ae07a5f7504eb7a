"""Where a value function comes from and what it means: metadata that is checked by name."""

import json
import math
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from polo_ros import __version__
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task

FORMAT = "polo_ros/1"
# epochs and sequences are 64-bit numbers without a sign
NUMBER_LIMIT = 1 << 63
# relative: texts of numbers keep all digits, and only a discount that is derived from a scale is rounded
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Origin:
    """Which learner made a value function, and what the values mean.

    Files of earlier versions do not state the entries that may be None.

    Attributes:
      task, model_hash: what the values are about.
      epoch: identity of the learner's run, drawn at random: runs are told apart, not ordered.
      sequence: counts the updates; higher is newer within an epoch.
      discount: γ of the values.
      control_period: in s.
      dynamics_hash: digest of the model's gains, friction and gravity.
      reward_weights: of the reward's terms, by name.
    """

    task: str
    model_hash: str
    epoch: int
    sequence: int
    discount: float | None = None
    control_period: float | None = None
    dynamics_hash: str | None = None
    reward_weights: Mapping[str, float] | None = None

    @classmethod
    def of(cls, task: Task, discount: float, epoch: int, sequence: int) -> "Origin":
        """The origin of values that are learned now, with the task's present reward weights."""
        return cls(
            task.name, task.model_hash(), epoch, sequence, discount, task.timestep, task.dynamics_hash(),
            dict(task.weights),
        )  # fmt: skip

    def metadata(self) -> dict[str, str]:
        """The origin as texts; `read_origin` takes them back."""
        texts = {
            "format": FORMAT,
            "version": __version__,
            "task": self.task,
            "model_hash": self.model_hash,
            "epoch": str(self.epoch),
            "sequence": str(self.sequence),
        }
        if self.discount is not None:
            texts["discount"] = repr(self.discount)
        if self.control_period is not None:
            texts["control_period"] = repr(self.control_period)
        if self.dynamics_hash is not None:
            texts["dynamics_hash"] = self.dynamics_hash
        if self.reward_weights is not None:
            texts["reward_weights"] = json.dumps(dict(self.reward_weights), sort_keys=True)
        return texts

    def check(self, task: Task, discount: float | None, what: str) -> None:
        """Refuse values of another task, model, control period or discount.

        Args:
          task: what the values must be about.
          discount: γ that they must have; None accepts any.
          what: names them in errors.

        Raises:
          PoloError: names the difference.
        """
        if self.task != task.name:
            raise PoloError(f"{what} are of task {self.task}, not {task.name}; train them on this task")
        if self.model_hash != task.model_hash():
            raise PoloError(
                f"{what} are of another model ({self.model_hash}, not {task.model_hash()}); "
                f"use the model and torque_scale they were trained with"
            )
        if self.dynamics_hash not in (None, task.dynamics_hash()):
            raise PoloError(
                f"{what} are of a model with other actuator gains, friction or gravity; "
                f"use the model they were trained with"
            )
        if self.control_period is not None and not same(self.control_period, task.timestep):
            raise PoloError(
                f"{what} are of a control period of {self.control_period:g} s, not {task.timestep:g} s; "
                f"use the timestep and substeps they were trained with"
            )
        if discount is not None and self.discount is not None and not same(self.discount, discount):
            raise PoloError(
                f"{what} are of discount {self.discount:.6g}, not {discount:.6g}; "
                f"set discount to the one they were trained with"
            )

    def reward_difference(self, weights: Mapping[str, float]) -> str:
        """The reward weights that differ from given ones, as `height 1, not 2`; empty if none do."""
        return "" if self.reward_weights is None else reward_difference(self.reward_weights, weights)


def reward_difference(found: Mapping[str, float], wanted: Mapping[str, float]) -> str:
    """The reward weights that differ from wanted ones, as `height 1, not 2`; empty if none do."""
    names = sorted(found.keys() | wanted.keys())
    pairs = [(name, found.get(name, 0.0), wanted.get(name, 0.0)) for name in names]
    return ", ".join(f"{name} {one:g}, not {other:g}" for name, one, other in pairs if one != other)


def same(first: float, second: float) -> bool:
    """Whether two settings are equal up to rounding."""
    return math.isclose(first, second, rel_tol=TOLERANCE)


def read_origin(metadata: Mapping[str, str], what: str) -> Origin:
    """The origin in a file's metadata.

    Raises:
      PoloError: the metadata are of another format, incomplete or unreadable.
    """
    if metadata.get("format") != FORMAT:
        raise PoloError(f"{what} have format {metadata.get('format')!r:.40}, not {FORMAT!r}")
    try:
        weights = metadata.get("reward_weights")
        return Origin(
            metadata["task"],
            metadata["model_hash"],
            _count(metadata["epoch"]),
            _count(metadata["sequence"]),
            _number(metadata.get("discount"), 1.0),
            _number(metadata.get("control_period"), 1e3),
            metadata.get("dynamics_hash"),
            None if weights is None else read_reward_weights(json.loads(weights)),
        )
    except (KeyError, ValueError, RecursionError) as error:
        raise PoloError(f"{what} do not say where they come from ({error!r:.200}); save them again") from None


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number < NUMBER_LIMIT:
        raise ValueError(f"{text:.40} is out of range")
    return number


def _number(text: str | None, limit: float) -> float | None:
    """A positive number up to a limit."""
    if text is None:
        return None
    number = float(text)
    if not 0.0 < number <= limit:
        raise ValueError(f"{text:.40} is out of range")
    return number


def read_reward_weights(weights: object) -> dict[str, float]:
    """Reward weights as JSON gave them.

    Raises:
      ValueError: they are none.
    """
    if not isinstance(weights, dict):
        raise ValueError("reward_weights are no mapping")
    for name, weight in weights.items():
        # compared before it is converted: JSON has whole numbers that no float can hold
        if type(weight) not in (int, float) or not abs(weight) <= sys.float_info.max:
            raise ValueError(f"the weight of reward {name:.40} is no finite number")
    return {name: float(weight) for name, weight in weights.items()}


def new_epoch() -> int:
    """The identity of a learner's run: random, since clocks may be wrong."""
    return secrets.randbits(62)
