"""One entity of a wave: the evidence on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextLine, TextPane, line, plain
from console.screens.timeline import TaskList, state_of
from console.sources.entity import EntityNews, EntitySource
from console.theme import look
from console.views import EntityDetail, TaskRow
from console.widgets.text import short_seconds
from engine.status import Status


class EntityScreen(DeckScreen):
    """An entity of a wave. Evidence of the chosen task below its tasks; beside it, or in its place where the screen is
    narrow, its log or the script."""

    scope = "entity"
    CSS_PATH = "entity.tcss"
    AUTO_FOCUS = "TaskList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("entity")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = EntitySource(place.of, place.entity)
        self._news: EntityNews | None = None
        self._side = ""  # what the second pane shows because a person asked for it: log, script, or nothing

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of, self.place.entity])
        yield TaskList(id="tasks", classes="panel")
        yield Rule(id="rule")
        with Horizontal(id="panes"):
            yield TextPane(id="evidence", classes="panel")
            yield TextPane(id="side", classes="panel", follow=True)
        yield self.foot()

    def source(self) -> Source:
        return self._source

    def show(self, body: object) -> None:
        assert isinstance(body, EntityNews)  # noqa: S101
        first, self._news = self._news is None, body
        tasks = self.query_one(TaskList)
        tasks.update(body.detail.tasks, body.needs)
        if first:
            self.place = replace(self.place, wave=body.detail.wave, name=body.detail.locator)
            tasks.cursor = _most_telling(body.detail, self.place.task)
        self._attend()
        facts = [f"partition {body.detail.partition}"] if body.detail.partition not in ("", "-") else []
        facts += [f"on {body.detail.worker}"] if body.detail.worker else []
        self.query_one(Header).tell(["waves", body.detail.locator, body.detail.entity], facts)
        self._tell(top=first)

    @on(RowList.Moved)
    def _choose(self) -> None:
        if self._attend():
            self._tell(top=True)

    def _attend(self) -> bool:
        """Asks for the log of the chosen task. Whether it is another one."""
        task = self.query_one(TaskList).chosen
        if task is None or self._source.task == task.task:
            return False
        self._source.task = task.task
        self.feed.wake()
        return True

    @on(RowList.Chosen)
    def _read(self) -> None:
        self.query_one("#evidence" if self._side == "" or self.has_class("-wide") else "#side").focus()

    def action_log(self) -> None:
        self._turn("log")

    def action_script(self) -> None:
        self._turn("script")

    def _turn(self, side: str) -> None:
        self._side = "" if self._side == side else side
        self.set_class(bool(self._side), "-side")
        self._tell(top=True)

    def _tell(self, *, top: bool = False) -> None:
        news, task = self._news, self.query_one(TaskList).chosen
        if news is None or task is None:
            return
        self.query_one("#evidence", TextPane).put(evidence(task), top=top)
        side = self.query_one("#side", TextPane)
        if self._side == "script":
            side.follow = False
            side.put(plain(news.script), top=top)
        else:
            side.follow = True
            side.put(_log(news, task), top=top)
        shown = "script" if self._side == "script" else "log"
        wide = self.has_class("-wide") or self.has_class("-middle")
        self.query_one(Rule).tell(task.task, f"evidence │ {shown}" if wide else self._side or "evidence")


def _most_telling(detail: EntityDetail, wanted: str) -> int:
    """The task that a person wants to see first: the one that was asked for, else the first that failed, was blocked, or runs."""
    for number, task in enumerate(detail.tasks):
        if task.task == wanted:
            return number
    for status in (Status.FAILED, Status.BLOCKED, Status.RUNNING):
        for number, task in enumerate(detail.tasks):
            if task.status == status:
                return number
    return 0


def _log(news: EntityNews, task: TaskRow) -> Iterator[TextLine]:
    if news.log_of != task.task:
        yield line(Text("asking Redis …", "muted"))
    elif news.log:
        yield from plain(news.log.rstrip("\n"))
    else:
        yield line(Text("it printed nothing" if task.started else "nothing ran, nothing was printed", "muted"))


def evidence(task: TaskRow) -> Iterator[TextLine]:
    """What is known of a task of an entity."""
    state = state_of(task)
    tone = Status(task.status)
    yield line(
        Text(f"{look(state).glyph} {look(state).word}", tone if tone in (Status.FAILED, Status.BLOCKED) else "lit"),
        *_when(task),
    )
    if error := task.error:
        yield line(Text(error["type"], tone), Text(": "), Text(error["message"], "lit"))
        if error["where"]:
            yield line(Text("at ", "muted"), error["where"])
    if task.inputs:
        yield line()
        yield line(Text("inputs", "muted"))
        width = max(len(i["name"]) for i in task.inputs)
        for told in task.inputs:
            yield _input(told, min(width, 24))
    if task.pipe:
        yield line()
        yield line(Text("wrote ", "muted"), task.pipe)
    if task.error and task.error["traceback"]:
        yield line()
        yield from plain(task.error["traceback"].rstrip("\n"), "muted")


def _when(task: TaskRow) -> Iterator[Text]:
    if task.started and task.status == Status.RUNNING:
        yield Text(f" for {short_seconds(task.seconds)}", "muted")
    elif task.started and task.seconds:
        yield Text(f" after {short_seconds(task.seconds)}", "muted")
    if task.started:
        yield Text(f", began {task.started[11:19]} UTC", "muted")
        if task.waited >= 0.001:
            yield Text(f" after a wait of {short_seconds(task.waited)}", "muted")


def _input(told: Mapping[str, Any], width: int) -> TextLine:
    name = Text(f"  {told['name']:<{width}}  ")
    if told.get("missing"):
        return line(name, Text("missing", Status.FAILED))
    age = float(told.get("age") or 0)
    fresh = "fresh" if not age else f"{short_seconds(age).strip()} old"
    return line(name, Text(f"{fresh:<9}", "lit" if age else "muted"), Text(f"  {told.get('key', '')}", "muted"))
