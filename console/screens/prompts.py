"""Lines to type in: the filter of a list, and the command line. Both give the focus back when they are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from console.keys import Action
from console.screens.chrome import KeyLine, Line, Piece
from console.theme import Palette
from console.widgets.legend import Legend

if TYPE_CHECKING:
    from textual.widgets import Input

    from console.screens.fields import CommandInput, FilterInput


LEGEND = 83
"""Cells of the legend where it says all."""


class Mark(Line):
    """The sign before a field."""

    DEFAULT_CSS = "Mark { width: 3; background: $panel; }"

    def __init__(self, sign: str) -> None:
        super().__init__()
        self._sign = sign

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield f" {self._sign} "[:width], palette.lit


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
        self._hint, self._text = hint, ""

    def on_mount(self) -> None:
        self.call_after_refresh(self._field)

    def _field(self) -> FilterInput | None:
        """The field; made when the first frame is there, or when it is wanted sooner. None before and after the bar's life."""
        from console.screens.fields import FilterInput

        for field in self.query(FilterInput):
            return field
        if not self.is_attached or not self.is_mounted:
            return None
        field = FilterInput(self._text, placeholder=self._hint, compact=True, select_on_focus=False)
        self.mount(Mark("/"), field)
        return field

    @property
    def text(self) -> str:
        """The filter."""
        field = self._field()
        return field.value if field is not None else self._text

    def open(self, text: str | None = None) -> None:
        """Shows it, with `text` if given, and puts the focus in."""
        self.add_class("-on")
        if (field := self._field()) is not None:
            field.value = field.value if text is None else text
            field.focus()

    def put(self, text: str) -> None:
        """Sets the filter, and shows the bar while there is one."""
        self.set_class(bool(text), "-on")
        self._text = text
        for field in self.query("FilterInput").results():
            field.value = text  # type: ignore[attr-defined]

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(keep=True))


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
        &.-one { height: 1; layout: horizontal; }
        &.-one Legend { width: 83; }
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
        self._arrange()

    def _arrange(self) -> None:
        wide = sum(line.whole for line in self.query(KeyLine)) or KeyLine(self._actions).whole
        self.set_class(self.app.size.width >= LEGEND + wide, "-one")

    def on_resize(self) -> None:
        self._arrange()

    def on_mount(self) -> None:
        self.call_after_refresh(self._field)

    def _field(self) -> CommandInput | None:
        """As of a filter."""
        from console.screens.fields import CommandInput

        for field in self.query(CommandInput):
            return field
        if not self.is_attached or not self.is_mounted:
            return None
        row, field = Horizontal(id="command"), CommandInput()
        self.mount(row)
        row.mount(Mark(":"), field)  # a child of a row that is not mounted yet cannot have the focus
        return field

    def tell(self, actions: Sequence[Action]) -> None:
        """Other keys are at hand now."""
        self.query_one(KeyLine).tell(actions)
        self._arrange()

    def ask(self, typed: Sequence[str], known: Sequence[str]) -> None:
        """Opens the command line, as its field's `begin` says."""
        self.add_class("-command")
        if (field := self._field()) is not None:
            field.begin(typed, known)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Said(event.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def close(self) -> None:
        """The keys again."""
        self.remove_class("-command")
