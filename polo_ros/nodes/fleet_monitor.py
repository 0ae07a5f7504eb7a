"""A listener on the graph that judges the robots of a demo and prints a live status of each."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from polo_ros.nodes.fleet import Robot
from polo_ros.nodes.status_monitor import StatusMonitor
from polo_ros.tasks.task import Task

if TYPE_CHECKING:
    from polo_ros.viewer.film_strip import Strip

# without a terminal the status is printed this often, in s of wall time
STATUS_PERIOD_S = 2.0
UP = "\033[F"


class FleetMonitor:
    """Follows robots until each has held its task for its hold time.

    Args:
      task: judges the states.
      robots: that are followed.
      namespace: of the fleet; empty for none.

    Attributes:
      monitors: of each robot, by its name.
    """

    def __init__(self, task: Task, robots: Sequence[Robot], namespace: str = "") -> None:
        self.monitors = {
            robot.name: StatusMonitor(task, namespace=f"{namespace}/{robot.name}".rstrip("/"))
            for robot in robots
        }
        self._shown_at = 0.0
        self._shown = False

    @property
    def solved(self) -> bool:
        """Whether each robot has held its task for its hold time."""
        return all(monitor.solved_at is not None for monitor in self.monitors.values())

    def spin(self, seconds: float) -> None:
        """Listen for some wall time."""
        for monitor in self.monitors.values():
            monitor.spin(seconds / len(self.monitors))

    def enable(self) -> None:
        """Enable each robot's planner once its states arrive; call it repeatedly."""
        for monitor in self.monitors.values():
            monitor.enable()

    def _lines(self) -> list[str]:
        return [f"{label(name)}{monitor.status()}" for name, monitor in self.monitors.items()]

    def show_status(self) -> None:
        """Print the statuses: over themselves in a terminal, every 2 s elsewhere."""
        lines = self._lines()
        if sys.stdout.isatty():
            back = UP * (len(lines) - 1) if self._shown else ""
            print(f"\r{back}" + "\n".join(lines), end="", flush=True)
        elif time.monotonic() - self._shown_at > STATUS_PERIOD_S:
            self._shown_at = time.monotonic()
            print("\n".join(lines), flush=True)
        self._shown = True

    def show_viewers(self) -> None:
        """Print once where to watch each robot, as soon as its viewer has said so."""
        for name, monitor in self.monitors.items():
            url = monitor.new_viewer_url()
            if url:
                self._say(f"watch {name or 'the robot'} at {url}")

    def begin_episodes(self) -> None:
        """Say which robots have solved their task, and put their worlds back to a start state."""
        for name, monitor in self.monitors.items():
            if monitor.solved_at is not None:
                self._say(f"{label(name)}{monitor.begin_episode()}")

    def _say(self, sentence: str) -> None:
        print(f"\n{sentence}", flush=True)
        self._shown = False

    def end_status(self) -> None:
        """Leave the status lines."""
        if sys.stdout.isatty():
            self.show_status()
            print()

    def summary(self) -> str:
        """How long each robot's run was and how long its task was held at its end."""
        return "; ".join(f"{label(name)}{monitor.summary()}" for name, monitor in self.monitors.items())

    def outcome(self) -> dict[str, object]:
        """When all had solved their task, and the present time, in s; of a fleet each robot's, too."""
        solved = {name: monitor.solved_at for name, monitor in self.monitors.items()}
        found: dict[str, object] = {
            "solved_at": max(filter(None, solved.values()), default=None) if self.solved else None,
            "sim_time": self.sim_time,
        }
        return found | ({"robots": solved} if len(solved) > 1 else {})

    @property
    def sim_time(self) -> float:
        """The newest state's time, in s, of the robot that is furthest."""
        return max(monitor.sim_time for monitor in self.monitors.values())

    def strips(self, titles: Mapping[str, str]) -> "dict[str, Strip]":
        """Film strips of the robots of which states have come, by the robots' names, as the titles are."""
        return {
            name: monitor.strip(titles[name]) for name, monitor in self.monitors.items() if monitor.frames
        }

    def close(self) -> None:
        """Leave the graph."""
        for monitor in self.monitors.values():
            monitor.close()


def label(name: str) -> str:
    """What a sentence about a robot begins with, where it is not the only one."""
    return f"{name}: " if name else ""
