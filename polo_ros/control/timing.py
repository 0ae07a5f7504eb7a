"""Late control ticks, and the ages of states and plans at them."""

from dataclasses import dataclass

from polo_ros.control import NANOSECONDS

# Beyond these bounds the planner warns. A well-tuned robot at 125 Hz keeps far below them: 1 % late ticks and
# plans 0.035 s old. Plans 0.06 s old cost the cart-pole nearly all and the humanoid a quarter of its reward.
LATE_TICK_SHARE = 0.1
# plans are given the time that nine in ten of the last ones needed
LATE_PLAN_SHARE = 0.3
# mean age of the plans that are followed, in s, or in control periods where control is slow
PLAN_AGE_S = 0.06
PLAN_AGE_PERIODS = 2.5
# fewer ticks than this are not judged
JUDGED_TICKS = 10


@dataclass(frozen=True)
class Totals:
    """Counts since the start, the sum of the plans' ages at `followed` ticks in s, and the time in ns."""

    time: int
    ticks: int = 0
    late_ticks: int = 0
    plans: int = 0
    late_plans: int = 0
    followed: int = 0
    ages: float = 0.0

    def since(self, earlier: "Totals") -> "Totals":
        """What was added after an earlier time; `time` is the time between."""
        return Totals(**{name: value - vars(earlier)[name] for name, value in vars(self).items()})


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
        self._followed, self._age_sum = 0, 0.0
        self._judged: Totals | None = None
        self._late = ""

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
        if plan is not None:
            self._followed += 1
            self._age_sum += (now - plan) / NANOSECONDS
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

    def late(self, now: int, plans: int, late_plans: int) -> str:
        """Which bounds control has exceeded since the last call, with the figures; empty where none.

        The last answer holds until there are enough ticks for another.

        Args:
          now: in ns.
          plans: how many have been made so far.
          late_plans: how many of them came after their start.
        """
        totals = Totals(
            now, self._counts["control_ticks"], self._counts["deadline_misses"], plans, late_plans,
            self._followed, self._age_sum,
        )  # fmt: skip
        if self._judged is None or now < self._judged.time:
            self._judged, self._late = totals, ""
        elif totals.ticks - self._judged.ticks >= JUDGED_TICKS:
            self._late = self._exceeded(totals.since(self._judged))
            self._judged = totals
        return self._late

    def _exceeded(self, window: Totals) -> str:
        """The bounds that a window of time exceeds, with the figures."""
        found = []
        if window.late_ticks > LATE_TICK_SHARE * window.ticks:
            found.append(f"{window.late_ticks} of {window.ticks} control ticks missed their deadline")
        if window.late_plans > LATE_PLAN_SHARE * window.plans:
            found.append(f"{window.late_plans} of {window.plans} plans came after their start")
        bound = max(PLAN_AGE_S, PLAN_AGE_PERIODS * self._period / NANOSECONDS)
        age = window.ages / window.followed if window.followed else 0.0
        if age > bound:
            found.append(f"plans are {age:.3f} s old, more than {bound:.3f} s")
        if not found or not window.time:
            return ""
        rates = (
            f"{NANOSECONDS * window.plans / window.time:.1f} plans per second for "
            f"{NANOSECONDS / self._period:g} commands"
        )
        return f"{'; '.join(found)}; {rates}"
