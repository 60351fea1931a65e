"""Two values field by field; and the inputs of a task against those of its last success and of a healthy neighbour."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from stage import Stage, a_plan, error

from console.reports.alike import alike
from console.reports.differences import Difference, brief, differences, first, path_text
from console.reports.inputs import LARGEST, InputDiff, Neighbour, Side, compare_values, diff, flat, last_success, neighbour
from console.reports.told import size_words, told
from engine import Flow
from engine.errors import NotFound
from engine.plan import Plan
from engine.status import Cell
from engine.store.waves import Waves

KEYS = st.text("ab.[]' é", max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def applied(before: Any, found: list[Difference]) -> Any:
    """`before` with the differences made."""
    whole = [deepcopy(before)]
    gone = []
    for d in found:
        path = (0, *d.path)
        target: Any = whole
        for step in path[:-1]:
            target = target[step]
        if d.what == "removed":
            gone.append((target, path[-1]))
        elif d.what == "added" and isinstance(target, list):
            target.append(deepcopy(d.now))
        else:
            target[path[-1]] = deepcopy(d.now)
    for target, step in reversed(gone):
        del target[step]
    return whole[0]


@given(VALUES)
def test_equal_values_have_no_differences(value: Any) -> None:
    assert list(differences(value, deepcopy(value))) == []


@given(VALUES, VALUES)
def test_differences_that_are_made_give_the_other_value(before: Any, now: Any) -> None:
    found = list(differences(before, now))
    assert applied(before, found) == now
    assert bool(found) or before == now


@given(VALUES, VALUES)
def test_the_other_way_round_what_was_added_is_removed(before: Any, now: Any) -> None:
    swap = {"added": "removed", "removed": "added", "changed": "changed"}
    there = {(d.path, d.what) for d in differences(before, now)}
    assert {(d.path, swap[d.what]) for d in differences(now, before)} == there


def test_paths_are_written_as_people_do_and_numbers_with_their_share() -> None:
    before = {"rows": [{"temp": 12.1, "wind": 3}, {"temp": 14.5}], "n": 0, "ok": True}
    now = {"rows": [{"temp": 13.2}, {"temp": 14.5}, {"temp": 1}], "n": 4, "ok": 1, "a.b": None}
    assert [d.words for d in differences(before, now)] == [
        "rows[0].temp  12.1 → 13.2 (+9.1%)",
        "rows[0].wind  3 → –",
        "rows[2]  – → {1 key}",
        "n  0 → 4",
        "ok  true → 1",
        "['a.b']  – → null",
    ]
    assert path_text(()) == "" and next(differences(1, 2)).words == "the value  1 → 2 (+100.0%)"


def test_values_are_short_and_numbers_of_any_size_are_compared() -> None:
    assert brief("x" * 500) == '"' + "x" * 59 + '…"' and brief([1]) == "[1 value]" and brief({}) == "{0 keys}"
    assert next(differences(1, 10**400)).relative is None
    assert list(differences(1, 1.0)) == [] and len(list(differences(1, True))) == 1
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert list(differences(deep, deep)) == []


def test_only_the_first_two_hundred_are_told() -> None:
    found, more = first(list(range(500)), list(range(1, 501)))
    assert len(found) == 200 and more
    assert first([1], [2]) == ([Difference((0,), "changed", 1, 2, 1.0)], False)


def test_sizes_have_few_cells() -> None:
    assert [size_words(n) for n in (None, 0, 999, 1234, 999_960, 4_000_000)] == [
        "–",
        "0 B",
        "999 B",
        "1.2 kB",
        "1.0 MB",
        "4.0 MB",
    ]


def side(value: bytes | None, sha: str) -> Side:
    return Side("main/x e 2013-07-01T14", 0.0, None if value is None else len(value), sha)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (b'{"n":1}', b'{"n":2}', "different"),
        (b'{"n":1}', None, "only there"),
        (None, b'{"n":1}', "only here"),
        (None, None, "nowhere"),
        (b"\xff", b"\xfe", "different"),
        (b'{"n":1.0}', b'{"n": 1}', "same"),
    ],
)
def test_verdicts(a: bytes | None, b: bytes | None, verdict: str) -> None:
    assert compare_values("x", side(a, "a"), a, side(b, "b"), b).verdict == verdict


# over waves


def history_plan() -> Plan:
    flow = Flow("shops", every="1h", state="shops", keep="30d")

    @flow.task(timeout="60s")
    def sales(entity: str) -> None: ...

    @flow.task(timeout="60s", history={"score": "3h"}, config={"growth": 1.1})
    def trend(sales: object, score: object, config: object) -> None: ...

    @flow.task(timeout="60s")
    def score(sales: object) -> None: ...

    return flow.plan


def put(redis: Redis, task: str, entity: str, hour: int, value: Any) -> None:
    redis.set(f"main/{task} {entity} 2013-07-01T{hour:02}", json.dumps(value))


def a_wave_that_went_well(redis: Redis, hour: int, entities: list[str], plan: Plan | None = None) -> Stage:
    stage = Stage(redis, entities, plan=plan, date=f"2013-07-01T{hour:02}").claim()
    for task in stage.plan.names:
        stage.run(task, at=0.1, took=0.1)
        for entity in entities:
            put(redis, task, entity, hour, {"rows": [{"temp": 12.0 + hour}], "of": task})
    stage.end()
    return stage


def two_waves(redis: Redis) -> tuple[Stage, Stage]:
    """In the second, features of `south` failed on other sales and without weather."""
    names = ["north", "south", "east"]
    good = a_wave_that_went_well(redis, 13, names)
    bad = Stage(redis, names).claim()
    bad.run("sales", at=0.1, took=0.1)
    for name in names:
        put(redis, "sales", name, 14, {"rows": [{"temp": 25.0 if name == "north" else 50.0}], "of": "sales"})
    bad.run("weather", entities=[0, 2], at=0.1, took=0.1)
    for name in ("north", "east"):
        put(redis, "weather", name, 14, [1, 2])
    bad.run("weather", Cell.FAILED, [1], at=0.1, took=0.1, note=error())
    bad.run("features", Cell.FAILED, [1], at=0.3, took=0.1, note=error() | {"inputs": [{"name": "weather", "missing": True}]})
    bad.run("features", entities=[0], at=0.3, took=0.1)
    bad.run("features", Cell.FALLBACK, [2], at=0.3, took=0.1)
    return good, bad


def test_against_the_last_wave_in_which_it_went_well(redis: Redis) -> None:
    good, bad = two_waves(redis)
    found = diff(redis, bad.wave, 1, "features", "last success")
    assert (found.wave, found.locator, found.entity, found.why) == (good.wave.id, good.wave.locator, "south", "")
    sales, weather = found.inputs
    assert [d.words for d in sales.differences] == ["rows[0].temp  25 → 50 (+100.0%)"]
    assert (sales.before.key, sales.now.key) == ("main/sales south 2013-07-01T13", "main/sales south 2013-07-01T14")
    assert weather.verdict == "only there" and weather.before.key == "main/weather south 2013-07-01T13"
    assert "    rows[0].temp  25 → 50 (+100.0%)" in list(told(found))
    told_of_it = flat(found)["inputs"][0]["differences"][0]
    assert told_of_it == {"path": "rows[0].temp", "what": "changed", "before": 25.0, "now": 50.0, "relative": 1.0}


def test_against_a_healthy_neighbour(redis: Redis) -> None:
    _, bad = two_waves(redis)
    assert neighbour(Waves(redis), bad.wave, 1, "features") == Neighbour(0, "north", True), (
        "one with all inputs, of the near ones"
    )
    found = diff(redis, bad.wave, 1, "features", "neighbour")
    assert (found.entity, found.wave) == ("north", bad.wave.id)
    assert [i.verdict for i in found.inputs] == ["different", "only there"]
    assert found.inputs[0].differences[0].relative == 1.0


def test_waves_in_which_it_failed_too_are_passed_over(redis: Redis) -> None:
    good, _ = two_waves(redis)
    later = Stage(redis, ["south"], date="2013-07-01T15").claim()
    later.run("sales", Cell.FAILED, at=0.1, took=0.1, note=error())
    found = last_success(redis, later.wave, "south", "-", "features")
    assert found is not None and (found[0].id, found[1]) == (good.wave.id, 1)
    assert last_success(redis, good.wave, "south", "-", "features") is None
    assert last_success(redis, later.wave, "nobody", "-", "features") is None
    why = diff(redis, good.wave, 1, "features", "last success").why
    assert why == "features has finished for this entity in no earlier wave that is kept"


def test_a_neighbour_is_of_the_same_partition_if_there_is_one(redis: Redis) -> None:
    plan = a_plan()
    entities = [f"shop-{n}" for n in range(6)]
    stage = Stage(redis, entities, plan=plan).claim()
    for n, (name, partition) in enumerate(zip(entities, "AABABB", strict=True)):
        redis.lset(stage.wave.key("members"), n, f"{name} {partition}")
    stage.run("sales", entities=[2, 4, 5], at=0.1, took=0.1)
    store = Waves(redis)
    assert neighbour(store, stage.wave, 3, "sales") == Neighbour(2, "shop-2", False)
    stage.run("sales", entities=[0], at=0.1, took=0.1)
    assert neighbour(store, stage.wave, 3, "sales") == Neighbour(0, "shop-0", True)
    assert neighbour(store, stage.wave, 3, "score") is None
    assert diff(redis, stage.wave, 3, "score", "neighbour").why == "score has finished for no other entity of this wave"


def test_a_neighbour_far_away_is_found(redis: Redis) -> None:
    stage = Stage(redis, [f"e{n}" for n in range(3000)]).claim()
    stage.run("sales", entities=[2999], at=0.1, took=0.1)
    found = neighbour(Waves(redis), stage.wave, 0, "sales")
    assert found is not None and found.number == 2999


def test_histories_are_compared_by_age_and_config_with_them(redis: Redis) -> None:
    plan = history_plan()
    for hour in (10, 11, 12):
        put(redis, "score", "north", hour, hour)
    a_wave_that_went_well(redis, 13, ["north"], plan)
    put(redis, "score", "north", 13, 13)
    bad = Stage(redis, ["north"], plan=plan).claim()
    redis.hset(bad.wave.key("wave"), "config", json.dumps({"trend": {"growth": 1.3}}))
    found = {i.name: i for i in diff(redis, Waves(redis).get(bad.wave.id), 0, "trend", "last success").inputs}
    assert [d.words for d in found["score"].differences] == [
        "-1h  12 → 13 (+8.3%)", "-2h  11 → 12 (+9.1%)", "-3h  10 → 11 (+10.0%)",
    ]  # fmt: skip
    assert [d.words for d in found["config"].differences] == ["growth  1.1 → 1.3 (+18.2%)"]


def test_large_values_are_compared_by_size_and_hash(redis: Redis) -> None:
    _, bad = two_waves(redis)
    redis.set("main/sales south 2013-07-01T14", json.dumps("x" * LARGEST))
    sales: InputDiff = diff(redis, bad.wave, 1, "features", "last success").inputs[0]
    assert sales.verdict == "too large" and sales.now.bytes == LARGEST + 2 and not sales.differences
    assert len(sales.now.sha) == 12 and sales.now.sha != sales.before.sha
    redis.set("main/sales south 2013-07-01T13", json.dumps("x" * LARGEST))
    assert diff(redis, bad.wave, 1, "features", "last success").inputs[0].verdict == "same"


def test_a_task_that_there_is_not_is_refused(redis: Redis) -> None:
    with pytest.raises(NotFound, match="no task 'nope'; it has: sales"):
        diff(redis, Stage(redis).wave, 0, "nope", "neighbour")


def test_what_else_is_like_a_failure(redis: Redis) -> None:
    a_wave_that_went_well(redis, 13, ["north"])
    stage = Stage(redis, ["north", "south", "east"]).claim()
    stage.run("sales", Cell.FAILED, [0, 1], at=1.0, took=0.1, note=error())
    stage.run("sales", entities=[2], at=1.0, took=0.1)
    found = alike(redis, stage.wave, 1, "sales")
    assert found is not None and (found.others, found.near) == (1, "east")
    assert found.news == "new since T13" and found.first
    assert alike(redis, stage.wave, 2, "sales") is None
