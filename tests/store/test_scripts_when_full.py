"""The scripts at a Redis that is over its maxmemory: what moves a wave on goes through, what would begin something does not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from boards import F, P, R, X, check_counts, claim, columns, end, holds, lapse, make, send, step, try_claim
from redis import Redis
from redis.exceptions import ResponseError
from servers import RedisServer

from engine.cancel import cancel
from engine.store.claims import Closed, Move, Moves, Renewed, is_unsure, move_command, pack_time, release, renew, trip
from engine.store.waves import Waves, ring
from engine.store.workers import Worker, Workers

ONCE = pack_time(1.5, 0.25)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server whose limit tests set."""
    with RedisServer() as server:
        yield server


@pytest.fixture(name="redis")
def own_redis(server: RedisServer) -> Iterator[Redis]:
    with server.client() as redis:
        redis.flushall()
        yield redis
        redis.config_set("maxmemory", "0")


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """There is no room meanwhile."""
    redis.config_set("maxmemory", "1")
    with pytest.raises(ResponseError, match="maxmemory"):
        redis.set("any", "thing")
    yield
    redis.config_set("maxmemory", "0")


def test_nobody_is_given_anything_be_it_fresh_given_back_or_lost(redis: Redis) -> None:
    wave = make(redis, n=4)
    claimed = claim(redis, wave, 2)
    release(redis, wave, holds(claimed, 0))
    before = redis.dump(wave.key("claims")), redis.dump(wave.key("leases")), redis.dump(wave.key("returned"))

    with full(redis):
        assert try_claim(redis, wave, 4) == Closed("full", 4)
        assert try_claim(redis, wave, 4, "w2") == Closed("full", 4)

    after = redis.dump(wave.key("claims")), redis.dump(wave.key("leases")), redis.dump(wave.key("returned"))
    assert after == before
    assert claim(redis, wave, 4).ids == [0, 2, 3]


def test_cells_move_and_say_why_and_their_logs_are_left_out(redis: Redis) -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    step(redis, wave, claimed, 0, P, R)

    with full(redis):
        send(redis, wave, Moves(holds(claimed), [Move(0, R, X, 0, 1, ONCE)], [(0, 0, b'{"error":{}}')], [(0, 0, b"printed")]))
        step(redis, wave, claimed, 0, R, F, entities=[1])
        step(redis, wave, claimed, 1, P, R, F)
        assert end(redis, wave, claimed).left == 0

    assert columns(redis, wave) == ["XF", "FF"]
    assert Waves(redis).note(wave, 0, 0) == {"error": {}}
    assert Waves(redis).log(wave, 0, 0) == ""
    assert not Waves(redis).progress(wave).wave.running
    check_counts(redis, wave)


def test_what_may_not_have_been_written_is_not_called_finished(redis: Redis) -> None:
    """The values travel before the transitions, in one trip: what became of them is known only when both are answered."""
    wave = make(redis, n=1)
    claimed = claim(redis, wave, 1)
    step(redis, wave, claimed, 0, P, R)
    command = move_command(wave, Moves(holds(claimed), [Move(0, R, F, 0, 1, ONCE)]), unsure=True)

    with full(redis):
        written, moved = trip(redis, [("SET", "main/a e0 2013-07-01T14", "x", "NX"), command])

        assert isinstance(written, ResponseError)
        assert is_unsure(moved)
        assert columns(redis, wave) == ["R", "P"]

    written, moved = trip(redis, [("SET", "main/a e0 2013-07-01T14", "x", "NX"), command])
    assert (written, is_unsure(moved), columns(redis, wave)) == (True, False, ["F", "P"])
    check_counts(redis, wave)


def test_leases_are_prolonged_and_entities_given_back(redis: Redis) -> None:
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 3)
    step(redis, wave, claimed, 0, P, R)
    redis.zadd(wave.key("leases"), {"0": 5.0})

    with full(redis):
        assert renew(redis, wave, holds(claimed, 0), 60.0) == Renewed("", 1)
        assert release(redis, wave, holds(claimed, 1, 2)) == 2
        ring(redis, "main", 2)  # wakes nobody, and is no error

    score = redis.zscore(wave.key("leases"), "0")
    assert score is not None and score > 5.0
    assert columns(redis, wave)[0] == "RPP"
    check_counts(redis, wave)


def test_a_wave_is_cancelled_with_what_is_held_when_its_lease_runs_out(redis: Redis) -> None:
    wave = make(redis, n=3)
    claim(redis, wave, 1)

    with full(redis):
        assert cancel(redis, wave, by="tests").held == 1
        assert try_claim(redis, wave, 1) == Closed("cancelled", 1)
    lapse(redis, wave, 0)
    with full(redis):
        assert try_claim(redis, wave, 1) == Closed("cancelled", 0)

    assert columns(redis, wave) == ["CCC", "CCC"]
    assert redis.xlen("wd:acts") == 1
    check_counts(redis, wave)


def test_workers_are_heard(redis: Redis) -> None:
    with full(redis):
        Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0))

        assert [w.name for w in Workers(redis).alive("main")] == ["w-1"]
    assert 0 < redis.ttl("wd:{main}:worker:w-1") <= 15
    assert redis.ttl("wd:{main}:was:w-1") > 15


def test_scripts_that_redis_has_forgotten_are_loaded(redis: Redis) -> None:
    wave = make(redis, n=1)
    claimed = claim(redis, wave, 1)

    with full(redis):
        redis.script_flush()
        step(redis, wave, claimed, 0, P, R)

    assert columns(redis, wave) == ["R", "P"]


def test_a_wave_is_made_whole_or_not_at_all(redis: Redis) -> None:
    """There was room when its launcher looked."""
    make(redis, trigger="manual:0")
    before = {key: redis.dump(key) for key in redis.scan_iter()}

    with full(redis), pytest.raises(ResponseError, match="maxmemory"):
        make(redis, trigger="manual:1")

    assert {key: redis.dump(key) for key in redis.scan_iter()} == before
    assert make(redis, trigger="manual:1").n == 4
