"""All pipes of a name in two versions: what is different, which forecasts better, and two plots of it. The headless twin is
`wavedeck compare`; both show the same tables.
"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.pattern import BadPattern, has_words
from console.reports.compare import Report, headline, signed, when
from console.reports.compare_text import Block, blocks
from console.reports.levels import split
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Piece, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.sources.compare import SPAN, CompareNews, CompareSource, all_dates, facts
from console.theme import Palette
from console.widgets.text import clean, fit
from console.widgets.two_lines import Line, Plotted, TwoLines

if TYPE_CHECKING:
    from engine.compare import Compared
    from engine.store.connect import Client

GAP, LINE = 2, 74
FURTHEST, NAMED = "Furthest apart", ("Where ", "Furthest apart")


@dataclass(frozen=True)
class Row:
    """A line of a table: its block, its place there (-1: the headings, -2: the title, -3 and below: a note), and its cells."""

    block: int
    place: int
    cells: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it, as one reads it."""
        return " ".join(cell.strip() for cell in self.cells if cell.strip())


class Tables(RowList):
    """Tables one below the other, as rows of one list."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.blocks: tuple[Block, ...] = ()
        self.rows: tuple[Row, ...] = ()
        self._empty, self._head = "asking Redis …", ""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def key(self, number: int) -> Hashable:
        row = self.rows[number]
        return row.block, row.place

    def update(self, found: Sequence[Block], query: str, head: str, empty: str) -> None:
        """Shows these tables, or of their rows those that match.

        Raises:
            BadPattern: a word is no regular expression, or takes too long.
        """
        rows = [row for n, block in enumerate(found) for row in _rows(n, block)]
        if query:
            rows = [row for row in rows if row.place >= 0 and has_words(row.text, query)]
        self.blocks, self.rows, self._empty, self._head = tuple(found), tuple(rows), empty, head
        self.changed()

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield f"  {fit(self._head, max(width - 2, 0))}", palette.lit

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        yield self.lead(number), palette.lit
        row, room = self.rows[number], width - 2
        block = self.blocks[row.block]
        if row.place == -2:
            yield fit(f"── {row.text} ", min(cell_len(clean(row.text)) + 4, room)), palette.lit
        elif row.place < -2:
            yield fit(row.text, room), palette.text if row.block == 0 else palette.muted
        else:
            tone = palette.muted if row.place == -1 else palette.text
            for cell, wide, right in zip(row.cells, self._widths(block, room), _rights(block), strict=True):
                if wide > 0:
                    shown = fit(cell, wide)
                    yield (" " * (wide - len(shown.rstrip())) + shown.rstrip() if right else shown) + " " * GAP, tone

    def _widths(self, block: Block, room: int) -> list[int]:
        """Cells of each column: what its widest needs; the columns of text give way where there is no room, the last ones vanish."""
        lines = [tuple(h.rstrip(">") for h in block.heads), *block.rows]
        wides = [max(cell_len(clean(line[i][:80])) for line in lines) for i in range(len(block.heads))]
        for i, right in enumerate(_rights(block)):
            over = sum(wides) + GAP * len(wides) - room
            if over > 0 and not right and wides[i] > 12:
                wides[i] = max(wides[i] - over, 12)
        for i in range(len(wides) - 1, 0, -1):
            if sum(wides) + GAP * sum(w > 0 for w in wides) <= room:
                break
            wides[i] = 0
        return wides


def _rights(block: Block) -> list[bool]:
    return [head.endswith(">") for head in block.heads]


def _rows(number: int, block: Block) -> Iterator[Row]:
    yield Row(number, -2, (block.title,))
    if block.rows:
        yield Row(number, -1, tuple(head.rstrip(">") for head in block.heads))
    for place, cells in enumerate(block.rows):
        yield Row(number, place, cells)
    for place, line in enumerate(line for note in block.notes for line in textwrap.wrap(note, LINE)):
        yield Row(number, -3 - place, (line,))


class CompareScreen(DeckScreen):
    """Two versions of a pipe; enter on an entity shows it in both."""

    scope = "compare"
    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = "Tables"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("compare")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = CompareSource(place)
        self._report: Report | None = None
        self._turned = False

    def compose(self) -> ComposeResult:
        yield Header(["waves", "pipes", self.place.path])
        yield FilterBar("words of a row · !not")
        with Horizontal(id="plots"):
            yield TwoLines(id="first", classes="panel")
            yield TwoLines(id="second", classes="panel -other")
        yield Rule(id="rule")
        yield Tables(id="tables").set_class(True, "panel")
        yield self.foot()

    def on_mount(self) -> None:
        self._tell_header()
        self.query_one(Rule).tell("asking Redis …")
        self.set_class(True, "-plain")

    def source(self) -> Source:
        return self._source

    def moved(self, place: Locator) -> bool:
        self._go(place)
        return True

    def _go(self, place: Locator) -> None:
        if place != self.place:
            self.place = self._source.place = place
            self._report = None
            self.query_one(Rule).tell("asking Redis …")
            self._tell_header()
            self.feed.wake()
            self.deck.history.visit(place)

    def _tell_header(self) -> None:
        facts_ = [f"versus {self.place.other}", *([f"truth {self.place.task}"] if self.place.task else [])]
        self.query_one(Header).tell(["waves", "pipes", self.place.path, "compare"], facts_)

    def show(self, body: object) -> None:
        assert isinstance(body, CompareNews)  # noqa: S101
        if not body.place.same(self.place) or body.place.task != self.place.task:
            return
        rule = self.query_one(Rule)
        if body.error:
            rule.tell(body.error, bad=True)
            self.query_one(Tables).update((), "", "", "nothing to compare")
        elif body.report is None:
            left = f"comparing {body.done:,} of {body.total:,} entities …" if body.done < body.total else "adding up …"
            rule.tell(left)
        else:
            self._report = body.report
            self._list()
            self._plot()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        if self._report is None:
            return
        found = self._report.found
        none = "no row matches; esc clears the filter"
        try:
            shown = [Block("What came out", notes=(headline(found),)), *blocks(self._report)]
            self.query_one(Tables).update(shown, self.place.filter, f"{found.pipe}: {found.b} against {found.a}", none)
        except BadPattern as error:
            self.misread(error)
            return
        self.query_one(Rule).tell(when(found), f"{found.entities:,} entities")

    def _plot(self) -> None:
        assert self._report is not None  # noqa: S101
        plots = plots_of(self._report.found)
        self.set_class(not plots, "-plain")
        if plots:
            turned = plots[::-1] if self._turned else plots
            self.query_one("#first", TwoLines).put(turned[0])
            self.query_one("#second", TwoLines).put(turned[-1] if len(turned) > 1 else Plotted())
            self.query_one("#second").display = len(turned) > 1 and not self.has_class("-narrow")

    # what keys do

    def action_plot(self) -> None:
        """The other plot first."""
        self._turned = not self._turned
        if self._report is not None:
            self._plot()

    def action_truth(self) -> None:
        """Against the next pipe that may say what really happened; then against none."""
        place = self.place

        def question(redis: Client) -> object:
            from engine.store.catalog import Catalog

            version, name = split(place.path, Catalog(redis).versions())
            return place, facts(redis, version, place.other, name)

        self.deck.errand(self, "truth", question)

    def action_dates(self) -> None:
        """All dates of both versions, or the newest."""
        place = self.place
        if SPAN in place.date:
            self._go(replace(place, date=""))
            return

        def question(redis: Client) -> object:
            from engine.store.catalog import Catalog

            version, name = split(place.path, Catalog(redis).versions())
            return place, all_dates(redis, version, place.other, name)

        self.deck.errand(self, "dates", question)

    def answered(self, name: str, value: Any) -> None:
        place, found = value
        if place != self.place:
            return
        if name == "truth":
            names = [*found, ""]
            now = names.index(place.task) if place.task in names else len(names) - 1
            if names[(now + 1) % len(names)] == place.task:
                self.say("no pipe of this flow says what really happened; `:compare … truth PIPE` names one")
            self._go(replace(place, task=names[(now + 1) % len(names)]))
        elif not found:
            self.say("both versions have one date in common")
        else:
            self._go(replace(place, date=found))

    @on(RowList.Chosen)
    def _open(self) -> None:
        place = self._of(self.query_one(Tables).chosen)
        if place is None:
            self.say("enter shows an entity: the tables below name those that are furthest apart")
        else:
            self.deck.go(place)

    def _of(self, row: Row | None) -> Locator | None:
        """Where a row's entity is shown in both versions."""
        if row is None or row.place < 0 or self._report is None:
            return None
        found, title = self._report.found, self.query_one(Tables).blocks[row.block].title
        place = Locator("pipes", path=self.place.path, date=found.dates[-1], other=self.place.other)
        if title == FURTHEST:
            worst = found.worst[row.place]
            return replace(place, entity=worst.entity, date=worst.date)
        if found.truth is not None and title.endswith((" is worse", " is better")):
            gains = found.truth.lost if title.endswith(" is worse") else found.truth.won
            return replace(place, entity=gains[row.place].entity)
        return None

    def copied(self) -> str:
        row = self.query_one(Tables).chosen
        return clean(row.text) if row is not None else ""


def plots_of(found: Compared) -> list[Plotted]:
    """What can be drawn of a comparison: errors by horizon and by wave, or else how differences lie."""
    plots = []
    truth = found.truth
    if truth is not None and len(truth.by_lead) > 1:
        lines = (Line(found.a, tuple(x.a.mae for x in truth.by_lead)), Line(found.b, tuple(x.b.mae for x in truth.by_lead)))
        plots.append(Plotted("mean absolute error by hours ahead", tuple(x.what for x in truth.by_lead), lines))
    if truth is not None and len(truth.by_date) > 1:
        hourly = tuple(x.what[5:].replace("T", " T") for x in truth.by_date)
        lines = (Line(found.a, tuple(x.a.mae for x in truth.by_date)), Line(found.b, tuple(x.b.mae for x in truth.by_date)))
        plots.append(Plotted("mean absolute error by wave", hourly, lines))
    main = next((n for n in found.numbers if n.equal < n.points and n.difference is not None), None)
    if len(plots) < 2 and main is not None and main.difference is not None:
        spread = main.difference
        ys = (spread.least, *spread.quantiles.values(), spread.most)
        name = f"{main.curve or 'value'}: {found.b} − {found.a}, mean {signed(spread.mean)}"
        plots.append(Plotted("differences by quantile", ("least", *spread.quantiles, "most"), (Line(name, ys),), zero=True))
    return plots
