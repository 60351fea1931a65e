"""A list of drawn rows with a header and a cursor: what the lists of waves and of tasks have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.theme import Palette
from console.widgets.marks import Marks, lead
from console.widgets.paint import Drawn, line_width, palette_on, strip_of

Piece = tuple[str, Style]


class RowList(Drawn, ScrollView, can_focus=True):
    """Draws `count` rows by `row` below one line by `header`; both give clean text. The header does not scroll."""

    DEFAULT_CSS = """
    RowList {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), Binding("enter", "choose", show=False)]

    cursor: reactive[int] = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor stands on another row."""

    class Chosen(Message):
        """The person wants to see more of the row under the cursor."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.marks = Marks()

    @property
    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        """The first line."""
        raise NotImplementedError

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        """A row, the cursor's mark included."""
        raise NotImplementedError

    def key(self, number: int) -> Hashable:
        """What a row is about, by which it is marked."""
        return number

    def lead(self, number: int) -> str:
        """The two cells before a row."""
        return lead(number == self.cursor, bool(self.marks) and self.key(number) in self.marks)

    def empty(self) -> str:
        """What to say when there is no row."""
        return ""

    def changed(self) -> None:
        """To be called when there are other rows: paints all that is visible."""
        self.virtual_size = Size(line_width(self), 1 + max(self.count, 1))
        self.cursor = min(self.cursor, max(self.count - 1, 0))
        self.refresh()

    def repaint_row(self, number: int) -> None:
        """Paints one row, if it is visible."""
        y = 1 + number - self.scroll_offset.y
        if 0 < y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def repaint_rows(self) -> None:
        """Paints the rows that time has changed."""
        if not self.screen.is_current:
            return
        for y in range(1, min(1 + self.count, self.size.height)):
            kept = self.kept_line(y)
            if kept is None or self.render_line(y).text.rstrip() != kept.text.rstrip():
                self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self, _event: events.Resize) -> None:
        self.changed()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + self.scroll_offset.y
        if event.y > 0 and row < self.count:
            self.cursor = row
            if event.chain > 1:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        if self.count:
            self.cursor = min(max(self.cursor + rows, 0), self.count - 1)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 2, 1))

    def action_mark(self) -> None:
        if self.count:
            self.marks.toggle(self.key(self.cursor))
            self.refresh()
            self.action_move(1)
            self.post_message(self.Moved())

    def action_mark_range(self) -> None:
        if self.count:
            self.marks.to(self.cursor, [self.key(number) for number in range(self.count)])
            self.refresh()
            self.post_message(self.Moved())

    def action_mark_none(self) -> None:
        self.marks.clear()
        self.refresh()
        self.post_message(self.Moved())

    def action_choose(self) -> None:
        if self.count:
            self.post_message(self.Chosen())

    def watch_cursor(self) -> None:
        rows, top = max(self.size.height - 1, 1), self.scroll_offset.y
        wanted = min(max(min(top, self.cursor), self.cursor - rows + 1), max(self.count - rows, 0))
        if wanted != top:
            self.scroll_to(y=wanted, animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        width, number = line_width(self), y - 1 + self.scroll_offset.y
        plain = palette_on(self)
        if y == 0:
            return strip_of(self.header(plain, width), width, plain.muted)
        if number >= self.count:
            text = f"  {self.empty()}" if number == 0 else ""
            return strip_of([(text, plain.muted)], width, plain.text)
        palette = palette_on(self, under_cursor=True) if number == self.cursor and self.has_focus else plain
        return strip_of(self.row(number, palette, width), width, palette.text)
