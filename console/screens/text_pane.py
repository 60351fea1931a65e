"""Lines of text from outside, drawn as they are: no markup, no escape sequence, wrapped to the width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len, chop_cells
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.theme import Palette
from console.widgets.paint import line_width, palette_on, strip_of
from console.widgets.text import clean
from engine.status import Status

Tone = Literal["text", "muted", "faint", "lit"] | Status
HANG_MOST = 28
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line and how it is meant."""

    text: str
    tone: Tone = "text"


TextLine = tuple[Text, ...]


def line(*parts: str | Text) -> TextLine:
    """A line of plain pieces."""
    return tuple(part if isinstance(part, Text) else Text(part) for part in parts)


def plain(text: str, tone: Tone = "text") -> Iterable[TextLine]:
    """Text of many lines: tabs become spaces, terminal colours are dropped, of a line that overwrites itself stays the end."""
    for one in _COLOURS.sub("", text).split("\n"):
        yield (Text(one.rstrip("\r").rpartition("\r")[2].expandtabs(4), tone),)


def styled(palette: Palette, tone: Tone) -> Style:
    """The style of a tone."""
    if isinstance(tone, Status):
        return palette.style(tone)
    return {"text": palette.text, "muted": palette.muted, "faint": palette.faint, "lit": palette.lit}[tone]


class TextPane(ScrollView, can_focus=True):
    """Shows lines. One that `follow`s begins at its end and stays there when lines are added; any other stays where it is."""

    DEFAULT_CSS = """
    TextPane {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pane")]

    def __init__(self, *, follow: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.follow = follow
        self._lines: tuple[TextLine, ...] = ()
        self._wrapped: list[list[Text]] = []
        self._width = 0

    @property
    def content(self) -> str:
        """What it shows, as text."""
        return "\n".join("".join(part.text for part in one) for one in self._lines)

    def put(self, lines: Iterable[Sequence[Text]], *, top: bool = False) -> None:
        """Shows `lines`, from the first if `top`."""
        told = tuple(tuple(one) for one in lines)
        if told == self._lines and not top:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._lines = told
        self._wrap()
        if top and not self.follow:
            self.scroll_to(y=0, animate=False)
        elif self.follow and (at_end or top):
            self.call_after_refresh(self.scroll_end, animate=False)

    def on_resize(self, _event: events.Resize) -> None:
        if line_width(self) != self._width:
            self._wrap()

    def action_move(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 1, 1))

    def render_line(self, y: int) -> Strip:
        palette, number = palette_on(self), y + self.scroll_offset.y
        pieces: list[tuple[str, Style]] = []
        if number < len(self._wrapped):
            pieces = [(" ", palette.text), *((p.text, styled(palette, p.tone)) for p in self._wrapped[number])]
        return strip_of(pieces, line_width(self), palette.text)

    def _wrap(self) -> None:
        self._width = line_width(self)
        room = max(self._width - 2, 8)
        self._wrapped = [row for one in self._lines for row in _rows(one, room)]
        self.virtual_size = Size(self._width, len(self._wrapped))
        self.refresh()


def _rows(one: TextLine, width: int) -> list[list[Text]]:
    """A line in rows of `width` cells. What follows a short lead hangs below itself."""
    rows: list[list[Text]] = [[]]
    left, lead = width, sum(cell_len(clean(part.text)) for part in one[:-1])
    hang = lead if lead <= HANG_MOST and lead < width // 2 else 0
    for part in one:
        text = clean(part.text)
        while cell_len(text) > left:
            head = chop_cells(text, left)[0] if left > 1 else ""
            at_word = head.rfind(" ") + 1
            if at_word > len(head) // 2 and text[len(head)] != " ":
                head = head[:at_word]
            rows[-1].append(Text(head, part.tone))
            rows.append([Text(" " * hang)])
            text, left = text[len(head) :], width - hang
        rows[-1].append(Text(text, part.tone))
        left -= cell_len(text)
    return rows
