"""The page's server and scene, without a browser."""

import socket
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import mujoco
import numpy as np
import pytest
import viser
from mjviser.conversions import merge_geoms
from ports import free_port
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from polo_ros.tasks import make_task, task_classes
from polo_ros.viewer.page import FASTEST, Page
from polo_ros.viewer.pushing import draggable
from polo_ros.viewer.robot_view import RobotView, surface
from polo_ros.viewer.server import address_of, open_server

# towards who looks, and to the right, in m
NEAR, RIGHT = np.array([0.0, -0.1, 0.0]), np.array([0.5, 0.0, 0.0])


class Nobody:
    """Takes requests and does nothing but keep velocity goals."""

    def __init__(self) -> None:
        self.driven: list[list[float]] = []

    def drive(self, velocity: np.ndarray) -> None:
        self.driven.append(velocity.tolist())

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


@contextmanager
def served(port: int = 0) -> Generator[viser.ViserServer]:
    server = open_server(port, "test")
    yield server
    server.stop()


def test_a_taken_port_falls_to_a_free_one_on_this_machine_alone() -> None:
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with served(port) as server:
            assert server.get_port() > port
            assert server.get_host() == "127.0.0.1"
            with urllib.request.urlopen(address_of(server)) as page:
                assert b"<html" in page.read()


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with served():
        assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        (None, False),
        ("http://localhost:1234", False),
        ("http://127.0.0.1:8080", False),
        ("http://evil.example", True),
        ("http://localhost.evil.example", True),
    ],
)
def test_pages_of_other_sites_cannot_connect(origin: str | None, refused: bool) -> None:
    protocol = Subprotocol(f"viser-v{viser.__version__}")
    with served() as server:
        address = address_of(server).replace("http", "ws")
        site = None if origin is None else Origin(origin)
        if refused:
            with pytest.raises(InvalidStatus):
                connect(address, origin=site, subprotocols=[protocol])
        else:
            connect(address, origin=site, subprotocols=[protocol]).close()


@pytest.mark.parametrize("name", task_classes())
def test_every_task_is_drawn_and_its_robot_can_be_dragged(name: str) -> None:
    task = make_task(name)
    start = task.start_state(np.random.default_rng(0))
    with served() as server:
        view = RobotView(server, task, start, lambda *_: None)
        view.show(start)
        view.show_ghost(start[: task.model.nq])
        view.show_rollouts([np.eye(3)], np.zeros((1, 3)), np.empty((0, 3)))
        assert draggable(server, task.model)
        assert np.isfinite(server.initial_camera.position).all()


@pytest.mark.parametrize(("name", "body"), [("humanoid_getup", "torso"), ("quadruped_walk", "FL_calf")])
def test_the_ghost_has_the_surface_of_the_robot(name: str, body: str) -> None:
    model = make_task(name).model
    for geom in np.flatnonzero(model.geom_bodyid == model.body(body).id).tolist():
        shape, expected = surface(model, geom), merge_geoms(model, [geom])
        np.testing.assert_allclose(shape.bounds, expected.bounds, atol=1e-12)
        assert shape.area == pytest.approx(expected.area)


def test_a_drag_of_the_cart_pushes_it_where_the_mouse_pulls() -> None:
    task = make_task("cartpole_swingup")
    start = task.start_state(np.random.default_rng(0))
    with served() as server:
        view = RobotView(server, task, start, lambda *_: None)
        pushes: list[tuple[str, np.ndarray, np.ndarray]] = []
        view.pushing.on_push = lambda *push: pushes.append(push)
        data = mujoco.MjData(task.model)
        mujoco.mj_forward(task.model, data)
        cart = data.body("cart").xpos

        class Event:
            """A drag from a point on the cart, seen from far away at the side, to another point."""

            start_position = tuple(cart + NEAR)
            end_position = tuple(cart + NEAR + RIGHT)

            class client:  # noqa: N801
                class camera:  # noqa: N801
                    position = tuple(cart + 50 * NEAR)

            def __init__(self, phase: str) -> None:
                self.phase = phase

        for phase in ("start", "update"):
            view.pushing._note(Event(phase))  # type: ignore[arg-type]
            view.show(start)
        assert {push[0] for push in pushes} == {"cart"}
        assert pushes[-1][1][0] > 0.0 and abs(pushes[-1][1][2]) < 1e-9
        view.pushing._note(Event("end"))  # type: ignore[arg-type]
        view.show(start)
        view.show(start)
        assert not pushes[-1][1].any() and len([push for push in pushes if not push[1].any()]) == 1


def test_a_page_is_made_and_closed_for_a_task_with_a_map() -> None:
    task = make_task("pointmass_maze")
    page = Page(0, task, "", task.start_state(np.random.default_rng(0)), Nobody())
    page.show_values(np.random.default_rng(0).normal(size=(4, 4)))
    page.plots.draw()
    page.draw_lights()
    assert page.browsers() == 0
    page.close()


def test_sliders_drive_a_robot_with_a_velocity_goal() -> None:
    task, requests = make_task("cartpole_swingup"), Nobody()  # robots with such goals take seconds to draw
    page = Page(0, task, "", task.start_state(np.random.default_rng(0)), requests)
    page._add_velocity()
    inputs = {handle.label: handle for handle in page._server.gui._gui_input_handle_from_uuid.values()}
    ahead, _, turn = (inputs[label] for label in FASTEST)
    ahead.value, turn.value = 0.5, -0.2
    assert requests.driven == [[0.5, 0.0, 0.0], [0.5, 0.0, -0.2]]
    page.close()
