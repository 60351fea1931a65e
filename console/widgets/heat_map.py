"""The whole wave at a glance: half a cell for each entity, in the colour of the worst that it has."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.theme import ASCII, PLAIN, Palette, look
from console.widgets.paint import Drawn, line_width, palette_on
from engine.status import Cell, Status

NONE = 0
"""Where there is no entity."""
SHARE: dict[int, float] = {Cell.BLOCKED: 0.5, Cell.CANCELLED: 0.6, Cell.PENDING: 0.35, Cell.REUSED: 0.7}
"""How much of its colour a state keeps over the background: without glyphs, what is hollow elsewhere is darker here."""


class HeatMap(Drawn, ScrollView, can_focus=True):
    """Draws a board byte for each entity of `order`, line after line, two of them in one cell of the screen.

    Where colours say nothing (NO_COLOR, sixteen colours, ASCII) each entity is a glyph of a whole cell. Only lines that
    change are painted again; what does not fit scrolls.
    """

    DEFAULT_CSS = """
    HeatMap {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Left", show=False),
        Binding("right,l", "move(1)", "Right", show=False),
        Binding("up,k", "line(-1)", "Up", show=False),
        Binding("down,j", "line(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000000)", "First", show=False),
        Binding("end,G", "move(1000000000)", "Last", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("enter", "choose", "Open entity", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The place in `order` that keys act on."""

    class Pointed(Message):
        """The cursor stands on another entity."""

    @dataclass
    class EntityChosen(Message):
        """The person wants to see this entity."""

        index: int

    @dataclass
    class Mark(Message):
        """The person marks this entity, or takes its mark away."""

        index: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._order: Sequence[int] = array("I")
        self._shown = b""

    @property
    def entity(self) -> int | None:
        """The number of the entity under the cursor."""
        return self._order[self.cursor] if len(self._order) else None

    @property
    def halves(self) -> bool:
        """Whether two entities share a cell."""
        return not (PLAIN or self.app.no_color or self.app.native_ansi_color)

    def update(self, states: bytes, order: Sequence[int]) -> None:
        """Shows `states`, a board byte an entity of the wave, for the entities of `order`; in another order the cursor stays with
        its entity."""
        before, here = self._shown, self.entity
        picked = itemgetter(*order)(states) if len(order) > 1 else [states[entity] for entity in order]
        self._shown = bytes(picked)
        if order is not self._order and order != self._order:
            self._order = order
            row = order.index(here) if self.cursor and here in order else self.cursor
            self.set_reactive(HeatMap.cursor, min(row, max(len(order) - 1, 0)))
            self._scroll_to_cursor()
        if len(before) != len(self._shown):
            self._resized()
            return
        pitch, top = self._width * self._rows, self.scroll_offset.y
        for line in range(top, top + self.size.height):
            part = slice(line * pitch, (line + 1) * pitch)
            if before[part] != self._shown[part]:
                self.refresh_line(line)

    def on_resize(self, _event: events.Resize) -> None:
        self._resized()

    def notify_style_update(self) -> None:
        """Another theme may draw halves or glyphs."""
        super().notify_style_update()
        if self.is_attached:
            self._resized()

    def on_focus(self) -> None:
        self.refresh_line(self._line_of(self.cursor))

    def on_blur(self) -> None:
        self.refresh_line(self._line_of(self.cursor))

    def on_click(self, event: events.Click) -> None:
        index = (event.y + self.scroll_offset.y) * self._rows * self._width + event.x
        if event.x < self._width and index < len(self._order):
            self.cursor = index
            if event.chain > 1:
                self.action_choose()

    def action_move(self, by: int) -> None:
        if len(self._order):
            self.cursor = min(max(self.cursor + by, 0), len(self._order) - 1)

    def action_line(self, by: int) -> None:
        to = self.cursor + by * self._width
        if 0 <= to < len(self._order):
            self.cursor = to
        elif by > 0 and self._line_of(len(self._order) - 1) > self._line_of(self.cursor):
            self.cursor = len(self._order) - 1

    def action_page(self, pages: int) -> None:
        lines = max(self.size.height - 1, 1) * self._rows
        self.action_move(pages * min(lines * self._width, len(self._order)))

    def action_mark(self) -> None:
        if self.entity is not None:
            self.post_message(self.Mark(self.entity))

    def action_choose(self) -> None:
        if self.entity is not None:
            self.post_message(self.EntityChosen(self.entity))

    def watch_cursor(self, before: int, after: int) -> None:
        self._scroll_to_cursor()
        for line in {self._line_of(before), self._line_of(after)}:
            self.refresh_line(line)
        self.post_message(self.Pointed())

    def render_line(self, y: int) -> Strip:
        palette, width, line = palette_on(self), self._width, y + self.scroll_offset.y
        at = line * self._rows * width
        shown = self._shown[at : at + self._rows * width].ljust(self._rows * width, b"\0")
        here = self.cursor - at if self.has_focus and at <= self.cursor < min(at + len(shown), len(self._order)) else -1
        segments = _halves(palette, shown, width, here) if self.halves else list(_glyphs(palette, shown, here))
        whole = line_width(self)
        return Strip([*segments, Segment(" " * (whole - width), palette.text)], whole)

    @property
    def _rows(self) -> int:
        """Rows of entities in a line of the screen."""
        return 2 if self.halves else 1

    @property
    def _width(self) -> int:
        return max(line_width(self), 1)

    def _line_of(self, index: int) -> int:
        return index // (self._width * self._rows)

    def _resized(self) -> None:
        lines = -(-len(self._order) // (self._width * self._rows)) or 1
        self.virtual_size = Size(line_width(self), lines)
        self._scroll_to_cursor()
        self.refresh()

    def _scroll_to_cursor(self) -> None:
        line, top, height = self._line_of(self.cursor), self.scroll_offset.y, max(self.size.height, 1)
        if not top <= line < top + height:
            self.scroll_to(y=line if line < top else line - height + 1, animate=False)


def _halves(palette: Palette, shown: bytes, width: int, here: int) -> list[Segment]:
    """Two rows of entities as one line; `here` is the place of the cursor among them, negative for none."""
    top, bottom = shown[:width], shown[width:]
    if here < 0:
        return _runs(palette, top, bottom)
    x, lit = here % width, palette.lit.color
    colors = _colors(palette)
    over, under = colors[top[x]], colors[bottom[x]]
    cursor = Style(color=lit if here < width else over, bgcolor=under if here < width else lit)
    left, right = _runs(palette, top[:x], bottom[:x]), _runs(palette, top[x + 1 :], bottom[x + 1 :])
    return [*left, Segment("▀", cursor), *right]


def _runs(palette: Palette, top: bytes, bottom: bytes) -> list[Segment]:
    """Neighbours that are alike in one segment. By hand: this is most of what the map costs."""
    halves, segments = _segments(palette), []
    last, count = (-1, -1), 0
    for pair in zip(top, bottom, strict=True):
        if pair == last:
            count += 1
            continue
        if count:
            one = halves[last]
            segments.append(one if count == 1 else Segment(one.text * count, one.style))
        last, count = pair, 1
    if count:
        segments.append(Segment(halves[last].text * count, halves[last].style))
    return segments


class _Halves(dict[tuple[int, int], Segment]):
    """A cell of two entities, made when it is first seen."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._colors = _colors(palette)

    def __missing__(self, pair: tuple[int, int]) -> Segment:
        top, bottom = pair
        style = Style(color=self._colors[top], bgcolor=self._colors[bottom])
        self[pair] = made = Segment("▀" if top or bottom else " ", style)
        return made


@lru_cache(maxsize=16)
def _segments(palette: Palette) -> _Halves:
    return _Halves(palette)


@lru_cache(maxsize=16)
def _colors(palette: Palette) -> tuple[Color, ...]:
    """The colour of each board byte, and of NONE, which is the background."""
    return tuple(tint(palette, byte) for byte in range(256))


def tint(palette: Palette, state: int) -> Color:
    """The colour that stands for a board byte without a glyph. Raises ValueError for a palette without a background."""
    ground = palette.text.bgcolor
    if ground is None or ground.triplet is None:
        raise ValueError(f"the palette {palette.name} is not laid over a background")
    color = palette.bars[Status.FINISHED].color if state == Cell.FINISHED else palette.style(state).color
    if state == NONE or color is None or color.triplet is None:
        return ground
    share = SHARE.get(state, 1.0)
    mixed = (int(b + (c - b) * share) for c, b in zip(color.triplet, ground.triplet, strict=True))
    return Color.from_rgb(*mixed)


def _glyphs(palette: Palette, shown: bytes, here: int) -> Iterator[Segment]:
    """One row of entities as glyphs."""
    for (state, cursor), run in groupby((state, place == here) for place, state in enumerate(shown)):
        count = sum(1 for _ in run)
        glyph = " " if state == NONE else look(state).glyph
        style = palette.text if state == NONE else palette.style(state)
        yield Segment(glyph.translate(ASCII) * count, style + Style(reverse=True) if cursor else style)
