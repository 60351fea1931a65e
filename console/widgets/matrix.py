"""The entities of a wave: a row an entity, a glyph a task, for as many entities as there are."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.theme import Palette, look
from console.widgets.gathered import Gathered
from console.widgets.marks import Marks, lead
from console.widgets.paint import Drawn, line_width, palette_on, strip_of
from console.widgets.text import fit, short_names

PITCH = 4  # cells of a task: three letters of header, one between
NAME_LEAST, NAME_MOST = 12, 32
MOST_SAID = 1000
PARTITION_LEAST, PARTITION_MOST = len("PARTITION"), 12
_DRAWN = (" " * PITCH, *(f" {look(byte).glyph}  " for byte in range(1, 256)))
"""By board byte; 0 is a cell that was not read yet."""


@dataclass(frozen=True, slots=True)
class Entities:
    """What a wave is about and stays the same while it runs: cell (task t, entity e) of a board is `board[t * n + e]`."""

    names: Sequence[str] = ()
    partitions: Sequence[str] = ()
    tasks: Sequence[str] = ()

    @property
    def n(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Frame:
    """Widths in cells: of the name, of the partition (0: not shown), and the tasks shown, `first` to before `last`."""

    name: int
    partition: int
    first: int
    last: int


def frame(width: int, longest_name: int, longest_partition: int, tasks: int, first: int) -> Frame:
    """What fits in `width` with the `first` task leftmost. In need go the partition, the ends of names, the last tasks."""
    partition = min(max(longest_partition, PARTITION_LEAST), PARTITION_MOST) if longest_partition else 0
    name = min(max(longest_name, NAME_LEAST), NAME_MOST)
    room = width - 2 - tasks * PITCH - 1
    if partition and name + partition + 1 > room:
        partition = 0
    if name > room:
        name = room if room >= NAME_LEAST else min(name, max(width // 3, NAME_LEAST))
    shown = max((width - 2 - name - 1 - (partition + 1 if partition else 0)) // PITCH, 1)
    first = max(min(first, tasks - shown), 0)
    return Frame(name, partition, first, min(first + shown, tasks))


class EntityMatrix(Drawn, ScrollView, can_focus=True):
    """Draws a board for the entities in `order`, which the caller filters and sorts (see `select.py`).

    A new board repaints the visible rows that differ and no others; after a scroll, a new order, another size or theme all
    that is visible is painted anew. Nothing is kept for a row, so 50,000 rows cost as much as fifty. `why` is asked, for
    visible rows only, what else to say about an entity. Names and reasons are data from outside and are cleaned here.
    """

    DEFAULT_CSS = """
    EntityMatrix {
        background: $background; color: $foreground; height: 1fr;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("grid"),
        Binding("left", "slide(-1)", "Tasks left", show=False),
        Binding("right", "slide(1)", "Tasks right", show=False),
        Binding("enter", "choose", "Open entity", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The row in `order` that keys act on."""

    @dataclass
    class EntityChosen(Message):
        """The person wants to see this entity."""

        index: int

    class Marked(Message):
        """Other entities are marked."""

    def __init__(
        self,
        *,
        why: Callable[[int], str] | None = None,
        empty: str = "no entities",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._why = why
        self._empty = empty
        self._entities = Entities()
        self._headers: tuple[str, ...] = ()
        self._longest, self._names_known = (0, 0), 0
        self._board = b""
        self._order: Sequence[int] = array("I")
        self._frame = Frame(NAME_LEAST, 0, 0, 0)
        self._marked: str | None = None
        self._dim: frozenset[int] = frozenset()
        self._said: dict[int, str] = {}
        self._page: tuple[int, int, int, Sequence[int]] = (0, 0, 0, ())
        self.marks = Marks()

    @property
    def order(self) -> Sequence[int]:
        return self._order

    @property
    def entity(self) -> int | None:
        """The number of the entity under the cursor, None if nothing is shown."""
        return self._order[self.cursor] if self._order else None

    @property
    def on_screen(self) -> Sequence[int]:
        """The numbers of the entities on the screen now, from the top. For what must be fetched before `why` can tell it."""
        top, rows = self.scroll_offset.y, self._rows_visible
        if self._page[:3] != (top, rows, id(self._order)):
            self._page = top, rows, id(self._order), self._order[top : top + rows]
        return self._page[3]

    def set_entities(self, entities: Entities, board: bytes, order: Sequence[int] | None = None) -> None:
        """Shows another wave, from its first row; without `order` all entities by number. Raises ValueError as `update`."""
        _check(entities, board)
        self._entities, self._board, self._headers = entities, board, short_names(entities.tasks)
        self._measure_names()
        self._frame = replace(self._frame, first=0)
        self._order = array("I", range(entities.n)) if order is None else order
        self.scroll_to(y=0, animate=False)
        self.cursor = 0
        self._reframe()

    def update(self, board: bytes) -> None:
        """Shows `board`. Raises ValueError if it is not of the size that the entities and tasks make."""
        _check(self._entities, board)
        before, self._board = self._board, board
        n, first = self._entities.n, self.scroll_offset.y + 1
        if before is not board:
            for line, entity in enumerate(self.on_screen, first):
                if before[entity::n] != board[entity::n]:
                    self.refresh_line(line)
        names = self._entities.names
        if isinstance(names, Gathered) and names.number != self._names_known:
            self._measure_names()
            self._reframe()

    def ask_again(self) -> None:
        """Asks `why` of the visible rows, and repaints those of which there is something else to say."""
        if self._why is not None and self._said:
            for line, entity in enumerate(self.on_screen, self.scroll_offset.y + 1):
                if self._said.get(entity, "") != self._why(entity):
                    self.refresh_line(line)

    def show(self, order: Sequence[int], *, follow: bool = True) -> None:
        """Shows the entities of `order`; the cursor stays with its entity if `follow` and that is still there."""
        entity = self.entity
        self._order = order
        row = self._row_of(entity) if follow and entity is not None else None
        self._reframe()
        self.cursor = min(self.cursor, max(len(order) - 1, 0)) if row is None else row
        self._scroll_to_cursor()

    def mark(self, task: str | None, dim: frozenset[int] = frozenset()) -> None:
        """Emphasises the header of a task, such as the one selected in the graph, and dims the columns of the tasks `dim`."""
        self._marked, self._dim = task, dim
        self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        self._reframe()

    def on_mount(self) -> None:
        self._reframe()

    def on_focus(self) -> None:
        self.refresh_line(self.cursor + 1)

    def on_blur(self) -> None:
        self.refresh_line(self.cursor + 1)

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + self.scroll_offset.y
        if event.y > 0 and row < len(self._order):
            self.cursor = row
            if event.chain > 1:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        if self._order:
            self.cursor = min(max(self.cursor + rows, 0), len(self._order) - 1)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self._rows_visible - 1, 1))

    def action_mark(self) -> None:
        if self.entity is not None:
            self.marks.toggle(self.entity)
            self.refresh_line(self.cursor + 1)
            self.post_message(self.Marked())
            self.action_move(1)

    def action_mark_range(self) -> None:
        if self._order:
            self.marks.to(self.cursor, list(self._order))
            self.refresh()
            self.post_message(self.Marked())

    def action_mark_none(self) -> None:
        self.marks.clear()
        self.refresh()
        self.post_message(self.Marked())

    def action_slide(self, tasks: int) -> None:
        self._frame = replace(self._frame, first=self._frame.first + tasks)
        self._reframe()

    def action_choose(self) -> None:
        if self.entity is not None:
            self.post_message(self.EntityChosen(self.entity))

    def watch_cursor(self, before: int, after: int) -> None:
        self._scroll_to_cursor()
        self.refresh_line(before + 1)
        self.refresh_line(after + 1)

    def render_lines(self, crop: Region) -> list[Strip]:
        _ = self.on_screen  # all at once costs less than one by one
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width, top = line_width(self), self.scroll_offset.y
        row = y - 1 + top
        plain = palette_on(self)
        if y == 0:
            return strip_of(self._header(plain), width, plain.muted)
        if row >= len(self._order):
            text = self._empty if row == 0 else ""
            return strip_of([("  " + text, plain.muted)], width, plain.text)
        here = row == self.cursor
        palette = palette_on(self, under_cursor=True) if here and self.has_focus else plain
        page = self._page if self._page[0] == top and self._page[2] == id(self._order) else None
        entity = page[3][y - 1] if page is not None and y <= len(page[3]) else self._order[row]
        return self._line(entity, here, palette, width)

    @property
    def _rows_visible(self) -> int:
        return max(self.size.height - 1, 1)

    def _row_of(self, entity: int) -> int | None:
        try:
            return self._order.index(entity)
        except ValueError:
            return None

    def _reframe(self) -> None:
        width = line_width(self)
        self._frame = frame(width, *self._longest, len(self._entities.tasks), self._frame.first)
        self.virtual_size = Size(width, 1 + max(len(self._order), 1))
        self.refresh()

    def _measure_names(self) -> None:
        names, partitions = self._entities.names, self._entities.partitions
        self._names_known = names.number if isinstance(names, Gathered) else 0
        self._longest = _usual_length(names.known if isinstance(names, Gathered) else names), _usual_length(partitions)

    def _scroll_to_cursor(self) -> None:
        top, rows = self.scroll_offset.y, self._rows_visible
        lowest = max(len(self._order) - rows, 0)
        wanted = min(max(min(top, self.cursor), self.cursor - rows + 1), lowest)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False)

    def _header(self, palette: Palette) -> Iterator[tuple[str, Style]]:
        shape, tasks = self._frame, self._entities.tasks
        yield "  " + fit("ENTITY", shape.name) + " ", palette.muted
        if shape.partition:
            yield fit("PARTITION", shape.partition) + " ", palette.muted
        for task in range(shape.first, shape.last):
            style = palette.lit if tasks[task] == self._marked else palette.faint if task in self._dim else palette.muted
            hidden = (task == shape.first > 0 and "‹") or (task == shape.last - 1 < len(tasks) - 1 and "›") or " "
            yield self._headers[task].ljust(PITCH - 1) + hidden, style
        if self._why is not None:
            yield " WHY", palette.muted

    def _line(self, entity: int, here: bool, palette: Palette, width: int) -> Strip:
        shape = self._frame
        name = fit(self._entities.names[entity], shape.name)
        segments = [Segment(lead(here, entity in self.marks) + name + " ", palette.lit if here else palette.text)]
        used = shape.name + 3
        if shape.partition:
            segments.append(Segment(fit(self._entities.partitions[entity], shape.partition) + " ", palette.muted))
            used += shape.partition + 1
        row = self._board[entity :: self._entities.n][shape.first : shape.last]
        segments += _glyphs(palette, row, frozenset(task - shape.first for task in self._dim) if self._dim else frozenset())
        used += len(row) * PITCH
        if used < width:
            why = ""
            if self._why is not None:
                if len(self._said) > MOST_SAID:
                    self._said.clear()
                why = self._said[entity] = self._why(entity)
            segments.append(Segment(" " + fit(why, width - used - 1), palette.muted))
        strip = Strip(segments, max(used, width))
        return strip if used <= width else strip.crop(0, width)


def _check(entities: Entities, board: bytes) -> None:
    n, tasks = entities.n, len(entities.tasks)
    if len(board) != n * tasks:
        raise ValueError(f"{len(board)} cells are no board of {n} entities x {tasks} tasks")


def _usual_length(texts: Collection[str]) -> int:
    """What 98 of 100 keep within, so that one name of five hundred letters does not decide for all."""
    lengths = sorted(map(len, texts))
    return lengths[len(lengths) * 98 // 100] if lengths else 0


@lru_cache(maxsize=1024)
def _glyphs(palette: Palette, row: bytes, dim: frozenset[int]) -> tuple[Segment, ...]:
    """The cells of a row, neighbours of one style in one segment. Few different rows make up a wave, so they are kept."""
    styles = [palette.faint if task in dim else palette.style(cell) for task, cell in enumerate(row)]
    runs = groupby(zip(styles, row, strict=True), itemgetter(0))
    return tuple(Segment("".join(_DRAWN[cell] for _, cell in cells), style) for style, cells in runs)
