"""A flow's waves over months, from the ledger: trends above, a row a wave below."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.pattern import BadPattern, has_words
from console.reports.history import FlowHistory, Past, Trend
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Line, Piece, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.words import many
from console.sources.history import HistorySource
from console.theme import Palette
from console.widgets.sparks import spark
from console.widgets.text import clean, fit, short_count, short_seconds
from engine.status import Status

SHOWN = ("seconds", "failure rate", "fallbacks", "busy slot seconds")
"""Trends that have a line."""
NAMES = {"seconds": "took", "failure rate": "failed", "fallbacks": "covered", "busy slot seconds": "slot time"}
OFF = 1.3
"""From this ratio on, a trend is set apart."""


class TrendLine(Line):
    """A number over the waves: a bar a wave, the newest on the right, and what is usual now against before."""

    DEFAULT_CSS = "TrendLine { background: $background; }"

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self._trend: Trend | None = None

    def put(self, trend: Trend | None) -> None:
        """Shows a trend."""
        if trend != self._trend:
            self._trend = trend
            self.refresh()

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        trend = self._trend
        yield f" {NAMES[self.what]:<10}", palette.muted
        if trend is None:
            yield "–", palette.faint
            return
        told = number_of(self.what, trend.now)
        before = f", {number_of(self.what, trend.before)} before" if trend.before is not None else ""
        ratio = f" ({trend.ratio:.1f}×)" if trend.ratio and (trend.ratio >= OFF or trend.ratio <= 1 / OFF) else ""
        words = f"  {told}{before}{ratio}"
        numbers = trend.numbers[-max(width - 12 - cell_len(words), 8) :]
        yield spark(numbers), palette.text
        yield words, palette.lit if ratio or (trend.before == 0 and trend.now > 0) else palette.muted


def number_of(what: str, value: float) -> str:
    """A trend's number as people read it."""
    if "seconds" in what:
        return short_seconds(value)
    return f"{value:.1%}" if "rate" in what else f"{value:,.0f}"


class PastList(RowList):
    """A row a wave, the newest first."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[Past, ...] = ()
        self._empty = "asking Redis …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Past | None:
        """The wave under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def key(self, number: int) -> Hashable:
        return self.rows[number].wave, self.rows[number].created

    def update(self, rows: Sequence[Past], empty: str) -> None:
        """Shows `rows`; the cursor stays with its wave once it has been moved."""
        before = self.key(self.cursor) if self.rows and self.cursor else None
        self.rows, self._empty = tuple(rows), empty
        keys = [self.key(number) for number in range(self.count)]
        if before in keys:
            self.cursor = keys.index(before)
        self.changed()

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield (
            f"  {'DATE':<13} {'ENTS':>6} {'TOOK':>7} {'✗ FAIL':>7} {'◌ BLOCK':>7} {'↺ COVER':>7} {'SLOTS':>5} {'BUSY':>7}  ",
            palette.muted,
        )
        yield "MOST FAILED, OR WHAT WAS SPECIAL" if width >= 100 else "WHY", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, here = self.rows[number], number == self.cursor
        yield self.lead(number), palette.lit
        yield f"{row.date:<13} ", palette.lit if here else palette.text
        yield f"{short_count(row.entities):>6} {short_seconds(row.seconds):>7} ", palette.text
        yield f"{short_count(row.failed):>7} ", palette.style(Status.FAILED) if row.failed else palette.faint
        yield f"{short_count(row.blocked):>7} ", palette.style(Status.BLOCKED) if row.blocked else palette.faint
        yield f"{short_count(row.fallbacks):>7} ", palette.text if row.fallbacks else palette.faint
        yield f"{row.slots or '–':>5} {short_seconds(row.cost['busy']):>7}  ", palette.muted
        yield fit(special(row), max(width - 70, 8)), palette.muted


def special(row: Past) -> str:
    """What sets a wave apart, in words."""
    told = [f"cancelled: {row.cancelled}"] if row.cancelled else []
    told += [f"re-run of {row.of}"] if row.of else []
    told += [f"{f['task']}: {f['type']}: {f['signature']} × {f['count']:,}" for f in row.failures[:1]]
    told += [] if row.there else ["expired"]
    return " · ".join(told)


class HistoryScreen(DeckScreen):
    """Trends and waves; enter opens one that is still there."""

    scope = "history"
    CSS_PATH = "history.tcss"
    AUTO_FOCUS = "PastList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("history")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: FlowHistory | None = None

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.path, "history"])
        yield FilterBar("words of a date, of what failed, who, code … · !not")
        for what in SHOWN:
            yield TrendLine(what)
        yield Rule(id="rule")
        yield PastList(id="past", classes="panel")
        yield self.foot()

    def source(self) -> Source:
        return HistorySource(self.place.path)

    def show(self, body: object) -> None:
        assert isinstance(body, FlowHistory)  # noqa: S101
        self._news = body
        self.place = replace(self.place, path=f"{body.flow}@{body.version}")
        self.query_one(Header).tell(["waves", self.place.path, "history"], [many(len(body.waves), "wave")])
        known = {trend.what: trend for trend in body.trends}
        for own in self.query(TrendLine):
            own.put(known.get(own.what))
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        if self._news is None:
            return
        try:
            found = [row for row in self._news.waves if matches(row, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        none = (
            "no wave matches; esc clears the filter" if self.place.filter else "the ledger has no wave of this flow and version"
        )
        self.query_one(PastList).update(found, none)
        self._tell()

    @on(RowList.Moved)
    def _tell(self) -> None:
        row = self.query_one(PastList).chosen
        if row is None:
            self.query_one(Rule).tell("")
            return
        code = f"code {', '.join(row.code)}" if row.code else ""
        price = row.cost["price"]
        told = [
            special(row),
            row.wave,
            f"by {row.by}",
            code,
            f"plan {row.plan}",
            f"config {row.config}",
            f"price {price:.4f}" if price is not None else "",
        ]
        self.query_one(Rule).tell(" · ".join(filter(None, told)), "" if row.there else "expired: only its record is left")

    @on(RowList.Chosen)
    def _open(self) -> None:
        row = self.query_one(PastList).chosen
        if row is not None and row.there:
            self.deck.go(Locator("wave", wave=row.wave, name=f"{row.flow}@{row.version} {row.date}"))
        elif row is not None:
            self.say(f"{row.wave} has expired; what is left of it stands in this row")

    def copied(self) -> str:
        row = self.query_one(PastList).chosen
        if row is None:
            return ""
        counts = f"{row.failed:,} failed, {row.blocked:,} blocked, {row.fallbacks:,} covered"
        return clean(
            f"{row.flow}@{row.version} {row.date} {row.wave} {row.phase}: {row.entities:,} entities in {short_seconds(row.seconds)}, {counts}"
        )


def matches(row: Past, query: str) -> bool:
    """Whether a wave has all words of the query: regular expressions; `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    return has_words(
        " ".join([row.wave, row.date, row.phase, row.by, row.trigger, special(row), *row.code, *row.images]), query
    )
