"""A flow's graph in layers, from the left to the right: every task after all that it needs.

How it is read; `tests/console/test_layered.py` reads it so, from the characters alone and which rows are tasks' own:

1. A task's line leaves it to the right, on its own row, and ends at its lane: a line straight up and down that is its alone.
   From there, or without a lane, it may go on along the row to the one task that stands there: that needs it.
2. The row above a task belongs to that task: each lane that it touches (`├ ┼ ┬ ┴ ╭ ╰`) is an input of it; it ends in `╮` and `╰` before the task.
3. A gap is no touch: in `─│─` a line passes over a lane.
4. Where an edge skips layers, its line goes on through them on a row of its own, and is read as a task's there.

Rows of tasks alternate with rows above tasks, so the two never share a cell, and no two lanes touch. Rows above tasks that nobody
needs are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from console.widgets.rail import DOWN, GLYPHS, LEFT, RIGHT, UP, _order, _sources, _targets

SWEEPS = 12
BOXES = GLYPHS | {DOWN | RIGHT: "╭", DOWN | LEFT: "╮", DOWN | LEFT | RIGHT: "┬"}
Place = tuple[int, int]
"""Column and row."""
Edge = tuple[int, int]


@dataclass(frozen=True)
class Layered:
    """Where the parts of one graph are drawn. Structure only: nothing in it changes while a wave runs.

    `at[t]` is the cell where task t (of `tasks`) begins, `layer[t]` its layer, `room[l]` the cells of a task in layer l; `own` the rows
    on which tasks and their lines stand. `boxes`: the sides that lines reach in a cell; `paths`: edge → the cells that draw it.
    """

    tasks: tuple[str, ...]
    edges: tuple[Edge, ...]
    at: tuple[Place, ...]
    layer: tuple[int, ...]
    room: tuple[int, ...]
    width: int
    height: int
    own: frozenset[int] = frozenset()
    boxes: Mapping[Place, int] = field(default_factory=dict)
    paths: Mapping[Edge, frozenset[Place]] = field(default_factory=dict)

    def lineage(self, task: int) -> frozenset[Edge]:
        """The edges on all paths into and out of `task`."""
        return frozenset(_reach(task, self.edges, 1, 0) | _reach(task, self.edges, 0, 1))


def _reach(task: int, edges: Sequence[Edge], end: int, other: int) -> set[Edge]:
    seen, todo, found = {task}, [task], set[Edge]()
    while todo:
        here = todo.pop()
        for edge in edges:
            if edge[end] == here:
                found.add(edge)
                if edge[other] not in seen:
                    seen.add(edge[other])
                    todo.append(edge[other])
    return found


def layered(nodes: Sequence[str], edges: Iterable[tuple[str, str]], extra: int = 9) -> Layered:
    """Lays out a directed acyclic graph; a task takes the cells of its name and `extra`. The same graph gives the same drawing.

    Raises:
        GraphError: a cycle, a name given twice, or an edge to a name that is not there.
    """
    sources = _sources(nodes, edges)
    order = _order(nodes, sources)
    layer = [0] * len(nodes)
    for node in order:
        layer[node] = 1 + max((layer[s] for s in sources[node]), default=-1)
    columns, hops = _with_dummies(layer, sources)
    columns = _untangle(columns, hops)
    room = [max((len(nodes[v]) + extra for v in column if v < len(nodes)), default=1) for column in columns]
    pairs = tuple((s, t) for t, feeds in enumerate(sources) for s in sorted(feeds))
    return _folded(_Pen(len(nodes), columns, hops, _rows(columns, hops), room).drawing(tuple(nodes), pairs, tuple(layer)))


def _with_dummies(layer: Sequence[int], sources: Sequence[set[int]]) -> tuple[list[list[int]], list[Edge]]:
    """The nodes of each layer, and edges between neighbouring layers: an edge over several goes through dummies, which all edges of
    one source share."""
    columns: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node, at in enumerate(layer):
        columns[at].append(node)
    hops: list[Edge] = []
    dummy: dict[tuple[int, int], int] = {}
    number = len(layer)
    for source, targets in enumerate(_targets(sources)):
        for target in sorted(targets):
            here = source
            for at in range(layer[source] + 1, layer[target]):
                if (source, at) not in dummy:
                    dummy[source, at] = number
                    columns[at].append(number)
                    hops.append((here, number))
                    number += 1
                here = dummy[source, at]
            hops.append((here, target))
    return columns, hops


def _untangle(columns: list[list[int]], hops: Sequence[Edge]) -> list[list[int]]:
    """The layers in the order, of those tried, in which fewest lines cross."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in hops:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    best, least = [list(c) for c in columns], _crossings(columns, hops)
    now = [list(c) for c in columns]
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for at in range(1, len(now)) if forward else range(len(now) - 2, -1, -1):
            place = {v: i for i, v in enumerate(now[at - 1 if forward else at + 1])}
            beside = above if forward else below
            middle = {v: sum(place[u] for u in us) / len(us) for v in now[at] if (us := beside.get(v))}
            usual = {v: float(i) for i, v in enumerate(now[at])}
            now[at] = sorted(now[at], key=lambda v, middle=middle, usual=usual: (middle.get(v, usual[v]), usual[v]))  # type: ignore[misc]
        crossed = _crossings(now, hops)
        if crossed < least:
            best, least = [list(c) for c in now], crossed
    return best


def _crossings(columns: Sequence[Sequence[int]], hops: Sequence[Edge]) -> int:
    place = {v: (at, i) for at, column in enumerate(columns) for i, v in enumerate(column)}
    by_gap: dict[int, list[Edge]] = {}
    for a, b in hops:
        by_gap.setdefault(place[a][0], []).append((place[a][1], place[b][1]))
    return sum((a - c) * (b - d) < 0 for gap in by_gap.values() for i, (a, b) in enumerate(gap) for c, d in gap[:i])


def _rows(columns: Sequence[Sequence[int]], hops: Sequence[Edge]) -> dict[int, int]:
    """The odd row of each node: in the order of its layer, near what it is joined to, so that many lines are straight."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for a, b in hops:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    rows = {v: 2 * i + 1 for column in columns for i, v in enumerate(column)}
    best, least = dict(rows), _bends(rows, hops)
    for sweep in range(SWEEPS):
        beside = ({}, before) if sweep % 3 == 0 else (after, {}) if sweep % 3 == 1 else (before, after)
        for column in columns if sweep % 2 == 0 else reversed(columns):
            near = [[rows[u] for side in beside for u in side.get(v, ())] or [rows[v]] for v in column]
            rows |= zip(column, _spread([median(ys) for ys in near]), strict=True)
        if (bends := _bends(rows, hops)) < least:
            best, least = dict(rows), bends
    top = min(best.values(), default=1) - 1
    return {v: row - top for v, row in best.items()}


def _bends(rows: Mapping[int, int], hops: Sequence[Edge]) -> tuple[int, int]:
    """How far a drawing is from straight: its lines' ups and downs, and how many are not level."""
    height = max(rows.values(), default=0) - min(rows.values(), default=0)
    return height + sum(abs(rows[a] - rows[b]) for a, b in hops), sum(rows[a] != rows[b] for a, b in hops)


def _spread(wished: Sequence[float]) -> list[int]:
    """Odd rows as near as can be to those wished for, each at least two below the one before."""
    blocks: list[tuple[float, int]] = []  # mean of the wishes, less what the order takes; how many
    for i, wish in enumerate(wished):
        mean, size = wish - 2 * i, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, size = (mean * size + other * more) / (size + more), size + more
        blocks.append((mean, size))
    level = [2 * round((mean - 1) / 2) + 1 for mean, size in blocks for _ in range(size)]
    return [row + 2 * i for i, row in enumerate(level)]


def _lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """A lane for each span of rows: no two spans of one lane touch."""
    ends: list[int] = []
    lanes = [0] * len(spans)
    for index in sorted(range(len(spans)), key=lambda i: spans[i]):
        top, bottom = spans[index]
        lane = next((number for number, end in enumerate(ends) if end + 1 < top), len(ends))
        ends[lane : lane + 1] = [bottom]
        lanes[index] = lane
    return lanes


class _Pen:
    """Draws the layers one after another. Nodes from `real` on are dummies; `hops` join neighbouring layers."""

    def __init__(
        self,
        real: int,
        columns: Sequence[Sequence[int]],
        hops: Sequence[Edge],
        rows: Mapping[int, int],
        room: Sequence[int],
    ) -> None:
        self._real, self._columns, self._hops, self._rows, self._room = real, columns, hops, rows, room
        self._boxes: dict[Place, int] = {}
        self._drawn: dict[Edge, tuple[set[Place], set[Place]]] = {}  # cells across, cells of the lane
        self._start: list[int] = []

    def drawing(self, tasks: tuple[str, ...], edges: tuple[Edge, ...], layer: tuple[int, ...]) -> Layered:
        """The graph's drawing, with all its rows."""
        x = 0
        for at, column in enumerate(self._columns):
            self._start.append(x)
            for dummy in (v for v in column if v >= self._real):
                self._across(x, x + self._room[at], self._rows[dummy])
            x += self._room[at]
            out = [hop for hop in self._hops if hop[0] in set(column)]
            x += self._gap(x, out) if out else 0
        places = tuple((self._start[layer[v]], self._rows[v]) for v in range(self._real))
        rows = frozenset(self._rows.values())
        paths = self._paths(edges)
        return Layered(tasks, edges, places, layer, tuple(self._room), x, max(rows, default=-1) + 1, rows, self._boxes, paths)

    def _across(self, first: int, end: int, row: int) -> set[Place]:
        """Draws a line across, over the lanes that are in its way."""
        for x in range(first, end):
            self._boxes[x, row] = self._boxes.get((x, row), 0) or LEFT | RIGHT
        return {(x, row) for x in range(first, end)}

    def _gap(self, x: int, out: Sequence[Edge]) -> int:
        """Draws the hops of the gap that begins at column `x`; its width."""
        rows = self._rows
        level = {(a, b) for a, b in out if rows[a] == rows[b]}
        feeding = sorted({a for a, b in out if (a, b) not in level}, key=lambda v: rows[v])
        spans = []
        for a in feeding:
            ys = [rows[a], *(rows[b] - 1 for s, b in out if s == a and (s, b) not in level)]
            spans.append((min(ys), max(ys)))
        lane_x = {a: x + 1 + 2 * lane for a, lane in zip(feeding, _lanes(spans), strict=True)}
        end = max(lane_x.values(), default=x) + 2
        for a, (top, bottom) in zip(feeding, spans, strict=True):
            for y in range(top, bottom + 1):
                self._boxes[lane_x[a], y] = (UP if y > top else 0) | (DOWN if y < bottom else 0)
        for a in feeding:
            self._across(x, lane_x[a], rows[a])
            self._boxes[lane_x[a], rows[a]] |= LEFT
        for a, b in level:
            if a in lane_x:
                self._boxes[lane_x[a], rows[a]] |= RIGHT
            self._drawn[a, b] = self._across(x, end + 2, rows[a]), set()
        for target in sorted({b for a, b in out if (a, b) not in level}):
            self._arrive(x, end, target, {lane_x[a]: a for a, b in out if b == target and (a, b) not in level})
        return end + 2 - x

    def _arrive(self, x: int, end: int, target: int, joined: Mapping[int, int]) -> None:
        """Draws the row above `target`, which touches the lanes in the columns `joined` (column → source)."""
        row, first = self._rows[target] - 1, min(joined)
        for cell in range(first, end):
            if cell in joined:
                self._boxes[cell, row] |= RIGHT | (LEFT if cell > first else 0)
            else:
                self._boxes.setdefault((cell, row), LEFT | RIGHT)
        self._boxes[end, row] = LEFT | DOWN
        self._boxes[end, row + 1] = UP | RIGHT | (self._boxes.get((end, row + 1), 0) & LEFT)
        self._boxes[end + 1, row + 1] = LEFT | RIGHT
        for cell, a in joined.items():
            top, bottom = sorted((self._rows[a], row))
            across = {(c, self._rows[a]) for c in range(x, cell)} | {(c, row) for c in range(cell, end + 1)}
            across |= {(end, row + 1), (end + 1, row + 1)}
            self._drawn[a, target] = across, {(cell, y) for y in range(top, bottom + 1)}

    def _paths(self, edges: Sequence[Edge]) -> dict[Edge, frozenset[Place]]:
        """For each edge the cells that draw it, dummies on its way included, lanes that it passes over not."""
        after: dict[int, list[int]] = {}
        for a, b in self._hops:
            after.setdefault(a, []).append(b)
        layer = {v: at for at, column in enumerate(self._columns) for v in column}
        found: dict[Edge, frozenset[Place]] = {}
        for source in {source for source, _ in edges}:
            todo: list[tuple[int, set[Place]]] = [(source, set())]
            while todo:
                here, cells = todo.pop()
                for b in after.get(here, ()):
                    across, lane = self._drawn[here, b]
                    path = cells | lane | {c for c in across if self._boxes[c] != UP | DOWN}
                    if b < self._real:
                        found[source, b] = frozenset(path)
                        continue
                    start = self._start[layer[b]]
                    todo.append((b, path | {(x, self._rows[b]) for x in range(start, start + self._room[layer[b]])}))
        return found


def _folded(drawing: Layered) -> Layered:
    """Without the rows above tasks in which nothing goes across."""
    used = {y for (_, y), mask in drawing.boxes.items() if mask & (LEFT | RIGHT)} | drawing.own
    new = {y: number for number, y in enumerate(y for y in range(drawing.height) if y in used)}

    def moved(cells: Iterable[Place]) -> frozenset[Place]:
        return frozenset((x, new[y]) for x, y in cells if y in new)

    return replace(
        drawing,
        at=tuple((x, new[y]) for x, y in drawing.at),
        height=len(new),
        own=frozenset(new[y] for y in drawing.own),
        boxes={(x, new[y]): mask for (x, y), mask in drawing.boxes.items() if y in new},
        paths={edge: moved(cells) for edge, cells in drawing.paths.items()},
    )


def lines(drawing: Layered) -> list[str]:
    """The drawing as text, with the names of the tasks in it."""
    grid = [[" "] * drawing.width for _ in range(drawing.height)]
    for (x, y), mask in drawing.boxes.items():
        grid[y][x] = BOXES[mask]
    for (x, y), task in zip(drawing.at, drawing.tasks, strict=True):
        grid[y][x : x + len(task)] = task
    return ["".join(row) for row in grid]
