"""An executor that costs less than rclpy's; `benchmarks.ros_cost` measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

from polo_ros.control import NANOSECONDS
from polo_ros.nodes.polled import Unexecuted


def spin_for(executor: Executor, seconds: float, until: Callable[[], object] = lambda: False) -> None:
    """Let an executor work for some wall time, or until a condition holds."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not until():
        executor.spin_once(timeout_sec=left)


class NodeExecutor(Executor):
    """Serves nodes whose callbacks are plain functions, on one thread.

    rclpy's own single-threaded executor builds a wait set, a task and a coroutine for each message, and wakes
    itself up after each. This one keeps its wait set until a node's entities change, and handles all that has
    come after one wait: first the subscriptions' messages, one each, in the order of their creation, so that
    a clock is set before timers are looked at, then timers, services, answers to clients, guard conditions.

    On a machine that is busy with rollouts, each wake-up finds cold caches and costs 0.1 ms or more. Messages
    of a `LightweightNode`'s subscriptions that are not awaited therefore do not wake it.

    A callback's exception ends `spin`, as with rclpy's. A subscription's callback takes the message alone.
    A service's callback may return a `Future` of the response, which is sent once it is done; other callbacks
    go on meanwhile. Tasks and waitables, such as handlers of DDS events, are not served, and neither are
    `Unexecuted` subscriptions.

    Args:
      kwargs: those of every executor.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._changed = True
        self._subscriptions: list[Any] = []
        self._awaited: list[Any] = []
        self._timers: list[Any] = []
        self._services: list[Any] = []
        self._clients: list[Any] = []
        self._guards: list[Any] = []
        self._waits: Any = None
        self._wakes: Any = self._guard
        # pending responses, with the service and the request's header
        self._deferred: list[tuple[Future[Any], Any, Any]] = []

    def wake(self) -> None:
        """Read the nodes' entities again; nodes call this when they change."""
        self._changed = True
        super().wake()

    def add_node(self, node: Node) -> bool:
        """Serve a node; whether it is new here.

        Raises:
          TypeError: the node has entities that are not served.
        """
        if list(node.waitables):
            raise TypeError(f"{type(self).__name__} does not serve waitables, which {node.get_name()} has")
        self._changed = True
        return super().add_node(node)

    def remove_node(self, node: Node) -> None:
        """Serve a node no more."""
        self._changed = True
        super().remove_node(node)

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait until something is ready, or for a time in s, and handle all that is ready."""
        self._wait(timeout_sec)
        if not self._context.ok():
            return
        ready, answered, triggered = map(
            self._waits.get_ready_entities, ("service", "client", "guard_condition")
        )
        for subscription in self._subscriptions:
            self._take(subscription)
        for timer in self._timers:
            self._call(timer)
        if ready:
            for service in self._services:
                if service.handle.pointer in ready:
                    self._answer(service)
        for client in self._clients if answered else ():
            if client.handle.pointer in answered:
                self._take_answer(client)
        for guard in self._guards if triggered else ():
            if guard.handle.pointer in triggered:
                guard.callback()
        self._answer_deferred()

    def _wait(self, timeout_sec: float | None) -> None:
        if self._changed:
            self._build()
        waits = self._waits
        waits.clear_entities()
        for subscription in self._awaited:
            waits.add_subscription(subscription.handle)
        for timer in self._timers:
            waits.add_timer(timer.handle)
        for service in self._services:
            waits.add_service(service.handle)
        for client in self._clients:
            waits.add_client(client.handle)
        for guard in (self._wakes, *self._guards):
            waits.add_guard_condition(guard.handle)
        waits.wait(-1 if timeout_sec is None else round(timeout_sec * NANOSECONDS))

    def _build(self) -> None:
        self._changed = False
        nodes = self.get_nodes()
        subscriptions = [each for node in nodes for each in node.subscriptions]
        self._subscriptions = [s for s in subscriptions if not isinstance(s.callback_group, Unexecuted)]
        unawaited = {each for node in nodes for each in getattr(node, "unawaited", ())}
        self._awaited = [each for each in self._subscriptions if each not in unawaited]
        self._timers = [each for node in nodes for each in node.timers]
        self._services = [each for node in nodes for each in node.services]
        self._clients = [each for node in nodes for each in node.clients]
        self._guards = [each for node in nodes for each in node.guards]
        context: Any = self._context
        self._waits = rclpy_implementation.WaitSet(
            len(self._awaited), 1 + len(self._guards), len(self._timers), len(self._clients),
            len(self._services), 0, context.handle,
        )  # fmt: skip

    # ---- what has come; a callback before may have destroyed the entity

    def _call(self, timer: Any) -> None:
        try:
            with timer.handle:
                if not timer.handle.is_timer_ready():  # cancelled or reset meanwhile
                    return
                timer.handle.call_timer()
        except InvalidHandle:
            return
        timer.callback()

    def _take(self, subscription: Any) -> None:
        try:
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        except InvalidHandle:
            return
        if taken is not None:
            subscription.callback(taken[0])

    def _answer(self, service: Any) -> None:
        try:
            with service.handle:
                request, header = service.handle.service_take_request(service.srv_type.Request)
        except InvalidHandle:
            return
        if header is None:
            return
        response = service.callback(request, service.srv_type.Response())
        if isinstance(response, Future):
            self._deferred.append((response, service, header))
            response.add_done_callback(lambda _: self._wakes.trigger())
        else:
            service.send_response(response, header)

    def _take_answer(self, client: Any) -> None:
        try:
            with client.handle:
                header, response = client.handle.take_response(client.srv_type.Response)
        except InvalidHandle:
            return
        if header is None:
            return
        try:
            future = client.get_pending_request(header.request_id.sequence_number)
        except KeyError:  # nobody waits for it any more
            return
        future.set_result(response)

    def _answer_deferred(self) -> None:
        if not self._deferred:
            return
        done = [each for each in self._deferred if each[0].done()]
        self._deferred = [each for each in self._deferred if each not in done]
        for response, service, header in done:
            service.send_response(response.result(), header)
