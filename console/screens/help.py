"""Every key, from the registry, and what the glyphs mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import KeyMap, by_home
from console.keys import Scope
from console.screens.chrome import Rule
from console.screens.text_pane import Text, TextLine, TextPane, line
from console.theme import LOOKS
from engine.status import STATUS_OF, Cell

MEANING = {
    Cell.PENDING: "queued, or collected and waiting for its inputs",
    Cell.RUNNING: "at work now",
    Cell.FINISHED: "done, its pipe is written",
    Cell.REUSED: "finished without running: its pipe was there",
    Cell.FALLBACK: "finished on an older input, or one of another version",
    Cell.FAILED: "it ran and broke",
    Cell.BLOCKED: "a required input never came, so nothing ran",
    Cell.CANCELLED: "somebody ended the wave first",
}


class HelpScreen(ModalScreen[None]):
    """The help; any of its keys closes it."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", show=False)]

    def __init__(self, first: Scope, read_only: bool, keymap: KeyMap | None = None) -> None:
        super().__init__()
        self._first, self._read_only, self._keymap = first, read_only, keymap

    def compose(self) -> ComposeResult:
        with Vertical(id="help"):
            yield Rule()
            yield TextPane()

    def on_mount(self) -> None:
        self.query_one(Rule).tell("keys", "esc closes")
        pane = self.query_one(TextPane)
        pane.put(help_lines(self._first, self._read_only, self._keymap), top=True)
        pane.focus()


def help_lines(first: Scope, read_only: bool, keymap: KeyMap | None = None) -> Iterator[TextLine]:
    """The help, line by line, that of the screen `first` before all other."""
    for title, actions in by_home(first, keymap=keymap):
        yield line(Text(title, "muted"))
        for action in actions:
            grey = read_only and action.dangerous
            words = f"{action.words:<11} "
            yield line(
                Text(f"  {action.shown:<9} ", "muted" if grey else "lit"),
                Text(words, "muted") if grey else words,
                Text(f"{'refused: read-only · ' if grey else ''}{action.help}", "muted"),
            )
        yield line()
    yield line(Text("states of a task of an entity", "muted"))
    for cell, seen in LOOKS.items():
        yield line(Text(f"  {seen.glyph} ", STATUS_OF[cell]), f"{seen.word:<10}        ", Text(MEANING[Cell(cell)], "muted"))
    yield line()
    yield line(Text("tasks of a graph", "muted"))
    for sign, meaning in (("!", "failed first of all"), ("▲", "the slowest"), ("△", "on the critical path")):
        yield line(Text(f"  {sign} ", "lit"), Text(meaning, "muted"))
    if read_only:
        yield line()
        yield line(Text("read-only: what would change something is grey, and refused", "muted"))
