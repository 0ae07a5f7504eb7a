"""The page: the robot, the nodes' statuses, buttons, parameters and plots."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import viser

from polo_ros.arrays import Array
from polo_ros.tasks.goals import VELOCITY
from polo_ros.tasks.task import Task
from polo_ros.viewer.fields import Field, Value
from polo_ros.viewer.lights import Lights
from polo_ros.viewer.parameter_panel import ParameterPanel
from polo_ros.viewer.plots import Plots, plots_of
from polo_ros.viewer.reward_panel import REWARD, RewardPanel
from polo_ros.viewer.robot_view import WORLD, RobotView
from polo_ros.viewer.server import address_of, open_server
from polo_ros.viewer.value_map import ValueMap

# the nodes whose parameters are shown, with the titles of their tabs
TABS = {"planner_node": "Planner", "learner_node": "Learner", "simulator_node": "Simulator"}
PANEL_WIDTH = 390  # the titles of all tabs fit into one row
PLOTS_WIDTH = 310
WINDOW_WIDTH = 290
WINDOW_GAP = 12


class Requests(Protocol):
    """What a user of the page can ask for; any method may be called from any thread and returns at once."""

    def press(self, button: str) -> None:
        """Act on a button: a label of `BUTTONS`, or `E_STOP`."""

    def set_parameter(self, node: str, name: str, value: Value) -> None:
        """Change a node's parameter."""

    def move_goal(self, position: Array, quaternion: Array) -> None:
        """Set the goal: position (3,) in m and quaternion (4,) wxyz."""

    def drive(self, velocity: Array) -> None:
        """Set the velocity goal (3,): ahead and left in m/s, yaw rate in rad/s."""

    def push(self, body: str, force: Array, torque: Array) -> None:
        """Push a body: force (3,) in N, and torque (3,) in N·m about its centre of mass."""

    def parameters_as_yaml(self) -> bytes:
        """A parameter file with what differs from the nodes' own files."""

    def watched(self) -> None:
        """The number of browsers has changed."""


E_STOP, RELEASE = "E-STOP", "Release e-stop"
# the buttons of each node, in rows with a title and a hint
BUTTONS = {
    "simulator_node": (
        "Simulation", ("Pause", "Continue", "Step", "Reset world"),
        "Step: one control period. Reset world: a new episode from a start state.",
    ),
    "planner_node": (
        "Planner", ("Enable", "Disable", "Reset plan", RELEASE),
        "Enable: the robot follows plans. Disable: the safe action. Reset plan: forget the warm start. After "
        "an e-stop: release it, then enable.",
    ),
    "learner_node": (
        "Learner", ("Pause learning", "Go on learning", "Save checkpoint"),
        "A checkpoint goes to the learner's checkpoint_path.",
    ),
}  # fmt: skip
# range of each part of a velocity goal
FASTEST = {"ahead in m/s": 1.0, "left in m/s": 0.5, "turn in rad/s": 1.0}
HELP = "Turn: drag. Move: right drag. Zoom: wheel. Push a simulated robot: Ctrl + drag."


class Page:
    """A web page on this machine for one robot.

    Args:
      port: the first that is tried.
      task: whose model is shown.
      subtitle: shown beside the task's name, such as the seed.
      start: the flat state (state_size,) that is drawn first.
      requests: what the page asks for.

    Attributes:
      url: the address.
      view: the scene.
      lights: of the nodes.
      plots: of the last seconds.

    Raises:
      PoloError: the page cannot be served.
    """

    def __init__(self, port: int, task: Task, subtitle: str, start: Array, requests: Requests) -> None:
        self._server = server = open_server(port, f"polo_ros: {task.name}")
        self.url = address_of(server)
        self._requests = requests
        self.view = RobotView(server, task, start, requests.move_goal)
        gui = server.gui
        self._set_theme(dark=False)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(PANEL_WIDTH)
        gui.add_markdown(f"**{task.name}** {subtitle}")
        tabs = gui.add_tab_group()
        with tabs.add_tab("Run"):
            self._buttons = {node: self._add_buttons(*row) for node, row in BUTTONS.items()}
            self._answer = gui.add_markdown("")  # below the buttons, which must not move under the mouse
            if VELOCITY in task.goals.kinds:
                self._add_velocity()
            with gui.add_folder("View"):
                self.view.add_switches()
                dark = gui.add_checkbox("Dark page", False)
                dark.on_update(lambda _: self._set_theme(dark.value))
                gui.add_markdown(HELP)
        rewards = tabs.add_tab("Reward")
        self._add_save(rewards)
        self._rewards = RewardPanel(gui, rewards, requests.set_parameter, self._runs)
        self._panels = {node: self._add_parameters(tabs, node, title) for node, title in TABS.items()}
        aside = gui.add_panel()
        with aside.add_tab("The last 20 s"):
            self.plots = Plots(gui, plots_of(tuple(term.name for term in task.terms)))
        aside.dock_left()
        aside.set_width(PLOTS_WIDTH)
        self.lights = self._add_always_visible()
        has_map = task.map_states(1) is not None
        self._map = ValueMap(server, WORLD, task.map_extent) if has_map else None
        server.on_client_connect(lambda _: requests.watched())
        server.on_client_disconnect(lambda _: requests.watched())

    def browsers(self) -> int:
        """How many browsers show the page."""
        return len(self._server.get_clients())

    def answer(self, text: str) -> None:
        """Show the answer to a request."""
        self._answer.content = text

    def show_parameters(self, node: str, fields: Sequence[Field]) -> None:
        """Show a node's parameters in place of those that were shown before."""
        self._panels[node].show([field for field in fields if field.group != REWARD])
        self._rewards.show(node, [field for field in fields if field.group == REWARD])

    def update_parameters(self, node: str, values: Mapping[str, Value]) -> None:
        """Show new values of a node's parameters; older refusals are over."""
        self._panels[node].update(values)
        self._panels[node].accept()
        self._rewards.update(node, values)
        if any(name.startswith(f"{REWARD}.") for name in values):
            self._rewards.accept()

    def refuse(self, node: str, name: str, value: Value, reason: str) -> None:
        """A node has refused a parameter: show the value that stays, and why."""
        if name.startswith(f"{REWARD}."):
            self._rewards.refuse(node, name, value, reason)
        else:
            self._panels[node].refuse(name, value, reason)
        for client in self._server.get_clients().values():
            client.add_notification(f"{name} was refused", reason, auto_close_seconds=6.0, color="red")

    def show_values(self, values: Array) -> None:
        """Draw values (rows, columns) on the floor, where the task has a map; see `Task.map_states`."""
        if self._map is not None:
            self._map.show(values)

    def draw_lights(self) -> None:
        """Show the nodes' statuses, the buttons of those that run, and whether their rewards agree."""
        self.lights.draw()
        self._rewards.compare()
        for node, buttons in self._buttons.items():
            alive = self.lights.alive(node)
            if buttons.visible != alive:
                buttons.visible = alive

    def picture(self) -> AbstractContextManager[None]:
        """Everything that is drawn within goes to the browsers at once, and wakes the server once."""
        return self._server.atomic()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def _set_theme(self, dark: bool) -> None:
        self._server.gui.configure_theme(
            dark_mode=dark, show_logo=False, show_share_button=False, control_width="large"
        )

    def _runs(self, node: str) -> bool:
        return self.lights.alive(node)

    def _add_always_visible(self) -> Lights:
        """The e-stop and the nodes' lights, in a window of their own that nothing scrolls away."""
        gui, requests = self._server.gui, self._requests
        window = gui.add_panel()
        with window.add_tab("Robot"):
            stop = gui.add_button(E_STOP, color="red", hint="the safe action at once (key: Shift + E)")
            lights = Lights(gui, tuple(TABS))
        window.float(x=-WINDOW_GAP, y=-WINDOW_GAP, width=WINDOW_WIDTH)
        key = gui.add_command(E_STOP, hotkey="E", modifier="shift")

        async def press(_: object) -> None:  # viser calls it at once, without handing it to another thread
            requests.press(E_STOP)

        stop.on_hold(press)  # already when the mouse button goes down
        stop.on_click(press)  # with the keyboard
        key.on_trigger(press)
        return lights

    def _add_buttons(self, title: str, labels: tuple[str, ...], hint: str) -> viser.GuiButtonGroupHandle:
        buttons = self._server.gui.add_button_group(title, labels, visible=False, hint=hint)
        buttons.on_click(lambda event: self._requests.press(event.target.value))
        return buttons

    def _add_velocity(self) -> None:
        """Sliders of a velocity goal, and a button that sets them to zero."""
        gui = self._server.gui
        with gui.add_folder("Velocity"):
            sliders: list[Any] = [
                gui.add_slider(label, -most, most, most / 20, 0.0) for label, most in FASTEST.items()
            ]
            stand = gui.add_button("Stand still")

        def drive(_: object) -> None:
            self._requests.drive(np.array([slider.value for slider in sliders]))

        for slider in sliders:
            slider.on_update(drive)

        @stand.on_click
        def _(_: object) -> None:
            for slider in sliders:
                slider.value = 0.0
            drive(None)

    def _add_parameters(self, tabs: viser.GuiTabGroupHandle, node: str, title: str) -> ParameterPanel:
        tab = tabs.add_tab(title)
        self._add_save(tab)
        return ParameterPanel(
            self._server.gui, tab, lambda name, value: self._requests.set_parameter(node, name, value)
        )

    def _add_save(self, tab: viser.GuiTabHandle) -> None:
        hint = "what differs in all nodes from the files that they were started with; for overrides:="
        with tab:
            save = self._server.gui.add_button("Save as YAML", hint=hint)
        save.on_click(self._download)

    def _download(self, event: "viser.GuiEvent[Any]") -> None:
        if event.client is not None:
            event.client.send_file_download(
                "polo.yaml", self._requests.parameters_as_yaml(), save_immediately=True
            )
