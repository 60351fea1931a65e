"""Values that a transition writes itself: all that rest on each other, or none that rests on one that could not be written."""

import pytest
from boards import F, P, R, check_counts, claim, columns, holds, lapse, make
from redis import Redis

from engine.cancel import cancel
from engine.store.claims import Claimed, Move, Moves, is_apart, move_command, pack_time, read_move, trip
from engine.store.wave import Wave

ONCE = pack_time(1.5, 0.25)


def key(task: str, entity: int) -> str:
    return f"main/{task} e{entity} 2013-07-01T14"


def send(redis: Redis, wave: Wave, claimed: Claimed, **there: bytes) -> object:
    """Two entities' tasks a and b, b made of a, in one call. The reply."""
    for task, value in there.items():
        redis.set(key(task, 0), value)
    steps = [Move(task, P, F, 0, 2, ONCE * 2) for task in (0, 1)]
    puts = [(0, [key(task, entity) for entity in (0, 1)], [f"{task}{entity}".encode() for entity in (0, 1)]) for task in "ab"]
    [reply] = trip(redis, [move_command(wave, Moves(holds(claimed), steps, ends=[(0, 2)]), puts=puts)])
    return reply


def values(redis: Redis) -> list[bytes | None]:
    return [redis.get(key(task, entity)) for task in "ab" for entity in (0, 1)]


def test_values_and_cells_are_written_at_once(redis: Redis) -> None:
    wave = make(redis, n=2)

    reply = send(redis, wave, claim(redis, wave, 2))

    assert isinstance(reply, list) and read_move(reply).left == 0
    assert values(redis) == [b"a0", b"a1", b"b0", b"b1"]
    assert all(redis.expiretime(key(task, entity)) == wave.expire for task in "ab" for entity in (0, 1))
    assert columns(redis, wave) == ["FF", "FF"]
    check_counts(redis, wave)


def test_what_rests_on_a_value_that_was_there_is_not_written_and_nothing_is_moved(redis: Redis) -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)

    assert is_apart(send(redis, wave, claimed, a=b"another's"))

    assert values(redis) == [b"another's", b"a1", None, b"b1"]
    assert columns(redis, wave) == ["PP", "PP"]
    assert redis.zcard(wave.key("leases")) == 2


def test_who_does_not_hold_the_entity_any_more_writes_nothing(redis: Redis) -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    lapse(redis, wave, 0)
    claim(redis, wave, 1, "w2")

    assert is_apart(send(redis, wave, claimed))

    assert values(redis) == [None] * 4
    assert columns(redis, wave) == ["PP", "PP"]


@pytest.mark.parametrize("why", ["cancelled", "full"])
def test_a_wave_that_is_cancelled_or_a_redis_that_is_full_takes_nothing(redis: Redis, why: str) -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    if why == "cancelled":
        cancel(redis, wave, by="tests")
    try:
        if why == "full":
            redis.config_set("maxmemory", "1")
        assert is_apart(send(redis, wave, claimed))
    finally:
        redis.config_set("maxmemory", "0")

    assert values(redis) == [None] * 4
    assert columns(redis, wave) == ["PP", "PP"]


def test_the_same_call_again_changes_nothing(redis: Redis) -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    send(redis, wave, claimed)

    assert is_apart(send(redis, wave, claimed))

    assert values(redis) == [b"a0", b"a1", b"b0", b"b1"]
    check_counts(redis, wave)


def test_an_entity_of_which_a_cell_is_open_is_not_done(redis: Redis) -> None:
    """The scan for open cells is left out only where the call itself has ended all of them."""
    wave = make(redis, n=3, tasks=("a", "b", "c"))
    claimed = claim(redis, wave, 3)
    steps = [
        Move(0, P, F, 0, 3, ONCE * 3),
        Move(1, P, F, 0, 3, ONCE * 3),
        Move(2, P, R, 0, 3, ONCE * 3),
        Move(2, R, F, 0, 2, ONCE * 2),
    ]

    [reply] = trip(redis, [move_command(wave, Moves(holds(claimed), steps, ends=[(0, 3)]))])

    assert read_move(reply).left == 1
    assert redis.zrange(wave.key("leases"), 0, -1) == [b"2"]
    assert columns(redis, wave) == ["FFF", "FFF", f"FF{chr(R)}"]
