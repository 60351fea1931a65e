"""A flow's graph as a rail: one row a task, its edges in a few columns left of the name.

How it is read; `tests/console/test_rail.py` reads it so, from the characters alone:

1. Every row has one marker `◆`, its task.
2. A task with outputs owns the lane straight down from its marker. The lane keeps its column and ends at its last target.
3. What a row has across belongs to the task of that row: every lane it touches (`├ ┤ ┼ ╰ ╯ ┴`) is an input of that task.
4. A gap is no touch: in `─│─` the lane passes over and has nothing to do with the row.
5. A lane that comes down onto a marker is an input too, and ends there. A marker directly below a marker is the same
   without room for a line, so unrelated tasks never stand in one column on neighbouring rows.

From 2 follows that two sources share no piece of a lane, from 3 that two targets share no piece across. So the drawing has
every edge of the graph and no other, and needs no rows beside those of the tasks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

UP, DOWN, LEFT, RIGHT, NODE = 1, 2, 4, 8, 16
MARKER = "◆"
STEP = 2  # cells from one lane to the next, so that between two lanes a line across shows

GLYPHS = {
    0: " ",
    UP | DOWN: "│",
    LEFT | RIGHT: "─",
    UP | DOWN | RIGHT: "├",
    UP | DOWN | LEFT: "┤",
    UP | DOWN | LEFT | RIGHT: "┼",
    UP | RIGHT: "╰",
    UP | LEFT: "╯",
    UP | LEFT | RIGHT: "┴",
}

Links = tuple[tuple[int, ...], ...]


class GraphError(ValueError):
    """The graph cannot be drawn: a cycle, a name given twice, or an edge to a name that is not there."""


@dataclass(frozen=True)
class RailLayout:
    """Where the parts of one graph are drawn. Structure only: nothing in it changes while a wave runs.

    `tasks[r]` stands on row `r`, its marker in cell `lanes[r] * STEP`. `inputs[r]` and `outputs[r]` are the rows it reads
    from and the rows that read from it, ascending.
    """

    tasks: tuple[str, ...]
    lanes: tuple[int, ...]
    inputs: Links
    outputs: Links

    @cached_property
    def width(self) -> int:
        """Cells of a line. Who has less room must scroll, or draw something else."""
        return max(self.lanes) * STEP + 1 if self.lanes else 0

    @cached_property
    def masks(self) -> tuple[tuple[int, ...], ...]:
        """For each row `width` cells, each the sides that its line reaches, and NODE for the marker."""
        grid = [[0] * self.width for _ in self.tasks]
        for row, lane in enumerate(self.lanes):
            for below in range(row + 1, self._last(row) + 1):
                grid[below][lane * STEP] = UP | DOWN
        for row, cells in enumerate(grid):
            self._draw_across(row, cells)
        return tuple(tuple(cells) for cells in grid)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The drawing as text, each line `width` characters long."""
        return tuple("".join(MARKER if mask & NODE else GLYPHS[mask] for mask in cells) for cells in self.masks)

    def lineage(self, row: int) -> frozenset[tuple[int, int]]:
        """The edges, as pairs of rows, on all paths into and out of `row`."""
        up = {(source, target) for target in _reach(row, self.inputs) for source in self.inputs[target]}
        down = {(source, target) for source in _reach(row, self.outputs) for target in self.outputs[source]}
        return frozenset(up | down)

    def lit(self, edges: Iterable[tuple[int, int]]) -> tuple[frozenset[int], ...]:
        """For each row the cells that draw `edges`, markers at both ends included."""
        cells: list[set[int]] = [set() for _ in self.tasks]
        for source, target in edges:
            start, end = self.lanes[source] * STEP, self.lanes[target] * STEP
            for row in range(source, target + 1):
                cells[row].add(start)
            across = range(min(start, end), max(start, end) + 1)
            cells[target].update(x for x in across if self.masks[target][x] != UP | DOWN)
        return tuple(frozenset(row) for row in cells)

    def _last(self, row: int) -> int:
        return self.outputs[row][-1] if self.outputs[row] else row

    def _draw_across(self, row: int, cells: list[int]) -> None:
        here = self.lanes[row] * STEP
        joined = {self.lanes[source] * STEP: self._last(source) > row for source in self.inputs[row]}
        goes_up = joined.pop(here, None) is not None
        left, right = min(here, *joined, here), max(here, *joined, here)
        for x in range(left, right + 1):
            sides = (LEFT if x > left else 0) | (RIGHT if x < right else 0)
            if x == here:
                cells[x] = NODE | sides | (UP if goes_up else 0) | (DOWN if self.outputs[row] else 0)
            elif x in joined:
                cells[x] = sides | UP | (DOWN if joined[x] else 0)
            elif not cells[x]:
                cells[x] = LEFT | RIGHT


def layout(nodes: Sequence[str], edges: Iterable[tuple[str, str]], fit: int = 24) -> RailLayout:
    """Lays out a directed acyclic graph; `edges` are (source, target), and one given twice counts once.

    Rows keep the order of `nodes` as far as sources come before their targets. Only when that needs more than `fit` cells
    are rows put in the order that keeps the fewest lanes open, if this is narrower. The same graph always gives the same
    drawing. Raises GraphError. Sixty nodes take a few milliseconds.
    """
    sources = _sources(nodes, edges)
    given = _place(nodes, sources, _order(nodes, sources))
    if given.width <= fit:
        return given
    packed = _place(nodes, sources, _packed_order(sources))
    return min(given, packed, key=lambda drawn: drawn.width)


def _reach(row: int, links: Links) -> set[int]:
    seen, todo = {row}, [row]
    while todo:
        new = set(links[todo.pop()]) - seen
        seen |= new
        todo += new
    return seen


def _sources(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[set[int]]:
    number = {name: index for index, name in enumerate(nodes)}
    if len(number) < len(nodes):
        raise GraphError(f"a task is named twice: {', '.join(sorted({n for n in nodes if list(nodes).count(n) > 1}))}")
    sources: list[set[int]] = [set() for _ in nodes]
    for source, target in edges:
        for name in (source, target):
            if name not in number:
                raise GraphError(f"edge {source} -> {target}: there is no task {name}")
        sources[number[target]].add(number[source])
    return sources


def _targets(sources: Sequence[set[int]]) -> list[set[int]]:
    targets: list[set[int]] = [set() for _ in sources]
    for target, feeds in enumerate(sources):
        for source in feeds:
            targets[source].add(target)
    return targets


def _order(nodes: Sequence[str], sources: Sequence[set[int]]) -> list[int]:
    """Sources first, otherwise as given."""
    targets, waits = _targets(sources), [len(feeds) for feeds in sources]
    ready = [node for node, count in enumerate(waits) if not count]
    order: list[int] = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for target in targets[node]:
            waits[target] -= 1
            if not waits[target]:
                heapq.heappush(ready, target)
    if len(order) < len(nodes):
        stuck = sorted(nodes[node] for node, count in enumerate(waits) if count)
        raise GraphError(f"a cycle goes through, or lies before, {', '.join(stuck)}")
    return order


def _packed_order(sources: Sequence[set[int]]) -> list[int]:
    """Sources first, next always the task that leaves the fewest lanes open, then the one whose inputs are freshest."""
    targets = _targets(sources)
    waits, open_for = [len(feeds) for feeds in sources], [len(feeds) for feeds in targets]
    row_of: dict[int, int] = {}
    ready = {node for node, count in enumerate(waits) if not count}

    def cost(node: int) -> tuple[int, int, int]:
        closed = sum(open_for[source] == 1 for source in sources[node])
        return bool(targets[node]) - closed, -max((row_of[source] for source in sources[node]), default=-1), node

    while ready:
        node = min(ready, key=cost)
        ready.remove(node)
        row_of[node] = len(row_of)
        for source in sources[node]:
            open_for[source] -= 1
        for target in targets[node]:
            waits[target] -= 1
            if not waits[target]:
                ready.add(target)
    return list(row_of)


def _place(nodes: Sequence[str], sources: Sequence[set[int]], order: Sequence[int]) -> RailLayout:
    row_of = {node: row for row, node in enumerate(order)}
    inputs = tuple(tuple(sorted(row_of[source] for source in sources[node])) for node in order)
    outputs = tuple(tuple(sorted(rows)) for rows in _targets([set(rows) for rows in inputs]))
    lanes = min((_lanes(inputs, outputs, weight) for weight in (0, 4)), key=lambda tried: _mess(tried, inputs, outputs))
    return RailLayout(tuple(nodes[node] for node in order), lanes, inputs, outputs)


def _lanes(inputs: Links, outputs: Links, weight: int) -> tuple[int, ...]:
    """A lane for each row: one that ends here if there is one, else a free one; `weight` is the price of a bridge."""
    lanes: list[int] = []
    open_until: list[int] = []  # by lane: the last row that it is drawn on
    for row, feeds in enumerate(inputs):
        joined = {lanes[source] for source in feeds}
        ending = [lane for lane in joined if open_until[lane] == row]
        above = lanes[-1] if lanes else None
        free = [lane for lane, end in enumerate(open_until) if end < row and lane != above] or [len(open_until)]
        over = [lane for lane, end in enumerate(open_until) if end >= row and lane not in joined]
        choices = sorted(ending or free)
        costs = [_length(lane, joined, over, weight) for lane in choices]
        lane = choices[costs.index(min(costs))]
        if lane == len(open_until):
            open_until.append(row)
        open_until[lane] = outputs[row][-1] if outputs[row] else row
        lanes.append(lane)
    return tuple(lanes)


def _length(lane: int, joined: set[int], over: Sequence[int], weight: int) -> int:
    """What the line across costs if the marker stands in `lane`: its lanes, and `weight` for each that it passes over."""
    left, right = min(lane, *joined, lane), max(lane, *joined, lane)
    bridges = sum(left < other < right for other in over) if weight else 0
    return right - left + weight * bridges


def _mess(lanes: Sequence[int], inputs: Links, outputs: Links) -> tuple[int, int]:
    """How hard a drawing is to read: its width first, then the lines across and what they pass over."""
    total = 0
    last = [rows[-1] if rows else -1 for rows in outputs]
    for row, feeds in enumerate(inputs):
        joined = {lanes[source] for source in feeds}
        over = [lanes[other] for other in range(row) if last[other] >= row and lanes[other] not in joined]
        total += _length(lanes[row], joined, over, 4)
    return max(lanes, default=0), total
