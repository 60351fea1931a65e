"""Bars: never a failure that is not seen, never a cell too many."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from console.theme import SEVERITY
from console.widgets.bar import headline, progress, segments, text
from engine.status import Status

counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 60_000) | st.integers(0, 3))
some_counts = counts.filter(lambda found: sum(found.values()) > 0)


@given(some_counts, st.integers(0, 200))
def test_cells_add_up_to_the_width(found: dict[Status, int], width: int) -> None:
    assert sum(cells for _, cells in segments(found, width)) == width
    assert len(text(segments(found, width))) == width


@given(some_counts, st.integers(1, 200))
def test_whatever_counts_has_a_cell_and_failures_come_first(found: dict[Status, int], width: int) -> None:
    present = [status for status in SEVERITY if found.get(status)]
    shown = segments(found, width)
    assert [status for status, _ in shown] == present[:width]
    assert all(cells >= 1 for _, cells in shown)


@given(some_counts, st.integers(6, 200))
def test_more_entities_never_have_fewer_cells(found: dict[Status, int], width: int) -> None:
    shown = segments(found, width)
    for one, cells in shown:
        for other, other_cells in shown:
            assert found[one] <= found[other] or cells >= other_cells


@given(some_counts, st.integers(6, 200))
def test_shares_are_fair_but_for_the_cells_that_the_rare_take(found: dict[Status, int], width: int) -> None:
    total = sum(found.values())
    for status, cells in segments(found, width):
        exact = Fraction(found[status] * width, total)
        assert exact - len(Status) < cells < exact + 1 + (exact < 1)


def test_a_bar_without_colour_can_be_read() -> None:
    found = {Status.FAILED: 868, Status.BLOCKED: 12, Status.RUNNING: 300, Status.FINISHED: 9_000, Status.PENDING: 2_000}
    assert text(segments(found, 24)) == "✗◌▒█████████████████····"


def test_nothing_counted_draws_nothing() -> None:
    assert segments({}, 10) == segments({Status.FAILED: 0}, 10) == segments({Status.FAILED: 3}, 0) == []


@given(some_counts)
def test_percent_is_never_early(found: dict[Status, int]) -> None:
    done = progress(found, 20)
    assert (done.label == "100%") == (done.ended == done.total)
    assert (done.label == "0%") == (done.ended == 0)


def test_the_headline_of_a_task() -> None:
    assert headline({}) is Status.PENDING
    assert headline({Status.PENDING: 5}) is Status.PENDING
    assert headline({Status.PENDING: 5, Status.FINISHED: 1}) is Status.RUNNING
    assert headline({Status.RUNNING: 1, Status.BLOCKED: 1}) is Status.RUNNING
    assert headline({Status.FINISHED: 9, Status.BLOCKED: 1}) is Status.BLOCKED
    assert headline({Status.FINISHED: 9, Status.CANCELLED: 1}) is Status.CANCELLED
    assert headline({Status.FINISHED: 9}) is Status.FINISHED
    assert headline({Status.RUNNING: 9, Status.FAILED: 1}) is Status.FAILED
