"""The viewer node: a page on localhost that shows what the state topics say."""

import urllib.request

from hardware import Driver
from harness import Graph
from ports import free_port


def test_the_page_is_served_and_follows_the_states(graph: Graph) -> None:
    driver = Driver(graph)
    driver.running = False
    port = free_port()
    graph.start("viewer_node", port=port)
    graph.wait_says("viewer_node", "no message yet on joint_states")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
        assert page.status == 200
        assert b"<html" in page.read()
    driver.running = True
    graph.wait_says("viewer_node", "showing")
    driver.names = ["slider", "elbow"]
    graph.wait_says("viewer_node", "joint_states: unknown joint elbow; expected slider, hinge")
    driver.names = ["slider", "hinge"]
    graph.wait_says("viewer_node", "showing")
    graph.start("viewer_node", "second", port=port)
    assert graph.exit_code("second") == 1
    assert f"The viewer cannot use port {port}" in graph.log("second")
    assert "Traceback" not in graph.log("second")
    assert graph.end("viewer_node") == 0
