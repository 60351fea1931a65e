"""The list of waves: one row a wave, what failed first."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from console import moment
from console.pattern import has_words
from console.screens.rows import Piece, RowList
from console.screens.wave_columns import SORTS, STATE, Column, Shape, by, shape
from console.theme import Palette, look
from console.widgets.bar import progress
from console.widgets.text import clean, fit
from engine.status import Status

if TYPE_CHECKING:
    from console.views import WaveRow

SORTED = "▾"
NOTHING_YET = ("failed", "blocked", "rate")
"""Columns, next to the bar, that have nothing to say of a wave that is queued."""


def matches(row: WaveRow, query: str) -> bool:
    """Whether a wave has all the query's words: regular expressions, `!` turns one round; `failed`, `blocked`, `slower` too.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    bad = [s.value for s in (Status.FAILED, Status.BLOCKED) if row.counts[s]]
    words = row.normal.words if row.normal else ""
    text = " ".join([f"{row.flow}@{row.version}", row.date, by(row), row.phase, row.id, words, *bad])
    return has_words(text, query)


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


def waits_for(row: WaveRow, served: Collection[str] | None) -> str:
    """Why a queued wave is; `served`: versions that have workers, None when that is not known."""
    if row.late and not row.eta:
        return "overdue: nothing of it starts"
    if served is not None and row.version not in served:
        return f"queued, no worker of {row.version}"
    if not row.behind:
        return "queued"
    name, _, date = row.behind.rpartition(" ")
    day, _, hour = date.partition("T")
    return f"queued behind {name} {hour if hour and row.date.startswith(day) else date}"


class WaveList(RowList):
    """The waves. The cursor stays with its wave when newer ones come, once it has been moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[WaveRow, ...] = ()
        self.sort = "newest"
        self._shape = shape(80, ())
        self._empty = "asking Redis …"
        self._served: Collection[str] | None = None

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

    def update(self, rows: Sequence[WaveRow], empty: str, served: Collection[str] | None = None) -> None:
        """Shows `rows`, newest first, as they are to be sorted, or says `empty`. `served`: versions that have workers."""
        before, shown, around = self.chosen, self._rows, (self._empty, self._served, self._shape)
        self._rows, self._empty, self._served = tuple(sorted(rows, key=SORTS[self.sort])), empty, served
        if before is not None and self.cursor:
            ids = [row.id for row in self._rows]
            self.cursor = ids.index(before.id) if before.id in ids else min(self.cursor, max(len(ids) - 1, 0))
        self._shape = self._fitting()
        if around != (self._empty, self._served, self._shape) or [r.id for r in shown] != [r.id for r in self._rows]:
            self.changed()
            return
        for number, (old, new) in enumerate(zip(shown, self._rows, strict=True)):
            if old != new:
                self.repaint_row(number)

    def changed(self) -> None:
        self._shape = self._fitting()
        super().changed()

    def _fitting(self) -> Shape:
        return shape(max(self.size.width - 1, 0), self._rows)

    def key(self, number: int) -> Hashable:
        return self._rows[number].id

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        s = self._shape
        sign = s.sign(self.sort)

        def title(name: str, text: str) -> Piece:
            return (text + SORTED, palette.lit) if name == sign else (text, palette.muted)

        yield "    ", palette.muted
        for name, cells in (("flow", s.flow), ("version", s.version), ("date", s.date)):
            text, style = title(name, name.upper())
            yield fit(text, cells + 1), style
        yield fit("PROGRESS", s.how_far), palette.muted
        for column in s.columns:
            text, style = title(column.name, column.title)
            cells = column.width + s.gap
            yield f"{' ' * s.gap + text:<{cells}}"[:cells] if column.left else f"{text:>{cells}}", style

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        row, s, now = self._rows[number], self._shape, moment.now()
        here = number == self.cursor
        status, label = phase_look(row)
        quiet = row.phase in ("finished", "cancelled")
        yield self.lead(number), palette.lit
        yield f"{look(status).glyph} ", palette.style(status)
        yield fit(row.flow, s.flow) + " ", palette.lit if here else palette.text
        yield fit(row.version, s.version) + " ", palette.muted if quiet else palette.text
        yield fit(row.date if s.year else row.date[5:], s.date) + " ", palette.muted if quiet else palette.text
        if row.phase == "queued":
            yield self._waits(row), palette.muted
        else:
            yield from self._how_far(row, label, palette, quiet)
        for column in s.columns:
            if row.phase == "queued" and column.name in NOTHING_YET:
                continue
            text = column.say(row, now)
            text = fit(text, column.width) if column.left else f"{text:>{column.width}}"
            yield " " * s.gap + text, self._style(row, column, palette, quiet)

    def _waits(self, row: WaveRow) -> str:
        """Why it has not begun, instead of the bar and of columns that would say nothing."""
        s, words = self._shape, waits_for(row, self._served)
        cells = s.how_far + sum(c.width + s.gap for c in s.columns if c.name in NOTHING_YET)
        return fit(words if cell_len(clean(words)) <= cells else words.removeprefix("queued").lstrip(", "), cells)

    def _how_far(self, row: WaveRow, label: str, palette: Palette, quiet: bool) -> Iterator[Piece]:
        cells = self._shape.how_far
        bar = max(cells - 1 - max(STATE, len(label)), 0)
        for status, many in progress({Status(s): n for s, n in row.counts.items()}, bar).bar:
            yield look(status).block * many, palette.bars[status]
        yield fit(f" {label}", cells - bar), palette.muted if quiet else palette.text

    def _style(self, row: WaveRow, column: Column, palette: Palette, quiet: bool) -> Style:
        if column.name == "versus" and row.normal is not None and row.normal.loud:
            return palette.style(Status.FAILED) if " fail" in row.normal.words else palette.lit
        if column.status is not None:
            return palette.style(column.status) if row.counts[column.status] else palette.faint
        return palette.muted if quiet or column.left else palette.text
