"""What the drawn widgets share: the palette on their background, strips put together from styled pieces, and a short way to the
screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.theme import ASCII, Palette, on, palette_of
from console.widgets.text import clean

if TYPE_CHECKING:
    _Base = Widget
else:
    _Base = object  # a second widget among the bases would hide the first one's styles and keys from Textual

_DRESSED = ("tint", "hatch", "text_opacity", "outline_top", "outline_right", "outline_bottom", "outline_left")
"""Rules by which Textual would change a line that it has got."""


class Drawn(_Base):
    """For widgets whose `render_line` gives finished lines, in colours of the palette, on their own background; before `Widget` among
    the bases.

    Textual goes over every line that a widget draws: border, padding, opacity, tint, filters for colours. That is most of what a frame
    costs. Where the widget has none of these, its lines are taken as they are; else this is a widget as any other. Lines are kept and
    marked dirty where Textual does it (`_styles_cache`), so that nothing is drawn that it would not draw.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self._size.width
        if crop.column_span != (0, width) or not self._undressed():
            return super().render_lines(crop)
        kept = self._styles_cache
        if width != kept._width:
            kept.clear()
            kept._width = width
        lines, dirty, strips = kept._cache, kept._dirty_lines, []
        for y in crop.line_range:
            strip = lines.get(y)
            if strip is None or y in dirty:
                strip = lines[y] = self._full_line(y, width)
            strips.append(strip)
        if dirty:
            dirty.difference_update(crop.line_range)
        return strips

    def kept_line(self, y: int) -> Strip | None:
        """The line that is on the screen at `y`, if it is known."""
        return self._styles_cache._cache.get(y)

    def _full_line(self, y: int, width: int) -> Strip:
        strip = self.render_line(y)
        missing = width - strip.cell_length
        if not missing:
            return strip
        if missing < 0:
            return strip.crop(0, width)
        return Strip([*strip, Segment(" " * missing, self.visual_style.rich_style)], width)

    def _undressed(self) -> bool:
        styles = self.styles
        return (
            self.opacity == 1.0
            and not any(styles.gutter)
            and not styles.has_any_rules(*_DRESSED)
            and all(isinstance(f, ANSIToTruecolor) for f in self.app._filters)
        )


def palette_on(widget: Widget, under_cursor: bool = False) -> Palette:
    """The app's palette laid over the background of `widget`, or over that of its cursor row."""
    palette, base = palette_of(widget.app), widget.visual_style.rich_style
    return on(palette, base + palette.cursor if under_cursor else base)


def line_width(widget: Widget) -> int:
    """Cells of a line beside the scrollbar, which must have a stable gutter: else lines would be cut when it appears."""
    return max(widget.size.width - widget.scrollbar_size_vertical, 0)


def strip_of(pieces: Iterable[tuple[str, Style]], width: int, rest: Style) -> Strip:
    """One line of exactly `width` cells; what is missing is filled in the style `rest`. The texts must be clean; one that is not would be
    obeyed by the terminal, so here it is cleaned, whatever that does to the columns."""
    texts: list[str] = []
    styles: list[Style] = []
    for text, style in pieces:
        if styles and styles[-1] is style:  # the fewer segments, the less Textual has to do
            texts[-1] += text
        elif text:
            texts.append(text)
            styles.append(style)
    texts = [text if text.isprintable() else clean(text) for text in texts]
    if ASCII:
        texts = [text.translate(ASCII) for text in texts]
    used = sum([len(text) if text.isascii() else cell_len(text) for text in texts])
    if used < width:
        texts.append(" " * (width - used))
        styles.append(rest)
    strip = Strip(map(Segment, texts, styles), max(used, width))
    return strip if used <= width else strip.crop(0, width)
