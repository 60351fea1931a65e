"""The rail drawing read back, from its characters alone, by the rules in `console/widgets/rail.py`."""

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.widgets.rail import GraphError, RailLayout, layout

Edge = tuple[str, str]

UP = set("│├┤┼╰╯┴")
DOWN = set("│├┤┼")
LEFT = set("─┤┼╯┴")
RIGHT = set("─├┼╰┴")
JOINTS = set("├┤┼╰╯┴")


def read_from_targets(drawing: RailLayout) -> set[Edge]:
    """From each marker along its row, and up every lane that is touched."""
    lines, found = drawing.lines, set()
    for row, task in enumerate(drawing.tasks):
        here = lines[row].index("◆")
        touched = [here] if row and lines[row - 1][here] in DOWN | {"◆"} else []
        touched += joints_along(lines[row], here, -1) + joints_along(lines[row], here, 1)
        found |= {(drawing.tasks[source_above(lines, row, x)], task) for x in touched}
    return found


def joints_along(line: str, marker: int, step: int) -> list[int]:
    """The lanes that the line across touches on one side of the marker; where it breaks it passes over."""
    facing, onward = (RIGHT, LEFT) if step < 0 else (LEFT, RIGHT)
    joints: list[int] = []
    x = marker + step
    if not 0 <= x < len(line) or line[x] == " ":
        return joints
    assert line[x] == "─", f"{line!r}: something unreadable beside the marker"
    while not joints or line[joints[-1]] in onward:
        x += step
        assert 0 <= x < len(line), f"{line!r} runs out of the drawing"
        if line[x] == "│":
            assert line[x - step] == line[x + step] == "─", f"{line!r} breaks off at {x}"
        elif line[x] != "─":
            assert line[x] in facing & JOINTS, f"{line!r} breaks off at {x}"
            joints.append(x)
    return joints


def source_above(lines: tuple[str, ...], row: int, x: int) -> int:
    for above in range(row - 1, -1, -1):
        if lines[above][x] == "◆":
            return above
        assert lines[above][x] in DOWN & UP, f"the lane at {x} breaks off on row {above}"
    raise AssertionError(f"the lane at {x} comes from nowhere")


def read_from_sources(drawing: RailLayout) -> set[Edge]:
    """From each marker down its lane, and from every joint along the row to the marker there."""
    lines, found = drawing.lines, set()
    for row, task in enumerate(drawing.tasks):
        x = lines[row].index("◆")
        for below in range(row + 1, len(lines)):
            cell = lines[below][x]
            if cell in JOINTS | {"◆"}:
                found.add((task, drawing.tasks[below]))
            if cell not in DOWN:
                assert cell in JOINTS | {"◆"} or below == row + 1, f"the lane of {task} ends nowhere"
                break
        else:
            assert row == len(lines) - 1 or lines[-1][x] not in DOWN, f"the lane of {task} leaves the drawing"
    return found


def assert_true_drawing(drawing: RailLayout, edges: set[Edge]) -> None:
    assert all(line.count("◆") == 1 and len(line) == drawing.width for line in drawing.lines)
    assert read_from_targets(drawing) == edges
    assert read_from_sources(drawing) == edges


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[Edge]]:
    size = draw(st.integers(0, 60))
    density = draw(st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3, 0.7, 1.0]))
    reach = draw(st.sampled_from([2, 5, 60]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    names = [f"t{number:02}" for number in range(size)]
    chance.shuffle(names)
    pairs = [(a, b) for a, b in itertools.combinations(range(size), 2) if b - a <= reach and chance.random() < density]
    edges = [(names[a], names[b]) for a, b in pairs]
    chance.shuffle(edges)
    return (sorted(names) if draw(st.booleans()) else names), edges


@settings(max_examples=150, deadline=None)
@given(graphs(), st.sampled_from([0, 24, 1000]))
def test_the_edges_read_off_are_the_edges_of_the_graph(graph: tuple[list[str], list[Edge]], fit: int) -> None:
    nodes, edges = graph
    drawing = layout(nodes, edges, fit)
    assert sorted(drawing.tasks) == sorted(nodes)
    assert_true_drawing(drawing, set(edges))


def test_every_graph_of_five_tasks_reads_true() -> None:
    nodes = list("abcde")
    pairs = list(itertools.combinations(nodes, 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)):
        edges = set(itertools.compress(pairs, chosen))
        assert_true_drawing(layout(nodes, edges), edges)


@settings(max_examples=50, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_what_is_lit_is_the_lineage_and_joins_nothing_else(graph: tuple[list[str], list[Edge]], chance: random.Random) -> None:
    nodes, edges = graph
    if not nodes:
        return
    drawing = layout(nodes, edges)
    row = chance.randrange(len(nodes))
    lineage = drawing.lineage(row)
    lit = drawing.lit(lineage)

    def is_lit(edge: tuple[int, int]) -> bool:
        return all(own <= shown for own, shown in zip(drawing.lit([edge]), lit, strict=True))

    every = {(source, target) for target, feeds in enumerate(drawing.inputs) for source in feeds}
    read = {edge for edge in every if is_lit(edge)}
    assert lineage <= read
    related = {row} | {task for edge in lineage for task in edge}
    assert all(task in related for edge in read for task in edge)
    blank = [(r, x) for r, cells in enumerate(lit) for x in cells if drawing.lines[r][x] == " "]
    assert not blank


def test_the_flight_flow() -> None:
    nodes = ["departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error"]
    edges = [
        ("departures", "delay_features"),
        ("weather", "delay_features"),
        ("delay_features", "delay_forecast"),
        ("departures", "seasonal_baseline"),
        ("departures", "forecast_error"),
        ("delay_forecast", "forecast_error"),
    ]
    drawing = layout(nodes, edges)
    assert drawing.tasks == tuple(nodes)
    assert [line.rstrip() for line in drawing.lines] == [
        "◆",
        "│ ◆",
        "├─◆",
        "│ ◆",
        "├─│─◆",
        "◆─╯",
    ]


def test_unrelated_tasks_do_not_stand_in_one_column_on_neighbouring_rows() -> None:
    assert layout(["a", "b", "c"], []).lines == ("◆  ", "  ◆", "◆  ")


def test_an_edge_given_twice_is_drawn_once() -> None:
    assert layout(["a", "b"], [("a", "b"), ("a", "b")]).inputs == ((), (0,))


def test_rows_keep_the_given_order_where_sources_come_first() -> None:
    assert layout(["c", "a", "b"], [("a", "c")]).tasks == ("a", "c", "b")


def test_a_wide_drawing_is_packed_only_when_it_does_not_fit() -> None:
    chains = [(f"a{i}", f"b{i}") for i in range(20)]
    nodes = [a for a, _ in chains] + [b for _, b in chains]
    assert layout(nodes, chains, fit=1000).tasks == tuple(nodes)
    assert layout(nodes, chains).width == 3


@pytest.mark.parametrize(
    ("nodes", "edges", "says"),
    [
        (["a", "b", "c"], [("a", "b"), ("b", "a")], "cycle goes through, or lies before, a, b"),
        (["a"], [("a", "a")], "cycle"),
        (["a", "a"], [], "named twice: a"),
        (["a"], [("a", "b")], "no task b"),
    ],
)
def test_a_wrong_graph_is_refused(nodes: list[str], edges: list[Edge], says: str) -> None:
    with pytest.raises(GraphError, match=says):
        layout(nodes, edges)


def test_sixty_tasks_take_milliseconds() -> None:
    chance = random.Random(7)
    nodes = [f"t{i}" for i in range(60)]
    edges = [(nodes[a], nodes[b]) for b in range(1, 60) for a in {max(b - chance.randint(1, 9), 0) for _ in range(2)}]
    best = min(_seconds(nodes, edges) for _ in range(5))
    assert best < 0.05


def _seconds(nodes: list[str], edges: list[Edge]) -> float:
    start = time.perf_counter()
    assert layout(nodes, edges).lines
    return time.perf_counter() - start
