"""Before a wave is started: which, and what that does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input

from console.by import whoami
from console.dialogs.base import ActDialog, memory, work, workforce
from console.dialogs.memory import remember, remembered
from console.feed import Answer, deliver
from console.screens.chrome import Line, Piece
from console.screens.text_pane import Text, TextLine, line
from console.screens.words import many
from console.theme import Palette
from console.widgets.field import Field

if TYPE_CHECKING:
    from console.dialogs.consequences import Offer, Order, Outcome
    from engine.store.connect import Client

FIELDS = {
    "flow": "",
    "version": "the branch or tag that runs",
    "date": "YYYY-MM-DDTHH or YYYY-MM-DD, UTC",
    "base": "version whose pipes are read where this one has none",
    "partitions": "all",
    "entities": "all of the state",
    "config": "task.key=value key=value",
}
SETTLE = 0.3
"""Seconds after the last key before what was typed is looked into."""


class Label(Line):
    """The name of a field."""

    DEFAULT_CSS = "Label { width: 12; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield self._text[:width], palette.muted


class Queued(Message, bubble=False):
    """So many entities have been queued."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Queued)


class TriggerDialog(ActDialog[tuple[str, str]]):
    """A form for a wave; gives its (id, locator), or None. `flow`, `version`, `base`: what the form begins with."""

    AUTO_FOCUS = "#flow"
    yes, no = "Start the wave", "No, start nothing"
    title_text = "start a wave"

    def __init__(self, flow: str = "", version: str = "", base: str = "") -> None:
        super().__init__()
        told = {"flow": flow, "base": base}
        self._start = remembered(flow, version) | {"version": version} | {name: value for name, value in told.items() if value}
        self._asked, self._timer = 0, None
        self._looked_at: Order | None = None
        self._outcome: Outcome | None = None

    _timer: Timer | None

    def fields(self) -> Iterable[Any]:
        for name, hint in FIELDS.items():
            with Horizontal(classes="field"):
                yield Label(name)
                yield Field(self._start.get(name, ""), placeholder=hint, id=name, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self.tell([line(Text("asking Redis …", "muted"))], ready=False)
        flow, version = self._start.get("flow", ""), self._start["version"]

        def question(redis: Client) -> object:
            from console.dialogs.consequences import offer

            return offer(redis, flow, version)

        self.ask("offer", question)

    def order(self) -> Order:
        """The form as it stands."""
        from console.dialogs.consequences import Order

        return Order(**{name: self.query_one(f"#{name}", Input).value.strip() for name in FIELDS})

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "typed":
            return
        event.stop()
        if self.acting or self.order() == self._looked_at:
            return
        self._outcome = None
        self._asked += 1  # what is still under way is about another form
        self.query_one("#yes").disabled = True
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(SETTLE, self._foresee)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "typed":
            return
        event.stop()
        self.focus_next()

    def _foresee(self) -> None:
        if self.acting:
            return
        if self._timer is not None:
            self._timer.stop()
        order = self._looked_at = self.order()
        if not (order.flow and order.version and order.date):
            self.tell([line(Text("flow, version and date are needed", "muted"))], ready=False)
            return
        self._asked += 1

        def question(redis: Client) -> object:
            from console.dialogs.consequences import foresee

            return foresee(redis, order)

        self.tell([line(Text("looking into it …", "muted"))], ready=False)
        self.ask(f"foresee {self._asked}", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == "offer":
            self._fill(message.value)
        elif message.name == f"foresee {self._asked}" and not self.acting:
            self._outcome = message.value
            fits = not message.value.fit.refusal
            self.tell(consequences(message.value), ready=fits, entities=message.value.entities, flow=message.value.order.flow)
        elif message.name == "launch":
            if self._outcome is not None:
                remember(self._outcome.order)
            self.dismiss(message.value)

    def expects(self, name: str) -> bool:
        return name in ("offer", "launch", f"foresee {self._asked}")

    def on_queued(self, message: Queued) -> None:
        total = self._outcome.entities if self._outcome else 0
        self.tell([line(f"queueing {message.number:,} of {total:,} entities …")], ready=False)

    def _fill(self, offer: Offer) -> None:
        for name, value in (("flow", offer.flow), ("version", offer.version), ("date", offer.date)):
            field = self.query_one(f"#{name}", Input)
            if not field.value:
                field.value = value
        self.query_one("#flow", Input).suggester = SuggestFromList(offer.flows)
        self.query_one("#version", Input).suggester = SuggestFromList(offer.versions)
        self._foresee()

    def do(self) -> None:
        if self._outcome is None:
            return
        order = self._outcome.order

        def deed(redis: Client) -> object:
            from console.dialogs.consequences import settings, words
            from console.staffed import by_default
            from console.start import start_wave

            wave = start_wave(
                redis,
                order.flow,
                version=order.version,
                date=order.date,
                base=order.base,
                partitions=words(order.partitions),
                entities=words(order.entities),
                config=settings(order.config),
                by=whoami(),
                origin="console",
                staff=by_default(redis, order.version),
                on_progress=self._queued,
            ).wave
            return wave.id, wave.locator

        self.act("launch", deed)

    def _queued(self, number: int) -> None:
        deliver(self, Queued(number))


def consequences(outcome: Outcome) -> Iterator[TextLine]:
    """What a trigger would do, line by line."""
    cells, tasks = outcome.entities * len(outcome.tasks), len(outcome.tasks)
    yield line(
        Text(many(outcome.entities, "entity", "entities"), "lit"),
        Text(f" × {many(tasks, 'task')} = ", "muted"),
        Text(f"{cells:,} cells", "lit"),
        Text(", before those of the schedule", "muted"),
    )
    yield from work({task: outcome.entities - outcome.there.get(task, 0) for task in outcome.tasks}, outcome.there)
    yield from workforce(outcome.workers, outcome.slots, outcome.order.version, outcome.expected)
    yield from memory(outcome.fit, "wavedeck trigger --force")
    for doubt in outcome.unsure:
        yield line(Text(doubt, "muted"))
