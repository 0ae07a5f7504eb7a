"""How well the control timer keeps time."""

from polo_ros.control import NANOSECONDS


class Timing:
    """Counts control ticks and late ones, and keeps the ages of the plans and states used at them.

    Times are by the clock of the control timer. Ages are by stamps: a plan is as old as the state that it
    was made from. Used by one thread.

    Args:
      period: of the control timer, in ns.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._counts = {"control_ticks": 0, "safe_ticks": 0, "deadline_misses": 0}
        self._last_tick: int | None = None
        self._ages: dict[str, list[float]] = {"plan_age": [], "state_age": []}
        self._reported: tuple[int, int] | None = None

    def tick(self, now: int, state: int | None, plan: int | None) -> None:
        """A control tick, which missed its deadline where it came more than half a period late.

        Args:
          now: in ns, as the stamps.
          state: stamp of the newest state; None before the first.
          plan: stamp of the state that the plan was made from; None where the safe action was commanded.
        """
        self._counts["control_ticks"] += 1
        self._counts["safe_ticks"] += plan is None
        if self._last_tick is not None:
            self._counts["deadline_misses"] += 2 * (now - self._last_tick) > 3 * self._period
        self._last_tick = now
        for stamp, ages in zip((plan, state), self._ages.values(), strict=True):
            if stamp is not None:
                ages.append((now - stamp) / NANOSECONDS)

    def report(self, now: int, plans: int) -> dict[str, object]:
        """The counts so far, and ages in s and plans per second since the last report.

        Args:
          now: in ns.
          plans: how many have been made so far.

        Returns:
          Counts, mean and worst ages and the plan rate by name, without those that are not known yet.
        """
        values: dict[str, object] = dict(self._counts)
        for name, ages in self._ages.items():
            if ages:
                values |= {name: f"{sum(ages) / len(ages):.4f}", f"{name}_max": f"{max(ages):.4f}"}
                ages.clear()
        if self._reported is not None and now > self._reported[0]:
            then, before = self._reported
            values["plan_rate"] = f"{NANOSECONDS * (plans - before) / (now - then):.2f}"
        self._reported = now, plans
        return values
