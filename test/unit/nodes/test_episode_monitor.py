"""When the episodes of `make learn` end."""

import numpy as np
import pytest

from polo_ros.control import NANOSECONDS
from polo_ros.nodes.episode_monitor import EpisodeMonitor
from polo_ros.nodes.messages import pack_experience
from polo_ros.tasks import make_task


def test_an_episode_ends_when_its_experience_arrived_and_not_when_it_is_looked_at() -> None:
    task = make_task("cartpole_swingup")
    state = task.start_state(np.random.default_rng(0))
    monitor = EpisodeMonitor(task, seconds=1.0)
    try:
        monitor.begin_phase("alone")
        monitor._was_reset = True
        for index in range(50):  # all at once, as after a busy time
            message = pack_experience(1.0 + index * task.timestep, 0, state, np.zeros(1), 0.5)
            arrived = round((1000.0 + 0.1 * index) * NANOSECONDS)
            monitor._on_experience(message, {"received_timestamp": arrived})
        (score,) = monitor.scores("alone")
        assert score.ended == pytest.approx(4.9)
        np.testing.assert_allclose(monitor.curve("alone")[:, 0], 0.1 * np.arange(50), atol=1e-6)
    finally:
        monitor.close()
