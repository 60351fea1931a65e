"""How many entities a slot claims at once."""

from hypothesis import given
from hypothesis import strategies as st

from worker.sizing import BUDGET, MOST, SHARE, TRIFLE, Sizing

PLENTY = 100_000


def test_it_starts_with_one_and_doubles_while_batches_are_full_and_quick() -> None:
    sizing = Sizing()
    sizes = []
    for _ in range(9):
        sizes.append(sizing.size)
        sizing.note(sizing.size, BUDGET / 10, PLENTY, 2)

    assert sizes == [1, 2, 4, 8, 16, 32, 64, 128, 128]


def test_a_slow_batch_shrinks_it_at_once_to_what_fits() -> None:
    sizing = Sizing(64)

    sizing.note(64, BUDGET * 4, PLENTY, 1)
    assert sizing.size == 16

    sizing.note(16, 1000.0, PLENTY, 1)
    assert sizing.size == 1


def test_a_batch_that_would_not_fit_twice_leaves_it() -> None:
    sizing = Sizing(8)

    sizing.note(8, BUDGET * 0.9, PLENTY, 1)

    assert sizing.size == 8


def test_a_claim_that_came_back_half_empty_does_not_grow_it() -> None:
    sizing = Sizing(8)

    sizing.note(3, BUDGET / 10, PLENTY, 1)

    assert sizing.size == 8


def test_it_leaves_something_for_the_others() -> None:
    sizing = Sizing(64)

    sizing.note(64, BUDGET * 0.9, 160, 4)

    assert sizing.size == 160 // (SHARE * 4)


def test_what_is_a_trifle_is_not_shared() -> None:
    # Given a slot whose entities take a tenth of a trifle, and a queue of little more than there are slots
    sizing = Sizing(64)

    sizing.note(64, 6.4 * TRIFLE, 16, 4)

    # Then it takes ten of them, not one in sixteen
    assert sizing.size == 10


def test_a_wave_begins_with_one_or_with_what_was_a_trifle_in_the_flow_s_last() -> None:
    sizing = Sizing()
    sizing.restart("shop")
    assert sizing.size == 1  # Given a flow that it does not know

    # When the entities of its wave took half and a quarter of a trifle
    sizing.note(1, TRIFLE / 2, 100, 2)
    sizing.note(2, TRIFLE / 2, 98, 2)

    # Then the next wave is expected to be like the slower ones, and another flow's is not
    sizing.restart("other")
    assert sizing.size == 1
    sizing.restart("shop")
    assert sizing.size == 2

    # And when one entity of that takes long, the one after begins with one again
    sizing.note(2, 1.0, 98, 2)
    sizing.note(1, TRIFLE / 10, 97, 2)
    sizing.restart("shop")
    assert sizing.size == 1
    # And a wave of which it got nothing says nothing
    sizing.restart("shop")
    assert sizing.size == 1


def test_it_does_not_pass_what_the_worker_was_given() -> None:
    sizing = Sizing(most=1)

    sizing.note(1, BUDGET / 10, PLENTY, 2)

    assert sizing.size == 1


@given(st.lists(st.tuples(st.integers(1, MOST), st.floats(0, 1e6), st.integers(0, 10**6), st.integers(0, 1000))))
def test_it_is_always_between_one_and_the_most(history: list[tuple[int, float, int, int]]) -> None:
    sizing = Sizing()
    for claimed, seconds, queued, slots in history:
        sizing.note(claimed, seconds, queued, slots)
        assert 1 <= sizing.size <= MOST
        trifle = TRIFLE / max(seconds / claimed, TRIFLE / MOST)
        assert sizing.size <= max(1, queued // (SHARE * max(slots, 1)), trifle)
    sizing.restart("unknown")
    assert sizing.size == 1
    sizing.restart("")
    assert 1 <= sizing.size <= MOST
