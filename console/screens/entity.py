"""One entity of a wave: the evidence on one screen."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from console.actions import bindings
from console.entity_view import TaskRow
from console.feed import Refusal, Source
from console.locator import Locator
from console.reports.told import most_telling, told
from console.reports.why import Reason
from console.screens.asked import Asked
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Line, Piece, Rule
from console.screens.evidence import Shown, commands, difference, evidence, log, replayed, sides, title
from console.screens.evidence import alike as alike_words
from console.screens.input_list import InputList
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextPane, line, plain
from console.screens.timeline import TaskList, state_of
from console.sources.entity import EntityNews, EntitySource
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_seconds
from engine.keys import PipeKey, decode_entity
from engine.status import Status

if TYPE_CHECKING:
    from engine.store.connect import Client

Side = Shown | Literal[""]


class Facts(Line):
    """What there is to say of the entity in a line: why it is pending, or how many others are like it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left, self._right = "", ""

    def tell(self, left: str, right: str = "") -> None:
        """What to say, and on the right what goes with it where there is room."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        left, right = clean(self._left), clean(self._right)
        if len(left) + len(right) + 4 > width:
            right = ""
        yield " " + fit(left, max(width - len(right) - 2, 0)), palette.lit
        yield right, palette.muted


class EntityScreen(DeckScreen):
    """An entity of a wave: its tasks, the inputs of the chosen one, its evidence, and beside that, or in its place where the screen is
    not wide, its log, its script or the difference of its inputs."""

    scope = "entity"
    CSS_PATH = "entity.tcss"
    AUTO_FOCUS = "TaskList"
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-short"), (30, "-tall")]  # type: ignore[misc]
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("entity"),
        Binding("tab", "panel(1)", show=False),
        Binding("shift+tab", "panel(-1)", show=False),
    ]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = EntitySource(place.of, place.entity)
        self._news: EntityNews | None = None
        self._side: Side = ""  # what a person asked for; with nothing it is what tells most
        self._searched = "side"
        self._filled: dict[str, tuple[str, str]] = {}  # what each pane shows, and of which task
        self._asked = Asked(lambda name, question: self.deck.errand(self, name, question))

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of, self.place.entity])
        with Container(id="top"):
            yield TaskList(id="tasks", classes="panel")
            yield InputList(id="inputs", classes="panel")
        yield Facts(id="facts")
        with Horizontal(id="panes"):
            with Vertical(id="evidence-box"):
                yield Rule(id="rule")
                yield TextPane(id="evidence", classes="panel")
                yield Rule(id="third-rule")
                yield TextPane(id="third", classes="panel", follow=True)
            with Vertical(id="side-box"):
                yield Rule(id="side-rule")
                yield TextPane(id="side", classes="panel", follow=True)
        yield FilterBar("search the text: a regular expression · n next · N before")
        yield self.foot()

    def source(self) -> Source:
        return self._source

    # news

    def show(self, body: object) -> None:
        assert isinstance(body, EntityNews)  # noqa: S101
        first, self._news = self._news is None, body
        tasks, detail = self.query_one(TaskList), body.detail
        tasks.update(detail.tasks, body.why.tasks, body.serves)
        if first:
            self.place = replace(self.place, wave=detail.wave, name=detail.locator)
            names = [task.task for task in detail.tasks]
            tasks.cursor = names.index(most_telling(detail, self.place.task))
        self._attend()
        self._tell(top=first)

    @on(RowList.Moved)
    def _choose(self) -> None:
        if self._attend():
            self._tell(top=True)

    def moved(self, place: Locator) -> bool:
        if self._news is None or not place.same(self.place):
            return False
        names = [task.task for task in self._news.detail.tasks]
        if place.task in names:
            self.query_one(TaskList).cursor = names.index(place.task)
        return True

    def _attend(self) -> bool:
        """Asks for the log of the chosen task. Whether it is another one."""
        task = self.query_one(TaskList).chosen
        if task is None or self._source.task == task.task:
            return False
        self._source.task = task.task
        self.place = replace(self.place, task=task.task)
        self.feed.wake()
        return True

    # what is told

    def _tell(self, *, top: bool = False) -> None:
        news, task = self._news, self.query_one(TaskList).chosen
        if news is None or task is None:
            return
        self._tell_head(news, task)
        empty = "takes no pipes" if task.mark != "reused" else "its pipe was there, nothing was read"
        self.query_one(InputList).update(task.inputs, news.version, news.date, empty)
        found = self._asked.alike(news, task)
        near = found.near if found else ""
        reason = news.why.tasks.get(task.task, Reason())
        told_why = reason.text if task.status == Status.PENDING else ""
        lines = evidence(
            task, told_why, commands(self.place, news.detail.entity, task.task), near, self._asked.value(task.pipe)
        )
        self.query_one("#evidence", TextPane).put(lines, top=top)
        if found is not None:
            self.query_one(Facts).tell(alike_words(found), f"healthy neighbour: {near}" if near else "")
        else:
            self.query_one(Facts).tell(news.why.entity.text or _summary(news))
        self._tell_sides(news, task)

    def _tell_head(self, news: EntityNews, task: TaskRow) -> None:
        detail, state = news.detail, look(state_of(task))
        took = f" after {short_seconds(task.seconds)}" if task.seconds and task.status != Status.RUNNING else ""
        facts = [f"partition {detail.partition}"] if detail.partition not in ("", "-") else []
        facts += [f"on {detail.worker}"] if detail.worker else []
        facts.append(f"{task.task} {state.glyph} {state.word}{took}")
        self.query_one(Header).tell(["waves", detail.locator, detail.entity], facts)

    def _sides(self, news: EntityNews, task: TaskRow) -> tuple[Shown, Shown | None]:
        """What stands in the second pane, and in the third, where there is room for one: what was asked for goes first."""
        telling = sides(task, has_log=bool(news.log) if news.log_of == task.task else bool(task.started))
        shown = self._side or telling[0]
        if not self._side and not self.has_class("-wide"):
            return shown, shown  # the second is not to be seen
        return shown, next((other for other in telling if other != shown), None)

    def _tell_sides(self, news: EntityNews, task: TaskRow) -> None:
        shown, third = self._sides(news, task)
        room = self.has_class("-tall") and not self.has_class("-narrow")
        self.set_class(third is not None and room, "-third")
        if self.has_class("-wide") or self._side:
            self._fill("#side", shown, news, task)
        if third is not None and self.has_class("-third"):
            self._fill("#third", third, news, task)
        self._tell_rules()

    def _fill(self, pane_id: str, shown: Shown, news: EntityNews, task: TaskRow) -> None:
        pane = self.query_one(pane_id, TextPane)
        top = self._filled.get(pane_id) != (task.task, shown)
        self._filled[pane_id] = (task.task, shown)
        pane.follow = shown == "log"
        if shown == "log":
            pane.put(log(news.log, task, known=news.log_of == task.task), top=top)
        elif shown == "script":
            command = commands(self.place, news.detail.entity, task.task)[0]
            pane.put([line(Text(command, "lit")), line(), *plain(news.script)], top=top)
        elif shown == "replay":
            pane.put(replayed(self._asked.replay(task.task)), top=top)
        else:
            pane.put(difference(self._asked.diff(news, task, shown)), top=top)

    @on(TextPane.Looked)
    def _tell_rules(self) -> None:
        news, task = self._news, self.query_one(TaskList).chosen
        if news is None or task is None or self._lost == "gone":
            return
        shown, third = self._sides(news, task)
        words = {"rule": "evidence", "side-rule": title(shown), "third-rule": title(third) if third else ""}
        for (rule, what), pane in zip(words.items(), ("#evidence", "#side", "#third"), strict=True):
            self.query_one(f"#{rule}", Rule).tell(f"{task.task} · {what}", self.query_one(pane, TextPane).state)

    def answered(self, name: str, value: Any) -> None:
        self._asked.answered(name, value)
        self._tell()

    def on_refusal(self, message: Refusal) -> None:
        self._asked.refused(message.name)
        if message.name == "diff":
            self._side = ""

    # keys

    @on(RowList.Chosen)
    def _read(self) -> None:
        self.query_one("#side" if self.has_class("-side") and not self.has_class("-wide") else "#evidence").focus()

    @on(InputList.Chosen)
    def _open_input(self) -> None:
        used = self.query_one(InputList).chosen
        if used is None:
            return
        if used.state == "history":
            self.deck.go(Locator("pipes", path=f"{used.version}/{used.name}"))
        else:
            self._open_pipe(used.good if used.missing else used.key if used.bytes is not None else "", used.name)

    def _open_pipe(self, key: str, name: str) -> None:
        if not key:
            self.say(f"there is no {name} to open")
            return
        at = PipeKey.parse(key)
        self.deck.go(Locator("pipes", path=f"{at.version}/{at.pipe}", date=str(at.date), entity=decode_entity(at.entity)))

    def action_pipe(self) -> None:
        if self.query_one(InputList).has_focus:
            self._open_input()
        elif (task := self.query_one(TaskList).chosen) is not None:
            self._open_pipe(task.pipe or (task.serves.key if task.serves else ""), f"pipe of {task.task}")

    def action_log(self) -> None:
        self._turn("log" if self._side != "log" else "")

    def action_script(self) -> None:
        self._turn("script" if self._side != "script" else "")

    def action_diff(self) -> None:
        order: dict[Side, Side] = {"last success": "neighbour", "neighbour": ""}
        self._turn(order.get(self._side, "last success"))

    def action_replay(self) -> None:
        """Runs the task again here, beside the console; from its result, or another pane, again."""
        news, task = self._news, self.query_one(TaskList).chosen
        if news is None or task is None:
            return
        if self.deck.read_only and "TEXTUAL_DRIVER" in os.environ:
            self.say("a read-only page runs no code on its server; `wavedeck replay` does where you are")
            return
        self._asked.run(news, task, self.deck.redis_url)
        self._turn("replay")

    def _turn(self, side: Side) -> None:
        self._side = side
        self.set_class(bool(side), "-side")
        self.remove_class("-inputs")
        if self.focused is not None and not self.focused.display:
            self.refocus()
        self._tell(top=True)

    def action_panel(self, steps: int) -> None:
        """The next panel; where the screen is narrow the inputs come in place of the evidence while they have the focus."""
        panels = self._panels()
        at = next((n for n, panel in enumerate(panels) if panel.has_focus), -1)
        to = panels[(at + steps) % len(panels)]
        self.set_class(to.id == "inputs" and self.has_class("-narrow"), "-inputs")
        to.focus()

    def _panels(self) -> list[Widget]:
        wide, aside = self.has_class("-wide"), self.has_class("-side")
        below = ["evidence", *(["third"] if self.has_class("-third") else [])] if wide or not aside else []
        return [self.query_one(f"#{name}") for name in ("tasks", "inputs", *below, *(["side"] if wide or aside else []))]

    def action_rerun(self) -> None:
        if self._news is not None:
            self.deck.rerun(self.place.wave, self.place.name, "this entity", [self._news.detail.number])

    def incident(self) -> Callable[[Client], str] | None:
        place = self.place

        def question(redis: Client) -> str:
            from console.reports.incident import incident

            return incident(redis, place)

        return question

    # search and copy

    def action_filter(self) -> None:
        focused = self.focused
        self._search_in(focused.id if isinstance(focused, TextPane) and focused.id else self._log_pane())
        if self._searched == "side" and not self._side and not self.has_class("-wide"):
            self._turn("log")
        super().action_filter()

    def _log_pane(self) -> str:
        """Where the log stands; the second pane if it is nowhere."""
        shown = {pane: what for pane, (_, what) in self._filled.items()}
        hidden = not self.has_class("-wide") and not self._side
        return (
            "third"
            if self.has_class("-third") and shown.get("#third") == "log" and (hidden or shown.get("#side") != "log")
            else "side"
        )

    def _search_in(self, pane: str) -> None:
        if pane != self._searched:
            self.query_one(f"#{self._searched}", TextPane).search("")
            self._searched = pane
            self.query_one(f"#{pane}", TextPane).search(self.place.filter)

    def filtered(self, text: str) -> None:
        self.query_one(f"#{self._searched}", TextPane).search(text.strip())

    def refocus(self) -> None:
        """To the text that is searched, else to the tasks."""
        self.query_one(f"#{self._searched}" if self.place.filter else "#tasks").focus()

    def action_found(self, steps: int) -> None:
        self.query_one(f"#{self._searched}", TextPane).step(steps)

    def copied(self) -> str:
        news, focused, tasks = self._news, self.focused, self.query_one(TaskList)
        task = tasks.chosen
        if news is None or task is None:
            return ""
        if isinstance(focused, InputList) and focused.count:
            return focused.copied(focused.cursor)
        if isinstance(focused, TextPane):
            return focused.chosen or self._whole(focused, news, task)
        return tasks.copied(tasks.cursor)

    def _whole(self, pane: TextPane, news: EntityNews, task: TaskRow) -> str:
        """What a text is copied as where nothing was searched in it."""
        if pane.id == "evidence":
            return (task.error or {}).get("traceback", "") or pane.content
        shown, third = self._sides(news, task)
        shown = third if pane.id == "third" and third else shown
        if shown == "script":
            return commands(self.place, news.detail.entity, task.task)[0]
        if shown == "log":
            return news.log
        if shown == "replay":
            return pane.content
        found = self._asked.diff(news, task, shown)
        return "\n".join(told(found)) if found else ""


def _summary(news: EntityNews) -> str:
    """How an entity's tasks have ended, in words, and how long they took."""
    tasks = news.detail.tasks
    ran = [t for t in tasks if t.start]
    took = max((t.start + t.seconds for t in ran), default=0.0) - min((t.start - t.waited for t in ran), default=0.0)
    counts = Counter(look(Status(t.status)).word for t in tasks)
    told = (
        f"all {len(tasks)} tasks {next(iter(counts))}" if len(counts) == 1 else ", ".join(f"{n} {w}" for w, n in counts.items())
    )
    return told + (f" · {short_seconds(took)} from the first to the last" if took else "")
