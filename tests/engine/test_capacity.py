"""How many workers a wave needs, held against a simulation that gives each free slot the next entity."""

import heapq
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.capacity import FARGATE, SAFETY, Bounds, Launches, Work, all_done, forecast, need
from engine.errors import Refused

SECONDS = st.lists(st.floats(0.2, 30.0), min_size=1, max_size=60)


def really(entities: list[float], arrivals: list[float], slots: int) -> float:
    """When the last of these entities ends, in the order they have."""
    free = [at for at in arrivals for _ in range(slots)]
    heapq.heapify(free)
    last = 0.0
    for seconds in entities:
        end = heapq.heappop(free) + seconds
        heapq.heappush(free, end)
        last = max(last, end)
    return last


@given(SECONDS, st.integers(1, 12), st.integers(1, 4), st.integers(0, 12), st.floats(0.0, 60.0), st.floats(0.1, 5.0))
def test_a_wave_ends_between_the_bounds_whatever_its_order(
    entities: list[float], workers: int, slots: int, running: int, start: float, rate: float
) -> None:
    launches = Launches(start=start, burst=2.0, rate=rate)
    work = Work(len(entities), sum(entities), max(entities))
    there = min(running, workers)
    arrivals = [0.0] * there + launches.arrivals(workers - there)

    told = forecast(work, workers, slots, running=running, launches=launches)

    for order in (entities, sorted(entities), sorted(entities, reverse=True)):
        end = really(order, arrivals, slots)
        assert end <= told.latest + 1e-6
        assert end >= told.soonest - 1e-6


@given(SECONDS, st.integers(1, 3), st.floats(1.0, 2000.0), st.integers(0, 20))
def test_the_fewest_workers_that_end_in_time_are_wanted(entities: list[float], slots: int, budget: float, running: int) -> None:
    work = Work(len(entities), sum(entities), max(entities))
    careful = Work(work.entities, work.seconds * SAFETY, work.longest * SAFETY)

    told = need(work, Bounds(0, 40), slots, budget=budget, running=running)

    assert max(1, running) <= told.workers <= max(40, running)
    if told.enough:
        assert forecast(careful, told.workers, slots, running=running).latest <= budget
        if told.workers > max(1, running):
            assert forecast(careful, told.workers - 1, slots, running=running).latest > budget
    else:
        assert forecast(careful, max(40, running), slots, running=running).latest > budget


def test_workers_that_would_come_too_late_are_not_ordered() -> None:
    work = Work(100_000, 4000.0, 0.5)
    slow = Launches(start=60.0, burst=10.0, rate=1.0)

    told = need(work, Bounds(0, 2000), 2, budget=1.0, launches=slow)

    assert not told.enough
    assert told.workers < 100
    best = forecast(work, 2000, 2, launches=slow).latest
    assert forecast(work, told.workers, 2, launches=slow).latest <= best * SAFETY
    assert "more would not help" in told.why


def test_what_is_said_has_the_numbers() -> None:
    told = need(Work(20_000, 20_000.0, 2.0, "run times of the last 3 waves"), Bounds(0, 100), 4, budget=600.0, launches=FARGATE)

    assert told.workers == 12
    assert told.why == "12 workers × 4 slots (12 to come): 7m42s to 7m44s expected of 10m; run times of the last 3 waves"


def test_too_few_may_be_had() -> None:
    told = need(Work(20_000, 20_000.0, 2.0), Bounds(0, 3), 1, budget=600.0)

    assert (told.workers, told.enough) == (3, False)
    assert "may not be in the 10m there are; no more than 3 may be had" in told.why


def test_a_worker_more_than_there_are_entities_is_never_wanted() -> None:
    assert need(Work(3, 3000.0, 1000.0), Bounds(0, 50), 1, budget=1.0).workers == 3


def test_workers_of_fargate_come_in_a_burst_and_then_twenty_a_second() -> None:
    arrivals = FARGATE.arrivals(1000)

    assert arrivals[99] == FARGATE.start
    assert arrivals[999] == FARGATE.start + 45.0


def test_all_workers_together() -> None:
    assert all_done(10.0, [0.0], 2) == 5.0
    assert all_done(10.0, [0.0, 4.0], 1) == 7.0
    assert math.isinf(forecast(Work(1, 1.0, 1.0), 0, 1).soonest)


@pytest.mark.parametrize(("text", "low", "high"), [("auto", 0, 64), ("8", 0, 8), ("2..50", 2, 50), ("3..3", 3, 3)])
def test_bounds_as_people_write_them(text: str, low: int, high: int) -> None:
    assert Bounds.parse(text, 64) == Bounds(low, high)


@pytest.mark.parametrize("text", ["", "0", "-1", "5..2", "many", "1..", "1...2", "999999999"])
def test_bounds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"must be auto, a number, or a range"):
        Bounds.parse(text, 64)
