"""Train a value function, then plan eight steps ahead with it and without it.

The planner alone cannot swing the pole up with so short a horizon: it does not see that far. The value
function, learned while planning 50 steps ahead, tells it what comes after the eighth step.

Run it (about a minute):  python examples/train_a_value_function.py
"""

import dataclasses

import numpy as np

from polo_ros.agent.agent import Agent
from polo_ros.learner.learner import Learner
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.planner.value import ValueEnsemble

EPISODE_STEPS = 250  # control periods, 5 s


def train(steps: int) -> ValueEnsemble:
    """Algorithm 1 of the paper: plan, act, store the transition, and update the values every 16 steps."""
    settings = settings_for("cartpole_swingup")  # reads config/cartpole_swingup.yaml
    task = settings.task
    learner = Learner(task, settings.learner, seed=0, threads=0)
    agent = Agent(task, Planner(task, settings.planner, seed=0), learner, seed=0)
    for _ in range(steps):
        step = agent.step()
        if step.update is not None:
            # zero until the learner has labelled enough states for its first gradient step
            print(f"step {agent.steps}: loss {step.update.loss:.1f}, target {step.update.target_mean:.1f}")
        if agent.steps % EPISODE_STEPS == 0:
            agent.reset()
    return learner.value()


def mean_reward(value: ValueEnsemble | None, horizon: int, steps: int) -> float:
    """Act without learning, from a start state that training has not seen."""
    settings = settings_for("cartpole_swingup")
    config = dataclasses.replace(settings.planner, horizon=horizon)
    planner = Planner(settings.task, config, seed=1)
    planner.value = value  # None plans for the rewards within the horizon only
    agent = Agent(settings.task, planner, seed=1)
    return float(np.mean([agent.step().report.reward for _ in range(steps)]))


def main(training_steps: int = 1000, horizon: int = 8, steps: int = 250) -> tuple[float, float]:
    """Returns the mean rewards without and with the value function."""
    value = train(training_steps)
    without, with_value = mean_reward(None, horizon, steps), mean_reward(value, horizon, steps)
    print(
        f"mean reward with a horizon of {horizon} steps: {without:.3f} without values, {with_value:.3f} with"
    )
    return without, with_value


if __name__ == "__main__":
    main()
