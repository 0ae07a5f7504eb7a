"""The numbers behind the plots."""

import numpy as np
from numpy.testing import assert_allclose

from polo_ros.viewer.plots import KEPT_S, SPAN_S, History, joined, plots_of


def test_a_sample_holds_the_newest_number_until_it_is_too_old() -> None:
    history = History(("reward", "loss"))
    history.put("reward", 1.0, now=0.0)
    history.put("reward", 2.0, now=0.1)
    history.put("unknown", 5.0, now=0.1)
    history.put("loss", np.nan, now=0.1)
    history.sample(now=0.2)
    history.sample(now=0.1 + KEPT_S)
    assert_allclose(history.curve("reward")[-2:], [2.0, np.nan])
    assert np.isnan(history.curve("loss")).all()


def test_a_history_spans_the_last_seconds() -> None:
    history = History(("reward",))
    for step in range(1000):
        history.put("reward", float(step), now=0.1 * step)
        history.sample(now=0.1 * step)
    assert (history.times[0], history.times[-1]) == (-SPAN_S, 0.0)
    assert_allclose(history.curve("reward"), np.arange(1000 - len(history.times), 1000))


def test_curves_are_drawn_where_all_of_them_are_known() -> None:
    times = np.array([-2.0, -1.0, 0.0])
    first, second = np.array([np.nan, 1.0, 2.0]), np.array([3.0, 4.0, np.nan])
    assert_allclose(joined(times, (first, second)), [[-1.0], [1.0], [4.0]])
    assert all(np.isfinite(curve).all() for curve in joined(times, ()))


def test_there_is_a_curve_for_each_reward_term() -> None:
    reward = plots_of(("height", "control"))[0]
    assert list(reward.curves) == ["reward", "reward.height", "reward.control"]
