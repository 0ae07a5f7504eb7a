"""Watching in a browser: MuJoCo Studio's web page, fed with poses instead of simulating.

The page draws by itself, so nothing here needs a GPU or a display. Studio's parts are put together
anew, without its `WebViewer` and `App`, for three reasons: `WebViewer` listens on every network
interface and has no password; `App` has buttons that would mean nothing here (play, step, reset,
load a model); and `App` changes the whole process (exception hooks, log handlers, settings in the
home folder).
"""

import errno
import logging
import pathlib
import socket
import threading
import zlib
from itertools import pairwise
from types import TracebackType
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
LINE_RADIUS = 0.01  # in m
LINE_COLOUR = (0.1, 0.6, 1.0, 1.0)

_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)  # what the page is sent
_FONTS = str(pathlib.Path(mujoco.__file__).parent / "studio" / "assets")

# "Browser connected" and the like would interleave with the caller's own output.
logging.getLogger("WebServer").setLevel(logging.WARNING)


class StudioViewer:
    """Shows a model on a web page; the poses come from `show`, and nothing is ever simulated.

    `show` may be called from any thread and returns at once; a thread of the viewer's own sends the
    newest pose to the browsers. One viewer a process, because the panel's library is global.

    Args:
      model: what to draw; the page gets a copy, as the model is now.
      port: of the page; 0 for any free one.
      track: the body that the camera follows; None for a camera that stays where it is put.

    Attributes:
      url: where to look.

    Raises:
      PoloError: the port is taken, the body is unknown, or there is a viewer already.
    """

    _only = threading.Lock()  # held by the one open viewer of the process

    def __init__(self, model: mujoco.MjModel, port: int = 8080, track: str | None = None) -> None:
        self._model = model
        self._data = mujoco.MjData(model)
        self._line: list[mujoco.MjvGeom] = []
        self._lock = threading.Lock()  # guards the pose and the line
        self._closing = threading.Event()
        camera = _camera(model, track)

        if not self._only.acquire(blocking=False):
            raise PoloError("This process has a viewer already: close it before opening another.")
        try:
            self._http = listen_locally(port)
        except PoloError:
            self._only.release()
            raise
        self.url = f"http://{LOCALHOST}:{self._http.getsockname()[1]}/"
        self._internal = web_server.bind_loopback_socket()  # from the panel to the server
        bundle = state_payload.serialize_model_bundle(model)
        # Given no drop queue, the server throws away what somebody drags onto the page.
        self._server = web_server.WebServer(self._http, self._internal, mjb_data=bundle)
        self._server.start()
        self._thread = threading.Thread(
            target=self._run, args=(zlib.crc32(bundle), camera), name="studio", daemon=True
        )
        self._thread.start()

    def show(
        self,
        qpos: ArrayLike,
        line: ArrayLike | None = None,
        mocap_pos: ArrayLike | None = None,
        mocap_quat: ArrayLike | None = None,
    ) -> None:
        """Draws a pose and a line, until the next call. Does nothing once closed.

        Args:
          qpos: (nq,), in the model's units and order.
          line: (n, 3), corners of a line in the world, in m; None or fewer than two for no line.
          mocap_pos: (nmocap, 3), in m; None to leave the mocap bodies where they are.
          mocap_quat: (nmocap, 4), w first; None to leave them turned as they are.

        Raises:
          PoloError: a wrong shape, or a number that is not finite.
        """
        pose = {
            name: _checked(name, value, getattr(self._data, name).shape)
            for name, value in (
                ("qpos", qpos),
                ("mocap_pos", mocap_pos),
                ("mocap_quat", mocap_quat),
            )
            if value is not None
        }
        geoms = [] if line is None else _line(_checked("line", line, (None, 3)))
        with self._lock:
            for name, value in pose.items():
                getattr(self._data, name)[:] = value
            self._line = geoms

    def is_running(self) -> bool:
        """Whether the page is being served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stops serving the page and frees the port; harmless if closed already."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        self._server.stop()
        self._http.close()
        self._internal.close()
        self._only.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, model_id: int, camera: mujoco.MjvCamera) -> None:
        """Sends frames until closed; only this thread touches the camera and the panel."""
        page = headless_ui.HeadlessUi("polo_ros", self._internal.getsockname()[1], _FONTS)
        imgui.SetCurrentContext(page.get_context())
        for library in (ux, implot):
            library.set_imgui_context(page.get_context())
            library.set_implot_context(page.get_implot_context())
        panel = _Panel(self._model, camera)
        steering = client_camera.ClientCameraSync()
        state = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        while not self._closing.is_set():
            if not page.new_frame():  # waits for the next frame, which paces this loop at 60 Hz
                continue
            try:
                moved = self._server.take_client_camera()
                if moved is not None:
                    steering.apply(camera, moved)
                with self._lock:
                    mujoco.mj_getState(self._model, self._data, state, _STATE)
                    line = self._line
                panel.draw(self._data)
                focus = imgui.GetIO()
                self._server.update_state(
                    state_payload.serialize_state_payload(
                        model_id,
                        _STATE,
                        state.tobytes(),
                        camera,
                        panel.perturb,
                        panel.options,
                        self._model,
                        list(panel.render_flags.flags),
                        line,
                        state_payload.ViewerInputState(
                            mouse_focus=not focus.WantCaptureMouse,
                            keyboard_focus=not focus.WantCaptureKeyboard,
                            camera_index=panel.state.camera_index,
                            camera_generation=steering.update_generation(camera),
                        ),
                    )
                )
            finally:  # a frame left open would hang the process when it exits
                page.end_frame()


class _Panel:
    """What the user may change on the page: the camera and how things are drawn."""

    def __init__(self, model: mujoco.MjModel, camera: mujoco.MjvCamera) -> None:
        self.options = mujoco.MjvOption()
        self.perturb = mujoco.MjvPerturb()
        self.render_flags = ux.RenderFlags()
        self.state = ux.UxState()
        self._model = model
        self._camera = camera
        ux.setup_theme(ux.GuiTheme.DARK)

    def draw(self, data: mujoco.MjData) -> None:
        ux.configure_docking_layout(show_toolbar=False, show_status_bar=False)
        imgui.Begin("Options")
        ux.camera_selection_gui(self._model, data, self._camera, self.state)
        ux.label_selection_gui(self.options)
        ux.frame_selection_gui(self.options)
        ux.groups_gui(self._model, self.options)
        ux.rendering_gui(self._model, self.options, self.render_flags)
        imgui.End()


def listen_locally(port: int) -> socket.socket:
    """Opens the viewer's socket, on localhost only.

    Whoever reaches it sees and steers the page without a password. To watch from another machine,
    forward the port (`ssh -L 8080:localhost:8080 robot`): the browser would not run the page from
    any other plain-http address anyway.

    Args:
      port: 0 for any free one.

    Raises:
      PoloError: the port is taken, or cannot be opened.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # reopens at once after a close
        sock.bind((LOCALHOST, port))
        sock.listen()  # from here on nobody else can take the port
    except (OSError, OverflowError) as error:
        sock.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        reason = "something else listens there, perhaps another viewer" if taken else str(error)
        raise PoloError(
            f"The viewer cannot use port {port}: {reason}; give another port, or 0 for a free one."
        ) from error
    return sock


def _camera(model: mujoco.MjModel, track: str | None) -> mujoco.MjvCamera:
    """Returns a camera that sees the whole model."""
    camera = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    if track is not None:
        body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, track)
        if body < 0:
            raise PoloError(f"The model has no body '{track}' for the camera to follow.")
        camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
        camera.trackbodyid = body
    return camera


def _line(corners: Array) -> list[mujoco.MjvGeom]:
    """Returns capsules along (n, 3) corners, leaving out corners where the page allows no more."""
    most = int(state_payload.MAX_EXTRA_GEOMS) + 1
    if len(corners) > most:
        corners = corners[np.linspace(0, len(corners) - 1, most).round().astype(int)]
    geoms = []
    for start, end in pairwise(corners):
        geom = mujoco.MjvGeom()
        capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
        colour = np.array(LINE_COLOUR, np.float32)
        mujoco.mjv_initGeom(geom, capsule, np.zeros(3), np.zeros(3), np.eye(3).ravel(), colour)
        mujoco.mjv_connector(geom, capsule, LINE_RADIUS, start, end)
        geoms.append(geom)
    return geoms


def _checked(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Returns the value as an array of this shape, where None fits any length."""
    array = np.asarray(value, dtype=np.float64)
    fits = array.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        wanted = ", ".join("n" if want is None else str(want) for want in shape)
        raise PoloError(f"The viewer needs {name} of shape ({wanted}) and finite, but got {array.shape}.")
    return array
