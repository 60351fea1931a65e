"""Before a fleet is scaled or a worker of it stopped: what that does. The house is asked off the screen's path."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal
from textual.widgets import Input

from console.by import whoami
from console.dialogs.base import ActDialog
from console.dialogs.trigger import Label
from console.feed import Answer
from console.reports.fleet import FleetRow, hourly, money, units
from console.screens.text_pane import Text, TextLine, line
from console.screens.words import many
from console.widgets.field import Field
from console.widgets.text import fit
from engine.errors import WavedeckError
from engine.keys import decode_entity
from engine.status import Status

if TYPE_CHECKING:
    from engine.fleet.house import FleetWorker, Service
    from engine.store.acts import Verb
    from engine.store.backlog import Backlog
    from engine.store.connect import Client
    from engine.store.workers import SlotState, Worker


def noted(redis: Client, verb: Verb, version: str, detail: str) -> str:
    """Tells the log of acts what was done to a fleet. What to say where that could not be: the act is done all the same."""
    from redis.exceptions import RedisError

    from engine.store.acts import Act, Acts

    try:
        Acts(redis).record(Act(0, verb, whoami(), "console", version, "", "", "", 0, detail))
    except (WavedeckError, RedisError) as error:
        return f"; this is not in the log of acts: {error}"
    return ""


@dataclass(frozen=True)
class Crew:
    """What a version has: its service, its backlog, and how many of its workers are busy, by their heartbeats."""

    service: Service
    backlog: Backlog
    busy: int


class ScaleDialog(ActDialog[str]):
    """Asks how many workers a version is to have. Gives what became of it in words, None when nothing was done."""

    AUTO_FOCUS = "#count"
    yes, no = "Scale", "No, leave it"

    def __init__(self, row: FleetRow) -> None:
        super().__init__()
        self._version, self._row = row.service.version, row
        self._crew: Crew | None = None
        self.title_text = f"scale {self._version}?"

    def fields(self) -> Iterable[Any]:
        with Horizontal(classes="field"):
            yield Label("workers")
            yield Field(str(self._row.service.desired), placeholder="how many there should be", id="count", compact=True)

    def on_mount(self) -> None:
        self.tell([line(Text("asking the house …", "muted"))], ready=False)
        deck, version = self.deck, self._version

        def question(redis: Client) -> object:
            from engine.store.backlog import backlog
            from engine.store.workers import Workers

            busy = sum(any(slot.task for slot in worker.slots) for worker in Workers(redis).alive(version))
            return Crew(deck.house().fleet(version).desired(), backlog(redis, [version])[0], busy)

        self.ask("crew", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == "crew":
            self._crew = message.value
            self._foresee()
        else:
            self.dismiss(message.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "count":
            event.stop()
            self._foresee()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "count":
            event.stop()
            self.query_one("#no").focus()

    def _count(self) -> int | None:
        text = self.query_one("#count", Input).value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

    def _foresee(self) -> None:
        if self._crew is None or self.acting:
            return
        count = self._count()
        told, ready = scaling(self._crew, count)
        self.tell(told, ready=ready)

    def do(self) -> None:
        deck, version, count = self.deck, self._version, self._count()
        if count is None:
            return

        def deed(redis: Client) -> object:
            will = deck.house().fleet(version).scale(count)
            return f"{version} will have {many(will, 'worker')}{noted(redis, 'scale', version, many(will, 'worker'))}"

        self.act("scale", deed)


def scaling(crew: Crew, count: int | None) -> tuple[list[TextLine], bool]:
    """What scaling to `count` does, line by line, and whether it can be done."""
    s = crew.service
    if s.state == "absent":
        how = (
            "`wavedeck deploy` makes a fleet"
            if s.house == "ecs"
            else f"`wavedeck fleet scale N --version {s.version}` keeps some"
        )
        return [
            line(Text("✗ ", Status.FAILED), f"{s.version} has no workers to scale: {s.detail or 'none is there'}; {how}")
        ], False
    if count is None:
        return [line(Text("a whole number of workers, please", "muted"))], False
    will = max(s.least, min(count, s.most))
    if will == s.desired:
        bounds = f" ({count:,} is outside its bounds, {s.least} to {s.most})" if will != count else ""
        return [
            line(f"{many(will, 'worker')} {'is' if will == 1 else 'are'} what it wants already{bounds}: nothing would change")
        ], False
    return list(_scaling(crew, count, will)), True


def _scaling(crew: Crew, count: int, will: int) -> Iterator[TextLine]:
    s, more = crew.service, will - crew.service.desired
    yield line(
        Text(f"{s.desired:,} → {will:,}", "lit"),
        Text(f" workers wanted; {s.running:,} run, {s.pending:,} on their way", "muted"),
    )
    if will != count:
        yield line(Text("✗ ", Status.FAILED), f"{count:,} is outside its bounds: {s.least} to {s.most}")
    each = f" of {s.cpu:g} vCPU and {s.memory / 1e9:.1f} GB" if s.cpu else ""
    if more > 0:
        yield line(Text(many(more, "worker"), "lit"), Text(f"{each} {'starts' if more == 1 else 'start'}", "muted"))
    else:
        how = "busy ones when they are done" if s.house == "ecs" else "the youngest, which finish what they run or give it back"
        yield line(Text(many(-more, "worker"), "lit"), Text(f" {'ends' if more == -1 else 'end'}: {how}", "muted"))
    yield line(Text(f"{crew.busy:,}", "lit"), Text(f" of those alive {'is' if crew.busy == 1 else 'are'} busy now", "muted"))
    b = crew.backlog
    yield line(Text(units(b.outstanding), "lit"), Text(f" outstanding: {b.pending:,} pending, {b.running:,} running", "muted"))
    if b.outstanding and not will:
        yield line(Text("✗ ", Status.FAILED), "they wait until there are workers again")
    before, after = hourly(s, s.desired), hourly(s, will)
    if before is not None and after is not None:
        yield line(Text(f"{money(before)} → {money(after)}", "lit"), Text(" an hour while they run", "muted"))


class StopDialog(ActDialog[str]):
    """Asks before one worker ends. Gives what was done in words, None when nothing was."""

    yes, no = "Stop the worker", "No, let it run"

    def __init__(self, worker: FleetWorker) -> None:
        super().__init__()
        self._worker = worker
        self.title_text = f"stop worker {fit(worker.name, min(len(worker.name), 12))} of {worker.version}?"

    def on_mount(self) -> None:
        self.tell([line(Text("asking Redis …", "muted"))], ready=False)
        worker = self._worker

        def question(redis: Client) -> object:
            from engine.store.workers import Workers

            return [
                slot for one in Workers(redis).alive(worker.version) if _same(one, worker) for slot in one.slots if slot.task
            ]

        self.ask("runs", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == "runs":
            self.tell(stopping(self._worker, message.value), ready=True)
        else:
            self.dismiss(message.value)

    def do(self) -> None:
        deck, worker = self.deck, self._worker

        def deed(redis: Client) -> object:
            reason = f"stopped in the console by {whoami()}"
            deck.house().fleet(worker.version).stop(worker.name, reason)
            return f"worker {worker.name} of {worker.version} ends{noted(redis, 'stop', worker.version, f'worker {worker.name}: {reason}')}"

        self.act("stop", deed)


def _same(heard: Worker, worker: FleetWorker) -> bool:
    """Whether a heartbeat is that of a worker of a house."""
    task = heard.task.rpartition("/")[2]
    return bool(task == worker.name if task else worker.pid and (heard.pid, heard.host) == (worker.pid, socket.gethostname()))


def stopping(worker: FleetWorker, runs: list[SlotState]) -> Iterator[TextLine]:
    """What stopping a worker does, line by line."""
    yield line(Text(f"{worker.kind}, {worker.state}", "lit"))
    for slot in runs:
        yield line(
            Text("runs ", "muted"), slot.task or "?", Text(" of ", "muted"), decode_entity(slot.entity) if slot.entity else "?"
        )
    if runs or worker.protected:
        grace = "two minutes" if worker.kind != "local" else "its time"
        yield line(
            Text(f"It is told to end: it has {grace} to finish what it runs, and gives back the rest to the queue.", "muted")
        )
        if worker.protected:
            yield line(
                Text("✗ ", Status.FAILED), "it has told the house that it is busy; that protects it from scaling, not from this"
            )
    else:
        yield line(Text("It runs nothing that Redis knows of.", "muted"))
    yield line(Text("Another starts in its place as long as so many are wanted; S changes that.", "muted"))
