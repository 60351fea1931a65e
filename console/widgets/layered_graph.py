"""The flow of a wave in layers: tasks as they stand, lines that never change while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.actions import bindings
from console.theme import Palette, look
from console.widgets.bar import headline, segments
from console.widgets.flow_graph import NOTHING, FlowGraph, GraphSnapshot
from console.widgets.layered import BOXES, Layered, Place, layered
from console.widgets.paint import Drawn, line_width, palette_on, strip_of
from console.widgets.text import fit

BAR = 6
EXTRA = BAR + 5
"""Cells of a task besides its name: glyph, mark, bar, and one between each."""


class LayeredGraph(Drawn, ScrollView, can_focus=True):
    """Draws a `Layered` and a `GraphSnapshot`, as `FlowGraph` does, and tells of the cursor with its messages."""

    DEFAULT_CSS = """
    LayeredGraph {
        background: $background; color: $foreground; height: auto; max-height: 50%;
        overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("rail"),
        Binding("left,h", "layer(-1)", show=False),
        Binding("right,l", "layer(1)", show=False),
        Binding("enter", "open", show=False),
    ]

    cursor: reactive[int] = reactive(NOTHING, repaint=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawing = Layered((), (), (), (), (), 0, 0)
        self._snapshot = GraphSnapshot()
        self._lit: frozenset[Place] | None = None
        self._near: frozenset[int] = frozenset()
        self._x = 0

    @property
    def selected(self) -> str | None:
        """The task under the cursor."""
        return None if self.cursor == NOTHING else self._drawing.tasks[self.cursor]

    @property
    def hint(self) -> str:
        """What of the drawing does not fit, in words."""
        drawing, width = self._drawing, line_width(self)
        starts = [min((x for x, _ in (drawing.at[t] for t in layer)), default=0) for layer in _layers(drawing)]
        seen = [n for n, x in enumerate(starts, 1) if self._x <= x and x + drawing.room[n - 1] <= self._x + width]
        if drawing.width <= width or not seen or not width:
            return ""
        return f"layers {seen[0]}–{seen[-1]} of {len(starts)}, ← → for the others"

    @property
    def marked(self) -> bool:
        """Whether tasks have marks that no words explain."""
        return any(task.mark for task in self._snapshot.tasks.values())

    def set_flow(self, tasks: tuple[str, ...], edges: tuple[tuple[str, str], ...]) -> None:
        """Draws another flow. Nothing is selected afterwards. Raises GraphError."""
        self._drawing = layered(tasks, edges, EXTRA)
        self._x, self.cursor = 0, NOTHING
        self.virtual_size = Size(line_width(self), self._drawing.height)
        self.refresh(layout=True)

    def update(self, snapshot: GraphSnapshot) -> None:
        """Shows `snapshot`; repaints the rows of tasks that are different."""
        before, self._snapshot = self._snapshot, snapshot
        for task, (_, y) in zip(self._drawing.tasks, self._drawing.at, strict=True):
            if before.of(task) != snapshot.of(task):
                self.refresh_line(y)

    def select(self, task: str | None) -> None:
        """Moves the cursor to `task`, or takes it away."""
        self.cursor = NOTHING if task is None else self._drawing.tasks.index(task)

    def on_resize(self, _event: events.Resize) -> None:
        self.virtual_size = Size(line_width(self), self._drawing.height)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        x, y = event.x + self._x, event.y + self.scroll_offset.y
        drawing = self._drawing
        for task, (start, row) in enumerate(drawing.at):
            if row == y and start <= x < start + drawing.room[drawing.layer[task]]:
                self.cursor = task

    def action_move(self, by: int) -> None:
        if self._drawing.tasks:
            self.cursor = min(max(self.cursor + by, 0), len(self._drawing.tasks) - 1)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.size.height - 1, 1))

    def action_layer(self, by: int) -> None:
        if self.cursor == NOTHING:
            self.action_move(1)
            return
        layers, (_, y) = self._drawing.layer, self._drawing.at[self.cursor]
        beside = [t for t, at in enumerate(layers) if at == layers[self.cursor] + by]
        if beside:
            self.cursor = min(beside, key=lambda t: abs(self._drawing.at[t][1] - y))

    def action_open(self) -> None:
        if self.selected is not None:
            self.post_message(FlowGraph.NodeOpened(self.selected))

    def watch_cursor(self, task: int) -> None:
        drawing = self._drawing
        if task == NOTHING:
            self._lit, self._near = None, frozenset()
        else:
            edges = drawing.lineage(task)
            self._lit = frozenset().union(*(drawing.paths[e] for e in edges)) if edges else frozenset()
            self._near = frozenset({task}.union(*edges)) if edges else frozenset({task})
            self._show(task)
            self.post_message(FlowGraph.NodeSelected(drawing.tasks[task]))
        self.refresh()

    def _show(self, task: int) -> None:
        (x, y), width = self._drawing.at[task], line_width(self)
        room = self._drawing.room[self._drawing.layer[task]]
        if not self._x <= x or x + room > self._x + width:
            self._x = max(min(x - width // 3, self._drawing.width - width), 0)
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if not top <= y < top + height:
            self.scroll_to(y=max(y - height + 2, 0) if y >= top + height else max(y - 1, 0), animate=False)

    def render_line(self, y: int) -> Strip:
        palette, width, row = palette_on(self), line_width(self), y + self.scroll_offset.y
        if row >= self._drawing.height:
            return Strip.blank(width, palette.text)
        strip = strip_of(self._pieces(row, palette), max(self._drawing.width, width), palette.text)
        shown = strip.crop(self._x, self._x + width).extend_cell_length(width, palette.text)
        if strip.crop(0, self._x).text.strip():
            shown = Strip.join([strip_of([("‹", palette.muted)], 1, palette.text), shown.crop(1)])
        if strip.crop(self._x + width).text.strip():
            shown = Strip.join([shown.crop(0, width - 1), strip_of([("›", palette.muted)], 1, palette.text)])
        return shown

    def _pieces(self, row: int, palette: Palette) -> Iterator[tuple[str, Style]]:
        drawing, x = self._drawing, 0
        for start, task in sorted((x, t) for t, (x, y) in enumerate(drawing.at) if y == row):
            yield from self._lines(x, start, row, palette)
            yield from self._node(task, palette)
            x = start + drawing.room[drawing.layer[task]]
        yield from self._lines(x, drawing.width, row, palette)

    def _lines(self, start: int, end: int, row: int, palette: Palette) -> Iterator[tuple[str, Style]]:
        """Lines from column `start` to before `end`, neighbours of one style in one piece."""
        boxes, lit = self._drawing.boxes, self._lit or frozenset()
        for bright, cells in groupby(range(start, end), lambda x: (x, row) in lit):
            yield "".join(BOXES[boxes.get((x, row), 0)] for x in cells), palette.lit if bright else palette.faint

    def _node(self, task: int, palette: Palette) -> Iterator[tuple[str, Style]]:
        drawing, name, here = self._drawing, self._drawing.tasks[task], task == self.cursor
        now, room = self._snapshot.of(name), drawing.room[drawing.layer[task]]
        state = headline(now.counts)
        if here and self.has_focus:
            palette = palette_on(self, under_cursor=True)
        dim = self._lit is not None and task not in self._near
        yield look(state).glyph, palette.faint if dim else palette.style(state)
        yield "▸" if here else " ", palette.lit
        style = palette.faint if dim else palette.lit if self._lit is not None else palette.text
        yield fit(name + now.mark, room - EXTRA + 1) + " ", style
        bar = segments(now.counts, BAR)
        for status, cells in bar:
            yield look(status).block * cells, palette.faint if dim else palette.bars[status]
        yield " " * (BAR - sum(cells for _, cells in bar) + 1), palette.text


def _layers(drawing: Layered) -> list[list[int]]:
    """The tasks of each layer."""
    return [[t for t, at in enumerate(drawing.layer) if at == layer] for layer in range(len(drawing.room))]
