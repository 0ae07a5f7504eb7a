"""Leaving the ROS graph within a bounded time.

Fast DDS waits for ever, with a core busy and Python's lock held, where a participant is destroyed while
one of its discovery callbacks runs (https://github.com/eProsima/Fast-DDS/issues/6513): its deadline overflows
with the C++ library that the wheels are built with. Nodes that are stopped together discover each other's end
just then; under load this was one end of a node in 1,400. No Python code runs meanwhile, signal handlers
included.
"""

import contextlib
import ctypes
from collections.abc import Iterator

import rclpy
from rclpy.context import Context
from rclpy.node import Node

# destroying a participant takes 0.1 to 0.5 s on a busy machine
LIMIT_S = 5.0
CLOCK_MONOTONIC = 1
SIGEV_THREAD = 2


class _SignalEvent(ctypes.Structure):
    """C's `struct sigevent` of 64 bytes, for `SIGEV_THREAD`."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_char * 32),
    )


class _TimerSpec(ctypes.Structure):
    """C's `struct itimerspec`: the interval and the time until the timer fires, in s and ns."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns"))


@contextlib.contextmanager
def exit_after(seconds: float, code: int) -> Iterator[None]:
    """End the process with `code` where the block takes longer, even where it holds Python's lock.

    A timer of the C library calls its `_exit` on a thread that Python does not know. Where there are no such
    timers, as on macOS, the block is not bounded.

    Args:
      seconds: wall time, in s.
      code: of the process, at least 0.

    Raises:
      OSError: the C library cannot make a timer.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timer_create"):
        yield
        return
    event = _SignalEvent(
        value=code, notify=SIGEV_THREAD, function=ctypes.cast(libc._exit, ctypes.c_void_p).value
    )
    timer = ctypes.c_void_p()
    if libc.timer_create(CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    whole = int(seconds)
    spec = _TimerSpec(value_s=whole, value_ns=round((seconds - whole) * 1e9))
    libc.timer_settime(timer, 0, ctypes.byref(spec), None)
    try:
        yield
    finally:
        libc.timer_delete(timer)


def leave_graph(node: Node, context: Context | None = None, code: int = 0) -> None:
    """Destroy a node and shut its context down; where DDS never comes to an end, end the process.

    Args:
      node: nothing of it is used afterwards.
      context: the node's; None for the default one.
      code: of the process where it has to be ended.
    """
    with exit_after(LIMIT_S, code):
        node.destroy_node()
        rclpy.try_shutdown(context=context)
