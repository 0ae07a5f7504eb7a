"""The viewer node: a page on localhost that shows and steers a robot, simulated or real."""

from __future__ import annotations

from polo_ros.nodes.start import viewer_node

if __name__ == "__main__":  # before the imports that take seconds
    viewer_node()

import os
import sys
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import mujoco
import numpy as np
from rcl_interfaces.msg import ParameterEvent
from rclpy.subscription import Subscription
from rosgraph_msgs.msg import Clock
from visualization_msgs.msg import MarkerArray

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.status import Level, Status
from polo_ros.nodes.messages import RobotMarkers
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.polled import Unexecuted, take
from polo_ros.nodes.qos import RELIABLE
from polo_ros.nodes.remote_parameters import RemoteParameters
from polo_ros.nodes.robot_operator import Operator
from polo_ros.nodes.viewer_inputs import ViewerInputs
from polo_ros.parameters.changes import changes, changes_file
from polo_ros.parameters.node_tables import ViewerNodeConfig
from polo_ros.parameters.ros_arguments import parameter_layers
from polo_ros.viewer.fields import Value
from polo_ros.viewer.page import E_STOP, RELEASE, TABS, Page

# with this niceness the planner gets about nine tenths of a core that it shares with the drawing of pictures
NICENESS = 10
# time in s that this thread runs on with Python's lock while the e-stop's thread asks for it; on a busy
# machine the niced thread takes many times as long
SWITCH_S = 5e-4
LOOK_PERIOD_S = 1.0
CLOCK = "/clock"


class ViewerNode(PoloNode):
    """Shows the robot on a page and does what its users ask for; no other node needs it.

    While no browser is open, and nobody reads its markers, it subscribes to nothing. Requests come on the
    page's threads and are handled on the executor's.
    """

    summarised = ("url",)

    def __init__(self) -> None:
        self._clock_topic: Subscription[Any] | None = None
        super().__init__("viewer_node")
        settings = self.config(ViewerNodeConfig)
        self._requests: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._wake = self.create_guard_condition(self._handle_requests)
        self._geometry = self.create_publisher(MarkerArray, "~/robot", RELIABLE)
        self._markers = RobotMarkers(self.task.model)
        self._operator = Operator(self, self._show_answer)
        JointMapping(self.task.model)  # refuses a model that the topics cannot carry
        start = self.task.start_state(np.random.default_rng(self.seed))
        self._page = Page(settings.port, self.task, f"· seed {self.seed}", start, self)
        # of this thread, which draws; the page's own, made above, keeps its priority: it hears the e-stop
        os.nice(NICENESS)
        sys.setswitchinterval(SWITCH_S)
        asked = f"http://127.0.0.1:{settings.port}/"
        if self._page.url != asked:
            self.get_logger().warning(
                f"port {settings.port} is taken, so that the page is at {self._page.url}; to choose another "
                f"one, set the parameter port"
            )
        self._remotes = {node: self._read_parameters(node) for node in TABS}
        self._inputs: ViewerInputs | None = None
        self._drawing: Any = None
        self.every(LOOK_PERIOD_S, self._look)
        self.get_logger().info(f"watch the robot at {self._page.url}")

    def _read_parameters(self, node: str) -> RemoteParameters:
        page = self._page
        return RemoteParameters(
            self, node, partial(page.show_parameters, node), partial(page.update_parameters, node),
            partial(page.refuse, node),
        )  # fmt: skip

    def create_subscription(self, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """As every node's, but for the clock: it would wake this node with each control period."""
        if len(args) > 1 and args[1] == CLOCK:
            kwargs["callback_group"] = Unexecuted()
            self._clock_topic = super().create_subscription(*args, **kwargs)
            return self._clock_topic
        return super().create_subscription(*args, **kwargs)

    # ---- requests of the page, on its own threads

    def press(self, button: str) -> None:
        """Act on a button; the e-stop at once, without waiting for the picture that is being drawn."""
        if button in (E_STOP, RELEASE):
            self._operator.press_e_stop(button == E_STOP)
            said = "e-stop pressed on the page" if button == E_STOP else "e-stop released on the page"
            self._post(partial(self._show_answer, said))
        else:
            self._post(partial(self._operator.call, button))

    def set_parameter(self, node: str, name: str, value: Value) -> None:
        """Change a node's parameter, without waiting for the picture that is being drawn."""
        self._remotes[node].ask(name, value)

    def move_goal(self, position: Array, quaternion: Array) -> None:
        """Set the goal."""
        self._post(partial(self._operator.send_goal, position, quaternion))

    def drive(self, velocity: Array) -> None:
        """Set the velocity goal."""
        self._post(partial(self._operator.drive, velocity))

    def push(self, body: str, force: Array, torque: Array) -> None:
        """Push a body of the simulated robot."""
        self._operator.push(body, force, torque)

    def parameters_as_yaml(self) -> bytes:
        """A parameter file with what differs from the files that the nodes were started with."""
        layers, space = parameter_layers(sys.argv), self.get_namespace().rstrip("/")
        task = type(self.task)
        return changes_file(
            {
                node: changes(layers, f"{space}/{node}", node, task, remote.values)
                for node, remote in self._remotes.items()
            }
        )

    def watched(self) -> None:
        """The number of browsers has changed."""
        self._post(self._follow_browsers)

    def _post(self, request: Callable[[], object]) -> None:
        self._requests.put(request)
        self._wake.trigger()

    # ---- on the executor's thread

    def _handle_requests(self) -> None:
        while not self._requests.empty():
            self._requests.get()()

    def _follow_browsers(self) -> None:
        """Subscribe with the first browser or reader of the markers, and to nothing after the last one."""
        watched = self._page.browsers() > 0 or self._geometry.get_subscription_count() > 0
        if watched and self._inputs is None:
            for remote in self._remotes.values():
                remote.refresh()
            planner = self._remotes["planner_node"]
            self._inputs = ViewerInputs(
                self, self.task, self._page, self._on_fault, self._on_parameter_event, lambda: planner.values,
                self._publish_geometry,
            )  # fmt: skip
            self._drawing = self.every(1.0 / self.config(ViewerNodeConfig).rate, self._draw)
            self._look_around()
        elif not watched and self._inputs is not None:
            self._operator.stop_driving()  # nobody watches the robot any more
            self.destroy_timer(self._drawing)
            self._inputs.close()
            self._inputs = None

    def _look(self) -> None:
        """Once a second, watched or not; a browser that has vanished without a word is noticed here."""
        self._take_clock()
        self._follow_browsers()
        if self._inputs is not None:
            self._look_around()

    def _look_around(self) -> None:
        """Which nodes are there, and what they say."""
        for remote in self._remotes.values():
            remote.look()
        self._page.view.pushing.on_push = self.push if self._operator.can_push() else None
        self._page.draw_lights()

    def _draw(self) -> None:
        self._take_clock()
        self._operator.keep_driving()
        if self._inputs is not None:
            self._inputs.draw()

    def _take_clock(self) -> None:
        if self._clock_topic is not None:
            message = take(self._clock_topic, Clock)
            if message is not None:
                callback: Any = self._clock_topic.callback
                callback(message)

    def _on_parameter_event(self, event: ParameterEvent) -> None:
        for remote in self._remotes.values():
            remote.on_event(event)

    def _show_answer(self, text: str) -> None:
        self._page.answer(text)

    def _publish_geometry(self, data: mujoco.MjData, stamp: int) -> None:
        """The robot for RViz, while it is subscribed to."""
        if self._geometry.get_subscription_count():
            self._geometry.publish(self._markers.moved(data, stamp))

    def _on_fault(self, fault: str) -> None:
        self.fault = fault

    # ---- diagnostics

    def status(self) -> Status:
        """Where to look, what is missing, and bad input since the last call."""
        browsers = self._page.browsers()
        values: dict[str, object] = {"url": self._page.url, "browsers": browsers}
        fault, self.fault = self.fault, ""
        if self._inputs is None:
            return Status(Level.OK, "nobody watches: no browser is open", values)
        missing = self._inputs.states.missing()
        if fault:
            return Status(Level.WARN, fault, values)
        if missing:
            return Status(Level.WARN, f"no message yet on {', '.join(missing)}", values)
        return Status(Level.OK, "showing", values)

    def close(self) -> None:
        """Close the page."""
        self._page.close()
