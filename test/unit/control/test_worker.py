"""The planning thread: the newest request only, and its failures are known."""

import queue
import threading

from polo_ros.control.worker import Worker

DEADLINE = 60.0


def test_requests_that_arrive_while_busy_replace_each_other() -> None:
    begun: queue.Queue[int] = queue.Queue()
    go_on = threading.Semaphore(0)

    def work(request: int) -> None:
        begun.put(request)
        assert go_on.acquire(timeout=DEADLINE)

    worker: Worker[int] = Worker(work, "test")
    worker.submit(1)
    assert begun.get(timeout=DEADLINE) == 1
    for request in (2, 3, 4):
        worker.submit(request)
    go_on.release(2)
    assert begun.get(timeout=DEADLINE) == 4
    worker.close()
    assert begun.empty()
    assert worker.failure is None


def test_closing_lets_the_request_at_hand_finish_and_drops_the_next() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def work(request: int) -> None:
        begun.set()
        assert go_on.wait(DEADLINE)
        done.append(request)

    worker: Worker[int] = Worker(work, "test")
    worker.submit(1)
    assert begun.wait(DEADLINE)
    worker.submit(2)
    closing = threading.Thread(target=worker.close)
    closing.start()
    go_on.set()
    closing.join(DEADLINE)
    assert not closing.is_alive()
    assert done[0] == 1


def test_an_exception_ends_the_thread_and_is_kept() -> None:
    error = ValueError("no plan")

    def work(_: int) -> None:
        raise error

    worker: Worker[int] = Worker(work, "test")
    worker.submit(1)
    worker._thread.join(DEADLINE)
    assert worker.failure is error
    worker.submit(2)
    worker.close()
    assert worker.failure is error
