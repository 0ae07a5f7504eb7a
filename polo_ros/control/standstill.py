"""Notices that this process stood still, as a suspended container or a debugger makes it."""

from polo_ros.control import NANOSECONDS

# shorter ones are those of a busy machine; DDS gives up a participant that it has not heard for 20 s
LEAST_S = 10.0


class Standstill:
    """Tells a standstill from the time between two checks, which are to be made several times a second."""

    def __init__(self) -> None:
        self._checked: int | None = None

    def check(self, now: int) -> str:
        """A sentence if the process stood still since the last check; empty otherwise.

        Args:
          now: time of a clock that never jumps, in ns.
        """
        last, self._checked = self._checked, now
        stood = 0.0 if last is None else (now - last) / NANOSECONDS
        if stood < LEAST_S:
            return ""
        return (
            f"this process stood still for {stood:.0f} s; DDS gives up processes that are silent for 20 s: "
            "if no messages come any more, start the nodes again"
        )
