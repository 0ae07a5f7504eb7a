"""A clean start and end of a node's process."""

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from polo_ros.errors import PoloError
from polo_ros.nodes.node import PoloNode, Stopped


def run_node(make: Callable[[], PoloNode]) -> int:
    """Spin a node until it is told to stop; 0, or 1 after bad input, which is one sentence in the log.

    The first signal is only noted, so that the node ends itself with its context still valid: the planner
    leaves the robot with its safe action and the learner saves. Later signals are ignored.
    """
    stops: list[int] = []  # no Event: a second signal within its `set` would wait for the first for ever
    endings = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        stops.append(number)
        for ending in endings:
            signal.signal(ending, signal.SIG_IGN)

    for ending in endings:
        signal.signal(ending, note)
    node = None
    try:
        try:
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        except RuntimeError as error:  # a parameter file that is missing or no YAML, an unknown option
            raise PoloError(" ".join(str(error).split())) from None
        node = make()
        node.stops = stops
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (PoloError, ParameterException) as error:  # ROS 2 checks types and ranges itself
        rclpy.logging.get_logger("polo_ros").fatal(str(error))
        return 1
    except Stopped:
        pass
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def exit_with(make: Callable[[], PoloNode]) -> None:
    """The main function of an executable."""
    sys.exit(run_node(make))
