"""Families of failures: what is one, whether it is new, what blocked what; and that only what is new is read."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, error

from console.cli import cli
from console.reports.book import MOST_SIGNATURES, OTHERS, Book, key_of
from console.reports.failures import Family, families, members_of
from console.sources.failures import FailuresNews, FailuresSource
from engine.errors import NotFound
from engine.status import Cell

TRIGGER = "schedule:1"


def blocked(what: str) -> dict[str, Any]:
    return {"error": {"type": "Blocked", "message": f"no {what}", "where": "", "traceback": ""}}


def a_wave(redis: Redis, hour: int, bad: dict[int, str], *, names: int = 6, end: bool = True, **more: Any) -> Stage:
    """Entities of `bad` fail at weather with these types, and what comes after is blocked."""
    stage = Stage(redis, [f"shop-{n}" for n in range(names)], date=f"2013-07-01T{hour:02}", **more).claim()
    good = [n for n in range(names) if n not in bad]
    stage.run("sales", at=0.1, took=0.1)
    for number, kind in bad.items():
        stage.run(
            "weather", Cell.FAILED, [number], at=1.0 + number, took=0.5, note=error(kind, f"no weather for shop-{number}")
        )
    if good:
        stage.run("weather", entities=good, at=1.0, took=0.5)
        stage.run("features", entities=good, at=2.0, took=0.5)
        stage.run("score", entities=good, at=3.0, took=0.5)
    if bad:
        stage.step("features", Cell.PENDING, Cell.BLOCKED, list(bad), note=blocked("weather"))
        stage.step("score", Cell.PENDING, Cell.BLOCKED, list(bad), note=blocked("features"))
    if end:
        stage.end()
    return stage


def by_type(found: list[Family]) -> dict[str, Family]:
    return {f.type: f for f in found if f.status == "Failed"}


def test_failed_and_blocked_are_never_of_one_family(redis: Redis) -> None:
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})

    found = families(redis, stage.wave)

    assert [(f.status, f.task, f.type, f.count) for f in found] == [
        ("Failed", "weather", "NoObservation", 2),
        ("Failed", "weather", "ReadTimeout", 1),
        ("Blocked", "features", "Blocked", 3),
        ("Blocked", "score", "Blocked", 3),
    ]
    one = found[0]
    assert (one.title, one.where) == ("NoObservation: no weather for <key>", "flows/collect.py:41 in weather")
    assert (one.examples, one.numbers, one.first_entity, one.share) == (["shop-1", "shop-3"], (1, 3), "shop-1", round(2 / 6, 4))
    assert one.key == key_of(one.task, one.status, one.type, one.signature, one.where)


def test_a_blocked_family_says_what_blocked_it_and_since_when(redis: Redis) -> None:
    stage = Stage(redis, ["a1", "b2", "c3"]).claim()
    stage.run("sales", Cell.FAILED, [0], at=0.5, took=0.5, note=error())
    stage.run("sales", entities=[1, 2], at=0.5, took=0.5)
    stage.run("weather", Cell.FAILED, [1], at=2.0, took=1.0, note=error())
    stage.step("weather", Cell.PENDING, Cell.CANCELLED, [2])
    stage.step("features", Cell.PENDING, Cell.BLOCKED, [0, 1, 2], note=blocked("input"))
    stage.step("score", Cell.PENDING, Cell.BLOCKED, [0, 1, 2], note=blocked("features"))

    features, score = (f for f in families(redis, stage.wave) if f.status == "Blocked")

    assert features.blocked_by == {"sales": 1, "weather": 2}
    assert score.blocked_by == {"sales": 1, "weather": 1, "features": 1}
    assert features.first_entity == "a1"
    assert features.first is not None


def test_new_known_and_back(redis: Redis) -> None:
    a_wave(redis, 11, {1: "Old", 2: "Back"})
    a_wave(redis, 12, {1: "Old"})
    a_wave(redis, 13, {1: "Old"})
    last = a_wave(redis, 14, {0: "Old", 1: "Old", 2: "Back", 3: "New"})

    found = by_type(families(redis, last.wave))

    assert found["Old"].news == "known since 2013-07-01T11 (3 waves)"
    assert found["Back"].news == "back, last in 2013-07-01T11"
    assert found["New"].news == "new since 2013-07-01T13"
    assert (found["Old"].known, found["Old"].looked, found["Old"].last) == (3, 3, "2013-07-01T13")


def test_a_first_wave_and_another_version_are_no_past(redis: Redis) -> None:
    a_wave(redis, 13, {1: "Old"}, version="fix-1")
    a_wave(redis, 12, {1: "Old"}, end=False)
    last = a_wave(redis, 14, {1: "Old"})

    assert [f.news for f in families(redis, last.wave)] == ["", "", ""]


def test_a_bad_worker_is_named_where_there_are_others(redis: Redis) -> None:
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    assert by_type(families(redis, stage.wave))["NoObservation"].worker == ""
    assert by_type(families(redis, stage.wave))["NoObservation"].workers == {"w-07": 2}

    other = a_wave(redis, 15, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    redis.hset(other.wave.key("crew"), "w-08", 9)

    found = by_type(families(redis, other.wave))
    assert found["NoObservation"].worker == "w-07"
    assert found["ReadTimeout"].worker == ""  # one alone proves nothing


def test_members_of_a_family(redis: Redis) -> None:
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    for family in families(redis, stage.wave):
        assert members_of(redis, stage.wave, family.key) == frozenset(family.numbers)
    with pytest.raises(NotFound, match=r"no family '00000000'; `wavedeck failures` lists them"):
        members_of(redis, stage.wave, "00000000")


def test_messages_that_are_all_different_stay_few_families(redis: Redis) -> None:
    many = MOST_SIGNATURES + 20
    stage = Stage(redis, [f"shop-{n}" for n in range(many)]).claim()
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}oops" for n in range(many)]
    for number, word in enumerate(words):
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=error("E", word))

    found = families(redis, stage.wave)

    assert len(found) == MOST_SIGNATURES + 1
    assert (found[0].signature, found[0].count) == (OTHERS, 20)


def test_only_what_is_new_is_read(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_wave(redis, 14, {1: "A", 2: "A"}, end=False)
    book = Book(stage.wave).all(redis)
    read: list[str] = []
    original = redis.hmget
    monkeypatch.setattr(redis, "hmget", lambda key, names: read.extend(names) or original(key, names))

    assert book.update(redis)
    assert read == []
    stage.step("score", Cell.FINISHED, Cell.FAILED, [5], note=error("Late", "the value was refused"))
    assert book.update(redis)

    assert read == ["3:5"]
    assert {g.type: len(g.numbers) for g in book.groups.values() if g.status == "Failed"} == {"A": 2, "Late": 1}


def test_a_page_at_a_time_failed_before_blocked(redis: Redis) -> None:
    stage = a_wave(redis, 14, {1: "A", 2: "B", 3: "B"})
    book = Book(stage.wave)

    assert not book.update(redis, 2)
    assert (book.read, book.bad) == (2, 9)
    assert {g.status for g in book.groups.values()} == {"Failed"}
    assert book.update(redis, 2, blocked=False)
    assert (book.read, book.bad) == (3, 9)
    while not book.update(redis, 2):
        pass
    assert (book.read, book.bad) == (9, 9)


def test_another_wave_of_the_same_name_is_read_anew(redis: Redis) -> None:
    stage = a_wave(redis, 14, {1: "A", 2: "A"})
    book = Book(stage.wave).all(redis)
    redis.flushall()
    other = a_wave(redis, 14, {5: "C"})
    assert other.wave.id == stage.wave.id

    assert {g.type for g in book.all(redis).groups.values()} == {"C", "Blocked"}


def test_notes_that_are_missing_or_broken_are_a_family_as_well(redis: Redis) -> None:
    stage = Stage(redis).claim()
    stage.run("sales", Cell.FAILED, at=0.1, took=0.1)
    redis.hset(stage.wave.key("notes"), mapping={"0:1": b"{no json", "0:2": b'{"error":{"type":5}}'})

    [family] = families(redis, stage.wave)

    assert (family.title, family.count) == ("nothing is noted", 3)


def test_hostile_names_group_and_keep_their_names(redis: Redis) -> None:
    stage = Stage(redis, HOSTILE).claim()
    for number, key in enumerate(HOSTILE):
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=error("Boom", f"about {key}: no"))

    found = families(redis, stage.wave)

    assert sorted(k for f in found for k in f.examples) == sorted(HOSTILE)
    assert found[0].signature == "about <key>: no"


def test_the_source_tells_the_families_first_and_then_what_is_new(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    a_wave(redis, 12, {1: "A"})
    a_wave(redis, 13, {1: "A"})
    stage = a_wave(redis, 14, {1: "A", 2: "B"})
    source, told = FailuresSource(stage.wave.id), []
    for _ in range(10):
        news, wait = source.read(redis)
        told += [news] if news is not None else []
        if wait:
            break

    assert [news.comparing for news in told] == ["2013-07-01T13", "2013-07-01T12", ""]
    assert [f.news for f in told[0].families[:2]] == ["", ""]
    assert [f.news for f in told[-1].families[:2]] == ["known since 2013-07-01T12 (2 waves)", "new since 2013-07-01T13"]
    assert told[-1].red is not None
    assert source.read(redis) == (None, 2.0)


def test_the_source_of_a_wave_that_runs_tells_what_comes(redis: Redis) -> None:
    a_wave(redis, 13, {1: "A"})
    stage = Stage(redis).claim()
    source = FailuresSource(stage.wave.id)
    news, wait = source.read(redis)
    assert isinstance(news, FailuresNews) and news.families == () and wait > 0  # and it does not turn in circles
    stage.run("sales", Cell.FAILED, [1], at=0.1, took=0.1, note=error("A"))
    for _ in range(4):
        more, _ = source.read(redis)
        news = more or news
    assert [f.count for f in news.families] == [1]


def test_the_twin(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis, ["north", "sou\nth", "east"])
    run = CliRunner()
    found = json.loads(run.invoke(cli, ["--redis", redis_url, "failures", "last", "--json"]).output)
    assert {"task", "status", "type", "signature", "where", "count", "examples", "key", "blocked_by", "first"} <= set(found[0])
    assert "numbers" not in found[0]
    assert found[0]["examples"] == ["sou\nth"]
    assert found[1]["blocked_by"] == {"weather": 1}
    shown = run.invoke(cli, ["--redis", redis_url, "failures", "last"]).output
    assert "sou\\nth" in shown and found[0]["key"] in shown
