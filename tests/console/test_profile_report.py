"""Where a wave's time went: the sums, the reasons, and the drawings. Pure."""

import itertools
from array import array
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import HOSTILE

from console.reports.gantt import COLUMNS, MOST_ROWS, gantt, letters, pack
from console.reports.gantt_page import page, svg
from console.reports.profile import Profile, profile, spread
from engine.plan import Input, Plan, TaskPlan
from engine.timing import Timing, busy_at_once, shares

CHAIN = Plan("shop", (TaskPlan("a"), TaskPlan("b", (Input("a"),))))
Spans = dict[tuple[int, int], tuple[float, float]]
"""(task, entity) → start and seconds."""


def timing(spans: Spans, n: int, plan: Plan = CHAIN, crew: list[int] | None = None) -> Timing:
    times, board = array("I", [0]) * (2 * n * len(plan.tasks)), bytearray(b"P") * (n * len(plan.tasks))
    for (task, entity), (start, seconds) in spans.items():
        at = task * n + entity
        board[at] = ord("F")
        times[2 * at], times[2 * at + 1] = round(start * 1000), round(seconds * 100_000)
    return Timing(plan, n, bytes(board), times.tobytes(), crew or [1] * n)


def of(found: Timing, slots: int = 1, times: tuple[float, ...] = (2.0,), names: list[str] | None = None) -> Profile:
    return profile(
        found, names or [f"e{i}" for i in range(found.n)], known=dict.fromkeys(found.crew, slots), times=times,
        wave="w0123456789ab", locator="shop@main 2013-07-01T14", phase="finished",
    )  # fmt: skip


def test_waits_queues_and_runs_add_up_to_when_a_cell_ended() -> None:
    # Given one slot that takes both entities' first task, then both entities' second
    found = of(timing({(0, 0): (1.0, 2.0), (0, 1): (3.0, 1.0), (1, 0): (4.0, 0.5), (1, 1): (5.0, 0.5)}, 2))
    a, b = found.tasks
    # Then the first task queued since the wave was, and its inputs were never waited for
    assert (a.queue.p50, a.queue.max, a.wait.max) == (pytest.approx(3.0), pytest.approx(3.0), 0.0)
    # And the second waited for the first, and then for its turn
    assert b.wait.max == pytest.approx(2.0)
    assert b.queue.max == pytest.approx(1.0)
    assert (a.seconds, b.seconds) == (pytest.approx(3.0), pytest.approx(1.0))
    assert a.share == pytest.approx(0.75)
    assert found.critical_path == ["a", "b"]
    # What ended last, and what it had waited for
    assert [(s.task, s.entity) for s in found.last] == [("a", "e1"), ("b", "e1")]
    assert [s.waited for s in found.last] == [pytest.approx(3.0), pytest.approx(1.0)]
    assert [s.entity for s in found.slowest] == ["e0", "e1"]
    assert (found.slowest[0].task, found.slowest[0].seconds) == ("a", pytest.approx(2.5))


def test_why_slots_were_idle() -> None:
    # Given two workers of one slot each: one begins late, waits for an input that a thread of its own computes, and is done early
    spans: Spans = {
        (0, 0): (0.0, 4.0),  # worker 1, all the time
        (0, 1): (1.0, 0.5),  # worker 2
        (1, 1): (2.0, 0.5),  # half a second after its input
        (0, 2): (2.5, 0.5),
    }
    found = of(timing(spans, 3, crew=[1, 2, 2]))
    assert found.idle["start"] == pytest.approx(1.0)
    assert found.idle["between"] == pytest.approx(0.5)
    assert found.idle["tail"] == pytest.approx(1.0)
    assert found.busy == pytest.approx(5.5)
    assert found.used == pytest.approx(5.5 / 8)


def test_a_worker_that_leaves_while_others_are_queued_was_away() -> None:
    spans: Spans = {(0, 0): (0.0, 1.0), (0, 1): (0.0, 2.0), (0, 2): (2.0, 2.0), (0, 3): (4.0, 1.0)}
    found = of(timing(spans, 4, crew=[1, 2, 2, 2]))
    assert found.idle == {"away": pytest.approx(3.0), "tail": pytest.approx(1.0)}


def test_a_wait_for_an_input_is_told_as_one() -> None:
    # Given one slot whose entity's second task begins when a timeout has passed, its input still running beside it
    waits = Plan("shop", (TaskPlan("a"), TaskPlan("c"), TaskPlan("b", (Input("a"), Input("c")))))
    spans: Spans = {(0, 0): (0.0, 1.0), (1, 0): (1.0, 0.5), (2, 0): (3.0, 1.0), (0, 1): (0.0, 3.0)}
    found = of(timing(spans, 2, waits, crew=[1, 2]), 1)
    assert found.tasks[2].wait.max == pytest.approx(1.5)
    assert found.tasks[2].queue.max == pytest.approx(1.5)


def test_nothing_ran() -> None:
    found = of(timing({}, 3))
    assert (found.cells, found.slots, found.what_if, found.ratio) == (0, 0, [], None)
    drawing = gantt(timing({}, 3), ["a", "b", "c"], {}, {})
    assert drawing.slots == ()
    assert "nothing has run yet" in page(found, drawing)


def test_more_slots_share_the_work_and_never_beat_the_longest_entity() -> None:
    # Given eight entities of a second on two slots
    spans: Spans = {(0, e): (float(e // 2), 1.0) for e in range(8)}
    found = of(timing(spans, 8, crew=[1, 2] * 4), 1, (2.0, 4.0, 100.0, 0.5))
    assert [round(w.seconds, 2) for w in found.what_if] == [4.0, 2.0, 1.0, 1.0, 8.0]
    assert [w.slots for w in found.what_if] == [2, 4, 8, 200, 1]
    assert found.ratio == pytest.approx(1.0)
    assert all(w.soonest <= w.seconds + 1e-6 and w.seconds <= w.latest + 1e-6 for w in found.what_if)


def test_tasks_that_wait_share_a_slot() -> None:
    # Given four cells that wait for two seconds at once on one slot
    waits = Plan("shop", (TaskPlan("fetch", waits=True),))
    found = timing({(0, e): (0.0, 2.0) for e in range(4)}, 4, waits)
    assert found.costs({1: 1}) == [pytest.approx(0.5)] * 4
    assert found.lengths() == [pytest.approx(2.0)] * 4
    # Then eight slots would not be sooner than one of them alone
    assert of(found, 1, (8.0,)).what_if[1].seconds == pytest.approx(2.0)
    assert busy_at_once(found.cells) == 4
    assert sum(shares(found.cells, 3)) == pytest.approx(6.0)


CELLS = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000), st.integers(1, 3)), min_size=1, max_size=40)


@settings(deadline=None)
@given(cells=CELLS, slots=st.integers(1, 4))
def test_every_slot_second_is_told_of_once(cells: list[tuple[int, int, int]], slots: int) -> None:
    spans = {(0, e): (start / 1000, took / 1000) for e, (start, took, _) in enumerate(cells)}
    found = of(timing(spans, len(cells), crew=[worker for _, _, worker in cells]), slots)
    assert found.busy >= 0
    assert all(own >= 0 for own in found.idle.values())
    assert found.busy + sum(found.idle.values()) == pytest.approx(found.slots * found.seconds, abs=1e-6)


@settings(deadline=None)
@given(cells=CELLS, most=st.integers(0, 3))
def test_lanes_hold_every_cell_once_and_none_over_another(cells: list[tuple[int, int, int]], most: int) -> None:
    ran = timing({(0, e): (start / 1000, took / 1000) for e, (start, took, _) in enumerate(cells)}, len(cells)).cells
    lanes = pack(ran, most)
    assert sorted(cell for lane in lanes for cell in lane) == sorted(ran)
    if most:
        assert len(lanes) <= most
    else:
        assert all(b.start >= a.end - 0.0021 for lane in lanes for a, b in itertools.pairwise(lane))


def test_the_grid_holds_all_of_the_time(n: int = 500) -> None:
    # Given more entities than rows
    spans: Spans = {(task, e): (e * 0.02 + task * 0.01, 0.01) for e in range(n) for task in (0, 1)}
    drawing = gantt(timing(spans, n), [f"e{i}" for i in range(n)], {1: "w"}, {1: 1})
    # Then rows are shared, and the one slot was busy in every column
    assert len(drawing.entities) <= MOST_ROWS
    assert sum(row.many for row in drawing.entities) == n
    [lane] = drawing.slots
    assert (lane.label, len(lane.cells)) == ("w/1", COLUMNS)
    assert all(share > 0.9 for _, share in lane.cells)
    # And the queue's order is a diagonal
    begins = [next(column for column, (task, _) in enumerate(row.cells) if task >= 0) for row in drawing.entities]
    assert begins == sorted(begins)
    assert begins[-1] > COLUMNS * 0.9


def test_the_picture_is_a_document_whatever_entities_are_called() -> None:
    names = [*HOSTILE, "<script>alert(1)</script>", "\udcff", "a&b\"'"]
    found = timing({(0, e): (e * 0.1, 0.1) for e in range(len(names))}, len(names))
    made, drawing = of(found, names=names), gantt(found, names, {1: "<w>"}, {1: 1})
    picture = svg(made, drawing)
    root = ElementTree.fromstring(picture)  # noqa: S314 what we have just made
    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) > len(names)
    for text in (picture, page(made, drawing)):
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "&lt;script&gt;" in text
        text.encode()


def test_letters_are_told_apart() -> None:
    assert letters(("sales", "weather", "score", "ss")) == ("s", "w", "c", "a")
    many = tuple(f"s{n}" for n in range(40))
    assert len(letters(many)) == 40
    assert spread([]).max == 0.0
