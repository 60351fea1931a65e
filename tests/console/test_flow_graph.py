"""The flow graph: what it says at each width, and that a line is repainted when it changes and only then."""

import random

import pytest
from drawn import DrawnApp, truth
from rich.cells import cell_len

from console.widgets.flow_graph import FlowGraph, GraphSnapshot, TaskSnapshot
from console.widgets.graph_columns import ALWAYS, Columns, columns
from console.widgets.legend import Legend
from console.widgets.rail import layout
from engine.status import Status

TASKS = ["departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error"]
EDGES = [
    ("departures", "delay_features"),
    ("weather", "delay_features"),
    ("delay_features", "delay_forecast"),
    ("departures", "seasonal_baseline"),
    ("departures", "forecast_error"),
    ("delay_forecast", "forecast_error"),
]
N = 12_075


def counts(finished: int, running: int = 0, failed: int = 0, blocked: int = 0) -> dict[Status, int]:
    return {
        Status.FINISHED: finished,
        Status.RUNNING: running,
        Status.FAILED: failed,
        Status.BLOCKED: blocked,
        Status.PENDING: N - finished - running - failed - blocked,
    }


SNAPSHOT = GraphSnapshot(
    {
        "departures": TaskSnapshot(counts(11_902, 173), 0.2, 0.4),
        "weather": TaskSnapshot(counts(11_207, 0, 868), 0.3, 0.9, "← first red 14:05:19"),
        "delay_features": TaskSnapshot(counts(6_402, 301, 0, 868), 0.8, 1.4),
        "delay_forecast": TaskSnapshot(counts(2_911, 120)),
    }
)


def with_task(snapshot: GraphSnapshot, task: str, now: TaskSnapshot) -> GraphSnapshot:
    return GraphSnapshot({**snapshot.tasks, task: now})


async def test_at_110_columns() -> None:
    app = DrawnApp(graph := FlowGraph(layout(TASKS, EDGES)))
    async with app.run_test(size=(110, 30)) as pilot:
        graph.update(SNAPSHOT)
        await pilot.pause()
        lines = app.shown(graph)
    assert len(lines) == 6
    assert lines[1].startswith("  │ ◆   ✗ weather           ✗█")
    assert "11,207 ●" in lines[1]
    assert "868 ✗" in lines[1]
    assert "868 ◌" in lines[2]
    assert "← first red" in lines[1]
    assert lines[5].startswith("  ◆─╯   ○ forecast_error")


@pytest.mark.parametrize(("width", "times"), [(80, False), (160, True)])
async def test_all_columns_have_their_place(width: int, times: bool) -> None:
    app = DrawnApp(graph := FlowGraph(layout(TASKS, EDGES)))
    async with app.run_test(size=(width, 24)) as pilot:
        graph.update(SNAPSHOT)
        await pilot.pause()
        lines = app.shown(graph)
    assert all(task in line for task, line in zip(TASKS, lines, strict=True))
    assert all(glyph in line for line in lines[:4] for glyph in "●◐○✗◌")
    assert all(("p95" in line) is times for line in lines)
    assert all(cell_len(line) == width - 1 for line in lines)


async def test_news_repaint_the_line_that_changed() -> None:
    app = DrawnApp(graph := FlowGraph(layout(TASKS, EDGES)))
    async with app.run_test(size=(110, 30)) as pilot:
        graph.update(SNAPSHOT)
        await pilot.pause()
        drawn: list[int] = []
        draw = graph.render_line
        graph.render_line = lambda y: (drawn.append(y), draw(y))[1]  # type: ignore[method-assign]
        graph.update(with_task(SNAPSHOT, "weather", TaskSnapshot(counts(11_208, 0, 867), 0.3, 0.9, "← first red 14:05:19")))
        await pilot.pause()
        assert drawn == [1]
        assert app.shown(graph) == truth(graph)


async def test_no_stale_line_after_any_sequence() -> None:
    chance = random.Random(5)
    tasks = [f"task_{i}" for i in range(60)]
    edges = [(tasks[a], tasks[b]) for b in range(60) for a in {chance.randrange(b) for _ in range(3) if b}]
    app = DrawnApp(Legend(), graph := FlowGraph(layout(tasks, edges)))
    async with app.run_test(size=(80, 24)) as pilot:
        graph.focus()
        snapshot = GraphSnapshot()
        for _ in range(40):
            match chance.randrange(4):
                case 0:
                    await pilot.press(chance.choice(["j", "k", "g", "G", "left", "right"]))
                case 1:
                    graph.scroll_to(y=chance.randrange(60), animate=False)
                case 2:
                    graph.select(chance.choice([None, *tasks]))
                case _:
                    now = TaskSnapshot(counts(chance.randrange(N // 2), 3, chance.choice([0, 1, 700])))
                    snapshot = with_task(snapshot, chance.choice(tasks), now)
                    graph.update(snapshot)
            await pilot.pause()
            assert app.shown(graph) == truth(graph)


async def test_the_cursor_selects_and_opens() -> None:
    told: list[tuple[str, str]] = []

    class Listening(DrawnApp):
        def on_flow_graph_node_selected(self, message: FlowGraph.NodeSelected) -> None:
            told.append(("selected", message.task))

        def on_flow_graph_node_opened(self, message: FlowGraph.NodeOpened) -> None:
            told.append(("opened", message.task))

    graph = FlowGraph(layout(TASKS, EDGES))
    async with Listening(graph).run_test(size=(80, 24)) as pilot:
        graph.focus()
        assert graph.selected is None
        await pilot.press("enter", "j", "down", "k", "up", "up", "enter", "G")
        await pilot.click(graph, offset=(10, 3))
        await pilot.pause()
    assert told == [
        ("selected", "departures"),
        ("selected", "weather"),
        ("selected", "departures"),
        ("opened", "departures"),
        ("selected", "forecast_error"),
        ("selected", "delay_forecast"),
    ]


async def test_the_selected_task_lights_up_what_it_hangs_together_with() -> None:
    app = DrawnApp(graph := FlowGraph(layout(TASKS, EDGES)))
    async with app.run_test(size=(80, 24)) as pilot:
        graph.update(SNAPSHOT)
        await pilot.pause()
        assert not any(_name_is_bold(graph, row) for row in range(6))
        graph.select("delay_features")
        await pilot.pause()
        assert [_name_is_bold(graph, row) for row in range(6)] == [True, True, True, True, False, True]


def _name_is_bold(graph: FlowGraph, row: int) -> bool:
    return any(
        segment.style is not None and segment.style.bold for segment in graph.render_line(row) if TASKS[row] in segment.text
    )


async def test_a_wide_drawing_follows_the_cursor_and_says_where_it_goes_on() -> None:
    tasks = [f"t{i:02}" for i in range(60)]
    edges = [(a, b) for i, a in enumerate(tasks) for b in tasks[i + 1 :]]
    app = DrawnApp(graph := FlowGraph(layout(tasks, edges)))
    async with app.run_test(size=(80, 24)) as pilot:
        graph.focus()
        for task, goes_on in (("t00", ""), ("t31", "‹"), ("t59", "›"), ("t02", "")):
            graph.select(task)
            await pilot.pause()
            line = app.shown(graph)[graph.cursor - graph.scroll_offset.y]
            assert "◆" in line
            assert task in line
            assert goes_on in line
        assert any("›" in line for line in app.shown(graph))


async def test_another_flow_replaces_the_drawing() -> None:
    app = DrawnApp(graph := FlowGraph(layout(TASKS, EDGES)))
    async with app.run_test(size=(80, 24)) as pilot:
        graph.select("weather")
        graph.set_layout(layout(["a", "b"], [("a", "b")]))
        await pilot.pause()
        assert graph.selected is None
        assert len(app.shown(graph)) == 2
        assert app.shown(graph) == truth(graph)


def used(shape: Columns) -> int:
    each = shape.digits + (2 if shape.short else 3)
    return 2 + shape.rail + 3 + shape.name + 1 + shape.bar + each * len(shape.counts)


@pytest.mark.parametrize("width", range(60, 200, 7))
@pytest.mark.parametrize("seen", [ALWAYS, frozenset(Status)])
@pytest.mark.parametrize("total", [9, 12_075, 1_000_000])
def test_columns_fit(width: int, seen: frozenset[Status], total: int) -> None:
    shape = columns(width, 5, [10, 17], total, seen, 20)
    assert used(shape) + 24 * shape.times + (shape.note + 2 if shape.note else 0) <= max(width, 68)
    assert shape.bar >= 6


def test_in_need_run_times_go_first_then_digits_then_the_bar() -> None:
    shapes = [columns(width, 5, [17], N, frozenset(Status), 0) for width in range(160, 70, -1)]
    times, short, bars = ([getattr(shape, field) for shape in shapes] for field in ("times", "short", "bar"))
    assert times == sorted(times, reverse=True)
    assert short == sorted(short)
    assert times.index(False) < short.index(True)
    assert min(bars[: short.index(True)]) >= 12
