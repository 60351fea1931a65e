"""The flow of a wave: a row a task with its edges, the entities by status, and how long it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.theme import Palette, look
from console.widgets.bar import headline, segments
from console.widgets.graph_columns import Columns, columns
from console.widgets.paint import Drawn, line_width, palette_on, strip_of
from console.widgets.rail import GLYPHS, MARKER, NODE, STEP, RailLayout
from console.widgets.text import clean, fit, short_seconds
from engine.status import Status

NOTHING = -1


@dataclass(frozen=True, slots=True)
class TaskSnapshot:
    """One task at one moment: its entities by status, its run times in seconds if any are known, a mark of one cell, and a remark."""

    counts: Mapping[Status, int] = field(default_factory=dict)
    p50: float | None = None
    p95: float | None = None
    note: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class GraphSnapshot:
    """All tasks of a wave at one moment. A task that is missing counts nothing."""

    tasks: Mapping[str, TaskSnapshot] = field(default_factory=dict)

    def of(self, task: str) -> TaskSnapshot:
        return self.tasks.get(task, NO_TASK)


NO_TASK = TaskSnapshot()


class FlowGraph(Drawn, ScrollView, can_focus=True):
    """Draws a `RailLayout`, set once a flow version, and a `GraphSnapshot`, set as often as there is news.

    News repaint the lines that they change and no others. Nothing is selected at first; then the selected task lights up
    all that it depends on and all that depends on it. Every number of the drawing is also told by a glyph.
    """

    DEFAULT_CSS = """
    FlowGraph {
        background: $background; color: $foreground; height: auto; max-height: 50%;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("rail"),
        Binding("left", "slide(-1)", "Rail left", show=False),
        Binding("right", "slide(1)", "Rail right", show=False),
        Binding("enter", "open", "Open task", show=False),
    ]

    cursor: reactive[int] = reactive(NOTHING, repaint=False)

    @dataclass
    class NodeSelected(Message):
        """The cursor stands on another task."""

        task: str

    @dataclass
    class NodeOpened(Message):
        """The person wants to see more of `task`."""

        task: str

    def __init__(self, layout: RailLayout | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawing = layout or RailLayout((), (), (), ())
        self._snapshot = GraphSnapshot()
        self._columns = columns(80, 0, (), 0, frozenset(), 0)
        self._lit: tuple[frozenset[int], ...] | None = None
        self._near: frozenset[int] = frozenset()
        self._rail_x = 0

    @property
    def drawing(self) -> RailLayout:
        return self._drawing

    @property
    def selected(self) -> str | None:
        """The task under the cursor."""
        return None if self.cursor == NOTHING else self._drawing.tasks[self.cursor]

    @property
    def hint(self) -> str:
        """What of the drawing does not fit; nothing is said of the rail, which shows that itself."""
        return ""

    @property
    def marked(self) -> bool:
        """Whether tasks have marks that no words explain."""
        return any(task.mark for task in self._snapshot.tasks.values()) and not self._columns.note

    def set_layout(self, layout: RailLayout) -> None:
        """Draws another flow. Nothing is selected afterwards."""
        self._drawing = layout
        self._rail_x = 0
        self.cursor = NOTHING
        self._fit_columns()
        self.refresh(layout=True)

    def update(self, snapshot: GraphSnapshot) -> None:
        """Shows `snapshot`."""
        before, self._snapshot = self._snapshot, snapshot
        if self._fit_columns():
            return
        for row, task in enumerate(self._drawing.tasks):
            if before.of(task) != snapshot.of(task):
                self.refresh_line(row)

    def select(self, task: str | None) -> None:
        """Moves the cursor to `task`, or takes it away. Raises ValueError for a task that is not in the flow."""
        self.cursor = NOTHING if task is None else self._drawing.tasks.index(task)

    def on_resize(self, _event: events.Resize) -> None:
        self._fit_columns()

    def on_mount(self) -> None:
        self._fit_columns()

    def on_focus(self) -> None:
        self.refresh_line(self.cursor)

    def on_blur(self) -> None:
        self.refresh_line(self.cursor)

    def on_click(self, event: events.Click) -> None:
        row = event.y + self.scroll_offset.y
        if row < len(self._drawing.tasks):
            self.cursor = row

    def action_move(self, rows: int) -> None:
        if self._drawing.tasks:
            self.cursor = min(max(self.cursor + rows, 0), len(self._drawing.tasks) - 1)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 1, 1))

    def action_slide(self, lanes: int) -> None:
        most = max(self._drawing.width - self._columns.rail, 0)
        self._rail_x = min(max(self._rail_x + lanes * STEP, 0), most)
        self.refresh()

    def action_open(self) -> None:
        if self.selected is not None:
            self.post_message(self.NodeOpened(self.selected))

    def watch_cursor(self, row: int) -> None:
        lineage = frozenset[tuple[int, int]]() if row == NOTHING else self._drawing.lineage(row)
        self._lit = None if row == NOTHING else self._drawing.lit(lineage)
        self._near = frozenset(end for edge in lineage for end in edge)
        if row != NOTHING:
            self._show_marker(row)
            top, height = self.scroll_offset.y, self.scrollable_content_region.height
            if not top <= row < top + height:
                self.scroll_to(y=row if row < top else row - height + 1, animate=False)
            self.post_message(self.NodeSelected(self._drawing.tasks[row]))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row, width = y + self.scroll_offset.y, line_width(self)
        plain = palette_on(self)
        if row >= len(self._drawing.tasks):
            return Strip.blank(width, plain.text)
        palette = palette_on(self, under_cursor=True) if row == self.cursor and self.has_focus else plain
        return strip_of(self._pieces(row, palette), width, palette.text)

    def _show_marker(self, row: int) -> None:
        x, room = self._drawing.lanes[row] * STEP, self._columns.rail
        if not self._rail_x < x < self._rail_x + room - 1:  # a cell at an edge may say that the drawing goes on
            self._rail_x = max(min(x - room // 2, self._drawing.width - room), 0)

    def _fit_columns(self) -> bool:
        """Whether the columns had to change, and with them every line."""
        tasks = [self._snapshot.of(task) for task in self._drawing.tasks]
        seen = frozenset(status for task in tasks for status, count in task.counts.items() if count)
        fitted = columns(
            line_width(self),
            self._drawing.width,
            [cell_len(clean(task)) for task in self._drawing.tasks],
            max((sum(task.counts.values()) for task in tasks), default=0),
            seen,
            max((cell_len(clean(task.note)) for task in tasks), default=0),
        )
        size = Size(line_width(self), len(self._drawing.tasks))
        changed = fitted != self._columns or size != self.virtual_size
        self._columns, self.virtual_size = fitted, size
        if changed:
            self.refresh(layout=True)
        return changed

    def _pieces(self, row: int, palette: Palette) -> Iterator[tuple[str, Style]]:
        task, shape = self._drawing.tasks[row], self._columns
        now = self._snapshot.of(task)
        state = headline(now.counts)
        yield "▸ " if row == self.cursor else "  ", palette.lit
        yield from self._rail(row, palette, palette.style(state))
        yield now.mark or " ", palette.lit
        dim = self._lit is not None and not self._in_lineage(row)
        yield look(state).glyph + " ", palette.faint if dim else palette.style(state)
        yield fit(task, shape.name) + " ", self._name_style(row, palette)
        bar = segments(now.counts, shape.bar)
        for status, cells in bar:
            yield look(status).block * cells, palette.faint if dim else palette.bars[status]
        yield " " * (shape.bar - sum(cells for _, cells in bar)), palette.text
        yield from self._counts(now, palette)
        if shape.times:
            yield f"  p50 {short_seconds(now.p50):>6}  p95 {short_seconds(now.p95):>6}", palette.muted
        if shape.note and now.note:
            yield "  " + fit(_whole(now.note, shape.note), shape.note), palette.muted

    def _name_style(self, row: int, palette: Palette) -> Style:
        if self._lit is None:
            return palette.text
        return palette.lit if self._in_lineage(row) else palette.faint

    def _in_lineage(self, row: int) -> bool:
        """Whether the selected task leads to this one or from it; always when none is selected."""
        return self._lit is None or row == self.cursor or row in self._near

    def _rail(self, row: int, palette: Palette, marker: Style) -> Iterator[tuple[str, Style]]:
        """The visible part of the drawing; where it is cut through something, the edge says so."""
        masks, start = self._drawing.masks[row], self._rail_x
        end = start + self._columns.rail
        lit = self._lit[row] if self._lit is not None else frozenset()
        for x in range(start, min(end, len(masks))):
            if x == start and any(masks[:start]):
                yield "‹", palette.muted
            elif x == end - 1 and any(masks[end:]):
                yield "›", palette.muted
            elif masks[x] & NODE:
                yield MARKER, marker
            else:
                yield GLYPHS[masks[x]], palette.lit if x in lit else palette.faint

    def _counts(self, now: TaskSnapshot, palette: Palette) -> Iterator[tuple[str, Style]]:
        shape: Columns = self._columns
        for status in shape.counts:
            number = now.counts.get(status, 0)
            loud = status in (Status.FAILED, Status.BLOCKED)
            style = palette.faint if not number else palette.style(status) if loud else palette.text
            yield " " + shape.count(number), style
            mark = look(status).glyph
            yield mark if shape.short else f" {mark}", palette.style(status) if number else palette.faint


def _whole(note: str, room: int) -> str:
    """As many of the remarks, which have two blanks between them, as there is room for; the first is cut rather than left out."""
    remarks = clean(note).split("  ")
    while len(remarks) > 1 and cell_len("  ".join(remarks)) > room:
        remarks.pop()
    return "  ".join(remarks)
