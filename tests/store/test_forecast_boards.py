"""What boards say of coverage, against what lies in Redis under the pipes' own keys, looked at one by one."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from engine import Flow, forecast, forecasts
from engine.coverage import Coverage
from engine.errors import BadKey, BadValue, NotFound, Refused
from engine.keys import Date, PipeKey
from engine.launch import launch
from engine.plan import Plan
from engine.status import WROTE, Cell
from engine.store.catalog import Catalog
from engine.store.coverage import Forecasts, coverage_figures
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.wave import Wave

AT = Date("2013-07-01T14")
HOURS = 7
NAMES = ["north", "a b", "東京", "e3", "e4", "e5"]
CELLS = sorted(Cell)


def a_plan(horizon: str = "4h", every: str = "1h", active: str = "100d") -> Plan:
    flow = Flow("shop", every=every, state="shops", active=active)

    @flow.task
    def sales(entity: str) -> None: ...

    @flow.task(horizon=horizon)
    def sold(sales: object) -> None: ...

    return flow.plan


def a_wave(
    redis: Redis,
    date: Date,
    cells: dict[str, Cell],
    plan: Plan | None = None,
    *,
    version: str = "main",
    ended: bool = True,
    **more: Any,
) -> Wave:
    """A wave over these entities whose forecasts came to these cells; the pipes of those that were written lie where they belong."""
    plan = plan or a_plan()
    wave = launch(
        redis, plan, version=version, date=date, trigger=f"schedule:{date}", by="tests",
        members=[(PipeKey.make(version, "sold", e, date).entity, "p") for e in cells], **more,
    ).wave  # fmt: skip
    redis.setrange(wave.key("board"), wave.n, bytes(cells.values()))
    redis.hset(wave.key("wave"), mapping={"ended": wave.created + 1, "left": 0} if ended else {"left": len(cells)})
    reach = int(plan.tasks[1].horizon // 3600)
    for entity, cell in cells.items():
        if cell in WROTE:
            hours = ",".join(f'"{date}+{n}"' for n in range(reach))
            redis.set(str(PipeKey.make(version, "sold", entity, date)), f"[{hours}]")
    return wave


def looked_up(redis: Redis, entity: str, hour: Date, reach: int, versions: list[str]) -> Date | None:
    """The date of the newest forecast that reaches an hour, from the keys alone."""
    for n in range(reach):
        if any(redis.exists(str(PipeKey.make(v, "sold", entity, hour.shift(-n)))) for v in versions):
            return hour.shift(-n)
    return None


def served(
    redis: Redis, found: Coverage, entity: str, reach: int = 4, versions: list[str] | None = None
) -> Iterator[tuple[Date, Date | None]]:
    for hour in found.hours:
        yield hour.date, looked_up(redis, entity, hour.date, reach, versions or ["main"])


waves = st.lists(
    st.tuples(st.integers(-1, 6), st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CELLS), min_size=1), st.booleans()),
    max_size=7, unique_by=lambda wave: wave[0],
)  # fmt: skip
strays = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(NAMES)), max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waves, strays, st.frozensets(st.sampled_from(NAMES), min_size=1), st.integers(1, HOURS), st.booleans())
def test_boards_and_keys_say_the_same(
    redis: Redis,
    told: list[tuple[int, dict[str, Cell], bool]],
    outside: list[tuple[int, str]],
    active: frozenset[str],
    hours: int,
    based: bool,
) -> None:
    # Given waves of two versions, some of which run, forecasts written by hand, and who is active
    redis.flushall()
    Catalog(redis).publish("main", [a_plan()])
    for n, (age, cells, ended) in enumerate(sorted(told, key=lambda t: -t[0])):
        a_wave(
            redis,
            AT.shift(-age),
            cells,
            version="base" if based and n % 2 else "main",
            ended=ended,
            base="base" if based else "",
        )
    for age, entity in outside:
        key = PipeKey.make("main", "sold", entity, AT.shift(-age))
        if not redis.exists(str(key)):
            Pipes(redis).put(key, b'["a","b","c","d"]', expire=2**33, writer="tests")
    States(redis).seen("shops", [(e, "p") for e in active], AT.start.timestamp())
    versions = ["main", "base"] if based else ["main"]

    # When
    reader = Forecasts(redis, "main", a_plan())
    found = reader.coverage("sold", at=AT, hours=hours, base="base" if based else "")

    # Then
    by_hour = {entity: dict(served(redis, found, entity, versions=versions)) for entity in active}
    names = [PipeKey.make("main", "sold", entity, AT).entity for entity in active]
    assert sorted(e for e, _ in found.members) == sorted(names)
    for hour in found.hours:
        dates = [by_hour[entity][hour.date] for entity in active]
        assert hour.dark == dates.count(None)
        assert hour.fresh == sum(d is not None and d >= found.due for d in dates)
        assert sum(age * n for age, n in hour.older.items()) == sum(
            int((found.due.start - d.start).total_seconds() // 3600) for d in dates if d is not None and d < found.due
        )
        # and so does who asks for a forecast
        one = forecasts("main", "sold", active, hour.date, base="base" if based else "", redis=redis)
        assert {e: f.date for e, f in one.items()} == {e: by_hour[e][hour.date] for e in active if by_hour[e][hour.date]}
    # What is remembered changes nothing
    assert reader.coverage("sold", at=AT, hours=hours, base="base" if based else "") == found


def test_a_wave_of_an_earlier_plan_reaches_as_far_as_it_did(redis: Redis) -> None:
    # Given forecasts of six hours, and a flow that makes them for two now
    a_wave(redis, AT.shift(-4), {"e3": Cell.FINISHED}, a_plan("6h"))
    a_wave(redis, AT, {"e3": Cell.FAILED}, a_plan("2h"))
    States(redis).seen("shops", [("e3", "p")], AT.start.timestamp())

    found = Forecasts(redis, "main", a_plan("2h")).coverage("sold", at=AT, hours=3)

    assert [(h.fresh, dict(h.older), h.dark) for h in found.hours] == [(0, {4: 1}, 0), (0, {4: 1}, 0), (0, {}, 1)]


def test_who_waits_for_the_first_forecast_is_dark_and_awaited_until_its_wave_has_ended(redis: Redis) -> None:
    a_wave(redis, AT.shift(-1), {"e3": Cell.FINISHED})
    wave = a_wave(redis, AT, {"e3": Cell.PENDING, "e4": Cell.RUNNING, "e5": Cell.FAILED}, ended=False)
    States(redis).seen("shops", [(e, "p") for e in ("e3", "e4", "e5")], AT.start.timestamp())
    reader = Forecasts(redis, "main", a_plan())

    runs = reader.coverage("sold", at=AT)
    redis.hset(wave.key("wave"), "deadline", 1)
    late = reader.coverage("sold", at=AT)

    assert (runs.due, runs.now.fresh, runs.now.dark, runs.dark_now) == (AT.shift(-1), 1, 2, 1)
    assert [(one.entity, one.awaited) for one in runs.lost()] == [("e4", True), ("e5", False)]
    assert (late.due, late.now.fresh, dict(late.now.older), late.dark_now) == (AT, 0, {1: 1}, 2)


def test_nobody_refreshes_the_state_any_more_and_everybody_still_counts(redis: Redis) -> None:
    plan = a_plan(active="1h")
    a_wave(redis, AT, {"e3": Cell.FINISHED, "e4": Cell.FINISHED}, plan)
    States(redis).seen("shops", [("e3", "p"), ("e4", "q")], AT.start.timestamp())
    States(redis).seen("shops", [("gone", "p")], AT.shift(-5).start.timestamp())

    found = Forecasts(redis, "main", plan).coverage("sold", at=AT.shift(3), hours=2)

    assert [(h.date[11:], h.covered, h.dark) for h in found.hours] == [("17", 2, 0), ("18", 0, 2)]
    assert (found.due, dict(found.now.older)) == (AT.shift(2), {2: 2})


def test_what_cannot_be_covered_is_said(redis: Redis) -> None:
    reader = Forecasts(redis, "main", a_plan())
    with pytest.raises(NotFound, match="has no wave"):
        reader.coverage("sold")
    with pytest.raises(NotFound, match="those that do: sold"):
        reader.coverage("sales")
    a_wave(redis, AT, {"e3": Cell.FINISHED})
    with pytest.raises(Refused, match="nobody is active in state 'shops'"):
        reader.coverage("sold")


def test_figures_of_a_wave_are_of_its_own_entities_at_its_own_date(redis: Redis) -> None:
    a_wave(redis, AT.shift(-2), dict.fromkeys(["e3", "e4", "e5"], Cell.FINISHED))
    wave = a_wave(redis, AT, {"e3": Cell.FINISHED, "e4": Cell.FAILED, "north": Cell.BLOCKED, "a b": Cell.REUSED})

    told = coverage_figures(redis, wave)

    assert told == {
        "sold": {"fresh": 0.5, "covered": 0.25, "dark": 0.25, "oldest": 2, "dark_from": str(AT), "dark_entities": 1}
    }


# reading


def test_who_asks_may_say_how_far_forecasts_reach(redis: Redis) -> None:
    a_wave(redis, AT, {"e3": Cell.FINISHED})

    found = forecast("main", "sold", "e3", AT.shift(5), horizon="6h", redis=redis)

    assert found is not None and (found.date, found.exact, found.age) == (AT, False, 5 * 3600)
    assert forecast("main", "sold", "e3", AT.shift(6), horizon="6h", redis=redis) is None


def test_a_forecast_comes_with_what_it_is(redis: Redis) -> None:
    Catalog(redis).publish("main", [a_plan()])
    a_wave(redis, AT.shift(-2), {"a b": Cell.FINISHED})
    a_wave(redis, AT, {"a b": Cell.FAILED})

    found = forecast("main", "sold", "a b", f"{AT}", redis=redis)

    assert found is not None
    assert (found.value, found.exact, found.date, found.age) == (f"{AT.shift(-2)}+2", True, AT.shift(-2), 7200)
    assert (found.key, found.version) == ("main/sold a%20b 2013-07-01T12", "main")
    assert found == forecast("main", "sold", "a b", AT.start, redis=redis)
    assert forecast("main", "sold", "a b", AT.shift(2), redis=redis) is None
    assert forecast("main", "sold", "nobody", AT, redis=redis) is None


@pytest.mark.parametrize(
    ("stored", "value", "exact"),
    [
        ('["a", "b", "c", "d"]', "b", True),
        ('{"2013-07-01T13": 1, "2013-07-01T14": 2}', 2, True),
        ('{"model": "trees", "hours": {"2013-07-01T13": 1, "2013-07-01T14": 2}}', 2, True),
        ('{"model": "trees", "hours": [0, 1, 2, 3], "p90": [1, 2, 3, 4]}', {"model": "trees", "hours": [0, 1, 2, 3], "p90": [1, 2, 3, 4]}, False),
        ('["a", "b"]', ["a", "b"], False),
        ("3.5", 3.5, False),
        ("{}", {}, False),
    ],
)  # fmt: skip
def test_a_value_is_told_by_hours_where_it_can_be(redis: Redis, stored: str, value: object, exact: bool) -> None:
    Catalog(redis).publish("main", [a_plan()])
    a_wave(redis, AT.shift(-1), {"e3": Cell.FINISHED})
    redis.set("main/sold e3 2013-07-01T13", stored)

    found = forecast("main", "sold", "e3", AT, redis=redis)

    assert found is not None
    assert (found.value, found.exact) == (value, exact)


def test_a_forecast_that_ends_sooner_than_its_flow_says_gives_way_to_an_older_one(redis: Redis) -> None:
    Catalog(redis).publish("main", [a_plan()])
    for age in (1, 2):
        a_wave(redis, AT.shift(-age), {"e3": Cell.FINISHED})
    redis.set("main/sold e3 2013-07-01T13", '{"2013-07-01T13": 1}')

    found = forecast("main", "sold", "e3", AT, redis=redis)

    assert found is not None and found.date == AT.shift(-2)


def test_the_versions_own_forecast_goes_before_its_bases_of_the_same_date(redis: Redis) -> None:
    Catalog(redis).publish("main", [a_plan()])
    for version, cells in (
        ("main", {"e3": Cell.FINISHED, "e4": Cell.FINISHED}),
        ("try", {"e3": Cell.FINISHED, "e4": Cell.FAILED}),
    ):
        a_wave(redis, AT, cells, version=version)

    found = forecasts("try", "sold", ["e3", "e4", "e5"], AT, base="main", redis=redis)

    assert {entity: one.version for entity, one in found.items()} == {"e3": "try", "e4": "main"}


def test_what_cannot_be_asked_for_is_said(redis: Redis) -> None:
    Catalog(redis).publish("main", [a_plan()])
    a_wave(redis, AT, {"e3": Cell.FINISHED})
    with pytest.raises(NotFound, match="'sales' with a horizon"):
        forecast("main", "sales", "e3", AT, redis=redis)
    with pytest.raises(BadKey, match="no zone"):
        forecast("main", "sold", "e3", AT.start.replace(tzinfo=None), redis=redis)
    with pytest.raises(BadKey):
        forecast("main", "sold", "e3", "14:00", redis=redis)
    redis.set(f"main/sold e3 {AT}", b"\xff")
    with pytest.raises(BadValue, match="main/sold e3 2013-07-01T14"):
        forecast("main", "sold", "e3", AT, redis=redis)


def test_a_service_needs_no_client_of_its_own(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEDECK_REDIS_URL", redis_url)
    Catalog(redis).publish("main", [a_plan()])
    a_wave(redis, AT, {"e3": Cell.FINISHED})

    found = forecast("main", "sold", "e3", AT)

    assert found is not None and found.value == f"{AT}+0"
