"""The browser view: MuJoCo Studio's web page, which shows poses that it is given.

The browser renders, so this process needs no GPU and no display. Of Studio, `WebViewer` and `App` are
not used: `WebViewer` listens on every network interface without a password; `App` has buttons that have
no effect here (play, step, reset, load) and changes the whole process (exception hooks, log handlers,
settings in the home folder).
"""

import atexit
import contextlib
import errno
import functools
import logging
import socket
import threading
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Self

import mujoco
import numpy as np
from mujoco.studio import ux
from mujoco.studio.dear_imgui import dear_imgui as imgui
from mujoco.studio.implot import implot
from mujoco.studio.web import client_camera, headless_ui, state_payload, web_server
from numpy.typing import ArrayLike

from polo_ros.arrays import Array
from polo_ros.errors import PoloError

LOCALHOST = "127.0.0.1"
PORTS_TRIED = 100
LINE_RADIUS = 0.01  # in m
LINE_COLOUR = (0.1, 0.6, 1.0, 1.0)

_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)  # the state that the page receives
_FONTS = str(Path(mujoco.__file__).parent / "studio" / "assets")

# Messages such as "Browser connected" would mix with the caller's own output.
logging.getLogger("WebServer").setLevel(logging.WARNING)


class BrowserViewer:
    """Shows a model on a web page, in the poses that `show` receives; nothing is simulated.

    `show` may be called from any thread and returns at once; a thread of the viewer sends the newest pose
    to the browsers. A process can have one viewer, because the library of the panel has global state.

    Args:
      model: the model to show; later changes of it have no effect.
      port: the port of the page; 0 for any free port.
      track: the body that the camera follows; None for a camera that does not move by itself.

    Attributes:
      url: the address of the page.

    Raises:
      PoloError: the port is in use, the body is unknown, or the process has a viewer already.
    """

    _only = threading.Lock()  # held by the one open viewer of the process

    def __init__(self, model: mujoco.MjModel, port: int = 8080, track: str | None = None) -> None:
        self._model = model
        self._data = mujoco.MjData(model)
        self._line: list[mujoco.MjvGeom] = []
        self._lock = threading.Lock()  # guards the pose and the line
        self._closing = threading.Event()
        camera = _camera(model, track)
        bundle = state_payload.serialize_model_bundle(model)
        if not self._only.acquire(blocking=False):
            raise PoloError("This process has a viewer already: close it before opening another.")
        try:
            self._http = listen_locally(port)
        except PoloError:
            self._only.release()
            raise
        self.url = f"http://{LOCALHOST}:{self._http.getsockname()[1]}/"
        internal, page = _panel_page()
        # Without a drop queue, the server discards files that a user drags onto the page.
        self._server = web_server.WebServer(self._http, internal.dup(), mjb_data=bundle)
        self._server.start()
        work = (page, zlib.crc32(bundle), camera)
        self._thread = threading.Thread(target=self._run, args=work, name="studio", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # sending a frame while the process exits would crash it

    def show(
        self,
        qpos: ArrayLike,
        line: ArrayLike | None = None,
        mocap_pos: ArrayLike | None = None,
        mocap_quat: ArrayLike | None = None,
    ) -> None:
        """Show a pose and a line until the next call; has no effect after `close`.

        Args:
          qpos: (nq,), in the model's units and order.
          line: (n, 3), corners of a line in the world, in m; None or fewer than two for no line.
          mocap_pos: (nmocap, 3), in m; None to keep the positions of the mocap bodies.
          mocap_quat: (nmocap, 4), w first; None to keep their orientations.

        Raises:
          PoloError: a wrong shape, or a number that is not finite.
        """
        pose = {"qpos": qpos, "mocap_pos": mocap_pos, "mocap_quat": mocap_quat}
        moves = [
            (getattr(self._data, name), _checked(name, value, getattr(self._data, name).shape))
            for name, value in pose.items()
            if value is not None
        ]
        geoms = [] if line is None else _line(_checked("line", line, (len(np.atleast_1d(line)), 3)))
        with self._lock:
            for place, value in moves:
                place[:] = value
            self._line = geoms

    def is_running(self) -> bool:
        """Whether the page is served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop serving the page and free the port; has no effect if it is closed already."""
        if self._closing.is_set():
            return
        self._closing.set()
        atexit.unregister(self.close)
        self._thread.join()
        # With a reason, the browsers disconnect at once; without one, the server often waits 5 s for
        # them. The page shows the reason after "stopped with an error:".
        self._server.stop("none, the viewer was closed")
        self._http.close()
        self._only.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, page: headless_ui.HeadlessUi, model_id: int, camera: mujoco.MjvCamera) -> None:
        """Send frames until closed; only this thread uses the camera and the panel."""
        imgui.SetCurrentContext(page.get_context())
        for library in (ux, implot):
            library.set_imgui_context(page.get_context())
            library.set_implot_context(page.get_implot_context())
        panel = _Panel(self._model, camera)
        steering = client_camera.ClientCameraSync()
        state = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        while not self._closing.is_set():
            if not page.new_frame():  # waits for the next frame: this loop runs at 60 Hz
                continue
            try:
                moved = self._server.take_client_camera()
                if moved is not None:
                    steering.apply(camera, moved)
                panel.draw(self._data)
                focus = imgui.GetIO()
                user = state_payload.ViewerInputState(
                    mouse_focus=not focus.WantCaptureMouse,
                    keyboard_focus=not focus.WantCaptureKeyboard,
                    camera_index=panel.state.camera_index,
                    camera_generation=steering.update_generation(camera),
                )
                with self._lock:
                    mujoco.mj_getState(self._model, self._data, state, _STATE)
                    line = self._line
                look = (panel.perturb, panel.options, self._model, list(panel.flags.flags))
                scene = (model_id, _STATE, state.tobytes(), camera, *look, line, user)
                self._server.update_state(state_payload.serialize_state_payload(*scene))
            finally:  # without it the next frame would wait for ever
                page.end_frame()


@functools.cache
def _panel_page() -> tuple[socket.socket, headless_ui.HeadlessUi]:
    """Return the renderer of the panel, and the socket on localhost between it and the server.

    One is made for the whole process and used by every viewer: with MuJoCo 4.0, destroying one and
    making another sometimes aborts or hangs the process.
    """
    internal = web_server.bind_loopback_socket()
    return internal, headless_ui.HeadlessUi("polo_ros", internal.getsockname()[1], _FONTS)


class _Panel:
    """The settings that a user can change on the page: the camera and the rendering options."""

    def __init__(self, model: mujoco.MjModel, camera: mujoco.MjvCamera) -> None:
        self.options = mujoco.MjvOption()
        self.perturb = mujoco.MjvPerturb()
        self.flags = ux.RenderFlags()
        self.flags.flags = mujoco.MjvScene().flags.tolist()  # MuJoCo's defaults
        self.state = ux.UxState()
        if camera.type == mujoco.mjtCamera.mjCAMERA_TRACKING:
            self.state.camera_index = ux.TRACKING_CAMERA_IDX
        self._model = model
        self._camera = camera
        ux.setup_theme(ux.GuiTheme.DARK)

    def draw(self, data: mujoco.MjData) -> None:
        """Draw the panel as part of a frame, and apply what the user has changed."""
        ux.configure_docking_layout(show_toolbar=False, show_status_bar=False)
        imgui.Begin("Options")  # the layout above places the window of this name on the left
        ux.camera_selection_gui(self._model, data, self._camera, self.state)
        ux.label_selection_gui(self.options)
        ux.frame_selection_gui(self.options)
        if imgui.CollapsingHeader("Rendering"):
            ux.rendering_gui(self._model, self.options, self.flags)
        if imgui.CollapsingHeader("Groups"):
            ux.groups_gui(self._model, self.options)
        imgui.End()


def listen_locally(port: int) -> socket.socket:
    """Open the viewer's socket, on localhost only, because the page has no password.

    To watch from another machine, forward the port (`ssh -L 8080:localhost:8080 robot`).

    Raises:
      PoloError: the port is in use, or cannot be opened.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # allows reopening at once
        sock.bind((LOCALHOST, port))
        sock.listen()  # from now on no other process can use the port
    except (OSError, OverflowError) as error:
        sock.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        reason = "something else listens there, perhaps another viewer" if taken else str(error)
        raise PoloError(
            f"The viewer cannot use port {port}: {reason}; give another port, or 0 for a free one."
        ) from error
    return sock


def free_port_from(port: int) -> int:
    """The first port from one on that nothing listens on; the same one where all of the next are taken."""
    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        with contextlib.suppress(PoloError):
            listen_locally(candidate).close()
            return candidate
    return port


def _camera(model: mujoco.MjModel, track: str | None) -> mujoco.MjvCamera:
    """Return a camera that shows the whole model and follows the body, if one is given."""
    camera = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    if track is not None:
        camera.trackbodyid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, track)
        if camera.trackbodyid < 0:
            raise PoloError(f"The model has no body '{track}' for the camera to follow.")
        camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
    return camera


def _line(corners: Array) -> list[mujoco.MjvGeom]:
    """Return capsules along (n, 3) corners; omit corners that exceed the page's limit."""
    most = state_payload.MAX_EXTRA_GEOMS + 1
    if len(corners) > most:
        corners = corners[np.linspace(0, len(corners) - 1, most).round().astype(int)]
    capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
    colour = np.array(LINE_COLOUR, np.float32)
    geoms = []
    for start, end in pairwise(corners):
        geom = mujoco.MjvGeom()
        mujoco.mjv_initGeom(geom, capsule, np.zeros(3), np.zeros(3), np.eye(3).ravel(), colour)
        mujoco.mjv_connector(geom, capsule, LINE_RADIUS, start, end)
        geom.emission = 0.5  # visible in a dark scene too
        geoms.append(geom)
    return geoms


def _checked(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the value as an array of finite numbers of this shape."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise PoloError(f"The viewer needs a finite {name} of shape {shape}, not {array.shape}.")
    return array
