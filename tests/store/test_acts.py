"""The log of acts: what is in it, in which order, how much of it, and that no act is done which is not in it."""

from typing import Any

import pytest
from boards import DATE, claim, complete, make, plan
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.cancel import cancel
from engine.errors import Refused
from engine.launch import Launched, launch
from engine.store import acts as module
from engine.store import making
from engine.store.acts import KEY, LIFE, Act, Acts
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house


def an_act(number: int = 0, **more: Any) -> Act:
    words = {"verb": "trigger", "by": "ada@desk", "origin": "console", "version": "main", "flow": "shop", "wave": f"w{number}"}
    return Act(**{"at": 0, "date": "2013-07-01T14", "entities": 7, "detail": "", **words, **more})


def start(redis: "Redis", **more: Any) -> Launched:
    words = {"version": "main", "date": DATE, "trigger": "manual:1", "by": "ada@desk", "entities": ["a", "b"]}
    return launch(redis, plan("a", "b"), **{**words, **more})


def test_what_is_recorded_is_read_back_with_redis_clock(redis: "Redis") -> None:
    Acts(redis).record(an_act(detail="base main", entities=50_000))

    [act] = Acts(redis).recent()

    seconds, _ = redis.time()
    assert abs(act.at / 1000 - seconds) < 60
    assert act.id.startswith(f"{act.at}-")
    assert act == an_act(at=act.at, id=act.id, detail="base main", entities=50_000)
    assert 0 < redis.ttl(KEY) <= LIFE


def test_the_newest_come_first_and_older_ones_page_by_page(redis: "Redis") -> None:
    for number in range(7):
        Acts(redis).record(an_act(number))

    first = Acts(redis).recent(3)
    second = Acts(redis).recent(3, before=first[-1].id)
    third = Acts(redis).recent(3, before=second[-1].id)

    assert [a.wave for a in (*first, *second, *third)] == [f"w{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert Acts(redis).recent(3, before=third[-1].id) == []


def test_those_of_one_wave_are_found_far_down(redis: "Redis") -> None:
    acts = Acts(redis)
    acts.record(an_act(1, detail="first"))
    for number in range(450):
        acts.record(an_act(1000 + number))
    acts.record(an_act(1, verb="cancel"))

    assert [a.verb for a in acts.recent(10, wave="w1")] == ["cancel", "trigger"]
    assert [a.verb for a in acts.recent(1, wave="w1")] == ["cancel"]


def test_the_log_does_not_grow_without_end(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 200)
    for number in range(700):
        Acts(redis).record(an_act(number))

    assert 200 <= redis.xlen(KEY) < 400
    assert Acts(redis).recent(1)[0].wave == "w699"


@pytest.mark.parametrize("hostile", ["[red]z", "a\nb\x00", "\x1b[31mred", "東京", "\udcff", "x" * 100_000, ""])
def test_any_words_can_be_recorded(redis: "Redis", hostile: str) -> None:
    Acts(redis).record(an_act(by=hostile, detail=hostile))

    [act] = Acts(redis).recent()

    assert act.detail == act.by == ("?" if hostile == "\udcff" else hostile[:1000])


def test_every_start_is_recorded_once_with_its_verb(redis: "Redis") -> None:
    by_hand = start(redis, base="stable", origin="console").wave
    start(redis, base="stable", origin="console")  # the same again
    scheduled = start(redis, trigger="schedule:2013-07-01T14", by="schedule").wave
    again = start(redis, trigger="manual:2", of=by_hand.id, origin="command").wave

    told = [(a.verb, a.by, a.origin, a.wave, a.detail, a.entities) for a in reversed(Acts(redis).recent())]

    assert told == [
        ("trigger", "ada@desk", "console", by_hand.id, "base stable", 2),
        ("schedule", "schedule", "schedule", scheduled.id, "", 2),
        ("rerun", "ada@desk", "command", again.id, f"of wave {by_hand.id}", 2),
    ]


def test_what_was_refused_is_not_recorded(redis: "Redis") -> None:
    with pytest.raises(Refused):
        start(redis, entities=[])

    assert Acts(redis).recent() == []


def test_a_cancel_is_recorded_and_one_that_comes_too_late_is_not(redis: "Redis") -> None:
    wave = make(redis)
    cancel(redis, wave, by="bob@desk", reason="wrong data", origin="command")
    with pytest.raises(Refused, match="has ended already"):
        cancel(redis, wave, by="eve@desk")
    done = make(redis, trigger="manual:2")
    complete(redis, done, claim(redis, done, 4))
    with pytest.raises(Refused, match="has ended already"):
        cancel(redis, done, by="eve@desk")

    assert [(a.verb, a.by, a.origin, a.wave, a.entities, a.detail) for a in Acts(redis).recent()] == [
        ("cancel", "bob@desk", "command", wave.id, 4, "wrong data")
    ]


def test_a_cancel_whose_answer_is_lost_is_in_the_log(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    wave = make(redis)
    really = Waves.cancel

    def lost(*args: Any) -> None:
        really(*args)
        raise RedisConnectionError("gone")

    monkeypatch.setattr("engine.cancel.Waves.cancel", lost)
    with pytest.raises(RedisConnectionError):
        cancel(redis, wave, by="ada")

    assert Waves(redis).get(wave.id).cancelled
    assert [a.verb for a in Acts(redis).recent()] == ["cancel"]


def test_of_two_that_start_the_same_wave_at_once_one_is_recorded(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[Launched] = []
    run, turns = making._run, iter([True])

    def meanwhile(*args: Any) -> Any:
        if next(turns, False):
            others.append(start(redis))
        return run(*args)

    monkeypatch.setattr("engine.store.making._run", meanwhile)
    mine = start(redis)

    assert (mine.created, others[0].created) == (False, True)
    assert mine.wave.id == others[0].wave.id
    assert len(Acts(redis).recent()) == 1
