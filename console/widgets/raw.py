"""A value as it lies in Redis: text, or bytes in hexadecimal with their text beside them. Lines are made when they are seen."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.widgets.paint import Drawn, line_width, palette_on, strip_of
from console.widgets.text import clean

MOST = 512 * 1024
"""Bytes of text that are shown; hexadecimal has no end."""
ROW = 16


def is_text(data: bytes) -> bool:
    """Whether bytes are text that a person would want to read as such."""
    try:
        text = data[:4096].decode("utf-8", "strict") if len(data) <= 4096 else data[:4096].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return False
    odd = sum(not c.isprintable() and c not in "\n\r\t" for c in text) + (
        len(data[:4096]) - len(text.encode("utf-8", "replace"))
    )
    return odd * 10 <= max(len(text), 1)


class RawView(Drawn, ScrollView, can_focus=True):
    """Shows bytes, in hexadecimal unless they are text."""

    DEFAULT_CSS = """
    RawView {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pane")]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._data, self._bytes = b"", 0
        self._lines: list[str] | None = None
        self._width, self._rest = 0, ""

    @property
    def hexadecimal(self) -> bool:
        """Whether it shows hexadecimal."""
        return self._lines is None

    def put(self, data: bytes, size: int) -> None:
        """Shows `data`, which may be the beginning of a value of `size` bytes."""
        self._data, self._bytes = data, size
        self._layout()
        self.scroll_to(y=0, animate=False)

    def _layout(self) -> None:
        self._width = line_width(self)
        self._lines = _wrapped(self._data[:MOST], max(self._width - 2, 8)) if is_text(self._data) else None
        shown = min(len(self._data), MOST) if self._lines is not None else len(self._data)
        rows = len(self._lines) if self._lines is not None else -(-len(self._data) // ROW)
        self._rest = f"… {self._bytes - shown:,} more bytes" if self._bytes > shown else ""
        self.virtual_size = Size(self._width, rows + bool(self._rest))
        self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        if line_width(self) != self._width:
            self._layout()

    def action_move(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 1, 1))

    def render_line(self, y: int) -> Strip:
        palette, number, width = palette_on(self), y + self.scroll_offset.y, line_width(self)
        pieces: list[tuple[str, Style]] = [(" ", palette.text)]
        rows = self.virtual_size.height - bool(self._rest)
        if number >= rows:
            pieces.append((self._rest if number == rows else "", palette.muted))
        elif self._lines is not None:
            pieces.append((self._lines[number], palette.text))
        else:
            part = self._data[number * ROW : (number + 1) * ROW]
            pieces.append((f"{number * ROW:08x}  ", palette.faint))
            pieces.append((f"{part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  ", palette.text))
            pieces.append(("".join(chr(b) if 0x20 <= b < 0x7F else "·" for b in part), palette.muted))
        return strip_of(pieces, width, palette.text)


def _wrapped(data: bytes, width: int) -> list[str]:
    """Text in lines of at most `width` cells, cleaned."""
    lines: list[str] = []
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        for at in range(0, max(len(line), 1), width):
            slab = line[at : at + width]
            shown = slab if slab.isascii() and slab.isprintable() else clean(slab)
            lines += [shown] if cell_len(shown) <= width else chop_cells(shown, width)
    return lines
