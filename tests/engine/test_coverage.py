"""Which hours are served by which forecasts, against the same said one entity and one hour at a time."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coverage import (
    Coverage,
    Written,
    bits,
    cover,
    figures,
    hour_now,
    lacking,
    newest_due,
    of_numbers,
    open_cells,
    reach_of,
    wrote,
)
from engine.keys import Date

AT = Date("2013-07-01T14")
DAY = Date("2013-07-01")
writes = st.builds(
    lambda age, reach, who: (age, reach, who), st.integers(-3, 9), st.integers(0, 8), st.frozensets(st.integers(0, 11))
)


def a_coverage(written: list[Written], n: int, hours: int, due: Date = AT, awaited: int = 0) -> Coverage:
    dates = [AT.shift(i) for i in range(hours)]
    members = [(f"e{i}", f"p{i % 2}") for i in range(n)]
    newest = tuple(sorted(written, key=lambda w: w.date, reverse=True))
    return Coverage("main", "shop", "forecast", AT, due, cover(written, dates, (1 << n) - 1, due), members, awaited, newest)


def by_hand(told: list[tuple[int, int, frozenset[int]]], entity: int, hour: int, due: int) -> int | None:
    """The age (0: fresh) of the newest forecast of an entity that reaches the hour `hour` steps from now; None: it is dark."""
    dates = [-age for age, reach, who in told if entity in who and -age <= hour < -age + reach]
    return max(due - max(dates), 0) if dates else None


@given(st.lists(writes, max_size=12), st.integers(1, 12), st.integers(1, 10), st.integers(-3, 0))
def test_every_hour_of_every_entity_is_served_by_the_newest_that_reaches_it(
    told: list[tuple[int, int, frozenset[int]]], n: int, hours: int, due: int
) -> None:
    written = [Written(AT.shift(-age), reach, of_numbers(who)) for age, reach, who in told]

    found = a_coverage(written, n, hours, AT.shift(due))

    for step, hour in enumerate(found.hours):
        wanted = [by_hand(told, entity, step, due) for entity in range(n)]
        assert hour.fresh == wanted.count(0)
        assert dict(hour.older) == {age: wanted.count(age) for age in wanted if age}
        assert list(bits(hour.who)) == [e for e, age in enumerate(wanted) if age is None]
        assert hour.fresh + hour.covered + hour.dark == n


@given(st.lists(writes, max_size=12), st.integers(1, 12), st.integers(1, 10))
def test_who_is_lost_first_goes_dark_first_and_nobody_is_told_twice(
    told: list[tuple[int, int, frozenset[int]]], n: int, hours: int
) -> None:
    written = [Written(AT.shift(-age), reach, of_numbers(who)) for age, reach, who in told]

    lost = a_coverage(written, n, hours).lost()

    ages = {f"e{e}": [by_hand(told, e, hour, 0) for hour in range(hours)] for e in range(n)}
    assert {one.entity for one in lost} == {e for e, told in ages.items() if None in told or told[0]}
    assert len({one.entity for one in lost}) == len(lost)
    for one in lost:
        mine = ages[one.entity]
        assert one.dark_from == (AT.shift(mine.index(None)) if None in mine else None)
        assert one.by == (None if mine[0] is None else one.by)
        assert mine[0] in (None, 0) or one.by == AT.shift(-mine[0])
    dark = [one.dark_from for one in lost]
    assert dark == sorted(dark, key=lambda d: d or "9")


@given(st.lists(writes, max_size=10), st.integers(1, 12), st.integers(1, 8))
def test_a_wave_that_newer_ones_have_replaced_for_everyone_changes_nothing(
    told: list[tuple[int, int, frozenset[int]]], n: int, hours: int
) -> None:
    kept: list[Written] = []
    everyone = (1 << n) - 1
    for age, reach, who in sorted(told, key=lambda t: t[0]):  # newest first, as they are read
        one = Written(AT.shift(-age), reach, everyone)
        if lacking(one, kept, AT):
            kept.append(Written(one.date, reach, of_numbers(who)))

    all_of_them = [Written(AT.shift(-age), reach, of_numbers(who)) for age, reach, who in told]

    assert a_coverage(kept, n, hours).hours == a_coverage(all_of_them, n, hours).hours


@given(st.binary(max_size=300))
def test_cells_become_bits(cells: bytes) -> None:
    assert list(bits(wrote(cells))) == [i for i, cell in enumerate(cells) if cell in b"FUO"]
    assert list(bits(open_cells(cells))) == [i for i, cell in enumerate(cells) if cell in b"PR"]


@given(st.frozensets(st.integers(0, 5000)))
def test_numbers_become_bits_and_come_back(numbers: frozenset[int]) -> None:
    assert list(bits(of_numbers(numbers))) == sorted(numbers)


@pytest.mark.parametrize(
    ("horizon", "date", "steps"),
    [
        (6 * 3600, AT, 6),
        (3600, AT, 1),
        (5400, AT, 2),
        (0, AT, 0),
        (2 * 86400, DAY, 2),
        (6 * 3600, DAY, 1),
        (0.1 * 3600 * 30, AT, 3),
    ],
)
def test_a_horizon_counts_from_the_forecasts_own_hour(horizon: float, date: Date, steps: int) -> None:
    assert reach_of(horizon, date) == steps


@pytest.mark.parametrize(
    ("every", "newest", "over", "due"),
    [
        (3600, 0, True, 0),  # this hour's wave has ended
        (3600, 0, False, -1),  # it runs: the one before serves meanwhile
        (3600, -1, True, -1),  # it has not begun, and its hour is not over
        (3600, -1, False, -1),
        (3600, -5, True, -1),  # nobody makes waves any more: the hours go on all the same
        (3 * 3600, -1, True, -1),
        (3 * 3600, -1, False, -4),
        (3 * 3600, -4, True, -4),
        (3 * 3600, -7, True, -4),
        (900, 0, True, 0),
    ],
)
def test_a_wave_is_due_when_it_has_ended_or_its_interval_has(every: float, newest: int, over: bool, due: int) -> None:
    assert newest_due(AT, every, AT.shift(newest), over=over) == AT.shift(due)


def test_the_hour_is_the_clocks_unless_the_newest_wave_is_about_the_past() -> None:
    start = AT.start.timestamp()
    live = start + 300

    # Live: whether waves come or not, and however late, time goes on
    assert hour_now(live, 3600, AT, live) == AT
    assert hour_now(live + 7 * 3600, 3600, AT, live) == AT.shift(7)
    assert hour_now(live, 3600, AT.shift(2), live) == AT
    # A replay: from the wave's date on, as it does here
    now = time.time()
    assert hour_now(now, 3600, AT, now - 10) == AT
    assert hour_now(now, 3600, AT, now - 3 * 3600 - 1) == AT.shift(3)
    assert hour_now(datetime(2013, 7, 3, 1, tzinfo=UTC).timestamp(), 86400, DAY, start) == Date("2013-07-03")


def test_figures_are_small_and_say_when_it_gets_dark() -> None:
    half = Written(AT.shift(-2), 4, 0b0011)
    fresh = Written(AT, 6, 0b0100)

    told = figures(a_coverage([half, fresh], 4, 6))

    assert told == {
        "fresh": 0.25, "covered": 0.5, "dark": 0.25, "oldest": 2, "dark_from": "2013-07-01T14", "dark_entities": 1,
    }  # fmt: skip
    assert figures(a_coverage([half, Written(AT, 6, 0b1100)], 4, 6))["dark_from"] == "2013-07-01T16"
    assert figures(a_coverage([Written(AT, 6, 0b1111)], 4, 6))["dark_from"] == ""


@settings(deadline=None)
@given(st.integers(0, 2**40))
def test_who_is_awaited_counts_as_dark_but_not_as_lost_for_good(awaited: int) -> None:
    found = a_coverage([], 12, 3, awaited=awaited & 0xFFF)

    assert found.now.dark == 12
    assert found.dark_now == 12 - (awaited & 0xFFF).bit_count()
