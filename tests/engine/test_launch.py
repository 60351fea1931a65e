"""Init: who is in a wave, and what the same call twice does."""

from collections.abc import Iterable
from typing import Any

import pytest
from redis import Redis

from engine.errors import BadKey, NotFound, Refused
from engine.keys import Date
from engine.launch import Launched, launch
from engine.plan import Input, Plan, TaskPlan
from engine.store import making
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house

PLAN = Plan("shop", (TaskPlan("a", config={"k": 1}), TaskPlan("b", (Input("a"),))), state="shops", active=3600.0)
DATE = Date("2013-07-01T14")


def go(redis: "Redis", **more: Any) -> Launched:
    return launch(redis, PLAN, **{"version": "main", "date": DATE, "trigger": "manual:1", "by": "ada", **more})


def members(redis: "Redis", launched: Launched) -> list[tuple[str, str]]:
    return Waves(redis).members(launched.wave)


def seen(redis: "Redis", *pairs: tuple[str, str], date: Date = DATE) -> None:
    States(redis).seen("shops", pairs, date.start.timestamp())


def test_a_wave_is_over_who_is_active_by_partition_and_name(redis: "Redis") -> None:
    seen(redis, ("z", "north"), ("a b", "south"), ("c", "north"))
    seen(redis, ("old", "north"), date=DATE.shift(-10))

    launched = go(redis)

    assert launched.created
    assert members(redis, launched) == [("c", "north"), ("z", "north"), ("a%20b", "south")]
    assert launched.wave.config == {"a": {"k": 1}}
    assert Catalog(redis).flows("main") == {"shop": PLAN}
    assert Pipes(redis).waves("main", "a", DATE) == [launched.wave.id]


def test_the_same_firing_twice_is_one_wave_and_its_members_stay(redis: "Redis") -> None:
    seen(redis, ("a", "north"))
    first = go(redis)
    seen(redis, ("b", "north"))

    second = go(redis)

    assert (first.created, second.created) == (True, False)
    assert second.wave.id == first.wave.id
    assert second.wave.n == 1
    assert members(redis, second) == [("a", "north")]


def test_the_same_firing_finds_its_wave_even_when_nobody_is_active_any_more(redis: "Redis") -> None:
    first = go(redis, entities=["a"])

    assert go(redis, entities=["a"]).wave.id == first.wave.id


def test_another_trigger_version_or_date_is_another_wave(redis: "Redis") -> None:
    ids = {
        go(redis, entities=["a"], **more).wave.id
        for more in ({}, {"trigger": "manual:2"}, {"version": "fix"}, {"date": DATE.shift(1)})
    }

    assert len(ids) == 4


def test_a_part_of_the_state_by_partition_or_by_name(redis: "Redis") -> None:
    seen(redis, ("a", "north"), ("b", "south"), ("c", "the west"))

    assert members(redis, go(redis, trigger="1", partitions=["south", "the west"])) == [("b", "south"), ("c", "the%20west")]
    assert members(redis, go(redis, trigger="2", entities=["b", "new one", "b"])) == [("b", "south"), ("new%20one", "-")]


def test_what_is_not_there_is_refused_and_leaves_nothing(redis: "Redis") -> None:
    with pytest.raises(Refused, match=f"state 'shops' has no entity active at {DATE}"):
        go(redis)
    seen(redis, ("a", "north"))
    with pytest.raises(NotFound, match=r"no partition 'east'.*it has: north"):
        go(redis, partitions=["north", "east"])
    with pytest.raises(BadKey, match="config 'nothing'"):
        go(redis, config={"nothing": 1})
    with pytest.raises(BadKey, match="version"):
        go(redis, version="my version")
    with pytest.raises(BadKey, match="version"):
        go(redis, base="my version")
    with pytest.raises(BadKey, match="entity key"):
        go(redis, entities=["a", ""])

    assert Waves(redis).recent() == []
    assert Catalog(redis).versions() == []


def test_config_comes_from_the_flow_the_version_and_the_trigger(redis: "Redis") -> None:
    Catalog(redis).set_config("main", "shop", {"k": 2})

    assert go(redis, trigger="1", entities=["a"]).wave.config == {"a": {"k": 2}}
    assert go(redis, trigger="2", entities=["a"], config={"a.k": 3}).wave.config == {"a": {"k": 3}}
    assert go(redis, trigger="3", entities=["a"], version="fix").wave.config == {"a": {"k": 1}}


def test_a_source_says_who_is_active_at_the_wave_s_date(redis: "Redis") -> None:
    def source(date: Date) -> Iterable[tuple[str, str]]:
        return [(f"seen at {date}", "north")]

    assert members(redis, go(redis, source=source)) == [("seen%20at%202013-07-01T14", "north")]


def test_an_earlier_date_again_is_over_the_same_entities(redis: "Redis") -> None:
    """A replay, a back-fill, another version: what has been seen since does not take entities out of the past."""

    def source(date: Date) -> Iterable[tuple[str, str]]:
        return [("always", "north"), (f"only-{date[-2:]}", "north")]

    then = members(redis, go(redis, source=source))
    go(redis, source=source, date=DATE.shift(5))

    again = members(redis, go(redis, source=source, version="fix"))

    assert again == then == [("always", "north"), ("only-14", "north")]


def test_a_second_wave_looks_for_what_the_first_has_written(redis: "Redis") -> None:
    assert go(redis, trigger="1", entities=["a"]).wave.checks == ()
    assert go(redis, trigger="2", entities=["a"]).wave.checks == ("a", "b")
    assert go(redis, trigger="3", entities=["a"], date=DATE.shift(1)).wave.checks == ()
    assert go(redis, trigger="4", entities=["a"], version="fix", base="main").wave.checks == ()


@pytest.mark.parametrize("call", [0, 1, 2])
def test_of_two_waves_launched_at_once_one_looks_for_what_the_other_writes(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Else both run everything, and where they differ they fail each other's cells. The other comes before a call that makes the first:
    on a cluster there are several."""
    other: list[Launched] = []
    run, turns = making._run, iter(range(100))

    def meanwhile(*args: Any) -> Any:
        if next(turns) == call:
            other.append(go(redis, trigger="2", entities=["a"]))
        return run(*args)

    monkeypatch.setattr("engine.store.making._run", meanwhile)
    mine = go(redis, trigger="1", entities=["a"])
    theirs = other[0] if other else go(redis, trigger="2", entities=["a"])

    assert mine.wave.checks == ("a", "b") or theirs.wave.checks == ("a", "b")
    for launched in (mine, theirs):
        stored = Waves(redis).find(launched.wave.id)
        assert stored is not None
        assert stored.checks == launched.wave.checks


def test_progress_is_told_in_steps(redis: "Redis") -> None:
    told: list[int] = []

    go(redis, entities=[f"e{i}" for i in range(12_075)], on_progress=told.append)

    assert told == [5000, 10_000, 12_075]
