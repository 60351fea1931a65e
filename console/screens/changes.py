"""What is different in a wave from the one before it. What is as before is one faint line a section."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator, parse
from console.pattern import BadPattern, has_words
from console.reports.changes import SECTIONS, Change, Changes, Section
from console.screens.chrome import Header, Piece, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.verbs import WaveVerbs
from console.screens.words import many
from console.sources.changes import ChangesSource
from console.theme import Palette
from console.widgets.text import clean, fit
from engine.status import Status

Row = Change | Section
"""A difference, or a section that has none."""


class ChangeList(RowList):
    """A row a difference: what, before, now, which; and one faint row for each section that is as before."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[Row, ...] = ()
        self._empty = "asking Redis …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Change | None:
        """The difference under the cursor."""
        row = self.rows[self.cursor] if self.rows else None
        return row if isinstance(row, Change) else None

    def key(self, number: int) -> Hashable:
        row = self.rows[number]
        return (row.section, row.what) if isinstance(row, Change) else row

    def update(self, rows: Sequence[Row], empty: str) -> None:
        """Shows `rows`; the cursor stays with its difference."""
        chosen = self.key(self.cursor) if self.rows else None
        self.rows, self._empty = tuple(rows), empty
        keys = [self.key(number) for number in range(self.count)]
        if chosen in keys:
            self.cursor = keys.index(chosen)
        self.changed()

    def empty(self) -> str:
        return self._empty

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells of what, of each value, and of which."""
        told = [row for row in self.rows if isinstance(row, Change)]
        what = min(max([16, *(cell_len(clean(c.what)) for c in told)]), max(width // 3, 22))
        value = min(max([6, *(cell_len(clean(x)) for c in told for x in (c.before, c.now))]), max((width - what) // 4, 11))
        return what, value, max(width - what - 2 * value - 11, 0)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        what, value, which = self._widths(width)
        yield f"    {fit('WHAT', what)}  {'BEFORE':>{value}}   {'NOW':>{value}}  {fit('WHICH', which)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        yield self.lead(number), palette.lit
        row = self.rows[number]
        if not isinstance(row, Change):
            yield f"= {SECTIONS[row]}: as before", palette.faint
            return
        what, value, which = self._widths(width)
        loud = _loud(row, palette)
        yield "! " if row.loud else "· ", loud if row.loud else palette.muted
        yield fit(row.what, what) + "  ", loud if row.loud else palette.text
        yield _right(row.before, value), palette.muted
        yield " → ", palette.faint
        yield _right(row.now, value) + "  ", palette.lit if row.loud else palette.text
        yield fit(row.which, which), palette.muted


def _loud(change: Change, palette: Palette) -> Style:
    """Red is for what failed; blocked is told apart from it."""
    if change.section in ("entities", "families"):
        return palette.style(Status.BLOCKED if "blocked" in change.what else Status.FAILED)
    return palette.lit


def _right(text: str, width: int) -> str:
    shown = fit(text, width).rstrip()
    return " " * (width - cell_len(shown)) + shown


class ChangesScreen(WaveVerbs):
    """Differences, one a row; enter shows where they are."""

    scope = "changes"
    AUTO_FOCUS = "ChangeList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("changes")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: Changes | None = None

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of, "changes"])
        yield FilterBar("words of what changed … · !not")
        yield Rule(id="rule")
        yield ChangeList(id="changes").set_class(True, "panel")
        yield self.foot()

    def source(self) -> Source:
        return ChangesSource(self.place.of)

    def show(self, body: object) -> None:
        assert isinstance(body, Changes)  # noqa: S101
        self._news = body
        self.place = replace(self.place, wave=body.wave, name=body.locator)
        facts = ["the wave still runs"] if body.running else []
        self.query_one(Header).tell(["waves", body.locator, "changes"], facts)
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        news = self._news
        if news is None:
            return
        try:
            shown: list[Row] = [c for c in news.lines if matches(c, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        none = "no difference matches; esc clears the filter" if self.place.filter else "nothing to compare with"
        self.query_one(ChangeList).update(shown if self.place.filter else [*shown, *news.same], none)
        self.query_one(Rule).tell(headline(news), f"{many(len(shown), 'difference')}")

    @on(RowList.Chosen)
    def _open(self) -> None:
        change = self.query_one(ChangeList).chosen
        if change is not None and change.place:
            self.deck.go(parse(change.place))

    def copied(self) -> str:
        change = self.query_one(ChangeList).chosen
        return clean(f"{change.what}: {change.before} → {change.now} {change.which}".strip()) if change else ""


def headline(news: Changes) -> str:
    """What is compared with what, or that nothing is different."""
    if not news.before:
        return "there is no earlier wave of this flow and version to compare with"
    against = {"re-run of": f"{news.before}, which it runs again", "base version": f"{news.before}, of its base version"}
    name = against.get(news.why, news.before)
    return f"against {name}" if news.lines else f"nothing is different from {name}"


def matches(change: Change, query: str) -> bool:
    """Whether a change has all words of the query: regular expressions; `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    text = " ".join([change.section, change.what, change.before, change.now, change.which])
    return has_words(text, query)
