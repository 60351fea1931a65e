"""What a terminal really shows after all updates, kept by a terminal of the few sequences that Textual draws with."""

import re
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from console.theme import register

_SEQUENCE = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[\d;:]*m|([^\x1b]+)")


class DrawnApp(App[None]):
    """An app whose updates end up in `cells`, as on a terminal: what nobody repaints stays as it was."""

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self._widgets = widgets
        self.cells: dict[tuple[int, int], str] = {}
        self.writes = 0

    def compose(self) -> Any:
        yield from self._widgets

    def on_mount(self) -> None:
        register(self)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self._draw(renderable.render_segments(self.console))
        super()._display(screen, renderable)

    def _draw(self, sequence: str) -> None:
        x = y = end = 0
        for match in _SEQUENCE.finditer(sequence):
            assert match.start() == end, f"not understood: {sequence[end : match.start()]!r}"
            end = match.end()
            if match[1]:
                y, x = int(match[1]) - 1, int(match[2]) - 1
            for char in match[3] or "":
                if char == "\n":
                    x, y = 0, y + 1
                    continue
                width = cell_len(char)
                self.cells[x, y] = char if width else self.cells[x, y] + char
                self.writes += width
                for beside in range(1, width):
                    self.cells[x + beside, y] = ""
                x += width
        assert end == len(sequence), f"not understood: {sequence[end:]!r}"

    def shown(self, widget: Widget) -> list[str]:
        """The lines of `widget` on the terminal, without its scrollbar."""
        region = widget.content_region
        right = region.right - widget.scrollbar_size_vertical
        return ["".join(self.cells.get((x, y), "?") for x in range(region.x, right)) for y in range(region.y, region.bottom)]


def truth(widget: Any) -> list[str]:
    """The lines that `widget` would draw now."""
    return [widget.render_line(y).text for y in range(widget.size.height)]
