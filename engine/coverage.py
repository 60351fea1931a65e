"""How far the forecasts of a flow reach: which entities each coming hour is served for, and by how old a forecast. Pure.

A forecast of the date T with a horizon of n steps (hours, or days) reaches T, T+1 … T+n-1. An hour is served by the newest one that
reaches it. Sets of entities are bits of one integer, so that fifty thousand of them times a day of hours cost milliseconds.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from engine.keys import Date
from engine.status import OPEN, WROTE

LATE = 86400.0
"""Seconds, or two intervals if that is more, after which a flow's newest wave is a replay of the past."""


@dataclass(frozen=True, slots=True)
class Written:
    """The forecasts of one date. `reach`: steps; `entities`: bit i for the entity i that has one."""

    date: Date
    reach: int
    entities: int

    def reaches(self, hour: Date) -> bool:
        """Whether it says anything of `hour`."""
        return self.date <= hour < self.date.shift(self.reach)


@dataclass(frozen=True, slots=True)
class Hour:
    """One coming hour (or day). `fresh`: entities served by the newest wave due, or a newer one; `older`: steps older than that →
    entities; `dark`: entities that nothing serves, and `who` they are, as bits."""

    date: Date
    fresh: int
    older: Mapping[int, int]
    dark: int
    who: int

    @property
    def covered(self) -> int:
        """Entities served by an older wave."""
        return sum(self.older.values())

    @property
    def oldest(self) -> int:
        """Steps; 0 when none is older."""
        return max(self.older, default=0)


@dataclass(frozen=True, slots=True)
class Lost:
    """An entity that is served by an older wave or by none at `at`, or goes dark before a fresh forecast would.

    `entity`, `partition`: in key form; `dark_from`: the first hour that nothing serves, None when none is in sight; `by`: the date of the
    forecast that serves now, None for none; `awaited`: a wave that runs may still serve it.
    """

    entity: str
    partition: str
    dark_from: Date | None
    by: Date | None
    awaited: bool = False


@dataclass(frozen=True)
class Coverage:
    """How a task's forecasts cover the hours from `at` on. `due`: the date of the newest wave that should have served by now; `members`:
    (entity, partition) in key form; `awaited`: those that a running wave may still serve, as bits; `written`: newest first."""

    version: str
    flow: str
    task: str
    at: Date
    due: Date
    hours: tuple[Hour, ...]
    members: Sequence[tuple[str, str]] = field(repr=False)
    awaited: int = field(repr=False, default=0)
    written: tuple[Written, ...] = field(repr=False, default=())

    @property
    def n(self) -> int:
        """Entities that are active now: what all shares are of."""
        return len(self.members)

    @property
    def now(self) -> Hour:
        """The first hour."""
        return self.hours[0]

    def share(self, entities: int) -> float:
        """Of all entities, 0 to 1."""
        return entities / self.n if self.n else 0.0

    @cached_property
    def darkening(self) -> tuple[tuple[Date, int], ...]:
        """When more entities go dark after `at`, and how many with each hour."""
        found, before = [], self.now.who
        for hour in self.hours[1:]:
            if more := hour.who & ~before:
                found.append((hour.date, more.bit_count()))
            before |= hour.who
        return tuple(found)

    @property
    def dark_now(self) -> int:
        """Entities that nothing serves at `at`, and no running wave may."""
        return (self.now.who & ~self.awaited).bit_count()

    @property
    def worst(self) -> float:
        """The largest share that is dark in an hour."""
        return max((self.share(hour.dark) for hour in self.hours), default=0.0)

    @property
    def oldest(self) -> int:
        """The largest age, in steps, of what serves any of the hours."""
        return max((hour.oldest for hour in self.hours), default=0)

    def lost(self) -> list[Lost]:
        """Those that are not served fresh to the end: who goes dark first comes first, then by partition and name."""
        seen, order = 0, list[tuple[Date | None, int]]()
        for hour in self.hours:
            order += [(hour.date, i) for i in bits(hour.who & ~seen)]
            seen |= hour.who
        fresh = 0
        for w in self.written:
            fresh |= w.entities if w.date >= self.due and w.reaches(self.at) else 0
        late = ((1 << self.n) - 1) & ~fresh & ~seen
        order += [(None, i) for i in bits(late)]
        wanted = [i for _, i in order]
        by = dict.fromkeys(wanted, None) | self._serving(seen | late)
        return [Lost(*self.members[i], dark, by[i], bool(self.awaited >> i & 1)) for dark, i in order]

    def _serving(self, wanted: int) -> dict[int, Date]:
        """By which date's forecast each of these entities is served at `at`."""
        found: dict[int, Date] = {}
        for w in self.written:
            if w.reaches(self.at):
                found |= dict.fromkeys(bits(w.entities & wanted), w.date)
                wanted &= ~w.entities
        return found


def bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, ascending."""
    text = bin(number)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


_WROTE = bytes(ord("1") if cell in WROTE else ord("0") for cell in range(256))
_OPEN = bytes(ord("1") if cell in OPEN else ord("0") for cell in range(256))


def wrote(cells: bytes) -> int:
    """The entities whose pipe is there, from their cells in order, as bits."""
    return int(cells.translate(_WROTE)[::-1] or b"0", 2)


def open_cells(cells: bytes) -> int:
    """The entities whose cell has not ended, as bits."""
    return int(cells.translate(_OPEN)[::-1] or b"0", 2)


def of_numbers(numbers: Iterable[int]) -> int:
    """These entities as bits."""
    flags = bytearray()
    for number in numbers:
        if number >= len(flags):
            flags.extend(b"0" * (number + 1 - len(flags)))
        flags[number] = ord("1")
    return int(bytes(flags[::-1]) or b"0", 2)


def lacking(one: Written, others: Iterable[Written], at: Date) -> int:
    """Those of `one` whom none of the others serves, with something newer, for all that it reaches from `at` on."""
    left, end = one.entities, one.date.shift(one.reach)
    for w in others:
        if left and one.date <= w.date <= at and w.date.shift(w.reach) >= end:
            left &= ~w.entities
    return left


def steps(start: Date, end: Date) -> int:
    """Hours (or days) from one date to another."""
    return round((end.start - start.start) / start.step)


def reach_of(horizon: float, date: Date) -> int:
    """The steps that a forecast of `date` reaches, its own hour included."""
    return max(math.ceil(round(horizon / date.step.total_seconds(), 6)), 0)


def cover(written: Iterable[Written], hours: Sequence[Date], everyone: int, due: Date) -> tuple[Hour, ...]:
    """Who serves each of `hours`.

    Parameters:
        written: in any order; of two of one date the longer reach goes first.
        everyone: the entities that count, as bits.
        due: the date of the newest wave that should have served; what is older counts as older by as many steps.
    """
    newest = sorted(written, key=lambda w: (w.date, w.reach), reverse=True)
    found = []
    for hour in hours:
        left, fresh, older = everyone, 0, dict[int, int]()
        for w in newest:
            if not left:
                break
            if w.reaches(hour) and (now := w.entities & left):
                age = steps(w.date, due)
                if age <= 0:
                    fresh += now.bit_count()
                else:
                    older[age] = older.get(age, 0) + now.bit_count()
                left &= ~now
        found.append(Hour(hour, fresh, older, left.bit_count(), left))
    return tuple(found)


def newest_due(at: Date, every: float, newest: Date | None, *, over: bool) -> Date:
    """The date of the newest wave that should have served at `at`: a wave's interval is its own to run in.

    Parameters:
        every: seconds between waves.
        newest: the date of the newest wave there is, not after `at`; None when there is none.
        over: whether that wave has ended, or its time is up.
    """
    if newest is None:
        return at
    interval = max(round(every / at.step.total_seconds()), 1)
    gone = steps(newest, at) // interval
    expected = newest.shift(gone * interval)
    return expected if gone == 0 and over else expected.shift(-interval)


def hour_now(now: float, every: float, newest: Date, created: float) -> Date:
    """The hour (or day) that it is for a flow: the clock's, unless its newest wave is about the past (a replay), in which time has gone
    on from that wave's date as it does here.

    Parameters:
        now, created: Unix seconds; when that wave was made.
    """
    if created - newest.start.timestamp() < max(LATE, 2 * every):
        return Date.of(datetime.fromtimestamp(now, UTC), hourly=newest.hourly)
    return newest.shift(max(int((now - created) / newest.step.total_seconds()), 0))


def figures(coverage: Coverage) -> dict[str, Any]:
    """The few numbers that are kept of it: shares at `at` (0 to 1), `oldest` (steps) of what serves then, `dark_from`: the first hour
    that is dark for somebody, "" when a fresh forecast is there for all, and for how many it is (`dark_entities`)."""
    now = coverage.now
    first, many = (now.date, now.dark) if now.dark else next(iter(coverage.darkening), ("", 0))
    return {
        "fresh": round(coverage.share(now.fresh), 6),
        "covered": round(coverage.share(now.covered), 6),
        "dark": round(coverage.share(now.dark), 6),
        "oldest": now.oldest,
        "dark_from": str(first),
        "dark_entities": many,
    }
