"""How far the forecasts of each flow reach: a line a flow, above the waves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.theme import Palette
from console.widgets.paint import Drawn, palette_on, strip_of
from console.widgets.text import clean, fit
from engine.status import Cell, Status

if TYPE_CHECKING:
    from console.reports.coverage import Kind
    from console.sources.coverage import CoverLine

Piece = tuple[str, Style]
HINT = " h coverage"


class CoverLines(Drawn, Widget):
    """The sentences about the flows whose forecasts somebody stands on, the worst first; nothing where there is none."""

    DEFAULT_CSS = (
        "CoverLines { height: 1; display: none; background: $background; color: $foreground; &.-on { display: block; } }"
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[CoverLine, ...] = ()

    def tell(self, lines: Sequence[CoverLine]) -> None:
        """What to say."""
        if (told := tuple(lines)) != self._lines:
            self._lines = told
            self.styles.height = max(len(told), 1)
            self.set_class(bool(told), "-on")
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette, width = palette_on(self), self.size.width
        pieces = self._pieces(self._lines[y], palette, width, hint=not y) if y < len(self._lines) else ()
        return strip_of(pieces, width, palette.text)

    def _pieces(self, line: CoverLine, palette: Palette, width: int, *, hint: bool) -> Iterator[Piece]:
        names = [f"{line.flow}@{line.version} {line.task}", f"{line.flow}@{line.version}", line.flow]
        wide = max(cell_len(clean(name)) for name in names[:1])
        words = line.long if _cells(line.long) + wide + 4 <= width else line.short
        room = width - _cells(words) - 4
        name = next((n for n in names if cell_len(clean(n)) <= room), names[-1])
        yield " ", palette.muted
        shown = fit(name, max(min(cell_len(clean(name)), room), 0))
        yield f"{shown}  ", palette.text if line.loud else palette.muted
        for number, (kind, text) in enumerate(words):
            yield " · " if number else "", palette.faint
            yield text, look_of(kind, palette, loud=line.loud)
        left = width - 3 - cell_len(shown) - _cells(words)
        if hint and left > len(HINT):
            yield " " * (left - len(HINT) - 1), palette.text
            yield HINT[:2], palette.lit
            yield HINT[2:], palette.muted


def look_of(kind: Kind, palette: Palette, *, loud: bool) -> Style:
    """How a part of the sentence looks: loud is what somebody should look at."""
    if kind in ("dark", "soon"):
        return palette.style(Status.FAILED) if loud else palette.text
    return palette.style(Cell.FALLBACK) if kind == "older" else palette.text if loud else palette.muted


def _cells(words: Sequence[tuple[Kind, str]]) -> int:
    return sum(cell_len(text) for _, text in words) + 3 * (len(words) - 1)
