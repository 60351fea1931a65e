"""When waves are due: intervals from 1970, cron, and what is no schedule for a flow of hours."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Refused
from engine.schedule import Schedule, check


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def every(seconds: float, **more: object) -> Schedule:
    return Schedule("shop", "main", every=seconds, **more)  # type: ignore[arg-type]


def cron(text: str, **more: object) -> Schedule:
    return Schedule("shop", "main", cron=text, **more)  # type: ignore[arg-type]


@given(st.integers(1, 48), st.floats(1e9, 2e9), st.floats(1e9, 2e9))
def test_the_last_and_the_next_of_an_interval_are_one_interval_apart(hours: int, now: float, since: float) -> None:
    schedule = every(hours * 3600.0, since=since)

    last, following = schedule.last(now), schedule.next(now)

    assert now < following <= now + hours * 3600
    if last is not None:
        assert max(since, now - hours * 3600) <= last <= now
        assert following - last == hours * 3600 == schedule.interval(last)
    else:
        assert following - hours * 3600 < since


@pytest.mark.parametrize(
    ("text", "last", "following"),
    [
        ("5 * * * *", "2026-03-01T10:05", "2026-03-01T11:05"),
        ("30 6 * * 1-5", "2026-02-27T06:30", "2026-03-02T06:30"),
        ("0 0 1 * *", "2026-03-01T00:00", "2026-04-01T00:00"),
    ],
)
def test_cron_is_utc(text: str, last: str, following: str) -> None:
    schedule = cron(text)

    assert schedule.last(at("2026-03-01T10:20")) == at(last)
    assert schedule.next(at("2026-03-01T10:20")) == at(following)
    assert schedule.last(at(last)) == at(last)
    assert schedule.date(at(last), hourly=True) == last[:13]


def test_nothing_is_due_before_it_was_set() -> None:
    schedule = every(3600, since=at("2026-03-01T10:20"))

    assert schedule.last(at("2026-03-01T10:59")) is None
    assert schedule.last(at("2026-03-01T11:00")) == at("2026-03-01T11:00")
    assert schedule.between(0, at("2026-03-01T13:00"), 10) == [at("2026-03-01T11:00"), at("2026-03-01T12:00")]
    assert schedule.between(0, at("2026-03-01T13:00"), 1) == [at("2026-03-01T11:00")]


@pytest.mark.parametrize("good", [every(3600), every(7200), every(86400), cron("5 * * * *"), cron("0 6 * * MON")])
def test_a_schedule_of_hours(good: Schedule) -> None:
    assert check(good, hourly=True) is good


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (every(900), "is about one hour, so its schedule is every hour or every few, not every 15m"),
        (every(5400), "not every 1h30m"),
        (cron("*/20 * * * *"), "fires twice in 1970-01-01T00"),
        (cron("* * * * * *"), "has not five fields"),
        (cron("61 * * * *"), "cron '61 * * * *': Bad minute"),
        (cron("banana"), "has not five fields"),
        (cron("0 0 30 2 *"), "Bad day-of-month"),
        (Schedule("shop", "main"), "either an interval"),
        (Schedule("shop", "main", every=3600, cron="5 * * * *"), "either an interval"),
        (every(3600, overlap="never"), "overlap 'never' is none of skip, queue, replace"),
    ],
)
def test_what_is_no_schedule_is_refused(wrong: Schedule, words: str) -> None:
    with pytest.raises(Refused) as refused:
        check(wrong, hourly=True)

    assert words in str(refused.value)


def test_a_flow_of_days_has_a_schedule_of_days() -> None:
    check(every(86400), hourly=False)
    with pytest.raises(Refused, match="every day or every few, not every 6h"):
        check(every(6 * 3600), hourly=False)
    with pytest.raises(Refused, match="fires twice in 1970-01-01"):
        check(cron("0 6,18 * * *"), hourly=False)
