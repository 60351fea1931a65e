"""One wave: where it is, what is red, who it is; and how it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on

from console.feed import Refusal
from console.locator import Locator
from console.moment import now
from console.screens.base import CALM
from console.screens.chrome import Header, Rule
from console.screens.wave_filter import FAILURES, LIST_SORTS, MAP_SORTS, UNFINISHED, next_sort, pick, said, unread
from console.screens.wave_graph import SIGNS, Remarks, graph_of, related
from console.screens.wave_parts import WaveParts
from console.screens.wave_rewind import Then
from console.screens.wave_summary import Summary
from console.screens.words import clock, many
from console.sources.wave import WaveNews, WaveStill
from console.sources.wave_more import Reel
from console.widgets.flow_graph import FlowGraph
from console.widgets.matrix import EntityMatrix
from console.widgets.select import QueryError, worst
from console.widgets.text import clean, fit

if TYPE_CHECKING:
    from console.widgets.heat_map import HeatMap

BY_THE_MINUTE = 15
"""Seconds between looks at reasons that are told by the minute."""


class WaveScreen(WaveParts):
    """The flow as a graph, and below it the entities: as rows or as a heat map, now or at an earlier moment."""

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._steps: list[int] = []
        self._picked_for: tuple[object, ...] = ()
        self._second_number, self._hurried_at = 0, -3
        self._sorted: WaveNews | None = None
        self._drawn: tuple[object, ...] = ()

    def show(self, body: object) -> None:
        assert isinstance(body, WaveNews)  # noqa: S101
        self._news = body
        if self._reasons.heard(body):
            self._matrix.ask_again()
        if body.still is not self._still:
            self._open(body.still)
        elif self._then is None:
            self._show_moment()
        self._asks.look(body)
        self._look()

    def _open(self, still: WaveStill) -> None:
        before, self._still, wave = self._still, still, still.wave
        if before is not None and before.wave.id == wave.id:  # only its names are better known
            row = self._matrix.cursor
            self._matrix.set_entities(still.entities, self._board, self._matrix.order)
            self._matrix.cursor = row
            self._picked_for = ()
        else:
            self.place = replace(self.place, wave=wave.id, name=wave.locator)
            self._rail.set_layout(still.layout)
            self._matrix.set_entities(still.entities, self._board)
            if self._steps:  # of keys that came before the wave did
                self._asks.reel(wave)
        self._show_moment()
        self._pick()

    def _show_moment(self) -> None:
        news, then = self._news, self._then
        if news is None:
            return
        wave, board = news.still.wave, self._board
        counts = then.counts(len(wave.tasks)) if then else news.counts
        red = self._asks.red
        late = red is None or (then is not None and red.seconds > then.at)
        remarks = Remarks() if red is None or late else Remarks(red.task, red.clock)
        drawn = (self._graph, news.still, counts, {} if then else news.durations, remarks)
        if drawn != self._drawn:
            self._drawn = drawn
            self._graph.update(graph_of(news.still.plan, *drawn[2:]))
        self.query_one(Summary).update(then.row(news.row) if then else news.row, f"it was {then.clock}" if then else "")
        self._matrix.update(board)
        if self._mapped:
            self._draw_map()
        size = f"{many(wave.n, 'entity', 'entities')} × {many(len(wave.tasks), 'task')}"
        crumbs = ["waves", wave.locator, *([f"as it was at {then.clock}"] if then else [])]
        self.query_one(Header).tell(crumbs, [f"by {wave.by}", many(news.workers, "worker"), size])

    def _draw_map(self) -> None:
        if self._map is None or self._still is None:
            return
        wave, board = self._still.wave, self._board
        tasks = range(len(wave.tasks)) if self._chosen is None else [wave.tasks.index(self._chosen)]
        self._map.update(worst(board, wave.n, tasks), self._picked.order)

    # which entities, in which order

    @property
    def hurried(self) -> bool:
        return self._reasons.hurried or self._second_number - self._hurried_at < 3  # it is found out anew when rows are painted

    def every_second(self) -> None:
        self._second_number += 1
        calm = not self._second_number % CALM
        if calm or self._news is not self._sorted:
            self._sorted = self._news
            self._pick(calmly=True)  # no oftener, so that rows can be read while a wave moves
            self._look()
            if self._news is not None and self._then is None:
                self._asks.again(self._sort_now, self._chosen, self._news)
        due = self._reasons.hurried or (self._reasons.counting and not self._second_number % BY_THE_MINUTE)
        if self._reasons.hurried:
            self._hurried_at = self._second_number
        if due and self._then is None and not self._mapped:
            self._reasons.counting = self._reasons.hurried = False
            self._matrix.ask_again()

    def _pick(self, *, calmly: bool = False) -> None:
        if self._still is None or (calmly and self.app.screen is not self):
            return
        e, sort, text = self._still.entities, self._sort_now, self.place.filter
        order, families = self._asks.order(sort, self._chosen), self._asks.families(text)
        whole = self._then is not None or (self._news is not None and self._news.whole)
        wanted = (text, sort, self._chosen, id(order), self._asks.family_number, self._board, whole)
        if wanted == self._picked_for:
            return
        try:
            found = unread(e)
            if whole:
                found = pick(self._board, e, text, sort=sort, order=order, task=self._chosen, families=families)
        except QueryError as error:
            self.query_one(Rule).tell(str(error), bad=True)
            return
        self._picked_for = wanted
        self._picked = found
        self._matrix._empty = "no entity matches; esc clears the filter" if text else "no entities"
        if self._mapped:
            self._draw_map()
        elif found.order != self._matrix.order:
            self._matrix.show(found.order, follow=self._matrix.cursor > 0)
            self._look()
        self._tell()

    def _tell(self) -> None:
        if self._still is None:
            return
        marks, then = len(self._matrix.marks), self._then
        picked = " · ".join(filter(None, [self._picked.words, f"{marks} marked" if marks else ""]))
        words = f"{then.words} · . forward, esc now · {picked}" if then else picked
        signs = SIGNS if self._graph.marked else ""
        right = " · ".join(filter(None, [self._graph.hint or signs, self._sorted_by()]))
        if self._mapped and self._map is not None and self._map.entity is not None:
            words = self._reasons.spelled(self._still, self._board, self._map.entity)
            words = f"{then.words} · {words}" if then else words
            long = f"{picked} · {self._sorted_by()}"
            room = self.size.width - len(words) - 11
            shown, n = len(self._picked.order), self._still.entities.n
            right = long if len(long) <= room else f"{shown:,} of {n:,}" if shown < n else f"{n:,}"
            words = fit(words, max(self.size.width - len(right) - 11, 24)).rstrip()
        self.query_one(Rule).tell(words, right, bad=then is not None)

    def _sorted_by(self) -> str:
        """How the entities are sorted, and how old that is where it may be."""
        news = self._news
        if news is None or self._then is not None or not self._source.slow_link:
            return said(self._sort_now)
        return f"{said(self._sort_now)} as of {clock(news.whole_at)}" if news.whole else "by number; O and / read all"

    def filtered(self, text: str) -> None:
        if text:
            self._demand()
        self._pick()

    def _set_query(self, text: str) -> None:
        self.set_filter("" if text == self.place.filter else text)

    def action_failures(self) -> None:
        self._set_query(FAILURES)

    def action_unfinished(self) -> None:
        self._set_query(UNFINISHED)

    def action_sort(self) -> None:
        self._sorts[self._mapped] = next_sort(self._sort_now, MAP_SORTS if self._mapped else LIST_SORTS)
        if self._news is not None:
            self._asks.again(self._sort_now, self._chosen, self._news)
        self._demand()
        self._pick()
        self._tell()

    @on(EntityMatrix.Marked)
    def _marked(self) -> None:
        self._tell()

    # the graph

    @on(FlowGraph.NodeSelected)
    def _selected(self, event: FlowGraph.NodeSelected) -> None:
        self._select(event.task)

    def _select(self, task: str | None) -> None:
        if self._still is None or task == self._chosen:
            return
        self._chosen, plan = task, self._still.plan
        if task is not None:
            self._demand()
        self._matrix.mark(task, frozenset(range(len(plan.names))) - related(plan, task) if task else frozenset())
        self._pick()
        self._tell()

    @on(FlowGraph.NodeOpened)
    def _only_of_task(self, event: FlowGraph.NodeOpened) -> None:
        self._set_query(f"task:{event.task}")

    # the heat map

    def on_heat_map_pointed(self) -> None:
        self._tell()

    def on_heat_map_entity_chosen(self, event: HeatMap.EntityChosen) -> None:
        self._go_to(event.index)

    def on_heat_map_mark(self, event: HeatMap.Mark) -> None:
        self._matrix.marks.toggle(event.index)
        self._tell()

    # as it was

    def action_rewind(self, steps: int) -> None:
        if self._then is not None:
            self._go_back(self._then.stepped(steps))
        elif steps > 0:
            self.say("this is now; , goes back")
        else:
            self._steps.append(steps)
            if self._still is not None and len(self._steps) == 1:
                self._asks.reel(self._still.wave)

    def _go_back(self, then: Then | None) -> None:
        """To a moment; None is now."""
        self._then = then
        self._show_moment()
        self._matrix.ask_again()  # a row whose cells were the same then has other words
        self._pick()
        self._tell()

    def _rewound(self, reel: Reel) -> None:
        then: Then | None = Then.last(reel)
        for steps in self._steps:
            then = then.stepped(steps) if then else None
        self._steps.clear()
        if then is None:
            self.say("nothing of this wave has run yet")
        else:
            self._go_back(then)

    def answered(self, name: str, value: object) -> None:
        if isinstance(value, Reel):
            self._rewound(value)
        elif self._asks.heard(name, value):
            self._show_moment()
            self._pick()
        else:
            super().answered(name, value)

    def on_refusal(self, message: Refusal) -> None:
        self._steps.clear()
        self._asks.refused(message.name)
        self._pick()

    def action_back(self) -> None:
        """Out of the selection, else back to now, else as every screen."""
        if self._chosen is not None:
            self._graph.select(None)
            self._select(None)
        elif self._then is not None:
            self._go_back(None)
        else:
            super().action_back()

    # why

    def _why(self, entity: int) -> str:
        assert self._news is not None  # noqa: S101
        return self._reasons.of(self._news, entity, self._board, now(), past=self._then is not None)

    # going and doing

    @on(EntityMatrix.EntityChosen)
    def _open_entity(self, event: EntityMatrix.EntityChosen) -> None:
        self._go_to(event.index)

    def _go_to(self, entity: int) -> None:
        assert self._still is not None  # noqa: S101
        wave, names = self._still.wave, self._still.entities.names
        self.deck.go(Locator("entity", wave=wave.id, name=wave.locator, entity=names[entity], task=self._chosen or ""))

    def action_rerun(self) -> None:
        if self._still is None:
            return
        wave, marked = self._still.wave, sorted(e for e in self._matrix.marks if isinstance(e, int))
        numbers: list[int] | None = None
        if marked:
            numbers, what = marked, f"{many(len(marked), 'entity', 'entities')} marked"
        elif self._then is not None:
            self.say("this is the wave as it was; esc goes back to now")
            return
        elif self.place.filter or self._picked.narrowed:
            numbers, what = sorted(self._picked.order), self._picked.words
        else:
            what = ""
        if numbers == []:
            self.say("no entity is shown")
        else:
            self.deck.rerun(wave.id, wave.locator, what, numbers)

    def copied(self) -> str:
        entity = self._entities.entity
        if self._still is None or entity is None:
            return ""
        why = self._why(entity)
        return clean(" · ".join(filter(None, [self._reasons.spelled(self._still, self._board, entity), why])))
