"""No workers for three waves: what older forecasts go on serving, and when it gets dark for whom. Real workers, real waves."""

import os
import signal

import pytest
from redis import Redis
from rig import WAIT_FOR, Rig
from servers import eventually

from engine import Date, Flow, forecasts
from engine.coverage import Coverage, bits
from engine.keys import decode_entity, encode_entity
from engine.launch import launch
from engine.store.coverage import Forecasts
from engine.store.states import States
from engine.store.wave import OVERDUE, Wave
from engine.store.waves import Waves

T = Date("2013-07-01T10")
HORIZON = 4
FLOW = (
    WAIT_FOR
    + """
@flow.task
def sold(entity):
    return entity

@flow.task(horizon="4h")
def ahead(entity, date, sold):
    if date == "2013-07-01T11" and entity != "first":
        Path("stuck").touch()
        wait_for("never")
    if (entity, date) in [("once", "2013-07-01T10"), ("now and then", "2013-07-01T09")]:
        raise ValueError("not this time")
    return [f"{date} +{n}" for n in range(4)]
"""
)
STEADY = ["first", "s0", "s1", "once", "now and then"]


def a_wave(redis: Redis, flow: Flow, date: Date) -> Wave:
    """An hour's wave, as a schedule makes it: one entity is gone after T10, one is new at T12."""
    there = [*STEADY, *(["gone"] if date <= T else []), *(["new"] if date >= T.shift(2) else [])]
    States(redis).seen("shops", [(e, "a" if e == "first" else "b") for e in there], date.start.timestamp())
    return launch(redis, flow.plan, version="main", date=date, trigger=f"schedule:{date}", by="schedule").wave


def pass_deadline(redis: Redis, wave: Wave) -> None:
    redis.hset(wave.key("wave"), "deadline", 1)


def by_keys(redis: Redis, entity: str, hour: Date) -> Date | None:
    """The date of the newest forecast that reaches an hour, from the pipes themselves."""
    ages = (n for n in range(HORIZON) if redis.exists(f"main/ahead {encode_entity(entity)} {hour.shift(-n)}"))
    return next((hour.shift(-n) for n in ages), None)


def hours(found: Coverage) -> dict[str, tuple[int, dict[int, int], int]]:
    return {hour.date[11:]: (hour.fresh, dict(hour.older), hour.dark) for hour in found.hours}


@pytest.mark.every_house
def test_older_forecasts_serve_and_then_it_gets_dark_to_the_hour_for_exactly_those_whose_horizon_ends(rig: Rig) -> None:
    flow, redis = rig.flow(FLOW), rig.redis
    reader = Forecasts(redis, "main", flow.plan)

    # Given two waves in which all but one each have a forecast
    for n in (-1, 0):
        a_wave(redis, flow, T.shift(n))
    rig.run()
    good = reader.coverage("ahead", at=T)
    assert hours(good) == {"10": (5, {1: 1}, 0), "11": (5, {1: 1}, 0), "12": (5, {1: 1}, 0), "13": (5, {}, 1)}
    assert good.darkening == ((Date("2013-07-01T13"), 1),)

    # When all workers are killed in the middle of a wave, two more find none, and all three end at their deadline
    waves = [a_wave(redis, flow, T.shift(1))]
    worker = rig.start("--slots", "1")
    rig.awaits("stuck")
    eventually(lambda: rig.row(waves[0], "first") == "FF", 20, what="one entity has its forecast of T11")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(20)
    for n in (2, 3):
        pass_deadline(redis, waves[-1])
        waves.append(a_wave(redis, flow, T.shift(n)))
    pass_deadline(redis, waves[-1])
    Waves(redis).end_overdue("main")
    assert [rig.progress(wave).wave.cancelled for wave in waves] == [OVERDUE] * 3

    # Then older forecasts serve, until their horizon ends: at T13, after the third wave,
    found = reader.coverage("ahead", at=T.shift(3))
    assert (found.due, found.n) == (Date("2013-07-01T13"), 6)
    assert hours(found) == {"13": (0, {2: 1, 3: 3}, 2), "14": (0, {2: 1}, 5), "15": (0, {}, 6), "16": (0, {}, 6)}
    assert {decode_entity(one.entity): (one.by and one.by[11:], one.dark_from and one.dark_from[11:]) for one in found.lost()} == {
        "once": (None, "13"),  # its last is that of T09, and reached T12
        "new": (None, "13"),  # it never had one
        "s0": ("10", "14"), "s1": ("10", "14"), "now and then": ("10", "14"),
        "first": ("11", "15"),
    }  # fmt: skip

    # and every hour, from whenever one looks, is what lies in Redis, and what a service is given
    names = [decode_entity(entity) for entity, _ in found.members]
    for at in (T.shift(n) for n in range(1, 7)):
        for hour in reader.coverage("ahead", at=at, hours=5).hours:
            serving = {entity: by_keys(redis, entity, hour.date) for entity in names}
            assert [names[i] for i in bits(hour.who)] == [e for e in names if serving[e] is None]
            given = forecasts("main", "ahead", names, hour.date, redis=redis)
            assert {e: one.date for e, one in given.items()} == {e: date for e, date in serving.items() if date}
            assert all(one.value == f"{one.date} +{one.age / 3600:g}" for one in given.values())

    # When a worker is back
    last = a_wave(redis, flow, T.shift(4))
    rig.start("--slots", "1")
    rig.ended(last)

    # Then all is fresh again
    assert hours(reader.coverage("ahead", at=T.shift(4))) == {hour: (6, {}, 0) for hour in ("14", "15", "16", "17")}
