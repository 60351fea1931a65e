"""How many workers a wave needs to end in time, and when it will with so many. Pure.

An entity runs on one slot from end to end, and a slot that is free takes the next one: list scheduling. Whatever the order, the last
entity begins no later than the moment at which all slots together could have done all the work, so a wave ends at most one entity
later (Graham 1966). Longest first would promise 4/3 of the best order at worst (Graham 1969), which is less than this says only where
single entities take more than a third of the wave.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from engine import durations
from engine.errors import Refused

SAFETY = 1.25
"""What is asked of the workers is so much more than history says."""
FILLED = 0.05
"""Seconds of work that a slot claims at once at most, when it is of more than one entity (`worker/sizing.py`)."""


@dataclass(frozen=True)
class Work:
    """What is to be done. `seconds`: of one slot, for all `entities`; `longest`: of the longest entity; `basis`: from what that is known,
    in words."""

    entities: int
    seconds: float
    longest: float
    basis: str = ""


@dataclass(frozen=True)
class Launches:
    """How workers come. `start`: seconds from the order of one to its first claim; `burst` come at once, then `rate` a second."""

    start: float = 0.0
    burst: float = math.inf
    rate: float = math.inf

    def arrivals(self, count: int) -> list[float]:
        """When each of `count` workers that are ordered now serves, seconds from now."""
        return [self.start + max(0.0, number + 1 - self.burst) / self.rate for number in range(count)]


AT_ONCE = Launches(start=1.0)
"""Processes of this machine."""
FARGATE = Launches(start=45.0, burst=100.0, rate=20.0)
"""Amazon's limits of an account and region; the start is an assumption: 30 to 45 s are usual for an image of 200 MB."""


@dataclass(frozen=True)
class Bounds:
    """A workforce may have `low` workers when nothing is to be done, and `high` at most. Written `2..50`, `8` or `auto`."""

    low: int
    high: int

    @classmethod
    def parse(cls, text: str, most: int) -> Self:
        """`auto` is `0..most`, a number that many at most and none when idle.

        Raises:
            Refused: it is none of these.
        """
        if text == "auto":
            return cls(0, most)
        found = re.fullmatch(r"(?:(\d{1,5})\.\.)?(\d{1,5})", text)
        bounds = cls(int(found[1] or 0), int(found[2])) if found else cls(1, 0)
        if bounds.low > bounds.high or not bounds.high:
            raise Refused(f"workers {text[:40]!r} must be auto, a number, or a range such as 2..50")
        return bounds

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@dataclass(frozen=True)
class Forecast:
    """When a wave ends: not before `soonest`, not after `latest` if its work is what history says; seconds from its order."""

    workers: int
    soonest: float
    latest: float


@dataclass(frozen=True)
class Need:
    """How many workers are wanted, and what they will do. `budget`: the seconds there are; `enough`: whether they will do in them; `why`
    in words."""

    forecast: Forecast
    budget: float
    enough: bool
    why: str

    @property
    def workers(self) -> int:
        """How many."""
        return self.forecast.workers


def forecast(work: Work, workers: int, slots: int, *, running: int = 0, launches: Launches = AT_ONCE) -> Forecast:
    """What `workers` of `slots` slots each do, of which `running` serve already and the others are ordered now."""
    if workers < 1:
        return Forecast(workers, math.inf, math.inf)
    there = min(running, workers)
    arrivals = [0.0] * there + launches.arrivals(workers - there)
    together = all_done(work.seconds, arrivals, slots)
    one = max(work.longest, FILLED if work.seconds > FILLED else 0.0)
    latest, apart = together + one, math.ceil(work.entities / slots)
    if 0 < apart <= workers:  # when so many have come, each entity has a slot of its own
        latest = min(latest, arrivals[apart - 1] + max(one, work.longest))
    return Forecast(workers, max(together, arrivals[0] + work.longest), latest)


def all_done(seconds: float, arrivals: Sequence[float], slots: int) -> float:
    """When workers that come at these moments, in order, have done `seconds` of one slot's work, all of them busy to the end."""
    done = 0.0
    for number, at in enumerate(arrivals):
        until = arrivals[number + 1] if number + 1 < len(arrivals) else math.inf
        rate = (number + 1) * slots
        if done + (until - at) * rate >= seconds:
            return at + (seconds - done) / rate
        done += (until - at) * rate
    raise AssertionError("the last worker is never replaced")


def need(
    work: Work,
    bounds: Bounds,
    slots: int,
    *,
    budget: float,
    running: int = 0,
    launches: Launches = AT_ONCE,
    safety: float = SAFETY,
) -> Need:
    """The fewest workers within `bounds` that end `safety` times the work within `budget` seconds; at least one, and never fewer than
    run (`running`): what runs is not taken from other waves."""
    careful = Work(work.entities, work.seconds * safety, work.longest * safety)
    least, most = max(bounds.low, running, 1), max(bounds.high, running, 1)

    def in_time(workers: int) -> bool:
        return forecast(careful, workers, slots, running=running, launches=launches).latest <= budget

    low, high = least, min(most, max(least, math.ceil(work.entities / slots)))  # a slot without an entity helps nobody
    enough = in_time(high)
    while enough and low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if in_time(middle) else (middle + 1, high)
    if not enough:
        low = _most_that_help(careful, least, high, slots, running, launches)
    will = forecast(work, low, slots, running=running, launches=launches)
    return Need(will, budget, enough, _why(work, will, budget, slots, running, bounds, enough))


def _most_that_help(work: Work, least: int, most: int, slots: int, running: int, launches: Launches) -> int:
    """The fewest workers that end as early, within a second, as `most` would: who comes when all is done is not ordered."""
    best = forecast(work, most, slots, running=running, launches=launches).latest + 1.0
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        in_time = forecast(work, middle, slots, running=running, launches=launches).latest <= best
        low, high = (low, middle) if in_time else (middle + 1, high)
    return low


def _why(work: Work, will: Forecast, budget: float, slots: int, running: int, bounds: Bounds, enough: bool) -> str:
    many = f"{will.workers:,} {'worker' if will.workers == 1 else 'workers'} × {slots} {'slot' if slots == 1 else 'slots'}"
    span = f"{_text(will.soonest)} to {_text(will.latest)}"
    come = will.workers - running
    told = f"{many} ({come:,} to come)" if come > 0 else many
    basis = f"; {work.basis}" if work.basis else ""
    if enough:
        return f"{told}: {span} expected of {_text(budget)}{basis}"
    limit = f"no more than {bounds.high:,} may be had" if will.workers >= bounds.high else "more would not help"
    return f"{told}: {span} expected, which may not be in the {_text(budget)} there are; {limit}{basis}"


def _text(seconds: float) -> str:
    """Rounded as people read it."""
    if not math.isfinite(seconds):
        return "any time"
    return durations.text(round(seconds) if seconds >= 3 else round(seconds, 1))
