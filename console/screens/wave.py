"""One wave: where it is, what is red, who it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.moment import now
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Line, Piece, Rule
from console.screens.prompts import FilterBar
from console.screens.wave_list import phase_look
from console.screens.words import ago, duration, many, rate, unix
from console.sources.wave import NEEDS_WORDS, WaveNews, WaveSource, WaveStill
from console.theme import Palette, look
from console.views import WaveRow
from console.widgets.bar import progress
from console.widgets.flow_graph import FlowGraph, GraphSnapshot, TaskSnapshot
from console.widgets.matrix import EntityMatrix
from console.widgets.select import QueryError, parse, select
from console.widgets.text import short_seconds
from engine.status import STATUS_OF, Cell, Status

FAILURES = "status:failed,blocked"
RESORT = 1.0
"""Seconds between sortings, so that rows can be read while a wave moves."""


class Summary(Line):
    """A wave in a line: how far, what went wrong, how fast, until when."""

    DEFAULT_CSS = "Summary { background: $background; }"

    def __init__(self) -> None:
        super().__init__()
        self._row: WaveRow | None = None

    def update(self, row: WaveRow) -> None:
        """Shows `row`."""
        self._row = row
        self.refresh()

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        if self._row is None:
            yield " asking Redis …", palette.muted
            return
        row = self._row
        status, label = phase_look(row)
        yield f" {look(status).glyph} ", palette.style(status)
        yield f"{label if label.endswith('%') else row.phase}  ", palette.text
        bar = 24 if width >= 110 else 12
        for part, cells in progress({Status(s): n for s, n in row.counts.items()}, bar).bar:
            yield look(part).block * cells, palette.bars[part]
        used = 5 + len(label if label.endswith("%") else row.phase) + bar
        for bad in (Status.FAILED, Status.BLOCKED, Status.CANCELLED):
            if number := row.counts[bad]:
                text = f"  {number:,} {look(bad).glyph} {look(bad).word}"
                yield text, palette.style(bad)
                used += len(text)
        facts = self._facts(row)
        while facts and used + sum(len(f) + 3 for f in facts) > width:
            facts.pop()
        text = " · ".join(facts)
        yield " " * max(width - used - len(text) - 1, 2), palette.text
        yield text, palette.muted

    def _facts(self, row: WaveRow) -> list[str]:
        """The first is kept longest."""
        if row.phase == "queued":
            return ["waits for a worker", f"queued {ago(now() - (unix(row.created) or now()))}"]
        if row.phase == "running":
            left = f"ETA {short_seconds(row.eta)}" if row.eta is not None else "ETA –"
            return [left, f"{duration(row.seconds)} elapsed", rate(row.rate)]
        took = [f"took {short_seconds(row.seconds)}"] if row.started else []
        return [
            *([row.cancelled] if row.cancelled else []),
            *took,
            ago(now() - (unix(row.ended) or now())),
        ]


class WaveScreen(DeckScreen):
    """The flow as a graph, and below it the entities."""

    scope = "wave"
    CSS_PATH = "wave.tcss"
    AUTO_FOCUS = "EntityMatrix"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("wave")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = WaveSource(place.of)
        self._still: WaveStill | None = None
        self._news: WaveNews | None = None
        self._sorted: tuple[str, bytes] | None = None
        self._sorted_at = 0.0
        self._whys: dict[int, tuple[bytes, str]] = {}
        self._wanted: set[int] = set()
        self._asking = False

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of])
        yield Summary().set_class(True, "panel")
        yield FlowGraph(id="graph", classes="panel")
        yield Rule(id="rule")
        yield FilterBar("regex · status:failed · task:NAME · partition:P · !not")
        yield EntityMatrix(why=self._why, empty="asking Redis …", id="matrix", classes="panel")
        yield self.foot()

    def on_mount(self) -> None:
        self.set_interval(RESORT, self._sort)

    def source(self) -> Source:
        return self._source

    def show(self, body: object) -> None:
        assert isinstance(body, WaveNews)  # noqa: S101
        self._news = body
        matrix = self.query_one(EntityMatrix)
        for entity, told in body.whys.items():
            if self._whys.get(entity) != told:
                self._whys[entity] = told
                matrix.refresh()
        if body.still is not self._still:
            self._open(body)
        else:
            matrix.update(body.board)
        self.query_one(FlowGraph).update(_graph(body))
        self.query_one(Summary).update(body.row)
        wave = body.still.wave
        size = f"{many(wave.n, 'entity', 'entities')} × {many(len(wave.tasks), 'task')}"
        self.query_one(Header).tell(["waves", wave.locator], [f"by {wave.by}", many(body.workers, "worker"), size])

    def _open(self, news: WaveNews) -> None:
        self._still, wave = news.still, news.still.wave
        self.place = replace(self.place, wave=wave.id, name=wave.locator)
        self.query_one(FlowGraph).set_layout(news.still.layout)
        self.query_one(EntityMatrix).set_entities(news.still.entities, news.board)
        self._sort(now=True)

    # which entities, in which order

    def _sort(self, *, now: bool = False) -> None:
        """Filters and sorts, when the board or the query is another one since the last time."""
        news, asked = self._news, self.place.filter
        if news is None or self._sorted == (asked, news.board) or (self.app.screen is not self and not now):
            return
        rule, matrix, e = self.query_one(Rule), self.query_one(EntityMatrix), news.still.entities
        try:
            query = parse(asked)
            order = select(news.board, e.n, e.tasks, e.names, query, partitions=e.partitions, sort="failures")
        except QueryError as error:
            rule.tell(str(error), bad=True)
            return
        self._sorted = asked, news.board
        matrix._empty = "no entity matches; esc clears the filter" if asked else "no entities"
        if order != matrix.order:
            matrix.show(order, follow=matrix.cursor > 0)
        shown = f"{len(order):,} of {e.n:,} entities · {asked}" if asked else many(e.n, "entity", "entities")
        rule.tell(shown, "failures first")

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._sort(now=True)

    def _set_query(self, text: str) -> None:
        self.set_filter("" if text == self.place.filter else text)

    @on(FlowGraph.NodeSelected)
    def _mark(self, event: FlowGraph.NodeSelected) -> None:
        self.query_one(EntityMatrix).mark(event.task)

    @on(FlowGraph.NodeOpened)
    def _only_of_task(self, event: FlowGraph.NodeOpened) -> None:
        self._set_query(f"task:{event.task}")

    # why

    def _why(self, entity: int) -> str:
        """What to say of an entity, and a note to ask for it when that is not known."""
        assert self._news is not None  # noqa: S101
        row = self._news.board[entity :: self._news.still.entities.n]
        known = self._whys.get(entity)
        if known is not None and known[0] == row:
            return known[1]
        if not NEEDS_WORDS.isdisjoint(row):
            self._wanted.add(entity)
            if not self._asking:
                self._asking = True
                self.set_timer(0.02, self._ask)
            return known[1] if known else ""
        tasks = self._news.still.entities.tasks
        running = [tasks[t] for t, cell in enumerate(row) if cell == Cell.RUNNING]
        return f"{', '.join(running)} …" if running else ""

    def _ask(self) -> None:
        self._asking = False
        self._source.wanted = frozenset(self._wanted)
        self._wanted.clear()
        self.feed.wake()

    # going and doing

    @on(EntityMatrix.EntityChosen)
    def _open_entity(self, event: EntityMatrix.EntityChosen) -> None:
        assert self._still is not None  # noqa: S101
        wave, names = self._still.wave, self._still.entities.names
        self.deck.go(Locator("entity", wave=wave.id, name=wave.locator, entity=names[event.index]))

    def action_failures(self) -> None:
        self._set_query(FAILURES)

    def action_trigger(self) -> None:
        from console.dialogs.trigger import TriggerDialog

        start = (self._still.wave.flow, self._still.wave.version, self._still.wave.base) if self._still else ()
        self.app.push_screen(TriggerDialog(*start), self.deck.launched)

    def action_cancel_wave(self) -> None:
        from console.dialogs.cancel import CancelDialog

        if self._still is not None:
            wave = self._still.wave
            self.app.push_screen(CancelDialog(wave.id, wave.locator), self.deck.cancelled)


def _graph(news: WaveNews) -> GraphSnapshot:
    """The news as the graph draws it."""
    shown = {}
    for task, cells in zip(news.still.wave.tasks, news.counts, strict=True):
        counts = dict.fromkeys(Status, 0)
        for cell, number in cells.items():
            counts[STATUS_OF[cell]] += number
        ran = news.durations.get(task)
        shown[task] = TaskSnapshot(counts, ran.p50 if ran else None, ran.p95 if ran else None, _remark(cells))
    return GraphSnapshot(shown)


def _remark(cells: Mapping[int, int]) -> str:
    marks = [(cells.get(cell, 0), look(cell)) for cell in (Cell.FALLBACK, Cell.REUSED)]
    return "  ".join(f"{seen.glyph} {number:,} {seen.word}" for number, seen in marks if number)
