"""How the coming hours are covered by forecasts, in sentences and rows. Pure. Field names are stable; `--json` prints them. Durations in
seconds, shares from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.coverage import Coverage, Hour, Lost, steps
from engine.keys import Date, decode_entity

BAR = 30
"""Cells of a bar in print."""
SHADES = "▓▒░"
"""Served by a wave that is one, two, or more steps older."""


@dataclass(frozen=True)
class HourRow:
    """Of an hour the share that is fresh, covered by older forecasts and dark; `older`: age → entities."""

    hour: str
    fresh: float
    covered: float
    dark: float
    older: dict[int, int]
    dark_entities: int


@dataclass(frozen=True)
class PartitionRow:
    """Of a partition's `entities` so many go `dark`, the first of them at `first`."""

    partition: str
    entities: int
    dark: int
    first: str


@dataclass(frozen=True)
class LostRow:
    """An entity that is not served fresh. `dark_from`: "" when it does not go dark in sight; `served_by`: the date of what serves now, and
    its `age`, None where nothing does; `awaited`: a wave that runs may still serve it."""

    entity: str
    partition: str
    dark_from: str
    served_by: str
    age: float | None
    awaited: bool


@dataclass(frozen=True)
class CoverageRow:
    """A task's coverage. Shares are of `entities`, those active now, at the hour `at`; `oldest`: the age of the oldest that serves then;
    `dark_from` and `dark_entities`: when the first (or more than now) go dark, before a fresh forecast would end, and how many."""

    flow: str
    version: str
    task: str
    at: str
    due: str
    entities: int
    fresh: float
    covered: float
    dark: float
    oldest: float
    dark_from: str
    dark_entities: int
    awaited: int
    sentence: str
    hours: list[HourRow]
    partitions: list[PartitionRow]
    lost: list[LostRow]
    more: int


def row(c: Coverage, limit: int = 0) -> CoverageRow:
    """A coverage as data, with the first `limit` entities that are not served fresh (0: all); `more`: how many are left out."""
    step, now = c.at.step.total_seconds(), c.now
    first, many = c.darkening[0] if c.darkening else ("", 0)
    lost = c.lost()
    shown = lost[:limit] if limit else lost
    return CoverageRow(
        c.flow, c.version, c.task, str(c.at), str(c.due), c.n, c.share(now.fresh), c.share(now.covered), c.share(now.dark),
        now.oldest * step, str(first), many, (now.who & c.awaited).bit_count(), sentence(c),
        [HourRow(str(h.date), c.share(h.fresh), c.share(h.covered), c.share(h.dark),
                 {int(age * step): n for age, n in sorted(h.older.items())}, h.dark) for h in c.hours],
        [PartitionRow(decode_entity(p), n, dark, str(at or "")) for p, (n, dark, at) in by_partition(c, lost).items() if dark],
        [lost_row(c, one) for one in shown], len(lost) - len(shown),
    )  # fmt: skip


def lost_row(c: Coverage, one: Lost) -> LostRow:
    """An entity as data."""
    age = max(steps(one.by, c.due), 0) * c.at.step.total_seconds() if one.by else None
    names = decode_entity(one.entity), decode_entity(one.partition)
    return LostRow(*names, str(one.dark_from or ""), str(one.by or ""), age, one.awaited)


def by_partition(c: Coverage, lost: Sequence[Lost]) -> dict[str, tuple[int, int, Date | None]]:
    """For each partition (in key form) its entities, how many of them go dark, and when the first does; the worst first."""
    size: dict[str, int] = {}
    for _, partition in c.members:
        size[partition] = size.get(partition, 0) + 1
    dark: dict[str, list[Date]] = {}
    for one in lost:
        if one.dark_from is not None:
            dark.setdefault(one.partition, []).append(one.dark_from)
    found = {p: (n, len(dark.get(p, ())), min(dark.get(p, ()), default=None)) for p, n in size.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1][1], item[1][2] or "9", item[0])))


Kind = Literal["fresh", "older", "dark", "soon", "until"]
"""What a part of the sentence is about."""


def words(c: Coverage, *, short: bool = False) -> list[tuple[Kind, str]]:
    """The parts of `sentence`."""
    now, found = c.now, list[tuple[Kind, str]]()
    found.append(("fresh", f"{percent(now.fresh, c.n)} fresh"))
    if now.covered:
        age = ago(c.at, now.oldest)
        found.append(("older", f"{percent(now.covered, c.n)} {f'older ({age})' if short else f'covered (oldest {age})'}"))
    if now.dark:
        found.append(("dark", f"{percent(now.dark, c.n)} dark{_waits(c, short)}"))
    if c.darkening:
        at, many = c.darkening[0]
        when = clock(at, c.at)
        found.append(("soon", f"{when}: {many:,} dark" if short else f"dark begins {when} for {entities(many)}"))
    elif not now.dark:
        when = clock(c.hours[-1].date.shift(1), c.at)
        found.append(("until", f"until {when}" if short else f"nobody dark until {when}"))
    return found


def _waits(c: Coverage, short: bool) -> str:
    """Whether those that are dark now may only have to wait for their wave."""
    waits = (c.now.who & c.awaited).bit_count()
    if waits == c.now.dark:
        return " yet"
    return f", {waits:,} of them yet to run" if waits and not short else ""


def sentence(c: Coverage, *, short: bool = False) -> str:
    """`98.2 % fresh · 1.5 % covered (oldest 3 h) · 0.3 % dark · dark begins 17:00 for 212 entities`; short for narrow terminals:
    `98.2 % fresh · 1.5 % older (3 h) · 0.3 % dark · 17:00: 212 dark`."""
    return " · ".join(text for _, text in words(c, short=short))


def entities(number: int) -> str:
    """`1 entity`, `12,075 entities`."""
    return f"{number:,} {'entity' if number == 1 else 'entities'}"


def percent(some: int, of: int) -> str:
    """A share that is 0 only when none is and 100 only when all are: `0 %`, `<0.1 %`, `98.2 %`, `99.9 %`, `100 %`."""
    if some in (0, of):
        return "100 %" if some else "0 %"
    share = 100 * some / of
    return "<0.1 %" if share < 0.1 else f"{min(round(share, 1), 99.9)} %"


def clock(date: Date, at: Date) -> str:
    """An hour beside another: `17:00`, on another day `11-28 02:00`; a day of a daily flow whole."""
    if not date.hourly:
        return str(date)
    return f"{date[11:]}:00" if date[:10] == at[:10] else f"{date[5:10]} {date[11:]}:00"


def ago(at: Date, age: int) -> str:
    """So many steps: `3 h`, `2 d`."""
    return f"{age} {'h' if at.hourly else 'd'}"


def ages(at: Date, hour: Hour) -> str:
    """How old what serves an hour is: `1–3 h`; "" when it is fresh."""
    if not hour.older:
        return ""
    low, high = min(hour.older), hour.oldest
    return ago(at, high) if low == high else f"{low}–{ago(at, high)}"


def pieces(hour: Hour, n: int, width: int) -> list[tuple[int, int]]:
    """An hour as a bar of `width` cells: (steps older, cells), 0 for fresh and -1 for dark, in that order from fresh to dark. What counts
    somebody has a cell at least, the dark before all others; the rest is shared by largest remainder."""
    present = [(age, count) for age, count in ((0, hour.fresh), *sorted(hour.older.items()), (-1, hour.dark)) if count]
    present = present if len(present) <= width else present[len(present) - width :]
    shares = [count * width / n for _, count in present]
    cells = [int(share) for share in shares]
    for at in sorted(range(len(cells)), key=lambda i: cells[i] - shares[i])[: width - sum(cells)]:
        cells[at] += 1
    for at in (i for i, size in enumerate(cells) if not size):
        cells[cells.index(max(cells))] -= 1
        cells[at] += 1
    return [(age, size) for (age, _), size in zip(present, cells, strict=True)]


def shade(age: int) -> str:
    """The sign that a bar is made of, for each age."""
    return "×" if age < 0 else "█" if not age else SHADES[min(age, len(SHADES)) - 1]


def bar(hour: Hour, n: int, width: int = BAR) -> str:
    """An hour as text: `██████▓▒░××`: fresh, one step older, two, more; dark."""
    return "".join(shade(age) * cells for age, cells in pieces(hour, n, width))


def loudest(found: Sequence[Coverage]) -> list[Coverage]:
    """The worst first: who is dark now, then who goes dark soonest, then the least fresh."""

    def key(c: Coverage) -> tuple[object, ...]:
        soon = c.darkening[0] if c.darkening else ("9", 0)
        return -c.share(c.dark_now), str(soon[0]), -soon[1], c.share(c.now.fresh)

    return sorted(found, key=key)


def is_loud(c: Coverage) -> bool:
    """Whether somebody should look: an entity is dark now and no running wave may help, or goes dark before a fresh forecast would."""
    return bool(c.dark_now or c.darkening)


def runs(c: Coverage) -> list[tuple[Date, Date, Hour]]:
    """Hours in which the same serves the same number, put together: the first, the last, and one of them."""
    found: list[tuple[Date, Date, Hour]] = []
    for hour in c.hours:
        if found and (found[-1][2].fresh, found[-1][2].older, found[-1][2].who) == (hour.fresh, hour.older, hour.who):
            found[-1] = found[-1][0], hour.date, found[-1][2]
        else:
            found.append((hour.date, hour.date, hour))
    return found


@dataclass(frozen=True)
class Partition:
    """A partition's row: of its `entities` so many are not served fresh (`lost`), so many go `dark`, the first at `first`."""

    name: str
    entities: int
    lost: int
    dark: int
    first: str
    folded: bool


@dataclass(frozen=True)
class Who:
    """An entity's row. `dark`: the hour from which nothing serves it, in short; `by`: the date of what does, and how old that is."""

    entity: str
    partition: str
    dark: str
    by: str
    older: str
    awaited: bool


def grouped(c: Coverage) -> list[tuple[Partition, list[Who]]]:
    """By partition, the worst first, those that are not served fresh."""
    lost, step = c.lost(), c.at.step.total_seconds()
    who: dict[str, list[Who]] = {}
    for one in lost:
        told = lost_row(c, one)
        older = ago(c.at, round(told.age / step)) if told.age else ""
        dark = clock(one.dark_from, c.at) if one.dark_from else ""
        who.setdefault(one.partition, []).append(Who(told.entity, told.partition, dark, told.served_by, older, one.awaited))
    return [
        (Partition(decode_entity(p), n, len(who[p]), dark, clock(first, c.at) if first else "", False), who[p])
        for p, (n, dark, first) in by_partition(c, lost).items()
        if p in who
    ]
