"""`make learn`: a robot that plans a short way ahead, first alone, then with a learner beside it."""

from polo_ros.nodes.start import EarlyEnd, catch_endings, start_command

if __name__ == "__main__":  # before the imports that take long
    start_command("learn")

import argparse
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from polo_ros.nodes.processes import Processes

if TYPE_CHECKING:
    from polo_ros.nodes.episode_monitor import EpisodeMonitor

ALONE, LEARNING = "planner alone", "with the learner"
# the horizon of each task that is too short to succeed without a value function, in steps
HORIZONS = {"cartpole_swingup": 8, "humanoid_getup": 16}
# an episode counts as solved where its second half earns this on average
SOLVED_REWARD = 0.9
# wall time of an episode over its simulated time from which the run says that it was not in real time
SLOW = 1.05


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="make learn", description=__doc__)
    arguments.add_argument("--task", default="cartpole_swingup", help="name or Python file of the task")
    arguments.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    arguments.add_argument("--seed", type=int, default=0, help="of everything random")
    arguments.add_argument("--horizon", type=int, help="planned steps (default: 8 for cart-pole)")
    arguments.add_argument("--alone", type=int, default=4, help="episodes without the learner")
    arguments.add_argument("--episodes", type=int, default=10, help="episodes with it")
    arguments.add_argument("--seconds", type=float, default=6.0, help="simulated time an episode")
    arguments.add_argument("--lockstep", action="store_true", help="the world waits for every command")
    arguments.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter in place of the file's, for every node that has it",
    )  # fmt: skip
    arguments.add_argument("--open", action="store_true", help="let other machines reach the nodes")
    arguments.add_argument("--out", type=Path, default=Path("runs/learn"), help="folder for logs and picture")
    return arguments


def run(options: argparse.Namespace, early: EarlyEnd | None = None) -> int:
    """Start the nodes, run all episodes, stop the nodes, draw; 0 where the last episode is solved."""
    # these imports take seconds, and ROS 2 reads its environment on import
    from polo_ros.files import config_path
    from polo_ros.nodes.episode_monitor import EpisodeMonitor
    from polo_ros.parameters.settings import settings_for
    from polo_ros.parameters.yaml_files import parse_overrides

    file = options.config or config_path(options.task)
    files = [file] if file else []
    common: dict[str, Any] = {
        "task": options.task, "seed": options.seed, "lockstep": options.lockstep,
        **parse_overrides(options.single),
    }  # fmt: skip
    planner: dict[str, Any] = {**common, "weights_file": "", "value_weight": 1.0, "autostart": True}
    horizon = options.horizon or HORIZONS.get(options.task)
    if horizon:
        planner["horizon"] = horizon
    if not options.lockstep:
        planner["use_sim_time"] = True
    settings = settings_for(options.task, file, common)
    processes, monitor = Processes(options.out), EpisodeMonitor(settings.task, options.seconds)
    interrupted = catch_endings(early)
    try:
        processes.start("simulator_node", files, common)
        processes.start("planner_node", files, planner)
        outcome = run_phase(ALONE, options.alone, monitor, processes, interrupted)
        if not outcome:
            processes.start("learner_node", files, {**common, "weights_file": "", "checkpoint_path": ""})
            outcome = run_phase(LEARNING, options.episodes, monitor, processes, interrupted)
    finally:
        processes.stop()
        monitor.close()
    return report(options, monitor, outcome, planner)


def run_phase(
    name: str, episodes: int, monitor: "EpisodeMonitor", processes: Processes, interrupted: list[int]
) -> str:
    """Run some episodes with a live line; why they ended early, or nothing."""
    monitor.begin_phase(name)
    while len(monitor.scores(name)) < episodes:
        monitor.spin(0.1, episodes)
        monitor.show()
        ended = processes.why_ended(interrupted)
        if ended:
            return ended
    return ""


def report(
    options: argparse.Namespace, monitor: "EpisodeMonitor", outcome: str, planner: Mapping[str, object]
) -> int:
    """Write down and draw what happened; the exit code."""
    from polo_ros.viewer.figures import in_words
    from polo_ros.viewer.learning_curve import learning_curve

    alone, learning = monitor.scores(ALONE), monitor.scores(LEARNING)
    solved = [episode for episode in learning if episode.reward >= SOLVED_REWARD]
    content = {
        "task": options.task, "seed": options.seed, "horizon": planner.get("horizon"),
        "outcome": outcome or "finished",
        # of each episode, when it ended in s since its phase began, and its reward
        "alone": [(round(episode.ended, 2), round(episode.reward, 4)) for episode in alone],
        "learning": [(round(episode.ended, 2), round(episode.reward, 4)) for episode in learning],
        "solved_after": round(solved[0].ended, 1) if solved else None,
    }  # fmt: skip
    (options.out / "outcome.json").write_text(json.dumps(content))
    print(f"{options.task}, seed {options.seed}: {outcome or summary(content)}")
    took = [after.ended - before.ended for before, after in pairwise(learning)]
    if took and not options.lockstep and median(took) > SLOW * options.seconds:
        slow = f"{options.seconds:g} s of an episode took {median(took):.1f} s"
        print(f"this machine was too busy for real time ({slow}); try again when it is idle")
    if outcome:
        return 1
    picture = options.out / "learn.png"
    title = f"{in_words(options.task)}, seed {options.seed}, H = {planner.get('horizon', 'as configured')}"
    phases = [(name, monitor.curve(name), monitor.scores(name)) for name in (ALONE, LEARNING)]
    learning_curve(phases, picture, title)
    print(f"picture: {picture}")
    return 0 if learning and learning[-1].reward >= SOLVED_REWARD else 1


def summary(content: Mapping[str, Any]) -> str:
    """What the episodes earned, in a sentence."""
    alone, learning = ([reward for _, reward in content[phase]] for phase in ("alone", "learning"))
    found = f"{ALONE} {min(alone):.2f} to {max(alone):.2f}; " if alone else ""
    solved = content["solved_after"]
    when = f"solved {solved:.0f} s after the learner was started" if solved is not None else "not solved"
    return f"{found}{LEARNING} {', '.join(f'{reward:.2f}' for reward in learning)}; {when}"
