"""A line to type in that shows whatever was put into it."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Input

from console.widgets.text import dotted


class Field(Input):
    """As Textual's, but for what was pasted or came with a place: controls and what a terminal does not show are a dot each, one cell wide.
    The value keeps them."""

    @property
    def _value(self) -> Text:
        return Text(dotted(self.value), no_wrap=True, overflow="ignore", end="")

    def _position_to_cell(self, position: int) -> int:
        return cell_len(dotted(self.value[:position]))
