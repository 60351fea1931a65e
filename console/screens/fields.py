"""The fields of the lines to type in. They come after a screen's first frame, which needs nothing of Textual's Input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import SuggestFromList

from console.screens.prompts import FilterBar, Foot
from console.widgets.field import Field


class FilterInput(Field):
    """The field of a filter; escape empties it and gives the focus back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Clear", show=False)]

    def action_leave(self) -> None:
        self.post_message(FilterBar.Left(keep=False))


class CommandInput(Field):
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
        self.suggester = SuggestFromList([line for line in (*reversed(typed), *known) if line.isprintable()])
        self.focus()

    def action_recall(self, steps: int) -> None:
        self._at = min(max(self._at + steps, 0), len(self._typed) - 1)
        self.value = self._typed[self._at]
        self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        self.post_message(Foot.Said(""))
