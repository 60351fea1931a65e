"""The list of waves: one row a wave, what failed first."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from console import moment
from console.screens.rows import Piece, RowList
from console.screens.words import age, rate, unix
from console.theme import Palette, look
from console.widgets.bar import progress
from console.widgets.text import clean, fit, short_count, short_seconds
from engine.status import Status

if TYPE_CHECKING:
    from console.views import WaveRow

BAR_LEAST, BAR_MOST = 10, 48
BAD, MISSING = look(Status.FAILED).glyph, look(Status.BLOCKED).glyph


@dataclass(frozen=True, slots=True)
class Column:
    """A column of plain text right of the bar: header, cells, what it says of a row now, and whether zero is faint."""

    title: str
    width: int
    say: Callable[[WaveRow, float], str]
    status: Status | None = None


def _count(status: Status) -> Callable[[WaveRow, float], str]:
    return lambda row, now: short_count(row.counts[status])  # noqa: ARG005


def _eta(row: WaveRow, _now: float) -> str:
    return short_seconds(row.eta) if row.phase == "running" else "–"


def _took(row: WaveRow, _now: float) -> str:
    return short_seconds(row.seconds) if row.started else "–"


def _age(row: WaveRow, now: float) -> str:
    return age(now - (unix(row.created) or now))


def by(row: WaveRow) -> str:
    """Who or what started it."""
    return "schedule" if row.trigger.startswith("schedule:") else row.by.partition("@")[0]


ALWAYS = (
    Column(f"{BAD} FAIL", 6, _count(Status.FAILED), Status.FAILED),
    Column(f"{MISSING} BLOCK", 7, _count(Status.BLOCKED), Status.BLOCKED),
    Column("ETA", 6, _eta),
)
WIDER = (
    Column("AGE", 4, _age),
    Column("RATE", 7, lambda row, _: rate(row.rate) if row.phase == "running" else "–"),
    Column("TOOK", 6, _took),
    Column("ENTITIES", 8, lambda row, _: f"{row.entities:,}"),
)
ORDER = ("ENTITIES", f"{BAD} FAIL", f"{MISSING} BLOCK", "RATE", "ETA", "TOOK", "AGE")
BY = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths in cells: of flow, version, date, bar, the word for how far it is, and by (0: not shown), and the columns between."""

    flow: int
    version: int
    date: int
    bar: int
    state: int
    columns: tuple[Column, ...]
    by: int


def shape(width: int, rows: Sequence[WaveRow]) -> Shape:
    """What fits: the bar takes what is left; in need go who, entities, run time, rate and age, and names are cut."""
    flow = _width([r.flow for r in rows], 4, 20)
    version = _width([r.version for r in rows], 7, 24)
    date = _width([r.date for r in rows], 10, 13)
    state = max([4, *(len(phase_look(row)[1]) for row in rows)])
    columns = list(ALWAYS)
    left = width - 4 - (flow + version + date + 3) - (state + 2) - sum(c.width + 2 for c in columns)
    while left < BAR_LEAST and (flow > 8 or version > 8):
        left += 1
        flow, version = (flow - 1, version) if flow >= version else (flow, version - 1)
    for column in WIDER:
        if left - column.width - 2 >= BAR_LEAST:
            columns.append(column)
            left -= column.width + 2
    who = 0
    if len(columns) == len(ALWAYS) + len(WIDER) and left - BY - 2 >= BAR_LEAST:
        who, left = BY, left - BY - 2
    bar = max(min(left, BAR_MOST), 4)
    if who and left > bar:
        who = min(who + left - bar, 28)
    return Shape(flow, version, date, bar, state, tuple(sorted(columns, key=lambda c: ORDER.index(c.title))), who)


def _width(texts: Sequence[str], least: int, most: int) -> int:
    return min(max([least, *(cell_len(clean(t[:100])) for t in texts)]), most)


def matches(row: WaveRow, query: str) -> bool:
    """Whether a wave has all the query's words: regular expressions, `!` turns one round; `failed` and `blocked` too.

    Raises:
        re.error: a word is no regular expression.
    """
    bad = [s.value for s in (Status.FAILED, Status.BLOCKED) if row.counts[s]]
    text = " ".join([f"{row.flow}@{row.version}", row.date, by(row), row.phase, row.id, *bad])
    return all(
        bool(re.search(word.removeprefix("!"), text, re.IGNORECASE)) is not word.startswith("!") for word in query.split()
    )


def phase_look(row: WaveRow) -> tuple[Status, str]:
    """A wave's status, and the word for how far it is."""
    if row.phase == "cancelled":
        return Status.CANCELLED, "cancelled"
    if row.phase == "queued":
        return Status.PENDING, "queued"
    if row.phase == "finished":
        worst = next((s for s in (Status.FAILED, Status.BLOCKED) if row.counts[s]), Status.FINISHED)
        return worst, "done"
    return Status.RUNNING, progress({Status(s): n for s, n in row.counts.items()}, 1).label


class WaveList(RowList):
    """The waves. The cursor stays with its wave when newer ones come, once it has been moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[WaveRow, ...] = ()
        self._shape = shape(80, ())
        self._empty = "asking Redis …"

    @property
    def rows(self) -> tuple[WaveRow, ...]:
        """What is shown."""
        return self._rows

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def chosen(self) -> WaveRow | None:
        """The wave under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    def update(self, rows: Sequence[WaveRow], empty: str) -> None:
        """Shows `rows`, or says `empty`."""
        before = self.chosen
        self._rows, self._empty = tuple(rows), empty
        if before is not None and self.cursor:
            ids = [row.id for row in rows]
            self.cursor = ids.index(before.id) if before.id in ids else min(self.cursor, max(len(ids) - 1, 0))
        self.changed()

    def changed(self) -> None:
        self._shape = shape(max(self.size.width - 1, 0), self._rows)
        super().changed()

    def key(self, number: int) -> Hashable:
        return self._rows[number].id

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        s = self._shape
        yield f"    {fit('FLOW', s.flow)} {fit('VERSION', s.version)} {fit('DATE', s.date)} ", palette.muted
        yield f"{fit('PROGRESS', s.bar)}  {' ' * s.state}", palette.muted
        for column in s.columns:
            yield f"  {column.title:>{column.width}}", palette.muted
        if s.by:
            yield f"  {fit('BY', s.by)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        row, s, now = self._rows[number], self._shape, moment.now()
        here = number == self.cursor
        status, label = phase_look(row)
        quiet = row.phase in ("finished", "cancelled")
        yield self.lead(number), palette.lit
        yield f"{look(status).glyph} ", palette.style(status)
        yield fit(row.flow, s.flow) + " ", palette.lit if here else palette.text
        yield fit(row.version, s.version) + " ", palette.muted if quiet else palette.text
        yield fit(row.date, s.date) + " ", palette.muted if quiet else palette.text
        yield from self._bar(row, palette)
        yield f"  {fit(label, s.state)}", palette.muted if quiet else palette.text
        for column in s.columns:
            yield f"  {column.say(row, now):>{column.width}}", self._style(row, column, palette, quiet)
        if s.by:
            yield f"  {fit(by(row), s.by)}", palette.muted

    def _bar(self, row: WaveRow, palette: Palette) -> Iterator[Piece]:
        done = progress({Status(s): n for s, n in row.counts.items()}, self._shape.bar).bar
        for status, cells in done:
            yield look(status).block * cells, palette.bars[status]
        yield " " * (self._shape.bar - sum(cells for _, cells in done)), palette.text

    def _style(self, row: WaveRow, column: Column, palette: Palette, quiet: bool) -> Style:
        if column.status is not None:
            return palette.style(column.status) if row.counts[column.status] else palette.faint
        return palette.muted if quiet else palette.text
