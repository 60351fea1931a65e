"""The layered drawing says the graph and nothing else: it is read back from its characters alone."""

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.widgets.layered import BOXES, Layered, layered, lines
from console.widgets.rail import DOWN, LEFT, RIGHT, UP, GraphError

SIDES = {glyph: mask for mask, glyph in BOXES.items()}


def mask(drawing: Layered, grid: list[str], x: int, y: int) -> int:
    """The sides that the line in a cell reaches; none where a task stands."""
    here = task_at(drawing, x, y)
    return SIDES[grid[y][x]] if here is None and 0 <= y < len(grid) and 0 <= x < len(grid[y]) else 0


def task_at(drawing: Layered, x: int, y: int) -> str | None:
    """The task whose cells these are."""
    for task, (start, row), layer in zip(drawing.tasks, drawing.at, drawing.layer, strict=True):
        if row == y and start <= x < start + drawing.room[layer]:
            return task
    return None


class Backward:
    """From each task to the left, by the rules in the head of `layered.py`."""

    def __init__(self, drawing: Layered) -> None:
        self.drawing, self.grid = drawing, lines(drawing)

    def edges(self) -> set[tuple[str, str]]:
        found = [
            (source, task)
            for task, (x, y) in zip(self.drawing.tasks, self.drawing.at, strict=True)
            if self.mask(x - 1, y)
            for source in self.of_row(x, y)
        ]
        assert len(found) == len(set(found)), "an input is drawn twice"
        return set(found)

    def mask(self, x: int, y: int) -> int:
        return mask(self.drawing, self.grid, x, y)

    def of_row(self, x: int, y: int) -> list[str]:
        """What comes from the left to the cell x of a row of tasks: a task, or what the row above brings, or both."""
        while True:
            x -= 1
            if (task := task_at(self.drawing, x, y)) is not None:
                return [task]
            here = self.mask(x, y)
            assert here, f"the row breaks off at {x},{y}"
            if here & UP and here & RIGHT and self.mask(x, y - 1) == LEFT | DOWN and y - 1 not in self.drawing.own:
                above = self.touched(x, y - 1)
                return above + (self.of_row(x, y) if here & LEFT else [])

    def touched(self, x: int, y: int) -> list[str]:
        """The sources of the lanes that a row above a task touches, from its end at x to the left."""
        found = []
        while True:
            x -= 1
            here = self.mask(x, y)
            if here in (UP | DOWN, LEFT | RIGHT):
                continue
            assert here & RIGHT, f"the row breaks off at {x},{y}"
            found += self.of_lane(x, y)
            if not here & LEFT:
                return found

    def of_lane(self, x: int, y: int) -> list[str]:
        """The source of a lane: on the one row of tasks where it is touched from the left."""
        cells = {y}
        for step, side, other in ((-1, UP, DOWN), (1, DOWN, UP)):
            at = y
            while self.mask(x, at) & side:
                assert self.mask(x, at + step) & other, f"a lane breaks off at {x},{at}"
                at += step
                cells.add(at)
        [source] = [at for at in cells if at in self.drawing.own and self.mask(x, at) & LEFT]
        return self.of_row(x, source)


class Forward:
    """From each task to the right: along its row, up and down its lane, to the ends of the rows above tasks."""

    def __init__(self, drawing: Layered) -> None:
        self.drawing, self.grid = drawing, lines(drawing)

    def edges(self) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for task, (x, y), layer in zip(self.drawing.tasks, self.drawing.at, self.drawing.layer, strict=True):
            start = x + self.drawing.room[layer]
            if mask(self.drawing, self.grid, start, y):
                found |= {(task, target) for target in self.of_row(start, y)}
        return found

    def of_row(self, x: int, y: int) -> set[str]:
        found: set[str] = set()
        while True:
            if (task := task_at(self.drawing, x, y)) is not None:
                return found | {task}
            here = mask(self.drawing, self.grid, x, y)
            assert here, f"the line ends nowhere at {x},{y}"
            turns = here & (UP | DOWN)
            arrives = (
                here & UP and y and mask(self.drawing, self.grid, x, y - 1) == LEFT | DOWN and y - 1 not in self.drawing.own
            )
            if here & LEFT and turns and not arrives:  # its own lane
                found |= self.of_lane(x, y)
                if not here & RIGHT:
                    return found
            x += 1

    def of_lane(self, x: int, y: int) -> set[str]:
        found: set[str] = set()
        for step, side in ((-1, UP), (1, DOWN)):
            at = y
            while mask(self.drawing, self.grid, x, at) & side:
                at += step
                if at not in self.drawing.own and mask(self.drawing, self.grid, x, at) & RIGHT:
                    found |= self.of_entry(x, at)
        return found

    def of_entry(self, x: int, y: int) -> set[str]:
        while mask(self.drawing, self.grid, x, y) != LEFT | DOWN:
            x += 1
        return self.of_row(x + 1, y + 1)


def assert_true(drawing: Layered, edges: set[tuple[str, str]]) -> None:
    assert Backward(drawing).edges() == edges
    assert Forward(drawing).edges() == edges


def graph(seed: int, nodes: int, chance: float) -> tuple[list[str], list[tuple[str, str]]]:
    rng = random.Random(seed)
    names = [f"t{n:02}" for n in range(nodes)]
    return names, [(names[a], names[b]) for b in range(nodes) for a in range(b) if rng.random() < chance]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 24), st.floats(0.02, 0.6))
def test_a_drawing_has_every_edge_and_no_other(seed: int, nodes: int, chance: float) -> None:
    names, edges = graph(seed, nodes, chance)
    assert_true(layered(names, edges), set(edges))


def test_every_graph_of_five_tasks_reads_true() -> None:
    pairs = list(itertools.combinations("abcde", 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)):
        edges = set(itertools.compress(pairs, chosen))
        assert_true(layered("abcde", edges, extra=1), edges)


def test_sixty_dense_nodes_are_still_true() -> None:
    names, edges = graph(7, 60, 0.05)
    assert len(edges) > 80
    drawing = layered(names, edges)
    assert_true(drawing, set(edges))
    assert drawing.height < 80


def test_a_tracer_finds_what_is_wrong() -> None:
    drawing = layered("abc", [("a", "b"), ("a", "c")])
    gone = max((x, y) for (x, y), sides in drawing.boxes.items() if sides & UP)
    broken = replace(drawing, boxes={cell: sides for cell, sides in drawing.boxes.items() if cell != gone})
    with pytest.raises(AssertionError):
        assert_true(broken, {("a", "b"), ("a", "c")})


def test_a_chain_is_one_straight_line_and_the_flow_of_the_flights_six_rows() -> None:
    assert lines(layered("abc", [("a", "b"), ("b", "c")], extra=1)) == ["a ────b ────c "]
    tasks = ["departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error"]
    edges = [(0, 2), (1, 2), (2, 3), (0, 4), (0, 5), (3, 5)]
    drawing = layered(tasks, [(tasks[a], tasks[b]) for a, b in edges], extra=1)
    assert [line.rstrip() for line in lines(drawing)] == [
        "            ╭─╮",
        "            │ ╰─seasonal_baseline",
        "            │                                         ╭─╮",
        "departures ─┼─────────────────────────────────────────│─┴─forecast_error",
        "            ╰─╮                                       │",
        "weather    ───┴─delay_features    ────delay_forecast ─╯",
    ]


def test_the_cells_of_an_edge_lie_on_the_drawing_and_edges_of_a_source_share_them() -> None:
    names, edges = graph(3, 12, 0.3)
    drawing = layered(names, edges)
    for (source, target), path in drawing.paths.items():
        assert path and path <= drawing.boxes.keys(), (names[source], names[target])
        (x, y), (tx, ty) = drawing.at[source], drawing.at[target]
        assert (x + drawing.room[drawing.layer[source]], y) in path and (tx - 1, ty) in path


def test_the_same_graph_gives_the_same_drawing() -> None:
    names, edges = graph(5, 20, 0.2)
    assert lines(layered(names, edges)) == lines(layered(names, list(reversed(edges))))


def test_a_lineage_is_what_leads_in_and_out() -> None:
    drawing = layered("abcde", [("a", "b"), ("b", "d"), ("c", "d"), ("d", "e")])
    assert {(drawing.tasks[s], drawing.tasks[t]) for s, t in drawing.lineage(1)} == {("a", "b"), ("b", "d"), ("d", "e")}


@pytest.mark.parametrize("edges", [[("a", "b"), ("b", "a")], [("a", "z")]])
def test_what_is_no_graph_is_refused(edges: list[tuple[str, str]]) -> None:
    with pytest.raises(GraphError):
        layered("ab", edges)


def test_nothing_is_drawn_of_nothing() -> None:
    assert lines(layered([], [])) == []
    assert [line.strip() for line in lines(layered(["a"], [], extra=0))] == ["a"]


def test_every_box_is_one_that_can_be_read() -> None:
    names, edges = graph(11, 25, 0.2)
    assert set(layered(names, edges).boxes.values()) <= set(BOXES) - {0}
    assert UP | DOWN in BOXES
