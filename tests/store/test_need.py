"""What a wave will need in Redis, and whether that is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from boards import DATE, F, P, R, claim, complete, make, step
from boards import plan as chain
from redis import Redis
from servers import RedisServer

from engine.errors import Refused
from engine.keys import Date
from engine.launch import Launched, launch
from engine.store.need import PIPE, Fit, Need, fit, sizes_of
from engine.store.room import Room, is_full, room, sized
from engine.store.wave import Wave
from engine.store.waves import Waves

MB = 1_000_000
MANY = [(f"e{i}", "p") for i in range(1000)]
PLAN = chain("a", "b")
NEXT = DATE.shift(1)
BLIND = {"username": "blind", "password": "x"}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server whose limits tests set."""
    with RedisServer() as server:
        yield server


@pytest.fixture(name="redis")
def own_redis(server: RedisServer) -> Iterator[Redis]:
    with server.client() as redis:
        redis.config_set("maxmemory", "0")
        redis.config_set("maxmemory-policy", "noeviction")
        redis.flushall()
        yield redis


def write(redis: "Redis", wave: Wave, size: int, tasks: tuple[str, ...] = ("a", "b")) -> None:
    """Runs a wave whose every pipe has `size` bytes."""
    claimed = claim(redis, wave, wave.n)
    for task in tasks:
        for entity in claimed.entities:
            redis.set(f"{wave.version}/{task} {entity} {wave.date}", b"x" * size)
        step(redis, wave, claimed, wave.tasks.index(task), P, R, F)


def limit(redis: "Redis", free: int, policy: str = "noeviction") -> None:
    """So many bytes are free from now on, more or less."""
    redis.config_set("maxmemory-policy", policy)
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) + free)


def go(redis: "Redis", **more: Any) -> Launched:
    order = {"version": "main", "date": NEXT, "trigger": "manual:1", "by": "ada", "members": MANY, **more}
    return launch(redis, PLAN, **order)


def needs(redis: "Redis", *, date: Date = NEXT, version: str = "main") -> Fit:
    return fit(redis, PLAN, version=version, date=date, members=MANY)


# the estimate


def test_without_a_wave_before_it_a_stated_size_is_taken(redis: "Redis") -> None:
    need = needs(redis).need

    assert need.pipes == 2 * 1000 * PIPE
    assert need.basis == "no wave of this flow has run: 1,000 bytes a pipe are taken"
    assert need.total == need.pipes + need.board + need.notes


def test_the_last_waves_pipes_say_how_large_the_next_are(redis: "Redis") -> None:
    write(redis, make(redis, n=200), 5000)

    need = needs(redis).need

    assert 2 * 1000 * 5000 < need.pipes < 2 * 1000 * 5000 * 1.15
    assert need.basis == f"as in the wave of {DATE}"


def test_a_task_that_never_wrote_is_taken_at_the_stated_size(redis: "Redis") -> None:
    write(redis, make(redis, n=200), 5000, tasks=("a",))

    sizes = sizes_of(redis, "main", "shop", ("a", "b"))

    assert sizes.pipes["b"] == PIPE
    assert sizes.pipes["a"] > 5000
    assert sizes.basis == f"as in the wave of {DATE}, 1,000 bytes a pipe of b"


def test_a_version_without_waves_takes_another_s(redis: "Redis") -> None:
    write(redis, make(redis, n=200, version="main"), 3000)

    need = needs(redis, version="fix").need

    assert need.pipes > 2 * 1000 * 3000
    assert need.basis == f"as in the wave of {DATE} of main"


def test_a_small_wave_counts_with_those_before_it(redis: "Redis") -> None:
    write(redis, make(redis, n=200, created=1), 5000)
    write(redis, make(redis, n=2, created=2, trigger="manual:2", date=NEXT), 100)

    sizes = sizes_of(redis, "main", "shop", ("a",))

    assert 4000 < sizes.pipes["a"] < 5500
    assert sizes.basis == "as in the last 2 waves"


def test_pipes_that_are_there_need_no_room(redis: "Redis") -> None:
    wave = make(redis, n=1000)
    write(redis, wave, 5000)

    there, fresh = needs(redis, date=DATE).need, needs(redis, date=NEXT).need

    assert (there.pipes, there.cells) == (0, 0)
    assert fresh.cells == 2000


def test_what_waves_under_way_will_still_write_is_counted(redis: "Redis") -> None:
    limit(redis, 100 * MB)
    assert needs(redis).promised == 0
    wave = make(redis, n=100)
    claimed = claim(redis, wave, 100)
    half = needs(redis).promised
    complete(redis, wave, claimed)

    assert 2 * 100 * PIPE <= half < 2 * 100 * PIPE * 1.1
    assert needs(redis).promised == 0


# what follows from it


def test_a_wave_that_does_not_fit_is_refused_with_the_numbers_and_leaves_nothing(redis: "Redis") -> None:
    limit(redis, MB)

    with pytest.raises(Refused) as told:
        go(redis)

    for words in ("needs about 2.", "pipes 2 MB", "1,000 bytes a pipe", "(maxmemory) are free", "--force"):
        assert words in str(told.value)
    assert Waves(redis).recent() == []


def test_who_knows_better_starts_it_all_the_same(redis: "Redis") -> None:
    limit(redis, MB)

    assert go(redis, force=True).created


def test_a_wave_that_fits_says_what_it_needs(redis: "Redis") -> None:
    limit(redis, 20 * MB)

    launched = go(redis)

    assert launched.fit.words.startswith("about 2.")
    assert launched.fit.words.endswith(" MB of 20 MB free")


def test_a_wave_that_is_there_is_given_however_little_room_is_left(redis: "Redis") -> None:
    first = go(redis)
    limit(redis, 10_000)

    again = go(redis)

    assert (again.created, again.wave.id) == (False, first.wave.id)


def test_two_waves_that_fit_one_by_one_and_not_together(redis: "Redis") -> None:
    limit(redis, 3 * MB)
    assert go(redis).created

    with pytest.raises(Refused, match="waves under way will write another 2"):
        go(redis, date=DATE.shift(2))


def test_where_redis_makes_room_by_itself_that_is_a_warning(redis: "Redis") -> None:
    limit(redis, MB, "volatile-ttl")

    launched = go(redis)

    assert launched.created
    assert "Redis will delete pipes to make room (volatile-ttl)" in launched.fit.warning
    assert launched.fit.room is not None
    assert "maxmemory-policy is volatile-ttl" in launched.fit.room.warning


def test_without_maxmemory_the_machine_s_memory_is_a_warning_and_no_refusal() -> None:
    need = Need(MB, 900 * MB, 0, 1, "")
    small, large = Room(200 * MB, 0, 1000 * MB, "noeviction"), Room(200 * MB, 0, 8000 * MB, "noeviction")

    assert "Redis has no maxmemory, and uses 200 MB of the 1 GB of its machine" in Fit(need, small).warning
    assert [f.refusal for f in (Fit(need, small), Fit(need, large), Fit(need, None))] == ["", "", ""]
    assert [f.warning for f in (Fit(need, large), Fit(need, None))] == ["", ""]


def test_who_may_not_ask_is_told_nothing_and_is_not_stopped(redis: "Redis", server: RedisServer) -> None:
    limit(redis, MB)
    redis.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-info", "-memory")
    with server.client(**BLIND) as blind:
        assert room(blind) is None
        launched = go(blind)

    assert launched.created
    assert launched.fit.room is None
    assert launched.fit.refusal == launched.fit.warning == ""


def test_sizes_are_known_without_memory_usage_too(redis: "Redis", server: RedisServer) -> None:
    write(redis, make(redis, n=200), 5000)
    redis.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-memory")

    with server.client(**BLIND) as blind:
        sizes = sizes_of(blind, "main", "shop", ("a",))

    assert 5000 < sizes.pipes["a"] < 5500


def test_only_a_full_redis_is_called_full(redis: "Redis") -> None:
    redis.config_set("maxmemory", "1")
    with pytest.raises(Exception, match="maxmemory") as full:
        redis.set("a", "b")
    redis.config_set("maxmemory", "0")
    redis.lpush("list", 1)
    with pytest.raises(Exception, match="WRONGTYPE") as other:
        redis.get("list")

    assert is_full(full.value)
    assert not is_full(other.value)


def test_sizes_are_read_at_a_glance() -> None:
    told = [sized(n) for n in (0, 812, 999.7, 12_345, 999_960, 1_234_567, 5_000_000_000, 2.5e12)]

    assert told == ["0 bytes", "812 bytes", "1 kB", "12.3 kB", "1 MB", "1.23 MB", "5 GB", "2.5 TB"]
