"""Who, why and what an act is about: kept as it is, or refused with a sentence before anything is written."""

from collections.abc import Callable
from typing import Any

import pytest
from naughty import FEW, LONG, MEGABYTE, NUL, SURROGATES, is_text
from redis import Redis

from engine.cancel import cancel
from engine.errors import WavedeckError
from engine.flow import Flow
from engine.keys import Date, encode_entity
from engine.launch import launch
from engine.plan import Plan
from engine.rerun import rerun
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Workers

EVERY = (*FEW[::2], *SURROGATES, *LONG, MEGABYTE, *NUL)
DATE = Date("2013-07-01T14")
GIVEN: dict[str, Any] = {"version": "main", "date": DATE, "trigger": "manual:1", "by": "tests", "entities": ["e"]}


def a_plan() -> Plan:
    flow = Flow("shops")

    @flow.task(config={"k": 1})
    def sales(entity: str, config: dict[str, Any]) -> None: ...

    return flow.plan


PLAN = a_plan()
ACTS: dict[str, Callable[[Redis, str], Wave]] = {
    "trigger": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "trigger": text}).wave,
    "by": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "by": text}).wave,
    "version": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "version": text}).wave,
    "base": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "base": text}).wave,
    "state": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "state": text}).wave,
    "of": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "of": text}).wave,
    "entity": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "entities": [text]}).wave,
    "partition": lambda redis, text: launch(redis, PLAN, **{**GIVEN, "entities": (), "partitions": [text]}).wave,
    "config value": lambda redis, text: launch(redis, PLAN, **GIVEN, config={"sales.k": text}).wave,
    "config name": lambda redis, text: launch(redis, PLAN, **GIVEN, config={text: 1}).wave,
}


def everything(redis: Redis) -> dict[bytes, bytes | None]:
    """All of Redis."""
    return {key: redis.dump(key) for key in redis.scan_iter(count=5000)}


@pytest.mark.parametrize("what", ACTS)
def test_a_wave_is_started_whole_or_not_at_all(redis: Redis, what: str) -> None:
    empty = everything(redis)
    for text in EVERY:
        try:
            wave = ACTS[what](redis, text)
        except WavedeckError as e:
            assert str(e).isprintable() and len(str(e)) < 500, ascii(str(e)[:200])
            assert everything(redis) == empty, f"{what} {text[:50]!a} was refused, and something is there"
            continue
        found = Waves(redis).find(wave.id, wave.version)
        assert found is not None
        kept = {
            "trigger": found.trigger, "by": found.by, "version": found.version, "base": found.base, "state": found.state, "of": found.of,
            "config value": found.config["sales"]["k"],
        }.get(what, text)  # fmt: skip
        assert kept == text
        if what == "entity":
            assert Waves(redis).members(found) == [(encode_entity(text), "-")]
        [act] = Acts(redis).recent()
        assert (act.wave, act.by) == (wave.id, wave.by)
        redis.flushall()


def test_a_wave_is_cancelled_with_its_reason_or_goes_on(redis: Redis) -> None:
    for text in EVERY:
        wave = launch(redis, PLAN, **GIVEN).wave
        before = everything(redis)
        for given in ({"by": "tests", "reason": text}, {"by": text, "reason": "so"}):
            try:
                cancel(redis, wave, **given)
            except WavedeckError as e:
                assert str(e).isprintable()
                assert everything(redis) == before
                continue
            found = Waves(redis).find(wave.id)
            assert found is not None and (found.cancelled, found.cancelled_by) == (given["reason"], given["by"])
            [cancelled, _] = Acts(redis).recent()
            assert (cancelled.detail, cancelled.by) == (given["reason"], given["by"])
            redis.flushall()
            wave = launch(redis, PLAN, **GIVEN).wave
            before = everything(redis)
        redis.flushall()


def test_overrides_are_set_or_refused_whole(redis: Redis) -> None:
    for text in EVERY:
        for version, flow, name, value in (
            (text, "f", "k", 1),
            ("main", text, "k", 1),
            ("main", "f", text, 1),
            ("main", "f", "k", text),
        ):
            try:
                Catalog(redis).set_config(version, flow, {"first": 1, name: value})
            except WavedeckError as e:
                assert str(e).isprintable()
                assert everything(redis) == {}
            else:
                assert Catalog(redis).config(version, flow) == {"first": 1, name: value}
                redis.flushall()


def test_members_are_marked_or_refused_whole(redis: Redis) -> None:
    for text in EVERY:
        for pair in ((text, "p"), ("e", text)):
            try:
                States(redis).seen("shops", [("first", "p"), pair], 1.0)
            except WavedeckError as e:
                assert str(e).isprintable()
                assert everything(redis) == {}
                continue
            assert (encode_entity(pair[0]), encode_entity(pair[1])) in {
                (m.entity, m.partition) for m in States(redis).members("shops")
            }
            redis.flushall()


def test_asking_for_what_is_not_there_finds_nothing_and_breaks_nothing(redis: Redis) -> None:
    wave = launch(redis, PLAN, **GIVEN).wave
    before = everything(redis)
    store = Waves(redis)
    for text in EVERY:
        for ask in (store.get, lambda text: rerun(redis, wave, by="tests", version=text)):
            try:
                found = ask(text)
            except WavedeckError as e:
                assert str(e).isprintable(), ascii(str(e))
                continue
            assert text == "last" and found == wave
        assert store.find(text) is None and store.find(text, "main") is None
        if is_text(text):
            assert Workers(redis).alive(text) == [] and Catalog(redis).flows(text) == {} and States(redis).members(text) == []
            assert (
                Pipes(redis).names(text) == []
                and Pipes(redis).dates("main", text) == []
                and Acts(redis).recent(wave=text) == []
            )
    assert everything(redis) == before
