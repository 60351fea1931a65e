"""Lines of text from outside, drawn as they are: no markup, no escape sequence, wrapped to the width; searched, and followed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from rich.cells import cell_len, chop_cells
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.pattern import BadPattern, Pattern, pattern
from console.theme import Palette
from console.widgets.paint import line_width, palette_on, strip_of
from console.widgets.text import MAX_MARKS, clean
from engine.status import Status

Tone = Literal["text", "muted", "faint", "lit"] | Status
HANG_MOST = 28
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line and how it is meant. `hit`: which match of a search it is (a part of), -1 for none."""

    text: str
    tone: Tone = "text"
    hit: int = -1


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


def pattern_of(query: str) -> Pattern | None:
    """What to look for: a regular expression, or, when it is none, the very text; capitals only matter where there are some."""
    if not query:
        return None
    flags = re.IGNORECASE if query == query.lower() else 0
    try:
        return pattern(query, flags)
    except BadPattern:
        return pattern(re.escape(query), flags)


def matches(one: TextLine, wanted: Pattern | None) -> list[tuple[int, int]]:
    """Where a line, as it is shown, matches: pairs of first character and the one after the last; nowhere when that takes too long."""
    if wanted is None:
        return []
    with contextlib.suppress(BadPattern):
        return wanted.spans("".join(clean(part.text) for part in one))
    return []


def marked(rows: list[list[Text]], spans: Sequence[tuple[int, int]], first: int) -> list[list[Text]]:
    """The rows of a line, cut where its matches begin and end; the matches are numbered from `first`."""
    found: list[list[Text]] = []
    at = 0
    for number, row in enumerate(rows):
        hang = row[:1] if number else []
        parts = row[len(hang) :]
        found.append([*hang, *_split(parts, spans, first, at)])
        at += sum(len(part.text) for part in parts)
    return found


def _split(parts: Sequence[Text], spans: Sequence[tuple[int, int]], first: int, at: int) -> Iterator[Text]:
    for part in parts:
        end, done = at + len(part.text), at
        for number, (start, stop) in enumerate(spans, first):
            low, high = max(start, at), min(stop, end)
            if low < high:
                yield replace(part, text=part.text[done - at : low - at])
                yield replace(part, text=part.text[low - at : high - at], hit=number)
                done = high
        yield replace(part, text=part.text[done - at :])
        at = end


class TextPane(ScrollView, can_focus=True):
    """Shows lines. One that can `follow` begins at its end and stays there when lines are added, until a person scrolls up; at the end
    (`G`) it follows again. Any other stays where it is."""

    DEFAULT_CSS = """
    TextPane {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pane")]

    class Looked(Message):
        """What the pane says of itself (`state`) has changed."""

    def __init__(self, *, follow: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.follow = follow
        self.following = follow
        self.hit = -1
        self._hits: list[tuple[int, int]] = []  # line and row in which each match begins
        self._query = ""
        self._lines: tuple[TextLine, ...] = ()
        self._wrapped: list[list[Text]] = []
        self._width = 0

    @property
    def content(self) -> str:
        """What it shows, as text."""
        return "\n".join("".join(part.text for part in one) for one in self._lines)

    @property
    def hits(self) -> int:
        """How many matches there are."""
        return len(self._hits)

    @property
    def state(self) -> str:
        """Where in its matches it is, and whether it follows: `3 of 17 · following`."""
        found = "" if not self._query else f"{self.hit + 1} of {self.hits}" if self.hits else f"nothing is like {self._query}"
        follows = "" if not self.follow else "following" if self.following else "not following, G does"
        return " · ".join(filter(None, [found, follows]))

    @property
    def chosen(self) -> str:
        """The line of the match one is at, cleaned; empty when there is none."""
        one = self._lines[self._hits[self.hit][0]] if 0 <= self.hit < self.hits else ()
        return clean("".join(part.text for part in one))

    def put(self, lines: Iterable[Sequence[Text]], *, top: bool = False) -> None:
        """Shows `lines`, from the first if `top`; one that can follow then does."""
        told = tuple(tuple(one) for one in lines)
        if told == self._lines and not top:
            return
        self._lines = told
        if top:
            self.following, self.hit = self.follow, -1
        self._wrap()
        if self.hits and self.hit < 0:
            self.hit = 0
        if self.following and self.follow:
            self.call_after_refresh(self._to_end)
        elif top:
            self.scroll_to(y=0, animate=False)
        self.post_message(self.Looked())

    def search(self, query: str) -> None:
        """Sets matches of `query` apart and goes to the next from where one is; nothing is looked for when it is empty."""
        if query == self._query:
            return
        self._query = query
        self._wrap()
        here = self.scroll_offset.y
        self.hit = next((hit for hit, (_, row) in enumerate(self._hits) if row >= here), 0) if self._hits else -1
        self._show_hit()

    def step(self, steps: int) -> None:
        """Goes to the next match, or the one before; after the last comes the first."""
        if self.hits:
            self.hit = (self.hit + steps) % self.hits
            self._show_hit()

    def _show_hit(self) -> None:
        if 0 <= self.hit < self.hits:
            row, top, height = self._hits[self.hit][1], self.scroll_offset.y, max(self.size.height, 1)
            if not top <= row < top + height:
                self.scroll_to(y=max(row - height // 2, 0), animate=False)
        self.refresh()
        self.post_message(self.Looked())

    def _to_end(self) -> None:
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.follow and round(old_value) != round(new_value):
            self._follow(round(new_value) >= self.max_scroll_y)

    def _follow(self, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.post_message(self.Looked())

    def on_resize(self, _event: events.Resize) -> None:
        if line_width(self) != self._width:
            self._wrap()
        if self.follow and self.following:
            self.call_after_refresh(self._to_end)

    def action_move(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False)
        if self.follow and rows > 0 and self.scroll_offset.y + rows >= self.max_scroll_y:
            self._follow(True)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 1, 1))

    def render_line(self, y: int) -> Strip:
        palette, number = palette_on(self), y + self.scroll_offset.y
        pieces: list[tuple[str, Style]] = []
        if number < len(self._wrapped):
            pieces = [(" ", palette.text), *((p.text, self._style(palette, p)) for p in self._wrapped[number])]
        return strip_of(pieces, line_width(self), palette.text)

    def _style(self, palette: Palette, part: Text) -> Style:
        """A match is underlined; the one that one is at is turned round."""
        if part.hit < 0:
            return styled(palette, part.tone)
        return palette.lit + Style(reverse=True) if part.hit == self.hit else palette.lit + Style(underline=True)

    def _wrap(self) -> None:
        self._width = line_width(self)
        room = max(self._width - 2, 8)
        wanted = pattern_of(self._query)
        self._wrapped, self._hits = [], []
        for number, one in enumerate(self._lines):
            rows = _rows(one, room)
            if spans := matches(one, wanted):
                rows = marked(rows, spans, len(self._hits))
                begun = {part.hit: at for at, row in reversed(list(enumerate(rows))) for part in row if part.hit >= 0}
                self._hits += [(number, len(self._wrapped) + begun[hit]) for hit in sorted(begun)]
            self._wrapped += rows
        self.hit = min(self.hit, self.hits - 1)
        self.virtual_size = Size(self._width, len(self._wrapped))
        self.refresh()


def _rows(one: TextLine, width: int) -> list[list[Text]]:
    """A line in rows of `width` cells. What follows a short lead hangs below itself."""
    rows: list[list[Text]] = [[]]
    left, lead = width, sum(cell_len(clean(part.text)) for part in one[:-1])
    hang = lead if lead <= HANG_MOST and lead < width // 2 else 0
    for part in one:
        text, at = clean(part.text), 0
        while cell_len(slab := text[at : at + (1 + MAX_MARKS) * (left + 1)]) > left:  # a row of it: a line may be very long
            head = chop_cells(slab, left)[0] if left > 1 else ""
            at_word = head.rfind(" ") + 1
            if at_word > len(head) // 2 and slab[len(head)] != " ":
                head = head[:at_word]
            rows[-1].append(replace(part, text=head))
            rows.append([Text(" " * hang)])
            at, left = at + len(head), width - hang
        rows[-1].append(replace(part, text=text[at:]))
        left -= cell_len(text[at:])
    return rows
