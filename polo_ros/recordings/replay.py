"""`polo replay`: a recording on a page, with a time slider and the explanation of each moment."""

import html
import time
from typing import Any

import numpy as np
import viser
from viser import uplot

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import Settings
from polo_ros.recordings.explanation import explain
from polo_ros.recordings.explanation_table import OTHER_COLOUR, explanation_html
from polo_ros.recordings.recording import Recording
from polo_ros.signals import collect_endings
from polo_ros.viewer.plots import PADDING, axes
from polo_ros.viewer.robot_view import RobotView
from polo_ros.viewer.server import address_of, open_server

FRAME_S = 1 / 30
SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4")
PANEL_WIDTH = 420
# points of the curves at most: more cannot be seen
MOST_POINTS = 1000
NO_PATH: Array = np.empty((0, 3))


class ReplayPage:
    """A page that shows a recording.

    Args:
      settings: of the planner that explains.
      recording: what is shown.
      port: the first that is tried; 0 for any free one.

    Attributes:
      url: the address.

    Raises:
      PoloError: the page cannot be served.
    """

    def __init__(self, settings: Settings, recording: Recording, port: int) -> None:
        self._settings, self._recording = settings, recording
        self._seconds: Array = recording.time - recording.time[0]
        self._server = server = open_server(port, f"polo_ros: {recording.task.name}")
        self.url = address_of(server)
        self._view = RobotView(server, recording.task, recording.state[0], lambda *_: None)
        gui = server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="large")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(PANEL_WIDTH)
        length = max(float(self._seconds[-1]), recording.task.timestep)
        self._time: Any = gui.add_slider("time in s", 0.0, length, round(recording.task.timestep, 6), 0.0)
        self._playing: Any = gui.add_checkbox("Play", True)
        self._speed = gui.add_dropdown("speed", SPEEDS, initial_value="1")
        self._status = gui.add_markdown("")
        why = gui.add_button("Why did it do that?", hint="plans again from this moment")
        self._answer = gui.add_html("")
        self._add_rewards()
        with gui.add_folder("View", expand_by_default=False):
            self._view.add_switches()
        why.on_click(lambda _: self.explain())
        self._time.on_update(self._on_time)
        self._shown = -1
        self._explained = False

    def show(self, seconds: float) -> None:
        """Show a moment, in s since the beginning."""
        index = min(int(np.searchsorted(self._seconds, seconds + 1e-9, "right")) - 1, len(self._seconds) - 1)
        if index == self._shown:
            return
        self._shown, recording = index, self._recording
        if self._explained:  # the candidates of another moment
            self._explained, self._answer.content = False, ""
            self._view.show_rollouts([], NO_PATH, NO_PATH)
        self._view.show(recording.state[index])
        self._status.content = (
            f"episode {int(recording.episode[index])}, transition {index}, "
            f"reward {recording.reward[index]:.3f}"
        )

    def explain(self) -> None:
        """Show why the robot did what it did at the present moment."""
        self._playing.value = False
        self.show(self._time.value)
        try:
            found = explain(self._settings, self._recording, float(self._seconds[self._shown]))
            content = explanation_html(found)
        except PoloError as error:
            content = html.escape(str(error))
        else:
            best, others = found.paths[0], list(found.paths[1:])
            self._view.show_rollouts(others, np.tile(OTHER_COLOUR, (len(others), 1)), best)
        self._explained, self._answer.content = True, content

    def advance(self, elapsed: float) -> None:
        """Let the recording go on by a time in s of wall time, where it is played."""
        if self._playing.value and self._server.get_clients():
            ahead = self._time.value + elapsed * float(self._speed.value)
            self._time.value = ahead if ahead <= self._time.max else 0.0
        self.show(self._time.value)

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def _on_time(self, event: viser.GuiEvent[viser.GuiSliderHandle[float]]) -> None:
        if event.client is not None:  # a user has moved it
            self._playing.value = False

    def _add_rewards(self) -> None:
        step = max(len(self._seconds) // MOST_POINTS, 1)
        series = (uplot.Series(label="s"), uplot.Series(label="reward", stroke="#1c7ed6", width=1.5))
        self._server.gui.add_uplot(
            (self._seconds[::step], self._recording.reward[::step]), series, title="Reward", height=160,
            scales={"x": uplot.Scale(time=False)}, axes=axes(), padding=PADDING,
            legend=uplot.Legend(show=False),
        )  # fmt: skip


def replay(settings: Settings, recording: Recording, port: int) -> None:
    """Serve a recording until Ctrl-C.

    Raises:
      PoloError: the page cannot be served.
    """
    page = ReplayPage(settings, recording, port)
    stops = collect_endings()
    print(f"watch the recording at {page.url}; Ctrl-C ends it", flush=True)
    before = time.monotonic()
    while not stops:
        time.sleep(FRAME_S)
        now = time.monotonic()
        page.advance(now - before)
        before = now
    page.close()
