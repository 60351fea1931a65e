"""Pipes: written once, gone with their date, browsed without looking at them."""

import time

import pytest
from boards import DATE, B, F, O, P, R, U, X, claim, make, step
from redis import Redis

from engine.errors import PipeConflict
from engine.keys import Date, PipeKey, version_key
from engine.status import Cell
from engine.store.claims import Claimed
from engine.store.pipes import Entry, Pipes, expiry
from engine.store.wave import Wave

pytestmark = pytest.mark.every_house

DAY = 86400
SOON = int(time.time()) + DAY


def key(entity: str = "JFK-LAX", pipe: str = "a", date: Date = DATE, version: str = "main") -> PipeKey:
    return PipeKey.make(version, pipe, entity, date)


def indexed(redis: "Redis", n: int = 4, trigger: str = "manual:1", expire: int = SOON) -> tuple[Wave, Claimed]:
    """A wave as launch leaves it, all of it claimed."""
    wave = make(redis, n, ("a", "b"), trigger=trigger, expire=expire)
    return wave, claim(redis, wave, n, worker=f"worker-{trigger}")


def write(redis: "Redis", wave: Wave, claimed: Claimed, *entities: int, cell: Cell = F) -> None:
    """Writes task a's pipes of entities as a worker does."""
    for e in entities:
        redis.set(str(key(f"e{e}")), b"1", nx=True, exat=wave.expire)
    steps = (P, cell) if cell in (U, B) else (P, R, cell)
    step(redis, wave, claimed, 0, *steps, entities=entities)


# writing


def test_a_pipe_lies_under_exactly_its_key(redis: "Redis") -> None:
    assert Pipes(redis).put(key(), b'{"delay":3}', SOON, "me")

    assert redis.get("main/a JFK-LAX 2013-07-01T14") == b'{"delay":3}'
    assert redis.expiretime("main/a JFK-LAX 2013-07-01T14") == SOON


def test_the_same_value_again_is_success_and_writes_nothing(redis: "Redis") -> None:
    pipes = Pipes(redis)
    pipes.put(key(), b"1", SOON, "me")

    assert not pipes.put(key(), b"1", SOON + 5, "you")

    assert redis.expiretime(str(key())) == SOON
    assert pipes.writer(key()) == "me"


def test_another_value_is_a_conflict_that_names_both_writers(redis: "Redis") -> None:
    pipes = Pipes(redis)
    pipes.put(key(), b"1", SOON, "replay by ada")

    with pytest.raises(PipeConflict, match=r"'main/a JFK-LAX 2013-07-01T14'.*replay by ada.*what bob computed is not kept"):
        pipes.put(key(), b"2", SOON, "bob")

    assert pipes.get(key()) == b"1"
    assert pipes.writer(key()) == "replay by ada"


def test_a_conflict_with_a_wave_names_the_wave_and_its_worker(redis: "Redis") -> None:
    wave, claimed = indexed(redis)
    write(redis, wave, claimed, 2)

    with pytest.raises(PipeConflict, match=rf"written by wave {wave.id} \(worker-manual:1\)"):
        Pipes(redis).put(key("e2"), b"2", SOON, "bob")


def test_a_conflict_names_the_wave_that_wrote_and_not_one_that_found_it_there(redis: "Redis") -> None:
    """Whichever of the two has the smaller id."""
    for one, other in (("x1", "x2"), ("y2", "y1"), ("z1", "z3"), ("q7", "q5")):
        redis.flushall()
        first, claimed = indexed(redis, trigger=one)
        write(redis, first, claimed, 2)
        second, again = indexed(redis, trigger=other)
        write(redis, second, again, 2, cell=U)

        assert Pipes(redis).writer(key("e2")) == f"wave {first.id} (worker-{one})"
        assert list(Pipes(redis).entries("main", "a", DATE)) == [Entry("e2", first.id)]


def test_a_wave_that_lost_is_not_named_as_the_other_writer(redis: "Redis") -> None:
    """Its cell says Finished for the moment between its transition and the refusal of its value."""
    for one, other in (("x1", "x2"), ("y2", "y1"), ("z1", "z3"), ("q7", "q5")):
        redis.flushall()
        first, claimed = indexed(redis, trigger=one)
        write(redis, first, claimed, 2)
        second, again = indexed(redis, trigger=other)
        write(redis, second, again, 2)

        with pytest.raises(PipeConflict, match=rf"written by wave {first.id} .* what wave {second.id} "):
            Pipes(redis).check_same(key("e2"), b"2", f"wave {second.id} (worker-{other})")


def test_bytes_are_kept_as_they_are(redis: "Redis") -> None:
    value = bytes(range(256)) * 1000

    Pipes(redis).put(key(), value, SOON, "me")

    assert Pipes(redis).get(key()) == value


def test_many_are_read_in_order_with_none_for_what_is_not_there(redis: "Redis") -> None:
    keys = [str(key(f"e{i}")) for i in range(2500)]
    for i in range(0, 2500, 7):
        redis.set(keys[i], str(i))

    values = Pipes(redis).get_many(keys)

    assert values == [None if i % 7 else str(i).encode() for i in range(2500)]
    assert Pipes(redis).get_many([]) == []


# expiry


@pytest.mark.parametrize(
    ("age", "keep", "life"),
    [
        (0, 30 * DAY, 30 * DAY),
        (DAY, 30 * DAY, 29 * DAY),
        (29 * DAY, 30 * DAY, DAY),
        (30 * DAY, 30 * DAY, 30 * DAY),
        (4000 * DAY, DAY, DAY),
    ],
)
def test_a_pipe_expires_with_its_date_and_a_replay_of_an_old_one_from_now(age: int, keep: int, life: int) -> None:
    start = DATE.start.timestamp()

    assert expiry(DATE, keep, now=start + age) == start + age + life


def test_pipes_of_one_date_expire_together_however_late_they_are_written() -> None:
    start = DATE.start.timestamp()

    assert expiry(DATE, DAY, now=start) == expiry(DATE, DAY, now=start + 20 * 3600) == start + DAY


# browsing


def test_an_empty_version_has_nothing_to_browse(redis: "Redis") -> None:
    pipes = Pipes(redis)

    assert pipes.names("main") == []
    assert pipes.dates("main", "a") == []
    assert pipes.waves("main", "a", DATE) == []
    assert list(pipes.entries("main", "a", DATE)) == []
    assert pipes.writer(key()) is None


def test_a_wave_s_pipes_are_browsed_from_its_board(redis: "Redis") -> None:
    # Given
    wave, claimed = indexed(redis, n=5)
    write(redis, wave, claimed, 3)
    write(redis, wave, claimed, 1, cell=O)
    write(redis, wave, claimed, 2, cell=X)
    write(redis, wave, claimed, 4, cell=B)

    # Then
    pipes = Pipes(redis)
    assert pipes.names("main") == ["a", "b"]
    assert pipes.dates("main", "a") == [DATE]
    assert pipes.waves("main", "a", DATE) == [wave.id]
    assert list(pipes.entries("main", "a", DATE)) == [Entry("e1", wave.id), Entry("e3", wave.id)]
    assert list(pipes.entries("main", "b", DATE)) == []


def test_strays_come_after_the_wave_s_own_and_nothing_comes_twice(redis: "Redis") -> None:
    wave, claimed = indexed(redis)
    write(redis, wave, claimed, 1)
    pipes = Pipes(redis)
    pipes.put(key("z z"), b"1", SOON, "ada")
    pipes.put(key("e0"), b"1", SOON, "bob")
    pipes.index_stray(key("e1"), SOON, "carl")

    assert list(pipes.entries("main", "a", DATE)) == [Entry("e1", wave.id), Entry("e0", "bob"), Entry("z%20z", "ada")]


def test_dates_come_newest_first(redis: "Redis") -> None:
    pipes = Pipes(redis)
    dates = [DATE, DATE.shift(-30), DATE.shift(5), Date("2013-07-01")]
    for date in dates:
        pipes.put(key(date=date), b"1", SOON, "me")

    assert pipes.dates("main", "a") == [DATE.shift(5), DATE, Date("2013-07-01"), DATE.shift(-30)]
    assert pipes.dates("main", "a", limit=2) == [DATE.shift(5), DATE]


def test_what_has_expired_is_not_listed(redis: "Redis") -> None:
    # Given
    gone, _ = indexed(redis)
    pipes = Pipes(redis)
    pipes.put(key(date=DATE.shift(1)), b"1", SOON, "me")

    # When the wave's keys and its part of the index expire
    for name in [*redis.scan_iter(f"*{gone.id}*"), version_key("main", f"at:a:{DATE}")]:
        redis.delete(name)

    # Then
    assert pipes.dates("main", "a") == [DATE.shift(1)]
    assert list(pipes.entries("main", "a", DATE)) == []


def test_a_wave_that_is_gone_while_its_index_is_there_is_passed_over(redis: "Redis") -> None:
    wave, claimed = indexed(redis)
    write(redis, wave, claimed, 1)
    Pipes(redis).put(key("stray"), b"1", SOON, "me")
    redis.delete(wave.key("wave"))

    assert list(Pipes(redis).entries("main", "a", DATE)) == [Entry("stray", "me")]
    assert Pipes(redis).writer(key("e1")) is None


@pytest.mark.parametrize("order", [(1, 30), (30, 1)])
def test_an_index_lives_as_long_as_the_longest_of_what_it_lists(redis: "Redis", order: tuple[int, int]) -> None:
    """A replay of an old date expires before, or after, what is there; both stay listed for as long as they live."""
    pipes, longest = Pipes(redis), SOON + 30 * DAY
    for i, days in enumerate(order):
        pipes.put(key(date=DATE.shift(-i * 24)), b"1", SOON + days * DAY, "me")
        pipes.put(key(f"other{i}", date=DATE.shift(-99)), b"1", SOON + days * DAY, "me")

    for what in ("pipes", "dates:a", f"at:a:{DATE.shift(-99)}"):
        assert redis.expiretime(version_key("main", what)) >= longest, what


def test_every_key_of_the_index_expires(redis: "Redis") -> None:
    Pipes(redis).put(key(), b"1", SOON, "me")
    make(redis, 3, ("a",))

    assert all(redis.ttl(name) > 0 for name in redis.scan_iter())
