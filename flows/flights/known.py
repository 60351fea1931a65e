"""What is known at a moment: counts and sums of all departures up to it, for many moments and groups at once.

The one rule of the replay is here: a departure is known from the minute it left the gate, a cancellation from the minute it
was scheduled for (the package does not say when it was announced), the schedule always. A query for a wave reads
running totals up to the wave's first minute and nothing beyond, whether one wave asks or the training does for 100,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from flows.flights.records import ORIGINS, Records, clock, load

if TYPE_CHECKING:
    from flows.flights.records import Bools, Ints

EARLIEST, LATEST = -30, 240
"""Minutes. Delays beyond them count as these in means of the past, which one 20-hour delay would bend for weeks."""

MONTH = 28 * 24 * 60
DAY = 24 * 60
SPAN = 1 << 21
BEFORE = 1 << 20


class Tally:
    """Running count and sum of a quantity in each group over time. Whole numbers, so that differences are exact.

    Parameters:
        group: small whole numbers, one for each event.
        time: minutes, as `Records` has them.
        value: what is summed.
        only: which of the events count; all when not given.
    """

    def __init__(self, group: Ints, time: Ints, value: Ints, only: Bools | None = None) -> None:
        import numpy as np

        keep = np.ones(len(group), dtype=np.bool_) if only is None else only
        keys = (group * SPAN + time + BEFORE)[keep]
        order = np.argsort(keys, kind="stable")
        self.keys: Ints = keys[order]
        self.totals: Ints = np.concatenate([[0], np.cumsum(value[keep][order])])

    def until(self, group: Ints, time: Ints) -> tuple[Ints, Ints]:
        """Events and their sum before `time`, in the group and in all groups below it. Broadcasts."""
        at: Ints = self.keys.searchsorted(group * SPAN + (time + BEFORE).clip(0, SPAN - 1))
        return at, self.totals[at]

    def between(self, group: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Events of the group and their sum at `start` or later and before `end`. Broadcasts."""
        n0, s0 = self.until(group, start)
        n1, s1 = self.until(group, end)
        return n1 - n0, s1 - s0


class Past:
    """All that is counted of the departures of one grouping, by airport or by route."""

    def __init__(self, records: Records, group: Ints, clocks: Ints) -> None:
        import numpy as np

        r, flown = records, ~records.cancelled
        minutes = r.delay.clip(EARLIEST, LATEST)
        self.left = Tally(group, r.left, minutes, flown)
        self.due = Tally(group, r.scheduled, r.scheduled, flown)
        self.gone = Tally(group, np.maximum(r.left, r.scheduled), r.scheduled, flown)
        self.cancelled = Tally(group, r.scheduled, r.cancelled.astype(np.int64), r.cancelled)
        self.clock = Tally(group * 24 + clocks, r.left, minutes, flown)

    def counts(self, group: Ints, wave: Ints) -> dict[str, Ints]:
        """What is known of `group` at the minute `wave`: `flights_` and `minutes_` of delay of those that left in the last hour
        (`1h`), three hours and 28 days; how many are `waiting` (scheduled before, not gone yet) and for how many
        minutes together; how many of those scheduled in the last three hours are `cancelled_3h`."""
        counts = {}
        for name, length in (("1h", 60), ("3h", 180), ("28d", MONTH)):
            counts[f"flights_{name}"], counts[f"minutes_{name}"] = self.left.between(group, wave - length, wave)
        due, due_at = self.due.until(group, wave)
        gone, gone_at = self.gone.until(group, wave)
        counts["waiting"] = due - gone
        counts["waited_minutes"] = (due - gone) * wave - (due_at - gone_at)
        counts["cancelled_3h"], _ = self.cancelled.between(group, wave - 180, wave)
        return counts

    def at_clock(self, group: Ints, wave: Ints, clocks: Ints) -> tuple[Ints, Ints]:
        """Departures of the 28 days before `wave` that were scheduled at that hour of New York's clock, and their minutes of
        delay."""
        return self.clock.between(group * 24 + clocks, wave - MONTH, wave)


@dataclass(frozen=True, eq=False)
class Known:
    """The records with all their indexes, built when first used."""

    records: Records

    @cached_property
    def clocks(self) -> Ints:
        """New York's clock at each departure's scheduled hour."""
        return clocks(self.records.scheduled // 60)

    @cached_property
    def airport(self) -> Past:
        """The past by airport of origin."""
        return Past(self.records, self.records.origin, self.clocks)

    @cached_property
    def route(self) -> Past:
        """The past by route."""
        return Past(self.records, self.records.route, self.clocks)

    @cached_property
    def delays(self) -> Tally:
        """Delays of each route by when they left, not clipped: what the mean-delay baseline is made of."""
        return Tally(self.records.route, self.records.left, self.records.delay, ~self.records.cancelled)

    @cached_property
    def by_route(self) -> Schedule:
        """Departures of each route by scheduled time."""
        return Schedule(self.records.route, self.records.scheduled)

    @cached_property
    def by_flight(self) -> Schedule:
        """Departures of each flight by scheduled time."""
        return Schedule(self.records.flight, self.records.scheduled)

    @cached_property
    def route_codes(self) -> dict[str, int]:
        """The place of each route's key in `Records.routes`."""
        return {name: code for code, name in enumerate(self.records.routes)}

    @cached_property
    def flight_codes(self) -> dict[str, int]:
        """The place of each flight's key in `Records.flights`."""
        return {name: code for code, name in enumerate(self.records.flights)}

    def warm(self) -> None:
        """Builds every index now."""
        for name in ("airport", "route", "delays", "by_route", "by_flight", "route_codes", "flight_codes"):
            getattr(self, name)


class Schedule:
    """Which departures of a group are scheduled in a span of time."""

    def __init__(self, group: Ints, scheduled: Ints) -> None:
        keys = group * SPAN + scheduled + BEFORE
        self.order: Ints = keys.argsort(kind="stable")
        self.keys: Ints = keys[self.order]

    def between(self, group: int, start: int, end: int) -> list[int]:
        """Places in the records of the departures scheduled at `start` or later and before `end`, in order of time."""
        first, last = (group * SPAN + min(max(t + BEFORE, 0), SPAN - 1) for t in (start, end))
        found: list[int] = self.order[self.keys.searchsorted(first) : self.keys.searchsorted(last)].tolist()
        return found


def clocks(hours: Ints) -> Ints:
    """New York's clock (0 to 23) at each of many hours."""
    import numpy as np

    different, places = np.unique(hours, return_inverse=True)
    shown: Ints = np.array([clock(int(hour)) for hour in different], dtype=np.int64)[places]
    return shown


def origin_code(route: str) -> int:
    """The place in `ORIGINS` of a route's airport of origin."""
    return ORIGINS.index(route[:3])


@cache
def current() -> Known:
    """What the installed package says, loaded once in a process.

    Raises:
        NoData: it is not installed.
    """
    return Known(load())
