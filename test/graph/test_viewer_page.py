"""The page in a real browser: what is shown, and what a user's hands cause on the topics."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from chromium import LARGE, SCENE, launch, open_chromium, open_page
from geometry_msgs.msg import PoseStamped, WrenchStamped
from hardware import Driver
from harness import LATCHED, Graph
from playwright.sync_api import Browser, Locator, Page
from ports import free_port
from std_msgs.msg import Bool

from polo_ros.arrays import Array
from polo_ros.files import share_path
from polo_ros.nodes.robot_operator import PUSH
from polo_ros.tasks import make_task
from polo_ros.viewer.camera import viewpoint
from polo_ros.viewer.robot_view import ASPECT

BOX = share_path("config", "humanoid_box.yaml")
UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """One browser for all tests."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Generator[Browser]:
    """The browser for one test; its pages are closed afterwards."""
    yield chromium
    for context in chromium.contexts:
        context.close()


def start_viewer(graph: Graph, name: str = "viewer_node", **parameters: Any) -> str:
    """Start a viewer on a free port; the address of its page."""
    graph.start("viewer_node", name, port=free_port(), rate=10.0, **parameters)
    graph.wait(lambda: "watch the robot at" in graph.log(name), "the page")
    return graph.log(name).rpartition("watch the robot at ")[2].split()[0]


def start_robot(graph: Graph) -> str:
    """A simulated cart-pole that is controlled, and the page that shows it."""
    # in lockstep it would leave the browser no time
    graph.start("simulator_node", lockstep=False)
    graph.start("planner_node", lockstep=False, use_sim_time=True, autostart=True)
    return start_viewer(graph, use_sim_time=True)


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def row(page: Page, label: str) -> Locator:
    """A label of the panel with its input, in the tab that is open."""
    return page.get_by_text(label, exact=True).locator("visible=true").locator("xpath=../../..")


def test_sliders_buttons_and_refusals(graph: Graph, browser: Browser) -> None:
    url = start_robot(graph)
    page = open_page(browser, url)
    page.get_by_text("planner: planning").wait_for()

    tab(page, "Planner")
    slider = row(page, "horizon").locator("input[inputmode=decimal]")
    slider.fill("40")
    slider.press("Enter")
    graph.wait(lambda: graph.parameters("planner_node", ["horizon"]) == [40], "the slider's horizon")

    # another program changes it, and the slider follows
    assert graph.set("planner_node", horizon=30)[0].successful
    page.wait_for_function("e => e.value === '30'", arg=slider.element_handle())

    row(page, "name:=value").locator("input").fill("horizon:=9999")
    page.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("was refused").first.wait_for()
    assert page.get_by_text("9999").count() or page.get_by_text("range").count()
    assert graph.parameters("planner_node", ["horizon"]) == [30]

    tab(page, "Run")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("simulator_node/set_pause: paused").wait_for()
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text("simulator_node/step_simulation: stepped to").wait_for()
    page.get_by_role("button", name="Continue", exact=True).click()
    graph.wait_says("simulator_node", "running")

    stops = graph.record(Bool, "hardware/e_stop", LATCHED)
    page.get_by_role("button", name="E-STOP", exact=True).click()
    graph.wait(lambda: stops and stops[-1].data, "the e-stop")
    graph.wait_says("planner_node", "e-stop")
    page.get_by_role("button", name="Release e-stop").click()
    graph.wait_says("planner_node", "not enabled")  # a call that came before the release would be refused
    page.get_by_role("button", name="Enable", exact=True).click()
    graph.wait_says("planner_node", "planning")

    check_rewards(graph, page)
    tab(page, "Planner")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as YAML").first.click()
    text = download.value.path().read_text()
    assert "/**/planner_node:" in text and "horizon: 30" in text


def check_rewards(graph: Graph, page: Page) -> None:
    """A weight is set in planner and learner; one that was changed elsewhere is noticed and mended."""
    both = ("planner_node", "learner_node")
    graph.start("learner_node")
    page.get_by_role("button", name="Save checkpoint").wait_for()  # the page has seen it
    tab(page, "Reward")
    weight = row(page, "upright").locator("input[inputmode=decimal]")
    weight.fill("0.5")
    weight.press("Enter")
    for node in both:
        graph.wait(lambda: graph.parameters(node, ["reward.upright"]) == [0.5], f"the weight of {node}")  # noqa: B023

    row(page, "name:=value").locator("input").fill("reward.upright:=-3")
    page.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("was refused by").first.wait_for()
    assert [graph.parameters(node, ["reward.upright"]) for node in both] == [[0.5], [0.5]]

    assert graph.set("planner_node", reward__upright=0.75)[0].successful
    page.get_by_text("does not learn from this robot").wait_for()
    page.get_by_role("button", name="Give the learner the planner's").click()
    graph.wait(lambda: graph.parameters("learner_node", ["reward.upright"]) == [0.75], "the learner's weight")
    page.get_by_text("does not learn from this robot").wait_for(state="hidden")


def test_nothing_is_subscribed_without_a_browser_and_two_can_watch(graph: Graph, browser: Browser) -> None:
    url = start_robot(graph)
    watched = "/planner_node/summary"
    graph.wait_says("planner_node", "planning")
    assert not graph.node.count_subscribers(watched)
    # a process of its own, so that both draw at once without a GPU
    other = launch(browser.browser_type)
    first, second = open_page(browser, url), open_page(other, url)
    graph.wait(lambda: graph.node.count_subscribers(watched) == 1, "the page's subscription")
    graph.wait_says("viewer_node", "showing")
    graph.wait(lambda: graph.reported("viewer_node", "browsers") == 2, "two browsers")
    for page in (first, second):
        before = page.locator(SCENE).screenshot()
        graph.wait(lambda: page.locator(SCENE).screenshot() != before, "a robot that moves")  # noqa: B023
    first.close()
    second.get_by_text("planner: planning").wait_for()
    second.close()
    graph.wait(lambda: graph.node.count_subscribers(watched) == 0, "the end of the subscription")
    graph.wait_says("viewer_node", "no browser is open")
    other.close()


def test_a_killed_viewer_is_noticed_by_nobody(graph: Graph, browser: Browser) -> None:
    page = open_page(browser, start_robot(graph))
    graph.wait_says("viewer_node", "showing")
    page.get_by_text("planner: planning").wait_for()
    graph.kill("viewer_node")
    plans = graph.reported("planner_node", "plans")
    graph.wait(lambda: graph.reported("planner_node", "plans") > plans + 50, "plans go on")
    # a browser without a GPU may take the cores from both for a moment
    graph.wait_says("planner_node", "planning")
    graph.wait_says("simulator_node", "running")
    page.close()
    page = open_page(browser, start_viewer(graph, "another", use_sim_time=True))
    page.get_by_text("planner: planning").wait_for()
    page.close()


def pixel(page: Page, point: Array) -> tuple[float, float]:
    """Where a point of the world is on the page, for the view that the page begins with."""
    task = make_task("humanoid_box")
    start = task.start_state(np.random.default_rng(0))
    view = viewpoint(task.model, start, ASPECT)
    ahead = view.look_at - view.position
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    way = point - view.position
    box = page.locator(SCENE).bounding_box()
    assert box is not None
    scale = box["height"] / 2 / np.tan(view.field_of_view / 2) / (way @ ahead)
    across, up = way @ right * scale, way @ np.cross(right, ahead) * scale
    return box["x"] + box["width"] / 2 + across, box["y"] + box["height"] / 2 - up


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.wait_for_timeout(500)  # the gizmo looks for the mouse once per picture
    page.mouse.down()
    page.mouse.move(*(np.array(start) + np.array(end)) / 2, steps=4)
    page.mouse.move(*end, steps=4)


def test_a_dragged_goal_is_published(graph: Graph, browser: Browser) -> None:
    url = start_viewer(graph, config=BOX)
    goals = graph.record(PoseStamped, "goal")
    page = open_page(browser, url, LARGE)
    model = make_task("humanoid_box").model
    goal = model.body("goal").pos
    size = float(model.stat.meansize)
    graph.wait_says("viewer_node", "no message yet on joint_states")
    drag(page, pixel(page, goal + 0.85 * size * UP), pixel(page, goal + 2.0 * size * UP))
    page.mouse.up()
    graph.wait(lambda: goals and goals[-1].pose.position.z > goal[2] + 0.2 * size, "a higher goal")
    assert abs(goals[-1].pose.position.x - goal[0]) < 0.05
    page.close()


def test_a_dragged_body_is_pushed(graph: Graph, browser: Browser) -> None:
    Driver(graph)  # a push follows the states
    pushes: list[WrenchStamped] = graph.record(WrenchStamped, PUSH)
    url = start_viewer(graph)
    page = open_page(browser, url, LARGE)
    graph.wait_says("viewer_node", "showing")
    task = make_task("cartpole_swingup")
    page.wait_for_timeout(500)  # until the viewer has looked who listens
    box = page.locator(SCENE).bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    drag(page, middle, (middle[0] + 120, middle[1]))
    graph.wait(lambda: pushes and pushes[-1].wrench.force.x > 0.0, "a push to the right")
    assert pushes[-1].header.frame_id in {task.model.body(i).name for i in range(1, task.model.nbody)}
    page.mouse.up()
    page.keyboard.up("Control")
    graph.wait(lambda: pushes[-1].wrench.force.x == 0.0, "the end of the push")
    page.close()
