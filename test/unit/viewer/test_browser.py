"""The viewer's page: who may reach it, and that it mirrors without simulating."""

import queue
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError

pytest.importorskip("mujoco.studio.web.web_server")  # not in every MuJoCo wheel

from mujoco.studio.web import state_payload
from websockets.sync.client import connect

from polo_ros.viewer.browser import LOCALHOST, BrowserViewer, _line, listen_locally

WORLD = """
<mujoco>
  <worldbody>
    <body name="ball"><freejoint/><geom size="0.1"/></body>
    <body name="goal" mocap="true"><geom size="0.1" contype="0" conaffinity="0"/></body>
  </worldbody>
</mujoco>
"""
LISTENING = "0A"  # in /proc/net/tcp
POLL_PERIOD = 30.0  # s, far more than anything here takes


@pytest.fixture
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(WORLD)


@pytest.fixture
def viewer(model: mujoco.MjModel) -> Iterator[BrowserViewer]:
    with BrowserViewer(model, 0) as opened:
        yield opened


def port_of(viewer: BrowserViewer) -> int:
    port = urlsplit(viewer.url).port
    assert port is not None
    return port


def listening_addresses(port: int) -> list[str]:
    """The local addresses, in the kernel's hexadecimal, on which anybody listens on this port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        rows = path.read_text().splitlines()[1:] if path.exists() else []
        for _, local, _, state, *_ in (row.split() for row in rows):
            address, number = local.split(":")
            if state == LISTENING and int(number, 16) == port:
                found.append(address)
    return found


def outward_address() -> str | None:
    """This machine's address towards the network, if it has one; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = sock.getsockname()[0]
    return None if address.startswith("127.") else address


def frame_with(viewer: BrowserViewer, part: bytes) -> bytes:
    """Listens as a browser does until a frame has these bytes in it; returns that frame."""
    deadline = time.monotonic() + POLL_PERIOD
    with connect(viewer.url.replace("http", "ws") + "state?sid=test", compression=None) as page:
        while time.monotonic() < deadline:
            message = page.recv(timeout=POLL_PERIOD)
            if isinstance(message, bytes) and part in message:
                return message
    raise AssertionError("the page never got what was shown")


def drawn_state(viewer: BrowserViewer, model: mujoco.MjModel, qpos: Array) -> mujoco.MjData:
    """Returns the state that a browser gets, once it gets this pose."""
    spec = mujoco.mjtState.mjSTATE_INTEGRATION
    message = frame_with(viewer, qpos.tobytes())
    start = message.index(qpos.tobytes()) - 8  # the state begins with the time and the pose
    data = mujoco.MjData(model)
    state = np.frombuffer(message, count=mujoco.mj_stateSize(model, spec), offset=start)
    mujoco.mj_setState(model, data, state, spec)
    return data


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_it_listens_on_localhost_only(viewer: BrowserViewer) -> None:
    assert listening_addresses(port_of(viewer)) == ["0100007F"]  # 127.0.0.1, lowest byte first


def test_it_cannot_be_reached_from_the_network(viewer: BrowserViewer) -> None:
    address = outward_address()
    if address is None:
        pytest.skip("this machine has no network interface but loopback")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port_of(viewer)), timeout=POLL_PERIOD)


def test_it_serves_the_page_and_the_model(viewer: BrowserViewer, model: mujoco.MjModel) -> None:
    with urllib.request.urlopen(viewer.url, timeout=POLL_PERIOD) as page:
        assert page.status == 200
        assert "<canvas" in page.read().decode()
    with urllib.request.urlopen(viewer.url + "model", timeout=POLL_PERIOD) as served:
        assert served.read() == state_payload.serialize_model_bundle(model)


def test_a_taken_port_is_named(model: mujoco.MjModel) -> None:
    with listen_locally(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PoloError, match=f"cannot use port {port}: something else listens"):
            BrowserViewer(model, port)
    with BrowserViewer(model, port) as viewer:  # and the failure left nothing behind
        assert viewer.url == f"http://{LOCALHOST}:{port}/"


def test_an_impossible_port_is_refused(model: mujoco.MjModel) -> None:
    with pytest.raises(PoloError, match="cannot use port 65536"):
        BrowserViewer(model, 65536)


def test_a_second_viewer_is_refused(viewer: BrowserViewer, model: mujoco.MjModel) -> None:
    with pytest.raises(PoloError, match="has a viewer already"):
        BrowserViewer(model, 0)
    assert viewer.is_running()


def test_the_page_gets_the_pose_and_the_time_stands_still(
    viewer: BrowserViewer, model: mujoco.MjModel
) -> None:
    for height in (1.0, 2.0):  # in the air: a simulation would let the ball fall
        qpos = np.array([0.1, 0.2, height, 1.0, 0.0, 0.0, 0.0])
        viewer.show(qpos, mocap_pos=[[3.0, 4.0, height]])
        drawn = drawn_state(viewer, model, qpos)
        np.testing.assert_array_equal(drawn.qpos, qpos)
        np.testing.assert_array_equal(drawn.mocap_pos, [[3.0, 4.0, height]])
        np.testing.assert_array_equal(drawn.mocap_quat, [[1.0, 0.0, 0.0, 0.0]])
        assert drawn.time == 0.0
        assert not drawn.qvel.any()


def test_the_physics_never_steps(model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the viewer stepped")

    for name in ("mj_step", "mj_step1", "mj_step2"):
        monkeypatch.setattr(mujoco, name, refuse)
    qpos = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    with BrowserViewer(model, 0) as viewer:
        viewer.show(qpos)
        drawn_state(viewer, model, qpos)
        assert viewer.is_running()


def test_the_page_gets_the_line(viewer: BrowserViewer, model: mujoco.MjModel) -> None:
    middle = np.array([1.5, 2.5, 3.5], np.float32).tobytes()  # where the only piece of the line is centred
    viewer.show(model.qpos0, line=[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])
    frame_with(viewer, middle)


@pytest.mark.parametrize(("corners", "pieces"), [(0, 0), (1, 0), (2, 1), (1025, 1024), (5000, 1024)])
def test_a_line_fits_the_page_and_keeps_its_ends(corners: int, pieces: int) -> None:
    line = np.zeros((corners, 3))
    line[:, 0] = np.arange(corners)
    geoms = _line(line)
    assert len(geoms) == pieces
    if pieces:
        reach = [geom.pos[0] + sign * geom.size[2] for geom, sign in ((geoms[0], -1), (geoms[-1], 1))]
        np.testing.assert_allclose(reach, [0.0, corners - 1.0], atol=1e-3)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"qpos": np.zeros(6)}, "qpos"),
        ({"qpos": np.full(7, np.nan)}, "qpos"),
        ({"qpos": np.zeros(7), "line": np.zeros(3)}, "line"),
        ({"qpos": np.zeros(7), "line": np.zeros((4, 2))}, "line"),
        ({"qpos": np.zeros(7), "line": np.full((4, 3), np.inf)}, "line"),
        ({"qpos": np.zeros(7), "mocap_pos": np.zeros(3)}, "mocap_pos"),
        ({"qpos": np.zeros(7), "mocap_quat": np.zeros((1, 3))}, "mocap_quat"),
    ],
)
def test_bad_input_is_named(viewer: BrowserViewer, given: dict[str, Array], name: str) -> None:
    with pytest.raises(PoloError, match=re.escape(f"needs a finite {name} of shape (")):
        viewer.show(**given)


def test_an_unknown_body_to_follow_is_named(model: mujoco.MjModel) -> None:
    with pytest.raises(PoloError, match="no body 'unicorn'"):
        BrowserViewer(model, 0, track="unicorn")
    with BrowserViewer(model, 0, track="ball") as viewer:  # and the failure left nothing behind
        assert viewer.is_running()


def test_many_threads_may_show(viewer: BrowserViewer, model: mujoco.MjModel) -> None:
    errors: queue.SimpleQueue[Exception] = queue.SimpleQueue()

    def show(number: int) -> None:
        try:
            for _ in range(100):
                viewer.show(np.full(7, float(number)), line=np.full((10, 3), float(number)))
        except Exception as error:
            errors.put(error)

    threads = [threading.Thread(target=show, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors.empty()
    last = np.arange(7.0)
    viewer.show(last)
    np.testing.assert_array_equal(drawn_state(viewer, model, last).qpos, last)


def test_closing_frees_the_port_and_may_be_repeated(model: mujoco.MjModel) -> None:
    viewer = BrowserViewer(model, 0)
    port = port_of(viewer)
    viewer.close()
    viewer.close()
    assert not viewer.is_running()
    viewer.show(model.qpos0)  # harmless
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOCALHOST, port), timeout=POLL_PERIOD)
    with BrowserViewer(model, port) as again:
        assert again.is_running()


def test_it_may_be_opened_and_closed_many_times(model: mujoco.MjModel) -> None:
    for _ in range(20):  # Studio's own teardown survives a few
        with BrowserViewer(model, 0) as viewer:
            assert viewer.is_running()


def test_a_process_may_end_without_closing_it() -> None:
    program = f"""
import mujoco
from polo_ros.viewer.browser import BrowserViewer
viewer = BrowserViewer(mujoco.MjModel.from_xml_string({WORLD!r}), 0)
viewer.show([0, 0, 1, 1, 0, 0, 0])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=POLL_PERIOD)


def test_it_prints_nothing(model: mujoco.MjModel, capfd: pytest.CaptureFixture[str]) -> None:
    with BrowserViewer(model, 0) as viewer:
        viewer.show(model.qpos0)
        drawn_state(viewer, model, model.qpos0)
    assert capfd.readouterr() == ("", "")
