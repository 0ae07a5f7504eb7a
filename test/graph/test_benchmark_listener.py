"""The listener of the real-time benchmarks."""

from benchmarks.realtime import Listener
from polo_ros.tasks import make_task


def test_a_listener_listens_and_calls_services_in_one_context_of_ros() -> None:
    listener = Listener(make_task("cartpole_swingup"))
    try:
        listener.spin(0.1)
        assert listener.frames == []
    finally:
        listener.close()
