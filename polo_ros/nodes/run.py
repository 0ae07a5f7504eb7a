"""A clean end of a node's process."""

import contextlib
import gc
import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.exceptions import ParameterException

from polo_ros.errors import PoloError
from polo_ros.nodes.executor import NodeExecutor
from polo_ros.nodes.leave import leave_graph
from polo_ros.nodes.lightweight_node import initialise
from polo_ros.nodes.node import PoloNode, Stopped
from polo_ros.nodes.start import unblock
from polo_ros.parameters.ros_arguments import parameter_layers
from polo_ros.signals import ENDINGS


class Interruption:
    """Records the first ending signal and ignores later ones.

    While a node is made, the signal also raises `Stopped`: making one takes seconds, and nothing needs to be
    saved. Afterwards the node itself reads `stops`, so that it ends with its context still valid.

    Attributes:
      stops: the signals received; no Event, since a second signal within its `set` would wait for ever.
      making: whether a node is being made.
    """

    def __init__(self) -> None:
        self.stops: list[int] = []
        self.making = True
        for ending in ENDINGS:
            signal.signal(ending, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.stops.append(number)
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        if self.making:
            raise Stopped


def run_node(make: Callable[[], PoloNode]) -> int:
    """Spin a node until it is told to stop; 0, or 1 after bad input, which is one sentence in the log.

    A planner that is told to stop leaves the robot with its safe action, and a learner saves.
    """
    interruption, node, code = Interruption(), None, 1
    try:
        unblock()
        parameter_layers(sys.argv)  # rclpy's words for a bad file are longer than ours
        initialise()
        node = make()
        interruption.making = False
        node.stops = interruption.stops
        gc.freeze()  # searching what start-up has made takes longer than a control period
        executor = NodeExecutor()
        executor.add_node(node)
        executor.spin()
        code = 0
    except (PoloError, ParameterException) as error:  # ROS 2 checks types and ranges itself
        interruption.making = False
        rclpy.logging.get_logger("polo_ros").fatal(str(error))
    except Stopped:
        code = 0
    finally:
        interruption.making = False
        if node is not None:
            node.close()
            leave_graph(node, code=code)
        else:
            with contextlib.suppress(Exception):  # the context may not have been made
                rclpy.try_shutdown()
    return code
