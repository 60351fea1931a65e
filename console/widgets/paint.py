"""What the drawn widgets share: the palette on their background, and strips put together from styled pieces."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.theme import ASCII, Palette, on, palette_of


def palette_on(widget: Widget, under_cursor: bool = False) -> Palette:
    """The app's palette laid over the background of `widget`, or over that of its cursor row."""
    palette, base = palette_of(widget.app), widget.visual_style.rich_style
    return on(palette, base + palette.cursor if under_cursor else base)


def line_width(widget: Widget) -> int:
    """Cells of a line beside the scrollbar, which must have a stable gutter: else lines would be cut when it appears."""
    return max(widget.size.width - widget.scrollbar_size_vertical, 0)


def strip_of(pieces: Iterable[tuple[str, Style]], width: int, rest: Style) -> Strip:
    """One line of exactly `width` cells; what is missing is filled in the style `rest`. The texts must be clean."""
    segments = [Segment(text.translate(ASCII) if ASCII else text, style) for text, style in pieces if text]
    strip = Strip(segments, sum(cell_len(segment.text) for segment in segments))
    return strip.crop_extend(0, width, rest)
