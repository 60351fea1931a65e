"""One line that says what the glyphs mean."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.theme import LOOKS
from console.widgets.paint import Drawn, palette_on, strip_of
from engine.status import Cell

ORDER = (
    Cell.PENDING,
    Cell.RUNNING,
    Cell.FINISHED,
    Cell.REUSED,
    Cell.FALLBACK,
    Cell.FAILED,
    Cell.BLOCKED,
    Cell.CANCELLED,
)
RARE = (Cell.REUSED, Cell.CANCELLED, Cell.FALLBACK)
"""Left out in this order where there is no room for all."""


def legend(width: int) -> list[tuple[Cell, str]]:
    """What the legend says in `width` cells: each state with the text that stands for it, rare states left out in need."""
    for left_out in range(len(RARE) + 1):
        shown = [cell for cell in ORDER if cell not in RARE[:left_out]]
        entries = [(cell, f"{LOOKS[cell].glyph} {LOOKS[cell].word}") for cell in shown]
        if sum(len(text) + 1 for _, text in entries) <= width:
            return entries
    return [(cell, f"{LOOKS[cell].glyph}{LOOKS[cell].letter}") for cell in shown]


class Legend(Drawn, Widget):
    """The legend, one line high, on every screen that draws states."""

    DEFAULT_CSS = """
    Legend { height: 1; background: $background; color: $foreground; }
    """

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - it has one line
        palette = palette_on(self)
        pieces: list[tuple[str, Style]] = []
        for cell, text in legend(self.size.width):
            pieces += [(" " + text[0], palette.style(cell)), (text[1:], palette.muted)]
        return strip_of(pieces, self.size.width, palette.text)
