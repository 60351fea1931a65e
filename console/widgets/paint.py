"""What the drawn widgets share: the palette on their background, strips put together from styled pieces, and a short way to the
screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
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
    marked dirty where Textual does it (`_styles_cache`), so that nothing is drawn that it would not draw. The scrollbar, which a
    page down changes as well, is of the same kind.
    """

    _while_painting: tuple[int, Palette] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self._size.width
        if crop.column_span != (0, width) or not self._undressed():
            return super().render_lines(crop)
        kept = self._styles_cache
        if width != kept._width:
            kept.clear()
            kept._width = width
        lines, dirty, strips = kept._cache, kept._dirty_lines, []
        self._while_painting = None
        self._while_painting = line_width(self), palette_on(self)  # each costs as much as half a line
        try:
            for y in crop.line_range:
                strip = lines.get(y)
                if strip is None or y in dirty:
                    strip = lines[y] = self._full_line(y, width)
                strips.append(strip)
        finally:
            self._while_painting = None
        if dirty:
            dirty.difference_update(crop.line_range)
        return strips

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        bar = self._vertical_scrollbar
        if bar is None:
            bar = self._vertical_scrollbar = DrawnScrollBar(True, "vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self.app._start_widget(self, bar)
        return bar

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


class DrawnScrollBar(Drawn, ScrollBar):
    """Textual's scrollbar, line by line."""

    _lines: Sequence[Strip] = ()

    def render_lines(self, crop: Region) -> list[Strip]:
        self._lines = ()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        self._lines = self._lines or self._all_lines()
        return self._lines[y]

    def _all_lines(self) -> list[Strip]:
        bar = self.render()
        assert isinstance(bar, ScrollBarRender)  # noqa: S101
        assert isinstance(bar.style, Style)  # noqa: S101
        colors = {"back_color": bar.style.bgcolor, "bar_color": bar.style.color}
        drawn = bar.render_bar(
            self.size.height, bar.virtual_size, bar.window_size, bar.position, bar.thickness, **cast(Any, colors)
        )
        base = self.visual_style.rich_style
        return [Strip([Segment(text, base + style if style else base)], bar.thickness) for text, style, _ in drawn.segments]


def palette_on(widget: Widget, under_cursor: bool = False) -> Palette:
    """The app's palette laid over the background of `widget`, or over that of its cursor row."""
    painting = getattr(widget, "_while_painting", None)
    if painting is not None and not under_cursor:
        known: Palette = painting[1]
        return known
    palette, base = palette_of(widget.app), widget.visual_style.rich_style
    return on(palette, base + palette.cursor if under_cursor else base)


def line_width(widget: Widget) -> int:
    """Cells of a line beside the scrollbar, which must have a stable gutter: else lines would be cut when it appears."""
    painting = getattr(widget, "_while_painting", None)
    if painting is not None:
        width: int = painting[0]
        return width
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
