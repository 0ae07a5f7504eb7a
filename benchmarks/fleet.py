"""Several cart-poles that teach one value function: experience of each until all of them swing up.

    python -m benchmarks.fleet

The robots act in turns, a control period each, in one process, with the settings of `make learn`: a horizon
of 8 steps, from which no swing-up is found without a value function, and episodes of 6 s. The learner starts
from nothing. After every 100 control periods of each robot the value function is tried out: a planner of its
own acts from three start states, the same in all runs of a seed, and nothing is learned from that. The first
trial in which the second half of each of the three episodes earns 0.9 a step on average ends the run.

The learner makes an update every `update_period` transitions of all robots together (updates: experience), as
Algorithm 1 does and a learner with enough cores can; or every `update_period` control periods, however many
robots there are (updates: time), as a learner does whose cores are busy with one robot already.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from polo_ros.agent.agent import Agent
from polo_ros.files import config_path
from polo_ros.learner.learner import Learner
from polo_ros.nodes.fleet import robots as members
from polo_ros.nodes.learn import HORIZONS, SOLVED_REWARD
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.parameters.yaml_files import parse_overrides
from polo_ros.planner import Planner

TASK = "cartpole_swingup"
EPISODE_S = 6.0
TRIALS = 3
# control periods of each robot between two trials
BETWEEN_TRIALS = 100
# of the start states of trials: that of no robot
TRIAL_SEED = 500
COLUMNS = ("updates_by", "robots", "seed", "steps_each", "updates", "rewards")


class Fleet:
    """Robots in turns and their learner.

    Args:
      settings: of each robot and of the learner.
      robots: how many.
      seed: of the first robot and of the learner.
      by_time: whether updates follow the control periods, and not the transitions.
    """

    def __init__(self, settings: Settings, robots: int, seed: int, by_time: bool) -> None:
        self.learner = Learner(settings.task, settings.learner, seed, threads=1)
        seeds = [robot.seed(seed) for robot in members(robots)]
        self.agents = [
            Agent(settings.task, Planner(settings.task, settings.planner, each, 1), None, each)
            for each in seeds
        ]
        self._due = settings.learner.update_period * (robots if by_time else 1)
        self._transitions = 0

    def act(self, steps: int) -> None:
        """So many control periods of each robot."""
        for _ in range(steps):
            for robot, agent in enumerate(self.agents):
                self._act(robot)
                if agent.world.data.time >= EPISODE_S - 0.5 * agent.task.timestep:
                    agent.reset()

    def _act(self, robot: int) -> None:
        """A control period of a robot, and an update where one is due."""
        step = self.agents[robot].step()
        self.learner.add(
            step.state[None], step.ctrl[None], np.array([step.report.reward]),
            np.array([float(step.episode)]), step.report.features[None], np.array([float(robot)]),
        )  # fmt: skip
        self._transitions += 1
        if self._transitions % self._due == 0:
            self.learner.update()
            if self.learner.trained:
                for agent in self.agents:
                    agent.planner.value = self.learner.value()


def trial(settings: Settings, learner: Learner, seed: int) -> list[float]:
    """The mean reward of the second half of some episodes with the present value function."""
    planner = Planner(settings.task, settings.planner, seed, 1)
    if learner.trained:
        planner.value = learner.value()
    agent = Agent(settings.task, planner, None, seed + TRIAL_SEED)
    halves = []
    for _ in range(TRIALS):
        rewards = [agent.step().report.reward for _ in range(round(EPISODE_S / settings.task.timestep))]
        halves.append(float(np.mean(rewards[len(rewards) // 2 :])))
        agent.reset()
    return halves


def trials(
    settings: Settings, robots: int, seed: int, by_time: bool, limit: int
) -> Iterator[tuple[int, int, list[float]]]:
    """Control periods of each robot, updates and the trial's rewards, until all three are good.

    Args:
      settings, robots, seed, by_time: see `Fleet`.
      limit: control periods of each robot at which to give up.
    """
    fleet = Fleet(settings, robots, seed, by_time)
    for steps in range(BETWEEN_TRIALS, limit + 1, BETWEEN_TRIALS):
        fleet.act(BETWEEN_TRIALS)
        halves = trial(settings, fleet.learner, seed)
        yield steps, fleet.learner.sequence, halves
        if min(halves) >= SOLVED_REWARD:
            return


def main() -> None:
    """Run, print, and write a row a trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--robots", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--updates", choices=("experience", "time"), default="experience")
    parser.add_argument(
        "--limit", type=int, default=4000, help="control periods each until a run is given up"
    )
    parser.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE", help="a parameter"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fleet.csv"))
    options = parser.parse_args()
    parameters = {"horizon": HORIZONS[TASK], **parse_overrides(options.single)}
    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.fleet {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for robots in options.robots:
                settings = settings_for(TASK, config_path(TASK), parameters)
                by_time = options.updates == "time"
                for steps, updates, halves in trials(settings, robots, seed, by_time, options.limit):
                    rewards = " ".join(f"{half:.3f}" for half in halves)
                    writer.writerow((options.updates, robots, seed, steps, updates, rewards))
                    file.flush()
                    print(f"{robots} robots, seed {seed}, {steps} steps each, {updates} updates: {rewards}")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
