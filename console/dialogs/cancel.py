"""Before a wave is cancelled: what that ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.by import whoami
from console.dialogs.base import ActDialog
from console.feed import Answer
from console.screens.text_pane import Text, TextLine, line
from console.screens.words import amounts, many
from console.theme import SEVERITY, look
from engine.status import Status

if TYPE_CHECKING:
    from console.dialogs.consequences import Ending
    from engine.store.connect import Client

KEPT = {
    Status.PENDING: "will never run",
    Status.RUNNING: "are stopped, their output is lost",
    Status.FINISHED: "stay, and so do their pipes",
    Status.FAILED: "stay",
    Status.BLOCKED: "stay",
    Status.CANCELLED: "were cancelled before",
}


class CancelDialog(ActDialog[str]):
    """Asks before wave `wave`, called `locator`, is cancelled. Gives what was cancelled in words, None when nothing was."""

    yes, no = "Cancel the wave", "No, let it run"

    def __init__(self, wave: str, locator: str) -> None:
        super().__init__()
        self._wave, self._locator = wave, locator
        self.title_text = f"cancel {locator}?"

    def on_mount(self) -> None:
        self.tell([line(Text("asking Redis …", "muted"))], ready=False)
        self._foresee()

    def _foresee(self) -> None:
        def question(redis: Client) -> object:
            from console.dialogs.consequences import foresee_cancel

            return foresee_cancel(redis, self._wave)

        self.ask("foresee", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == "foresee":
            ending: Ending = message.value
            self.tell(consequences(ending), ready=not ending.over, entities=ending.entities, flow=ending.flow)
        else:
            self.dismiss(message.value)

    def do(self) -> None:
        def deed(redis: Client) -> object:
            from engine.cancel import cancel
            from engine.store.waves import Waves

            done = cancel(redis, Waves(redis).get(self._wave), by=whoami(), reason="cancelled in the console", origin="console")
            held = f", {done.held:,} entities are still held by workers, which stop them" if done.held else ""
            return f"cancelled {self._locator}: {done.cells:,} cells at once{held}"

        self.act("cancel", deed)


def consequences(ending: Ending) -> Iterator[TextLine]:
    """What a cancel would end, line by line."""
    if ending.over:
        yield line(f"It is {ending.over} already; there is nothing to cancel.")
        return
    width = max(len(f"{number:,}") for number in ending.counts.values())
    for status in SEVERITY:
        if number := ending.counts.get(status, 0):
            seen = look(status)
            told = line(
                Text(f"{number:>{width},} ", "lit"),
                Text(f"{seen.glyph} ", status),
                f"{seen.word:<10}",
                Text(KEPT[status], "muted"),
            )
            yield told
    yield line(
        Text(f"of {ending.entities:,} entities, ", "muted"),
        f"{ending.done:,}",
        Text(" are complete, ", "muted"),
        f"{ending.running:,}",
        Text(" run now, ", "muted"),
        f"{ending.untouched:,}",
        Text(" were never begun", "muted"),
    )
    yield line(Text("pipes that will not appear: ", "muted"), amounts(ending.lost) or "none")
    if ending.slots:
        yield line(Text(many(ending.slots, "slot"), "lit"), Text(" will be free for other waves", "muted"))
    yield line(Text("What was finished stays. It cannot be undone; R runs the rest as a new wave.", "muted"))
