"""Lines to type in: the filter of a list, and the command line. Both give the focus back when they are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input

from console.keys import Action
from console.screens.chrome import KeyLine, Line, Piece
from console.theme import Palette
from console.widgets.legend import Legend


class Mark(Line):
    """The sign before a field."""

    DEFAULT_CSS = "Mark { width: 3; background: $panel; }"

    def __init__(self, sign: str) -> None:
        super().__init__()
        self._sign = sign

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield f" {self._sign} "[:width], palette.lit


class FilterInput(Input):
    """The field; escape empties it and gives the focus back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Clear", show=False)]

    def action_leave(self) -> None:
        self.post_message(FilterBar.Left(keep=False))


class FilterBar(Horizontal):
    """One line to write a filter in; it is there while there is one."""

    DEFAULT_CSS = """
    FilterBar {
        height: 1; display: none; background: $panel;
        &.-on { display: block; }
        FilterInput { width: 1fr; background: $panel; border: none; padding: 0; height: 1; }
    }
    """

    @dataclass
    class Changed(Message):
        """The text is another one."""

        text: str

    @dataclass
    class Left(Message):
        """The person is done with it: the text stays if `keep`."""

        keep: bool

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint

    def compose(self) -> ComposeResult:
        yield Mark("/")
        yield FilterInput(placeholder=self._hint, compact=True, select_on_focus=False)

    @property
    def text(self) -> str:
        """The filter."""
        return self.query_one(FilterInput).value

    def open(self, text: str | None = None) -> None:
        """Shows it, with `text` if given, and puts the focus in."""
        self.add_class("-on")
        if text is not None:
            self.query_one(FilterInput).value = text
        self.query_one(FilterInput).focus()

    def put(self, text: str) -> None:
        """Sets the filter, and shows the bar while there is one."""
        self.set_class(bool(text), "-on")
        self.query_one(FilterInput).value = text

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(keep=True))


class CommandInput(Input):
    """The command line; up and down go through what was typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="wave flights@main 2013-07-01T14 failures", compact=True, select_on_focus=False)
        self._typed: Sequence[str] = ()
        self._at = 0

    def begin(self, typed: Sequence[str], known: Sequence[str]) -> None:
        """Empties it; `typed` can be called back, `known` is what it completes."""
        self._typed, self._at, self.value = (*typed, ""), len(typed), ""
        self.suggester = SuggestFromList([*reversed(typed), *known])
        self.focus()

    def action_recall(self, steps: int) -> None:
        self._at = min(max(self._at + steps, 0), len(self._typed) - 1)
        self.value = self._typed[self._at]
        self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        self.post_message(Foot.Said(""))


class Foot(Horizontal):
    """Legend and keys: on one line where both fit, else on two. The command line takes the place of the keys."""

    DEFAULT_CSS = """
    Foot {
        dock: bottom; height: 2; layout: vertical; background: $surface;
        Legend { background: $surface; width: 1fr; }
        KeyLine { width: 1fr; }
        #command { height: 1; width: 1fr; display: none; background: $panel; }
        CommandInput { width: 1fr; background: $panel; border: none; padding: 0; height: 1; }
        &.-command #command { display: block; }
        &.-command KeyLine { display: none; }
    }
    """

    @dataclass
    class Said(Message):
        """The line that was typed; empty when the person thought better of it."""

        text: str

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = actions

    def compose(self) -> ComposeResult:
        yield Legend()
        yield KeyLine(self._actions)
        with Horizontal(id="command"):
            yield Mark(":")
            yield CommandInput()

    def tell(self, actions: Sequence[Action]) -> None:
        """Other keys are at hand now."""
        self.query_one(KeyLine).tell(actions)

    def ask(self, typed: Sequence[str], known: Sequence[str]) -> None:
        """Opens the command line, as `CommandInput.begin` says."""
        self.add_class("-command")
        self.query_one(CommandInput).begin(typed, known)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Said(event.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def close(self) -> None:
        """The keys again."""
        self.remove_class("-command")
