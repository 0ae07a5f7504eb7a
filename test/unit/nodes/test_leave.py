"""A process leaves the graph within a bounded time."""

import subprocess
import sys

# PyDLL keeps Python's lock, as rclpy does while it destroys a participant
STUCK = "ctypes.PyDLL(None).sleep(60)"


def run(block: str) -> subprocess.CompletedProcess[str]:
    """A process that runs a block with half a second's limit and then prints."""
    program = (
        "import ctypes, time\nfrom polo_ros.nodes.leave import exit_after\n"
        f"with exit_after(0.5, 7):\n    {block}\ntime.sleep(1.0)\nprint('went on')"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)


def test_a_call_that_never_returns_and_keeps_pythons_lock_is_ended_with_the_code() -> None:
    ended = run(STUCK)
    assert (ended.returncode, ended.stdout) == (7, "")


def test_after_a_call_that_returns_the_process_goes_on() -> None:
    ended = run("pass")
    assert (ended.returncode, ended.stdout) == (0, "went on\n"), ended.stderr
