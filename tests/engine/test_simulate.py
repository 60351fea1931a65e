"""How long a wave takes on so many slots, and in which order."""

from hypothesis import given
from hypothesis import strategies as st

from engine.simulate import WORTH_MOVING, bounds, front, makespan, moved

SECONDS = st.lists(st.floats(0.001, 100.0), min_size=1, max_size=60)
SLOTS = st.integers(1, 8)


def run(seconds: list[float], slots: int, least: list[float] | None = None) -> float:
    return makespan(seconds, [0.0] * slots, least or [])


def test_a_slot_that_is_free_takes_the_next_one() -> None:
    assert run([3.0, 1.0, 1.0, 1.0], 2) == 3.0
    assert run([1.0, 1.0, 1.0, 3.0], 2) == 4.0
    # A slot that comes later takes less
    assert makespan([1.0, 1.0, 1.0], [0.0, 5.0]) == 3.0
    # What an entity waits beside its slot is not the slot's time
    assert run([1.0, 1.0], 1, [4.0, 1.0]) == 4.0


@given(seconds=SECONDS, slots=SLOTS)
def test_every_order_lies_between_the_bounds(seconds: list[float], slots: int) -> None:
    limits = bounds(seconds, slots)
    for order in (seconds, sorted(seconds), sorted(seconds, reverse=True)):
        assert limits.soonest - 1e-6 <= run(order, slots) <= limits.latest + 1e-6


@given(seconds=SECONDS, slots=SLOTS)
def test_what_is_left_behind_the_front_makes_a_wave_longer_by_its_share_at_most(seconds: list[float], slots: int) -> None:
    # Given the few that take 2 % or more of the ideal time, ahead of all others
    few = front(seconds, slots)
    order = moved(range(len(seconds)), few)
    assert sorted(order) == list(range(len(seconds)))
    # Then either one of them ends last, as if they were alone, or the end is as near to the ideal as that share
    ideal = sum(seconds) / slots
    alone = run([seconds[place] for place in few], slots) if few else 0.0
    assert run([seconds[place] for place in order], slots) <= max(alone, ideal * (1 + WORTH_MOVING)) + 1e-6


def test_only_what_can_hold_up_the_end_goes_to_the_front() -> None:
    seconds = [0.01] * 1000
    assert front(seconds, 4) == []  # 1 % of the ideal 2.5 s is more than any
    seconds[400], seconds[900] = 1.0, 2.0
    assert front(seconds, 4) == [900, 400]
    assert front([0.0] * 5, 2) == []
