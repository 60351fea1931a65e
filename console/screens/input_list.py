"""The inputs that a task was given: whose, how old, how large; where the last good one is of those that were missing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from rich.cells import cell_len

from console.reports.told import size_words
from console.reports.used import Used, short_date
from console.screens.rows import Piece, RowList
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_seconds
from engine.keys import PipeKey
from engine.status import Cell

STATE = len("2013 of 2013")
GLYPHS = {
    "fresh": Cell.FINISHED,
    "base": Cell.FALLBACK,
    "older": Cell.FALLBACK,
    "history": Cell.FINISHED,
    "missing": Cell.BLOCKED,
    "there": Cell.FINISHED,
    "awaited": Cell.PENDING,
}


class InputList(RowList):
    """A row an input of the chosen task."""

    class Moved(RowList.Moved):
        """The cursor stands on another input."""

    class Chosen(RowList.Chosen):
        """The person wants to see the pipe of the input."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._inputs: tuple[Used, ...] = ()
        self._version, self._date, self._empty = "", "", "asking Redis …"

    @property
    def count(self) -> int:
        return len(self._inputs)

    @property
    def chosen(self) -> Used | None:
        """The input under the cursor."""
        return self._inputs[self.cursor] if self._inputs else None

    def update(self, inputs: Sequence[Used], version: str, date: str, empty: str) -> None:
        """Shows `inputs` of a task of a wave of this version and date; `empty` says why there are none."""
        if (tuple(inputs), version, date, empty) != (self._inputs, self._version, self._date, self._empty):
            self._inputs, self._version, self._date, self._empty = tuple(inputs), version, date, empty
            self.changed()

    def key(self, number: int) -> Hashable:
        return self._inputs[number].name

    def lead(self, number: int) -> str:
        return super().lead(number) if self.has_focus else "  "

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        yield f"    {fit('INPUT', self._names())} {'STATE':<{STATE}} {'SIZE':>8}  FROM", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        used, names = self._inputs[number], self._names()
        cell = GLYPHS[used.state]
        loud = palette.style(cell) if used.state in ("missing", "older", "base") else palette.muted
        yield self.lead(number), palette.lit
        yield f"{look(cell).glyph} ", palette.style(cell)
        yield fit(used.name, names) + " ", palette.lit if number == self.cursor and self.has_focus else palette.text
        yield fit(state_words(used), STATE) + " ", loud
        yield f"{size_words(used.bytes):>8}  ", palette.muted
        room = max(width - (4 + names + 1 + STATE + 1 + 10), 0)
        yield fit(self.place_words(used), room), palette.text if used.missing else palette.muted

    def place_words(self, used: Used) -> str:
        """Where an input is from: `main 2013-08-22T23`; where the last good one lies of one that is missing."""
        if used.missing:
            late = " · not waited for any longer" if used.timed_out else ""
            if not used.good:
                return f"no earlier one either{late}"
            good = PipeKey.parse(used.good)
            whose = f" of {good.version}" if good.version != self._version else ""
            return f"last good: {short_date(str(good.date), self._date)}{whose} ({short_seconds(used.good_age)} old){late}"
        if used.state == "history":
            return f"{used.version} before {self._date}"
        return f"{used.version} {used.date}" if used.state != "awaited" else "not there"

    def copied(self, number: int) -> str:
        """A row as text: the key where there is one."""
        used = self._inputs[number]
        return used.key if used.key and not used.missing else f"{used.words}  {self.place_words(used)}"

    def _names(self) -> int:
        return min(max([8, *(cell_len(clean(i.name)) for i in self._inputs)]), 20)


def state_words(used: Used) -> str:
    """The state of an input in a column."""
    if used.state == "older":
        return f"{short_seconds(used.age)} old"
    if used.state == "history":
        return f"{used.count} of {used.of}"
    return used.state
