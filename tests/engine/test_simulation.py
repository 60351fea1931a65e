"""The simulator of large waves: it serves everything once, keeps to the bounds that are proven, and grows as it must."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation import Costs, simulate
from benchmarks.weak_scaling import SIZES, Measured, growth, most_slots, row
from engine.capacity import FARGATE, Launches, Work, forecast

FREE = Costs(slot=0.0, redis=0.0, background=0.0, latency=0.0, init=0.0, init_entity=0.0)
USUAL = Costs(slot=0.004, redis=0.0004, background=0.0008, latency=0.0005, init=0.02, init_entity=0.00004)


@given(
    st.lists(st.floats(0.2, 30.0), min_size=1, max_size=80), st.integers(1, 10), st.integers(1, 4), st.floats(0.0, 60.0),
    st.floats(0.1, 5.0),
)  # fmt: skip
def test_all_are_served_once_between_the_bounds(
    entities: list[float], workers: int, slots: int, start: float, rate: float
) -> None:
    launches = Launches(start=start, burst=2.0, rate=rate)

    run = simulate(entities, launches.arrivals(workers), slots, FREE)

    told = forecast(Work(len(entities), sum(entities), max(entities)), workers, slots, launches=launches)
    assert run.served == len(entities)
    assert run.busy == pytest.approx(sum(entities))
    assert told.soonest - 1e-6 <= run.total <= told.latest + 1e-6
    assert run.claims <= run.served


@given(st.lists(st.floats(0.2, 3.0), min_size=5, max_size=60), st.integers(1, 5))
def test_what_costs_more_takes_longer(entities: list[float], workers: int) -> None:
    free = simulate(entities, [0.0] * workers, 2, FREE)
    usual = simulate(entities, [0.0] * workers, 2, USUAL)

    assert usual.total > free.total
    assert usual.busy == pytest.approx(sum(entities) + USUAL.slot * len(entities))
    assert usual.served == free.served


def test_a_redis_that_cannot_keep_up_is_the_limit() -> None:
    slow = Costs(slot=0.0, redis=0.01, background=0.0, latency=0.0, init=0.0, init_entity=0.0)

    run = simulate([0.2] * 2000, [0.0] * 100, 4, slow)

    assert run.total >= 2000 * slow.redis
    assert run.redis > 0.9
    assert run.waited > 0
    assert most_slots(slow, 0.2) == pytest.approx(20)


def test_short_entities_are_claimed_many_at_once() -> None:
    run = simulate([0.0005] * 10_000, [0.0, 0.0], 2, FREE)

    assert run.claims < 1000


def test_a_hundred_times_the_entities_take_a_tenth_longer_at_most() -> None:
    chance = random.Random(1)
    measured = Measured([chance.lognormvariate(-3.0, 0.4) for _ in range(500)], USUAL)

    small, large = row(measured, SIZES[0], 4), row(measured, SIZES[-1], 4)

    assert (large.workers, small.workers) == (200, 2)
    assert large.run.served == 100_000
    assert large.ramp == pytest.approx((200 - FARGATE.burst) / FARGATE.rate)
    assert 0 <= large.run.total - large.free.total <= large.ramp
    assert growth(small.run, large.run) <= 0.10
    for each in (small, large):
        assert each.soonest <= each.run.total <= 1.02 * each.latest
