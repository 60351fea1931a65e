"""The workers: who is alive, busy with what, and which of them is bad; those that are gone fold away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.moment import now
from console.pattern import BadPattern
from console.reports.crew import WorkerRow, holding
from console.reports.judge import percent
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextLine, TextPane, Tone, line
from console.screens.words import ago, duration, many, unix
from console.screens.worker_list import SORTS, WorkerList, matches, megabytes
from console.sources.workers import CrewNews, WorkersSource
from console.theme import look
from console.widgets.text import clean, short_seconds
from engine.status import Status


class WorkersScreen(DeckScreen):
    """The workers, and below them all that is known of the one under the cursor. The path of the place is their version."""

    scope = "workers"
    CSS_PATH = "workers.tcss"
    AUTO_FOCUS = "WorkerList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("workers")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = WorkersSource(place.path)
        self._news: CrewNews | None = None
        self._unfolded = False

    def compose(self) -> ComposeResult:
        yield Header(self._crumbs())
        yield FilterBar("words of name, host, version, image, task, entity … · bad · !not")
        yield WorkerList(id="workers").set_class(True, "panel")
        yield Rule(id="rule")
        yield TextPane(id="about").set_class(True, "panel")
        yield self.foot()

    def source(self) -> Source:
        return self._source

    def _crumbs(self) -> list[str]:
        return ["waves", "workers", *([self.place.path] if self.place.path else [])]

    def moved(self, place: Locator) -> bool:
        self._source.version = place.path
        self.place = replace(place, filter=self.place.filter)
        self.feed.wake()
        return True

    # news

    def show(self, body: object) -> None:
        assert isinstance(body, CrewNews)  # noqa: S101
        self._news = body
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def action_dead(self) -> None:
        self._unfolded = not self._unfolded
        self._list()

    def _shown(self, row: WorkerRow) -> bool:
        """Gone ones only when they are unfolded; but one that still holds entities is never folded away."""
        return self._unfolded or not row.gone or bool(row.held)

    def _list(self) -> None:
        rows = self._news.rows if self._news else ()
        try:
            found = [row for row in rows if self._shown(row) and matches(row, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        self.query_one(WorkerList).update(found, self._empty())
        alive = [row for row in rows if not row.gone]
        slots, busy = sum(len(row.slots) for row in alive), sum(len(row.busy) for row in alive)
        facts = [many(len(rows) - len(alive), "gone", "gone")] if len(rows) > len(alive) else []
        facts += [f"{busy:,} of {many(slots, 'slot')} busy"] if slots else []
        self.query_one(Header).tell(self._crumbs(), [*facts, f"{many(len(alive), 'worker')} alive"])
        self._tell(top=False)

    def _empty(self) -> str:
        if self._news is None:
            return "asking Redis …"
        if self.place.filter:
            return "no worker matches; esc clears the filter"
        gone = len(self._news.rows)
        of = f" of {self.place.path}" if self.place.path else ""
        return f"no worker{of} is alive" + (f"; z shows {gone} that {'is' if gone == 1 else 'are'} gone" if gone else "")

    def every_second(self) -> None:
        self.query_one(WorkerList).repaint_rows()
        self._tell(top=False)

    def _tell(self, *, top: bool) -> None:
        news, chosen = self._news, self.query_one(WorkerList).chosen
        if news is None:
            return
        bad = [row for row in news.rows if row.bad and not row.gone] or [row for row in news.rows if row.bad]
        judged = f"judged by {', '.join(news.judged[:2])}" if news.judged else "no wave to judge them by"
        folded = sum(row.gone and not self._shown(row) for row in news.rows)
        right = f"{folded} gone, z shows them" if folded else judged
        if bad and bad[0].verdict is not None:
            self.query_one(Rule).tell(f"✗ {bad[0].name}: {bad[0].verdict.words}", right, bad=True)
        else:
            self.query_one(Rule).tell("no worker stands out", right)
        self.query_one(TextPane).put(about(chosen, news) if chosen else (), top=top)

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._tell(top=True)

    # going and doing

    @on(RowList.Chosen)
    def _open(self) -> None:
        row = self.query_one(WorkerList).chosen
        if row is None:
            return
        if row.busy and row.busy[0].wave and row.busy[0].entity:
            slot = row.busy[0]
            name = slot.name if slot.name and "@" in slot.name else ""
            self.deck.go(Locator("entity", wave=slot.wave or "", name=name, entity=slot.entity or "", task=slot.task or ""))
            return

        def question(redis: object) -> object:
            from console.reports.crew import last_failure

            return row.name, last_failure(redis, row.version, row.name)

        self.deck.errand(self, "last failure", question)

    def answered(self, name: str, value: tuple[str, tuple[str, str, str] | None]) -> None:
        if name == "last failure":
            worker, found = value
            if found is None:
                self.say(f"{clean(worker[:80])} runs nothing now, and nothing that it served of late failed")
            else:
                self.deck.go(Locator("entity", wave=found[0], name=found[1], entity=found[2]))

    def action_sort(self) -> None:
        workers, names = self.query_one(WorkerList), list(SORTS)
        workers.sort = names[(names.index(workers.sort) + 1) % len(names)]
        self._list()
        self.say(f"sorted by {workers.sort}")

    def copied(self) -> str:
        row = self.query_one(WorkerList).chosen
        if row is None:
            return ""
        told = f": {row.verdict.words}" if row.verdict and row.verdict.words else ""
        image = f" image {row.image}" if row.image else ""
        return clean(f"{row.host or '?'} pid {row.pid or '?'} {row.name} ({row.version}){image}{told}")


def about(row: WorkerRow, news: CrewNews) -> Iterator[TextLine]:
    """All that is known of a worker."""
    at = now()
    tone: Tone = Status.FAILED if row.bad or row.held else "lit"
    yield line(Text(row.name, tone), Text(f"  {row.state}, {_since(row, at)}", "muted"))
    if row.verdict and row.verdict.words:
        yield line(Text(f"{look(Status.FAILED).glyph} {row.verdict.words}", Status.FAILED if row.bad else "text"))
    if row.held:
        yield line(Text(f"{look(Status.FAILED).glyph} {holding(row, at)}", Status.FAILED))
    yield line(
        Text("host ", "muted"), row.host or "–", Text("  pid ", "muted"), str(row.pid or "–"), Text("  version ", "muted"), row.version,
        Text("  image ", "muted"), row.image or "–",
    )  # fmt: skip
    if row.task or row.digest:
        yield line(Text("task ", "muted"), row.task.rpartition("/")[2] or "–", Text("  digest ", "muted"), row.digest or "–")
    if row.reason:
        yield line(Text(f"{look(Status.FAILED).glyph} {row.reason}", "lit"))
    for slot in row.ran:
        yield line(
            Text("ran ", "muted"),
            slot.task or "?",
            Text(" of ", "muted"),
            slot.entity or "?",
            Text(f" in {slot.name}", "muted"),
        )
    limit = f" of {megabytes(row.limit)}" if row.limit else ""
    memory = f"{megabytes(row.memory)}{limit} in memory" if row.memory else ""
    yield line(
        Text(" · ".join(filter(None, [f"{many(row.served, 'entity', 'entities')} served since it started", memory])), "muted")
    )
    yield _record(row, news)
    for slot in row.slots:
        if not slot.task:
            yield line(Text(f"{look(Status.PENDING).glyph} slot {slot.pid} is idle", "muted"))
            continue
        ran = short_seconds(max(at - (unix(slot.since) or at), 0.0))
        yield line(
            Text(f"{look(Status.RUNNING).glyph} ", Status.RUNNING), Text(f"slot {slot.pid} ", "muted"), slot.task,
            Text(" of ", "muted"), Text(slot.entity or "?", "lit"), Text(f" in {slot.name} for {ran}", "muted"),
        )  # fmt: skip


def _record(row: WorkerRow, news: CrewNews) -> TextLine:
    told = row.verdict
    if told is None:
        return line(Text(f"has ended no entity of {', '.join(news.judged[:2])}" if news.judged else "no wave of late", "muted"))
    others = f", others {percent(told.others)}" if told.others is not None else ""
    took = f"; an entity runs {short_seconds(told.median)}" if told.median is not None else ""
    took += f", {told.slower:.1f}× the others" if told.slower is not None else ""
    which = "the last wave" if len(news.judged) == 1 else "the last waves"
    return line(
        Text(f"in {which}: {told.failed:,} of {told.entities:,} entities failed ({percent(told.rate)}{others}){took}", "muted")
    )


def _since(row: WorkerRow, at: float) -> str:
    if row.gone and row.beat is None:
        return "not heard of for a day, or never"
    if row.gone:
        said = "left" if row.state == "stopped" else "last heard of"
        return f"{said} {ago(at - (unix(row.beat) or at))}"
    return f"up {duration(max(at - (unix(row.started) or at), 0.0))}"
