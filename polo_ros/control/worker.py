"""A thread that works on the newest request only."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Request = TypeVar("Request")


class Worker(Generic[Request]):
    """Runs a function on its own thread, on the newest request only.

    Requests that arrive while it is busy replace each other: a slow planner skips states instead of
    falling behind.

    Args:
      work: called with each request; an exception ends the thread.
      name: of the thread.

    Attributes:
      failure: the exception that ended the thread; None while there was none.
    """

    def __init__(self, work: Callable[[Request], None], name: str) -> None:
        self._work = work
        self._condition = threading.Condition()
        self._request: Request | None = None
        self._running = True
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Hand over a request, replacing one that has not been started."""
        with self._condition:
            self._request = request
            self._condition.notify()

    def close(self) -> None:
        """Let the current request finish and end the thread."""
        with self._condition:
            self._running = False
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._request is not None or not self._running)
                if not self._running:
                    return
                request, self._request = self._request, None
            assert request is not None
            try:
                self._work(request)
            except BaseException as error:  # the node looks at `failure`, reports it and stops
                self.failure = error
                return
