"""What a node logs of its status: changes once, a summary every now and then, never many lines a second."""

import pytest

from polo_ros.control.status import Level, Status
from polo_ros.nodes.status_log import REPETITIONS, StatusLog


class Log:
    """A logger and a clock."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 100.0
        self.status = StatusLog(self, ("plans", "plans"), ("plan_time",), lambda: self.now)

    def info(self, message: str) -> None:
        self.lines.append(f"INFO {message}")

    def warning(self, message: str) -> None:
        self.lines.append(f"WARN {message}")

    def error(self, message: str) -> None:
        self.lines.append(f"ERROR {message}")

    def tell(self, level: Level, text: str, seconds: int = 1, **values: object) -> list[str]:
        """Publish a status for some seconds; the new lines."""
        before = len(self.lines)
        for _ in range(seconds):
            self.now += 1.0
            self.status.add(Status(level, text, dict(values)))
        return self.lines[before:]


@pytest.fixture
def log() -> Log:
    return Log()


def test_each_change_is_one_line(log: Log) -> None:
    assert log.tell(Level.WARN, "no message yet on odom", 3) == ["WARN no message yet on odom"]
    assert log.tell(Level.ERROR, "every rollout diverged") == ["ERROR every rollout diverged"]


def test_other_figures_are_no_change(log: Log) -> None:
    assert len(log.tell(Level.WARN, "state is 0.2 s old")) == 1
    assert log.tell(Level.WARN, "state is 1.2e+01 s old") == []


def test_the_first_plan_is_logged_with_the_rate(log: Log) -> None:
    assert log.tell(Level.OK, "planning", plans=0) == ["INFO planning, 0.0 plans/s"]
    log.now += 2.0
    assert log.tell(Level.OK, "planning", plans=120, plan_time="0.008") == [
        "INFO planning, 40.0 plans/s, plan_time 0.008"
    ]
    assert log.tell(Level.OK, "planning", 5, plans=200) == []


def test_a_summary_follows_every_ten_seconds(log: Log) -> None:
    log.tell(Level.OK, "planning", plans=0)
    for second in range(1, 31):
        log.tell(Level.OK, "planning", plans=50 * second)
    assert log.lines[-1] == "INFO planning, 50.0 plans/s"
    assert len(log.lines) == 4  # at the start, with the first plans, and two summaries


def test_a_status_that_flickers_is_logged_now_and_then_and_never_lost(log: Log) -> None:
    for _ in range(15):
        log.tell(Level.WARN, "safe action: the plan ran out")
        log.tell(Level.OK, "running")
    assert len(log.lines) < 25
    log.now += 5.0
    log.tell(Level.WARN, "safe action: the plan ran out", 4)
    assert "WARN safe action: the plan ran out" in log.lines[-2:]


def test_a_sentence_is_repeated_a_few_times_at_most(log: Log) -> None:
    for index in range(430):
        log.now += 0.02
        log.status.write(Level.ERROR, f"position of hinge is {index}")
    assert len(log.lines) == REPETITIONS
    log.now += 10.0
    assert log.status.write(Level.ERROR, "position of hinge is 3")
