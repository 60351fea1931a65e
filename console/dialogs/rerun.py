"""Before entities run again: which, what of it runs, and what is reused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from console.by import whoami
from console.dialogs.base import ActDialog, memory, work, workforce
from console.feed import Answer
from console.screens.text_pane import Text, TextLine, line
from console.screens.words import many
from console.theme import SEVERITY, look

if TYPE_CHECKING:
    from console.dialogs.consequences import Again
    from engine.store.connect import Client


class RerunDialog(ActDialog[tuple[str, str]]):
    """Asks before entities of wave `wave`, called `name`, run again as a new wave; gives its (id, locator). `what`: which they are, in
    words; `numbers`: which, all that did not finish when None."""

    yes, no = "Run them again", "No, start nothing"

    def __init__(self, wave: str, name: str, what: str, numbers: Sequence[int] | None) -> None:
        super().__init__()
        self._wave, self._what, self._numbers = wave, what, numbers
        self.title_text = f"run again: {what or 'what did not finish'} of {name}"

    def on_mount(self) -> None:
        self.tell([line(Text("asking Redis …", "muted"))], ready=False)

        def question(redis: Client) -> object:
            from console.dialogs.consequences import foresee_rerun

            return foresee_rerun(redis, self._wave, self._numbers)

        self.ask("foresee", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == "foresee":
            again: Again = message.value
            ready = any(again.run.values()) and not again.fit.refusal
            self.tell(consequences(again), ready=ready, entities=again.entities, flow=again.flow)
        else:
            self.dismiss(message.value)

    def do(self) -> None:
        def deed(redis: Client) -> object:
            from console.staffed import by_default
            from engine.rerun import rerun
            from engine.store.waves import Waves

            wave = Waves(redis).get(self._wave)
            staff = by_default(redis, wave.version)
            new = rerun(redis, wave, by=whoami(), entities=self._numbers, origin="console", staff=staff).wave
            return new.id, new.locator

        self.act("rerun", deed)


def consequences(again: Again) -> Iterator[TextLine]:
    """What a re-run would do, line by line."""
    yield line(
        Text(many(again.entities, "entity", "entities"), "lit"),
        Text(" in a new wave of that date, before the schedule's:", "muted"),
    )
    for status in SEVERITY:
        if number := again.bad.get(status, 0):
            yield line(Text(f"  {number:,} ", "lit"), Text(f"{look(status).glyph} ", status), f"{look(status).word}")
    if again.open:
        yield line(Text("what has not ended in that wave goes on there; a pipe that both compute is kept once", "muted"))
    yield from work(again.run, again.reused)
    yield from workforce(again.workers, again.slots, again.version, again.expected)
    yield from memory(again.fit, "wavedeck rerun --force")
