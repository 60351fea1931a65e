"""The log of acts: who started, re-ran and cancelled what, when, from where."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.moment import now
from console.pattern import BadPattern, has_words
from console.reports.acts import ActRow
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import Piece, RowList
from console.screens.words import ago, many, unix
from console.sources.acts import PAGE, ActsNews, ActsSource
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_count
from engine.status import Status


class ActList(RowList):
    """A row an act, the newest first. The cursor stays with its act, once it has been moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[ActRow, ...] = ()
        self._empty, self._by, self._wave = "asking Redis …", 8, 12

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> ActRow | None:
        """The act under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def update(self, rows: Sequence[ActRow], empty: str) -> None:
        """Shows `rows`."""
        before = self.chosen
        self.rows, self._empty = tuple(rows), empty
        self._by = _widest([row.by for row in rows], 6, 28)
        self._wave = _widest([row.locator for row in rows], 16, 44)
        ids = [row.id for row in rows]
        if before is not None and self.cursor and before.id in ids:
            self.cursor = ids.index(before.id)
        self.changed()

    def key(self, number: int) -> Hashable:
        return self.rows[number].id

    def empty(self) -> str:
        return self._empty

    def _widths(self, width: int) -> tuple[int, int, int, int, int]:
        """Cells of when, who, from where, which wave, and detail; 0: not shown."""
        when = 19 if width >= 100 else 14
        left = width - 2 - 2 - (when + 1) - 10 - 7
        origin = 9 if width >= 100 else 0
        left -= origin + 1 if origin else 0
        wave = min(self._wave, max(left - min(self._by, 12) - 1, 12))
        left -= wave + 1
        by = min(self._by, max(left, 0))
        left -= by + 1
        return when, by, origin, wave, left if left >= 10 else 0

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        when, by, origin, wave, detail = self._widths(width)
        yield f"    {fit('WHEN', when)} {fit('WHAT', 9)} {'ENTS':>6} {fit('WAVE', wave)} {fit('WHO', by)}", palette.muted
        if origin:
            yield f" {fit('FROM', origin)}", palette.muted
        if detail:
            yield f" {fit('WITH', detail)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, here = self.rows[number], number == self.cursor
        when, by, origin, wave, detail = self._widths(width)
        quiet = row.verb in ("schedule", "skip")
        yield self.lead(number), palette.lit
        yield f"{look(Status.CANCELLED).glyph if row.verb == 'cancel' else ' '} ", palette.muted
        yield f"{moment_of(row.at, when):<{when}} ", palette.muted
        yield f"{fit(row.did, 9)} ", palette.muted if quiet else palette.lit
        yield f"{short_count(row.entities):>6} ", palette.muted if quiet else palette.text
        yield fit(row.locator, wave) + " ", palette.lit if here else palette.muted if quiet else palette.text
        yield fit(row.by, by), palette.muted if quiet else palette.text
        if origin:
            yield f" {fit(row.origin, origin)}", palette.muted
        if detail:
            yield f" {fit(row.detail, detail)}", palette.muted


class ActsScreen(DeckScreen):
    """Who did what. Older acts are read as one goes down to them."""

    scope = "acts"
    CSS_PATH = "acts.tcss"
    AUTO_FOCUS = "ActList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("acts")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = ActsSource()
        self._news: ActsNews | None = None

    def compose(self) -> ComposeResult:
        yield Header(["waves", "acts"])
        yield FilterBar("words of who, what, flow, version, from where … · !not")
        yield ActList(id="acts").set_class(True, "panel")
        yield Rule(id="rule")
        yield self.foot()

    def source(self) -> Source:
        return self._source

    def show(self, body: object) -> None:
        assert isinstance(body, ActsNews)  # noqa: S101
        self._news = body
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        if self._news is None:
            return
        rows = self._news.rows
        try:
            found = [row for row in rows if matches(row, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        none = "no act matches; esc clears the filter" if self.place.filter else "nobody has done anything yet"
        self.query_one(ActList).update(found, none)
        older = ", and older ones" if self._news.more else ""
        self.query_one(Header).tell(["waves", "acts"], [f"{many(len(rows), 'act')}{older}"])
        self._tell()

    @on(RowList.Moved)
    def _tell(self) -> None:
        acts = self.query_one(ActList)
        if acts.chosen is not None:
            self.query_one(Rule).tell(sentence(acts.chosen), ago(now() - (unix(acts.chosen.at) or now())))
        elif self._news is not None:
            self.query_one(Rule).tell("")
        if self._news is not None and self._news.more and acts.cursor >= acts.count - 1:
            self._source.wanted = len(self._news.rows) + PAGE
            self.feed.wake()

    @on(RowList.Chosen)
    def _open(self) -> None:
        row = self.query_one(ActList).chosen
        if row is not None and row.wave:
            self.deck.go(Locator("wave", wave=row.wave, name=row.locator))

    def copied(self) -> str:
        row = self.query_one(ActList).chosen
        return f"{row.at[:19]}Z {sentence(row)} {clean(row.wave)}".strip() if row else ""


def sentence(row: ActRow) -> str:
    """An act as one says it, on one line."""
    what = f"{many(row.entities, 'entity', 'entities')} of {row.locator}" if row.flow else row.locator
    return clean(f"{row.by} {row.did} {what} from {row.origin or 'somewhere'}" + (f": {row.detail}" if row.detail else ""))


def matches(row: ActRow, query: str) -> bool:
    """Whether an act has all the query's words: regular expressions; `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    text = " ".join([row.at, row.verb, row.did, row.by, row.origin, row.locator, row.wave, row.detail])
    return has_words(text, query)


def moment_of(at: str, width: int) -> str:
    """A moment in the time of this machine: `2013-07-01 14:06:31`, or `07-01 14:06:31` where there is less room."""
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix(at) or 0.0))
    return text if width >= 19 else text[5:]


def _widest(texts: Sequence[str], least: int, most: int) -> int:
    return min(max([least, *(cell_len(clean(text[:100])) for text in texts)]), most)
