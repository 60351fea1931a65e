"""A back-fill: a wave for each date, in order, only so many of them open at once.

Each date's wave has an id that follows from flow, version, date and what was asked for, so the same call again finds what there is
and goes on. Whoever makes it may die: what is open runs on.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import BadKey
from engine.keys import Date
from engine.launch import Launched
from engine.plan import Plan
from engine.store.connect import Client
from engine.store.wave import Progress, Wave, wave_id
from engine.store.waves import Waves

MOST = 10_000
"""Dates of one back-fill."""
LOOK = 0.5
"""Seconds between looks at what is open."""

Start = Callable[[Date, str], Launched]
"""Starts the wave of a date by a trigger."""


@dataclass(frozen=True)
class Step:
    """What has happened: a date's wave was started, was found there, goes on, or has ended; `done` of `dates` have."""

    what: Literal["started", "there", "runs", "ended"]
    progress: Progress
    done: int
    dates: int


def dates_of(plan: Plan, first: Date, last: Date) -> list[Date]:
    """The dates of a flow's waves from the first to the last, which is included.

    Raises:
        BadKey: they are not of the flow's kind, the wrong way round, or too many.
    """
    kind = "hours" if plan.hourly else "days"
    if first.hourly != plan.hourly or last.hourly != plan.hourly:
        raise BadKey(f"the waves of {plan.flow!r} are about {kind}; from {first} to {last} is not")
    if last < first:
        raise BadKey(f"from {first} to {last} is no time")
    every = max(round(plan.every / first.step.total_seconds()), 1)
    n = int((last.start - first.start) / first.step) // every + 1
    if n > MOST:
        raise BadKey(f"from {first} to {last} are {n:,} waves; a back-fill has {MOST:,} at most")
    return [first.shift(i * every) for i in range(n)]


def trigger_of(base: str, only: Sequence[str], share: float, config: Sequence[str]) -> str:
    """The trigger of a back-fill's waves: what was asked for, so that another question is another wave."""
    asked = [f"base={base}" if base else "", *(f"only={t}" for t in sorted(only)), f"sample={share:g}" if share < 1 else ""]
    told = " ".join(filter(None, ["backfill", *asked, *sorted(config)]))
    return told if len(told) <= 200 else f"backfill {hashlib.sha256(told.encode()).hexdigest()[:16]}"


def backfill(
    redis: Client, flow: str, version: str, dates: Sequence[Date], trigger: str, start: Start, *, concurrency: int = 2
) -> Iterator[Step]:
    """Goes through the dates, the earliest first, with at most `concurrency` waves open; what is there already is waited for where it
    runs, and else passed over. A step for each that starts, and, twice a second, for each that is open."""
    waves = Waves(redis)
    open_: list[Wave] = []
    done = 0

    def look(most: int) -> Iterator[Step]:
        nonlocal done
        while len(open_) > most:
            for wave in list(open_):
                progress = waves.progress(wave)
                if not progress.wave.running:
                    open_.remove(wave)
                    done += 1
                yield Step("runs" if progress.wave.running else "ended", progress, done, len(dates))
            if len(open_) > most:
                time.sleep(LOOK)

    for date in dates:
        there = waves.find(wave_id(flow, version, date, trigger), version)
        if there is not None and not there.running:
            done += 1
            yield Step("there", waves.progress(there), done, len(dates))
            continue
        yield from look(concurrency - 1)
        wave = there or start(date, trigger).wave
        open_.append(wave)
        yield Step("there" if there else "started", waves.progress(wave), done, len(dates))
    yield from look(0)


NO_DEADLINE = math.inf
"""A back-fill is not overtaken by the next date's wave."""
