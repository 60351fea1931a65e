"""Families of failures as rows: those that failed, and below a line that folds them those that were blocked."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from console.reports.failures import Family
from console.screens.chrome import Piece
from console.screens.rows import RowList
from console.screens.words import clock, many, unix
from console.theme import Palette, look
from console.widgets.text import fit
from engine.status import Status

SORTS = ("count", "news", "first", "task")
MOST_BLOCKERS = 3
MIDDLE, WIDE = 104, 144
"""Cells of a list on a screen of 110 and of 150."""


@dataclass(frozen=True)
class Fold:
    """The line above blocked families."""

    families: int
    cells: int
    folded: bool


class FamilyList(RowList):
    """A row a family: how many, which task, what, where, new or known."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[Family | Fold, ...] = ()
        self.folded, self.sort = False, SORTS[0]
        self._empty = "asking Redis …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def row_here(self) -> Family | Fold | None:
        """What is under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    @property
    def chosen(self) -> Family | None:
        """The family under the cursor."""
        return row if isinstance(row := self.row_here, Family) else None

    @property
    def marked(self) -> list[Family]:
        """The families that are marked."""
        return [row for row in self.rows if isinstance(row, Family) and row.key in self.marks]

    def key(self, number: int) -> Hashable:
        row = self.rows[number]
        return row.key if isinstance(row, Family) else ""

    def action_mark(self) -> None:
        if self.chosen is not None:
            super().action_mark()
        else:
            self.action_move(1)

    def update(self, families: Sequence[Family], empty: str) -> None:
        """Shows `families`; the cursor stays with its own."""
        here = self.key(self.cursor) if self.rows else None
        self._empty = empty
        failed = sorted((f for f in families if f.status == Status.FAILED), key=self._order)
        blocked = sorted((f for f in families if f.status != Status.FAILED), key=self._order)
        fold = [Fold(len(blocked), sum(f.count for f in blocked), self.folded)] if blocked else []
        self.rows = (*failed, *fold, *(() if self.folded else blocked))
        keys = [self.key(number) for number in range(self.count)]
        if here in keys:
            self.cursor = keys.index(here)
        self.changed()

    def _order(self, family: Family) -> tuple[object, ...]:
        last = -family.count, family.task, family.signature
        if self.sort == "news":
            return (family.known, *last)
        if self.sort == "first":
            return (family.first or "~", *last)
        return (family.task, *last) if self.sort == "task" else last

    def empty(self) -> str:
        return self._empty

    def _widths(self, width: int) -> tuple[int, int, int, int, int]:
        """Cells of task, where, when first, news, and of what is between; 0: not shown."""
        families = [row for row in self.rows if isinstance(row, Family)]
        task = min(max([4, *(len(f.task) for f in families)]), 24 if width >= MIDDLE else 14)
        where = min(max([5, *(len(f.where) for f in families)]), 44 if width >= WIDE else 30) if width >= MIDDLE else 0
        first = 8 if width >= MIDDLE else 0
        news = max([5, *(len(f.news) for f in families)]) if width >= WIDE else 5
        rest = 4 + 7 + 1 + 5 + 1 + task + 1 + sum(w + 1 for w in (where, first) if w) + 1 + news
        return task, where, first, news, max(width - rest, 10)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        task, where, first, news, what = self._widths(width)
        yield f"    {'COUNT':>7} {'SHARE':>5} {fit('TASK', task)} {fit('WHAT', what)} ", palette.muted
        if where:
            yield f"{fit('WHERE', where)} {fit('FIRST', first)} ", palette.muted
        yield fit("NEWS", news), palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row = self.rows[number]
        yield self.lead(number), palette.lit
        if isinstance(row, Fold):
            yield f"{look(Status.BLOCKED).glyph} ", palette.style(Status.BLOCKED)
            yield fit(fold_words(row), width - 5), palette.muted
            return
        status = Status(row.status)
        task, where, first, news, what = self._widths(width)
        yield f"{look(status).glyph} ", palette.style(status)
        yield f"{row.count:>7,} ", palette.style(status)
        yield f"{share(row.share):>5} ", palette.muted
        yield fit(row.task, task) + " ", palette.lit if number == self.cursor else palette.text
        yield fit(what_of(row), what) + " ", palette.text if status == Status.FAILED else palette.muted
        if where:
            yield fit(row.where, where) + " ", palette.muted
            yield fit(at(row), first) + " ", palette.muted
        told = row.news if width >= WIDE else row.news.partition(" ")[0].rstrip(",")
        yield fit(told, news), palette.lit if told.startswith("new") else palette.muted


def fold_words(fold: Fold) -> str:
    """`blocked: 1,736 cells in 2 families, for want of an input · b hides them`."""
    told = f"blocked: {many(fold.cells, 'cell')} in {many(fold.families, 'family', 'families')}, for want of an input"
    return f"{told} · b {'shows' if fold.folded else 'hides'} them"


def share(value: float) -> str:
    """A share in at most four cells."""
    return f"{100 * value:.0f}%" if value >= 0.01 else "<1%"


def at(family: Family) -> str:
    """When the first of a family ended: `14:05:19`."""
    moment = unix(family.first)
    return clock(moment) if moment is not None else "–"


def what_of(family: Family) -> str:
    """What is the same of a family: of a blocked one first what kept it from running."""
    return f"by {blockers(family)}: {family.title}" if family.blocked_by else family.title


def blockers(family: Family) -> str:
    """`weather`, or `weather 800, sales 68`."""
    if len(family.blocked_by) == 1:
        return next(iter(family.blocked_by))
    named = [f"{task} {count:,}" for task, count in list(family.blocked_by.items())[:MOST_BLOCKERS]]
    return ", ".join(named) + (" …" if len(family.blocked_by) > MOST_BLOCKERS else "")
