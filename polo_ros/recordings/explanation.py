"""`polo explain`: why a planner did what it did at one moment of a recording."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import Settings
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.plan import Plan
from polo_ros.planner.value import ValueEnsemble
from polo_ros.recordings.recording import Recording
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View

CANDIDATES = 5
# a status describes moments up to this long before it, in s: the planner publishes one a second
SAID_WITHIN_S = 1.5


@dataclass(frozen=True)
class Candidate:
    """A rollout: where its return comes from.

    Attributes:
      weight: its share of the plan.
      total: the return, discounted.
      terms: the part of each reward term over the horizon, weighted and discounted.
      terminal: γ^H times each head's value of the state it ends in; empty without a value function.
    """

    weight: float
    total: float
    terms: Mapping[str, float]
    terminal: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """One moment of a recording.

    Attributes:
      task, time: its name, and the time in s since the beginning of the recording.
      planned: whether the plan followed then was recorded; otherwise candidates are drawn around the control
        that was executed.
      value: which value function was used, in words.
      candidates: the best rollouts, best first, of a sampling round around the plan.
      paths: of these rollouts, (candidates, H + 1, 3) in m.
      effective_sample_size: how many rollouts that round averages.
      predicted, realised: each reward term over the horizon, weighted and discounted: of the recorded plan in
        the model, and of what happened; empty where either is unknown.
      said: what the planner said on /diagnostics about then.
    """

    task: str
    time: float
    planned: bool
    value: str
    candidates: tuple[Candidate, ...]
    paths: Array
    effective_sample_size: float
    predicted: Mapping[str, float]
    realised: Mapping[str, float]
    said: str

    def as_json(self) -> str:
        """Everything but the paths, for machines."""
        content = {name: value for name, value in asdict(self).items() if name != "paths"}
        return json.dumps(content, indent=2)


def explain(settings: Settings, recording: Recording, seconds: float, seed: int = 0) -> Explanation:
    """Plan again from a recorded state, and compare with what was planned and what happened.

    The noise of the robot's planner is not recorded: the candidates are those of a new sampling round around
    the recorded plan, with the recorded value function and the settings given.

    Args:
      settings: of the planner.
      recording: of the run.
      seconds: since the beginning of the recording.
      seed: of the sampling round.

    Raises:
      PoloError: there is nothing at that time.
    """
    task, config = settings.task, settings.planner
    index = recording.index_at(seconds)
    now, state = float(recording.time[index]), recording.state[index]
    value, about = value_at(settings, recording, now)
    mppi = MPPI(task, config, seed_of(seed, Stream.PLANNER), settings.planner_node.threads)
    plan = plan_at(recording, now)
    times = now + mppi.knot_steps * task.timestep
    knots = np.tile(recording.ctrl[index], (len(times), 1)) if plan is None else plan.sample(times)
    solution = mppi.optimise(state[None], knots[None], None, value)
    order = np.argsort(-solution.returns[0])[:CANDIDATES]
    view = solution.view
    found, paths = [], []
    for rank in order[solution.valid[0][order]]:
        seen = task.view(view.sensordata[0, rank], view.ctrl[0, rank])
        weight, total = float(solution.weights[0, rank]), float(solution.returns[0, rank])
        terms = discounted_terms(task, seen, config.discount)
        terminal = terminal_values(task, seen, config.discount, value)
        found.append(Candidate(weight, total, terms, terminal))
        paths.append(seen.sensor(task.trace_sensor))
    predicted = {} if plan is None else predicted_terms(mppi, task, state, plan, now, config.discount)
    return Explanation(
        task=task.name,
        time=now - float(recording.time[0]),
        planned=plan is not None,
        value=about,
        candidates=tuple(found),
        paths=np.array(paths),
        effective_sample_size=float(solution.effective_sample_size[0]),
        predicted=predicted,
        realised=realised_terms(recording, index, config.horizon, config.discount),
        said=status_at(recording, now),
    )


def value_at(settings: Settings, recording: Recording, now: float) -> tuple[ValueEnsemble | None, str]:
    """The newest recorded value function at a time in s, or the parameter file's, and which one it is."""
    received = ReceivedWeights(settings.task, settings.planner.discount)
    newest = [content for time, content in recording.weights if time <= now]
    if newest:
        ensemble = received.receive(newest[-1])
        return ensemble, f"recorded, update {received.origin.sequence if received.origin else 0}"
    file = settings.planner_node.weights_file
    if not file:
        return None, "none"
    return received.load(file), f"of the parameter file ({file})"


def plan_at(recording: Recording, now: float) -> Plan | None:
    """The recorded plan that was followed at a time in s; None where there is none."""
    begun = [plan for plan in recording.plans if plan.start <= now + 1e-9]
    return begun[-1] if begun and now <= begun[-1].end else None


def discounted_terms(task: Task, view: View, discount: float) -> dict[str, float]:
    """Each weighted reward term of a sequence of states (H + 1), the last one left out, discounted."""
    terms = task.reward_terms(view)
    found = {}
    for name, weight in task.weights.items():
        rewards = weight * np.asarray(terms[name])[:-1]
        found[name] = float(rewards @ discount ** np.arange(len(rewards)))
    return found


def terminal_values(
    task: Task, view: View, discount: float, value: ValueEnsemble | None
) -> tuple[float, ...]:
    """Each head's value of the last state of a sequence (H + 1), discounted to its first."""
    if value is None:
        return ()
    last = task.view(view.sensordata[-1:], view.ctrl[-1:])
    heads = value.heads(task.value_features(last))[:, 0]
    return tuple((discount ** (len(view.sensordata) - 1) * heads).tolist())


def predicted_terms(
    mppi: MPPI, task: Task, state: Array, plan: Plan, now: float, discount: float
) -> dict[str, float]:
    """The reward terms of a plan in the model; empty where its simulation diverges."""
    steps = np.arange(mppi.config.horizon + 1, dtype=float) * task.timestep + now
    ctrl = np.clip(plan.sample(steps), task.control_low, task.control_high)[None, None]
    recorded = mppi.rollouts.run(state[None], ctrl)
    if not recorded.valid.all():
        return {}
    return discounted_terms(task, task.view(recorded.sensordata[0, 0], ctrl[0, 0]), discount)


def realised_terms(recording: Recording, index: int, horizon: int, discount: float) -> dict[str, float]:
    """The reward terms of the states that followed; empty where fewer than a horizon are recorded."""
    task, last = recording.task, index + horizon
    if last >= len(recording.time) or recording.episode[last] != recording.episode[index]:
        return {}
    some = slice(index, last + 1)
    return discounted_terms(task, task.observe(recording.state[some], recording.ctrl[some]), discount)


def status_at(recording: Recording, now: float) -> str:
    """The planner's status for a time in s; empty where none was recorded."""
    about = [each for each in recording.statuses if 0.0 <= each.time - now <= SAID_WITHIN_S]
    before = [each for each in recording.statuses if each.time < now]
    chosen = (about or before[-1:])[:1]
    return chosen[0].text if chosen else ""
