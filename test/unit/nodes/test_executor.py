"""The executor of the nodes: what is ready is handled, in order, and entities may come and go."""

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

import pytest
import rclpy
from domains import claim_domain
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Float64
from std_srvs.srv import Trigger

from polo_ros.nodes.executor import NodeExecutor
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.polled import PolledTopic, Unexecuted

DEADLINE = 400  # looks of 0.05 s


class Pair:
    """A node with the executor under test, and another one beside it."""

    def __init__(self, context: rclpy.Context) -> None:
        self.node = LightweightNode("served", context=context)
        self.other = LightweightNode("other", context=context)
        self.executor = NodeExecutor(context=context)
        self.executor.add_node(self.node)
        self._others = SingleThreadedExecutor(context=context)
        self._others.add_node(self.other)

    def wait(self, condition: Callable[[], object]) -> None:
        for _ in range(DEADLINE):
            if condition():
                return
            self.executor.spin_once(timeout_sec=0.05)
            self._others.spin_once(timeout_sec=0.0)
        raise AssertionError("the condition did not come true")

    def every(self, period: float, callback: Callable[[], None]) -> Any:
        return self.node.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.other.destroy_node()


@pytest.fixture
def pair() -> Generator[Pair]:
    domain, claim = claim_domain()
    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    pair = Pair(context)
    yield pair
    pair.close()
    rclpy.try_shutdown(context=context)
    claim.close()


def test_messages_come_in_order_and_raw_ones_as_bytes(pair: Pair) -> None:
    whole: list[float] = []
    raw: list[bytes] = []
    pair.node.create_subscription(Float64, "x", lambda message: whole.append(message.data), 100)
    pair.node.create_subscription(Float64, "x", raw.append, 100, raw=True)
    publisher = pair.other.create_publisher(Float64, "x", 100)
    pair.wait(lambda: publisher.get_subscription_count() == 2)
    messages = [Float64(data=float(number)) for number in range(20)]
    for message in messages:
        publisher.publish(message)
    pair.wait(lambda: len(whole) == len(raw) == 20)
    assert whole == [message.data for message in messages]
    assert raw == [serialize_message(message) for message in messages]


def test_timers_call_back_until_they_are_cancelled(pair: Pair) -> None:
    calls: list[str] = []
    fast = pair.every(0.001, lambda: calls.append("fast"))
    pair.every(0.02, lambda: calls.append("slow"))
    pair.wait(lambda: calls.count("slow") >= 2)
    assert calls.count("fast") >= 2
    fast.cancel()
    calls.clear()
    pair.wait(lambda: calls.count("slow") >= 2)
    assert "fast" not in calls


def test_a_timer_that_resets_itself_follows_its_new_period(pair: Pair) -> None:
    calls: list[int] = []

    def alarm() -> None:
        calls.append(1)
        timer.timer_period_ns = 10**6 if len(calls) < 3 else 10**12
        timer.reset()

    timer = pair.every(0.0, alarm)
    pair.wait(lambda: len(calls) == 3)
    for _ in range(3):
        pair.executor.spin_once(timeout_sec=0.01)
    assert len(calls) == 3


def test_services_answer(pair: Pair) -> None:
    def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, "served"
        return response

    pair.node.create_service(Trigger, "ask", answer)
    client: Any = pair.other.create_client(Trigger, "ask")
    pair.wait(client.service_is_ready)
    future = client.call_async(Trigger.Request())
    pair.wait(future.done)
    assert future.result().message == "served"


def test_a_service_may_answer_later_and_holds_up_nothing(pair: Pair) -> None:
    asked, later = list[Trigger.Response](), Future[Trigger.Response]()

    def answer(_: Trigger.Request, response: Trigger.Response) -> Future[Trigger.Response]:
        asked.append(response)
        return later

    pair.node.create_service(Trigger, "ask", answer)
    client: Any = pair.other.create_client(Trigger, "ask")
    pair.wait(client.service_is_ready)
    future = client.call_async(Trigger.Request())
    pair.wait(lambda: asked)
    calls: list[int] = []
    pair.every(0.001, lambda: calls.append(1))
    pair.wait(lambda: len(calls) == 3)
    assert not future.done()
    asked[0].message = "served"
    threading.Thread(target=later.set_result, args=asked).start()
    pair.wait(future.done)
    assert future.result().message == "served"


def test_what_a_callback_creates_is_served_and_what_it_destroys_is_not(pair: Pair) -> None:
    heard: list[str] = []
    publisher = pair.other.create_publisher(Float64, "x", 10)
    first = pair.node.create_subscription(Float64, "x", lambda _: heard.append("first"), 10)
    pair.wait(publisher.get_subscription_count)

    def replace() -> None:
        if timer.is_canceled():
            return
        timer.cancel()
        pair.node.destroy_subscription(first)
        pair.node.create_subscription(Float64, "x", lambda _: heard.append("second"), 10)

    # the message and the timer are ready in the same wait
    publisher.publish(Float64())
    timer = pair.every(0.0, replace)
    pair.wait(timer.is_canceled)
    heard.clear()
    pair.wait(lambda: publisher.publish(Float64()) or heard)
    assert set(heard) == {"second"}


def test_an_unawaited_message_wakes_nobody_and_is_handled_with_the_next_event(pair: Pair) -> None:
    heard: list[float] = []
    lazy = pair.node.create_subscription(Float64, "lazy", lambda message: heard.append(message.data), 10)
    pair.node.unawaited.add(lazy)
    publisher = pair.other.create_publisher(Float64, "lazy", 10)
    pair.wait(publisher.get_subscription_count)
    pair.executor.spin_once(timeout_sec=0.0)  # the new subscription has woken the executor
    publisher.publish(Float64(data=1.0))
    began = time.monotonic()
    pair.executor.spin_once(timeout_sec=0.2)  # nothing else comes
    assert time.monotonic() - began > 0.19
    pair.wait(lambda: heard == [1.0])


def test_messages_are_handled_before_timers_so_that_a_clock_is_set_first(pair: Pair) -> None:
    calls: list[str] = []
    pair.node.create_subscription(Float64, "x", lambda _: calls.append("message"), 10)
    publisher = pair.other.create_publisher(Float64, "x", 10)
    pair.wait(publisher.get_subscription_count)
    timer = pair.every(0.001, lambda: (calls.append("timer"), timer.cancel())[0])
    publisher.publish(Float64())
    time.sleep(0.2)  # both have come
    pair.executor.spin_once(timeout_sec=1.0)
    assert calls == ["message", "timer"]


def test_an_exception_of_a_callback_ends_spinning(pair: Pair) -> None:
    def fail() -> None:
        raise ValueError("as planned")

    pair.every(0.001, fail)
    with pytest.raises(ValueError, match="as planned"):
        pair.executor.spin()


def test_the_end_of_the_context_ends_spinning(pair: Pair) -> None:
    pair.every(0.001, lambda: rclpy.try_shutdown(context=pair.node.context))
    pair.executor.spin()


def test_nodes_with_other_entities_are_refused_by_name(pair: Pair) -> None:
    with_events = Node("with_events", context=pair.node.context)
    with_events.create_subscription(Float64, "x", lambda _: None, 10)
    with pytest.raises(TypeError, match="does not serve waitables, which with_events has"):
        pair.executor.add_node(with_events)
    with_events.destroy_node()


def test_clients_are_answered_also_where_another_thread_asks(pair: Pair) -> None:
    def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = "here"
        return response

    pair.other.create_service(Trigger, "ask", answer)
    client: Any = pair.node.create_client(Trigger, "ask")
    pair.wait(client.service_is_ready)
    found: list[str] = []

    def ask() -> None:
        client.call_async(Trigger.Request()).add_done_callback(lambda f: found.append(f.result().message))

    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    pair.wait(lambda: found == ["here", "here"])


def test_a_guard_condition_that_another_thread_triggers_calls_back(pair: Pair) -> None:
    calls: list[str] = []
    guard = pair.node.create_guard_condition(lambda: calls.append("triggered"))
    thread = threading.Thread(target=guard.trigger)
    thread.start()
    pair.wait(lambda: calls == ["triggered"])
    thread.join()
    pair.executor.spin_once(timeout_sec=0.0)
    assert calls == ["triggered"]


def test_a_polled_topic_is_left_to_who_polls_it(pair: Pair) -> None:
    heard: list[float] = []
    polled = PolledTopic(pair.node, Float64, "x", Unexecuted())
    pair.node.create_subscription(Float64, "x", lambda message: heard.append(message.data), 10)
    publisher = pair.other.create_publisher(Float64, "x", 10)
    pair.wait(lambda: publisher.get_subscription_count() == 2)
    pair.wait(lambda: publisher.publish(Float64(data=3.0)) or heard)
    pair.wait(lambda: publisher.publish(Float64(data=3.0)) or polled.take())
