"""The viewer node: a page on localhost that shows what the state topics say."""

import urllib.request
from array import array

from hardware import Driver
from harness import Graph
from ports import free_port
from std_msgs.msg import Float64MultiArray
from visualization_msgs.msg import MarkerArray

from polo_ros.nodes.messages.limits import MOST_JOINTS


def test_the_page_is_served_and_follows_the_states(graph: Graph) -> None:
    driver = Driver(graph)
    driver.running = False
    port = free_port()
    graph.start("viewer_node", port=port)
    graph.wait_says("viewer_node", "nobody watches")
    assert not graph.node.count_subscribers("/joint_states")
    pictures = graph.record(MarkerArray, "viewer_node/robot")  # as RViz does
    graph.wait_says("viewer_node", "no message yet on joint_states")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
        assert page.status == 200
        assert b"<html" in page.read()
    driver.running = True
    graph.wait_says("viewer_node", "showing")
    graph.wait(lambda: pictures, "the robot as markers")
    assert {marker.header.frame_id for marker in pictures[0].markers} == {"odom"}
    driver.names = ["slider", "elbow"]
    graph.wait_says(
        "viewer_node", "joint_states: missing joint hinge; expected slider, hinge; it also has elbow"
    )
    driver.names = ["slider", "hinge"]
    graph.wait_says("viewer_node", "showing")
    terms = graph.node.create_publisher(Float64MultiArray, "/planner_node/summary", 10)
    too_many = Float64MultiArray(data=array("d", bytes(8 * (MOST_JOINTS + 1))))
    graph.publish_until_says(terms, too_many, "viewer_node", "summary, values")
    graph.wait_says("viewer_node", "showing")
    graph.start("viewer_node", "second", port=port)
    graph.wait(lambda: "watch the robot at" in graph.log("second"), "the second page")
    assert f"port {port} is taken, so that the page is at http://127.0.0.1:" in graph.log("second")
    other = int(graph.log("second").rpartition("http://127.0.0.1:")[2].partition("/")[0])
    with urllib.request.urlopen(f"http://127.0.0.1:{other}/", timeout=60) as page:
        assert page.status == 200
    assert graph.end("second") == 0
    assert graph.end("viewer_node") == 0
