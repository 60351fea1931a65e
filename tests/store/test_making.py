"""A launcher that dies: whatever it was about to do, nothing runs that is not told of and announced, and the same call again makes the wave."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boards import DATE, Claimed, check_counts, claim, plan
from redis import Redis, RedisCluster
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from engine.errors import Refused
from engine.keys import version_key
from engine.launch import Launched, launch
from engine.store import making
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.connect import connect
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.wave import wave_id
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house

CHAIN = plan("a", "b")
SMALL, LARGE = 5, 12_000
"""Entities: the one is written with the script's call, the other in drafts before it."""


class PowerCutError(BaseException):
    """The launcher dies. Nobody catches that."""


def go(redis: "Redis", n: int) -> Launched:
    return launch(redis, CHAIN, version="main", date=DATE, trigger="manual:1", by="ada", entities=[f"e{i}" for i in range(n)])


def dies_at(monkeypatch: pytest.MonkeyPatch, trip: int, *, before: bool) -> Callable[[], int]:
    """From now on the process ends at its trip of that number (from 0): before anything was sent, or when all was. How many there were."""
    send, sent = AbstractConnection.send_packed_command, [0]

    def cut(self: Any, *args: Any, **options: Any) -> None:
        sent[0] += 1
        if sent[0] == trip + 1 and not before:
            send(self, *args, **options)
            self.read_response(disable_decoding=True)  # the server has come to it
        if sent[0] >= trip + 1:
            raise PowerCutError
        send(self, *args, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", cut)
    return lambda: sent[0]


def check_what_is_left(redis: "Redis") -> None:
    """What there is of the wave, which may be nothing, is told of and announced before it runs, and lives no longer than it must."""
    waves = Waves(redis)
    queued: list[Any] = redis.zrange(version_key("main", "queue"), 0, -1)
    acts = Acts(redis).recent()
    for name in queued:
        wave = waves.get(name.decode())
        assert {act.wave for act in acts} == {wave.id}
        assert [Pipes(redis).waves("main", task, DATE) for task in ("a", "b")] == [[wave.id]] * 2
        assert isinstance(claim(redis, wave, 1), Claimed)
    for key in redis.scan_iter():
        assert redis.ttl(key) > 0, key


@pytest.mark.parametrize("n", [SMALL, LARGE])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_launcher_may_die_at_any_trip(
    redis_url: str, redis: "Redis", monkeypatch: pytest.MonkeyPatch, n: int, before: bool
) -> None:
    own = Waves(redis)
    for trip in range(40):
        # Given a launcher that dies at one of its trips
        redis.flushall()
        with connect(redis_url) as dying, monkeypatch.context() as patch:
            dying.ping()
            sent = dies_at(patch, trip, before=before)
            with contextlib.suppress(PowerCutError):
                go(dying, n)
            survived = sent() <= trip
        # Then nothing runs that should not
        check_what_is_left(redis)
        there = own.find(wave_id("shop", "main", DATE, "manual:1"), "main") is not None

        # And when somebody starts the same wave again, there it is, once
        launched = go(redis, n)
        assert launched.created is not there
        assert redis.zrange(version_key("main", "queue"), 0, -1) == [launched.wave.id.encode()]
        assert own.members(launched.wave) == [(f"e{i}", "-") for i in range(n)]
        told = [act.wave for act in Acts(redis).recent()]
        # On a cluster who died has told of what he was about to do: then there are two who did it.
        assert told in ([launched.wave.id], [launched.wave.id] * (1 + isinstance(redis, RedisCluster)))
        assert Catalog(redis).plan("main", "shop") == CHAIN
        assert Catalog(redis).versions() == ["main"]
        check_counts(redis, launched.wave)
        check_what_is_left(redis)
        if survived:
            break
    assert survived
    assert trip >= 2


@pytest.mark.one_server
def test_it_is_two_trips_where_there_is_one_server(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is nearly always: a few entities, nothing else under way, and the process has started a wave of the flow before."""
    first = go(redis, SMALL)
    redis.delete(version_key("main", "queue"))
    sent = dies_at(monkeypatch, 1000, before=True)

    second = launch(redis, CHAIN, version="main", date=DATE, trigger="manual:2", by="ada", entities=["e1"])

    assert sent() == 2
    assert second.created
    assert second.wave.checks == ("a", "b")
    assert first.wave.checks == ()


@pytest.mark.one_server
def test_a_state_is_read_in_the_same_trip_once_its_partitions_are_known(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_the_state(trigger: str) -> Launched:
        return launch(redis, CHAIN, version="main", date=DATE, trigger=trigger, by="ada")

    States(redis).seen("shops", [("a", "north"), ("b", "south")], DATE.start.timestamp())
    of_the_state("manual:1")
    redis.delete(version_key("main", "queue"))
    with monkeypatch.context() as patch:
        sent = dies_at(patch, 1000, before=True)
        assert of_the_state("manual:2").created
        assert sent() == 2

    # A partition that has come meanwhile costs a trip, and is in
    States(redis).seen("shops", [("c", "east")], DATE.start.timestamp())
    redis.delete(version_key("main", "queue"))
    sent = dies_at(monkeypatch, 1000, before=True)
    third = of_the_state("manual:3")
    assert sent() == 3
    monkeypatch.undo()
    assert Waves(redis).members(third.wave) == [("c", "east"), ("a", "north"), ("b", "south")]


@pytest.mark.parametrize("error", [RedisConnectionError("away"), OutOfMemoryError("OOM command not allowed")])
def test_what_is_there_has_been_told_of_and_what_was_refused_has_not(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The answer to a call is lost, or it is refused. On a cluster there are several; here it is each in turn."""
    run = making._run
    for call in range(4):
        redis.flushall()
        calls = iter(range(100))

        def fails(*args: Any, call: int = call, calls: Iterator[int] = calls) -> Any:
            now = next(calls)
            if now == call and isinstance(error, OutOfMemoryError):
                raise error
            reply = run(*args)
            if now == call:
                raise error
            return reply

        with monkeypatch.context() as patch, contextlib.suppress(type(error), Refused):
            patch.setattr("engine.store.making._run", fails)
            go(redis, SMALL)

        there = Waves(redis).find(wave_id("shop", "main", DATE, "manual:1"), "main")
        acts = [act.wave for act in Acts(redis).recent()]
        if there is not None:
            assert acts == [there.id]
        elif isinstance(error, OutOfMemoryError):
            assert acts == []
        assert go(redis, SMALL).wave.id in {act.wave for act in Acts(redis).recent()}
        check_what_is_left(redis)
