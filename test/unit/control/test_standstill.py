"""A process that stood still says so."""

from polo_ros.control import NANOSECONDS
from polo_ros.control.standstill import Standstill


def test_a_standstill_is_told_once_with_its_length() -> None:
    standstill = Standstill()
    moments = [3600.0, 3600.1, 3605.0, 3637.0, 3637.1]
    said = [standstill.check(round(moment * NANOSECONDS)) for moment in moments]
    assert [bool(sentence) for sentence in said] == [False, False, False, True, False]
    assert said[3].startswith("this process stood still for 32 s")
