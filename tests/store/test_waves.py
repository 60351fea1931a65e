"""Waves: made once, found by what people call them, small."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from boards import DATE, F, P, R, check_counts, claim, columns, complete, draft, end, make, plan, send, step
from redis import Redis
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from engine import script
from engine.errors import NotFound
from engine.keys import version_key
from engine.status import Status
from engine.store import making
from engine.store.claims import Move, Moves, pack_time
from engine.store.making import make as make_wave
from engine.store.wave import Wave, span, wave_id
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house

CHAIN = plan("a", "b")
MEMBERS = [(f"e{i}", f"p{i % 2}") for i in range(7)]


def create(redis: "Redis", wave: Wave, members: Sequence[tuple[str, str]] = MEMBERS, then: Any = None) -> bool:
    return make_wave(redis, wave, CHAIN, members, on_progress=then).created


def queued(redis: "Redis", version: str = "main") -> list[str]:
    names: Any = redis.zrange(version_key(version, "queue"), 0, -1)
    return [name.decode() for name in names]


def test_a_new_wave_is_all_pending_and_queued(redis: "Redis") -> None:
    # Given
    wave = draft(CHAIN, 7, config={"a": {"k": 1}}, base="main", state="shops")

    # When
    assert create(redis, wave)

    # Then
    waves = Waves(redis)
    assert waves.find(wave.id) == wave
    assert columns(redis, wave) == ["PPPPPPP", "PPPPPPP"]
    assert waves.members(wave) == MEMBERS
    assert waves.plan(wave) == CHAIN
    assert waves.body(wave) == script.body(CHAIN)
    assert waves.progress(wave).total == dict.fromkeys(Status, 0) | {Status.PENDING: 14}
    assert [waves.number(wave, e) for e in ("e0", "e6", "e", "e7")] == [0, 6, None, None]
    assert queued(redis) == [wave.id]
    check_counts(redis, wave)


def test_the_same_wave_again_changes_nothing(redis: "Redis") -> None:
    # Given
    wave = make(redis, n=7)
    complete(redis, wave, claim(redis, wave, 3))
    before = Waves(redis).progress(wave)

    # When
    again = create(redis, draft(CHAIN, 3), MEMBERS[:3])

    # Then
    assert not again
    assert Waves(redis).progress(wave) == before
    assert len(Waves(redis).members(wave)) == 7


def test_a_wave_that_has_ended_is_not_queued_again(redis: "Redis") -> None:
    wave = make(redis, n=7)
    complete(redis, wave, claim(redis, wave, 7))
    Waves(redis).dequeue("main", wave.id)

    assert not create(redis, draft(CHAIN, 7))

    assert queued(redis) == []


def test_two_launchers_at_once_make_one_wave(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler may fire twice in one moment. The second comes when the first is about to write; a worker is quick."""
    wave = draft(CHAIN, 7)
    made: list[bool] = []
    run, turns = making._run, iter([True])

    def meanwhile(*args: Any) -> Any:
        if next(turns, False):
            made.append(create(redis, wave))
            complete(redis, wave, claim(redis, wave, 4))
        return run(*args)

    monkeypatch.setattr("engine.store.making._run", meanwhile)
    made.append(create(redis, wave))

    assert made == [True, False]
    assert Waves(redis).members(wave) == MEMBERS
    assert columns(redis, wave) == ["FFFFPPP", "FFFFPPP"]
    found = Waves(redis).find(wave.id)
    assert found is not None
    assert (found.left, found.next) == (3, 4)
    check_counts(redis, wave)


def test_many_launchers_at_once_make_one_wave(redis: "Redis") -> None:
    wave = draft(CHAIN, 12_000)
    members = [(f"e{i}", "p") for i in range(12_000)]
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(create(redis, wave, members))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False, False, False, True]
    assert Waves(redis).members(wave) == members


@pytest.mark.parametrize("n", [7, 6000])
def test_replies_that_are_lost_do_not_double_members(redis: "Redis", monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """The client sends commands again when its connection broke; the server may have done them already. Here each is lost once."""
    wave = draft(CHAIN, n)
    members = [(f"e{i}", "p") for i in range(n)]
    read, lost = AbstractConnection.read_response, set()

    def lose(self: Any, *args: Any, **options: Any) -> Any:
        reply = read(self, *args, **options)
        if (kind := type(reply).__name__ + str(reply)[:12]) not in lost:
            lost.add(kind)
            self.disconnect()
            raise RedisConnectionError("the reply is lost")
        return reply

    monkeypatch.setattr(AbstractConnection, "read_response", lose)
    for _ in range(9):
        try:
            create(redis, wave, members)
            break
        except RedisConnectionError:  # as often as a client of a cluster does not ask again
            continue
    monkeypatch.undo()

    assert lost
    assert Waves(redis).members(wave) == members
    assert queued(redis) == [wave.id]


def test_an_id_is_the_same_for_the_same_four_and_another_for_others() -> None:
    four = ("shop", "main", "2013-07-01", "manual:1")

    assert wave_id(*four) == wave_id(*four)
    assert len({wave_id(*(*four[:i], four[i] + "x", *four[i + 1 :])) for i in range(4)} | {wave_id(*four)}) == 5
    assert wave_id("a", "b/c", "d", "e") != wave_id("a", "b", "c/d", "e")


def test_waves_are_found_by_what_people_call_them(redis: "Redis") -> None:
    # Given
    old = make(redis, created=1000, trigger="manual:old")
    new = make(redis, created=3000, trigger="manual:new")
    fix = make(redis, created=2000, version="fix/1")
    waves = Waves(redis)

    # Then
    assert waves.get(old.id).id == old.id
    assert waves.get(old.id[:5]).id == old.id
    assert waves.get("last").id == new.id
    assert waves.get("shop@fix/1 2013-07-01T14").id == fix.id
    assert waves.get("shop@main 2013-07-01T14").id == new.id  # the newest of several
    assert waves.find(old.id, "main") == waves.find(old.id)
    assert waves.find(old.id, "fix/1") is None


@pytest.mark.parametrize(
    "name", ["", "w", "nothing", "shop@main", "shop@main 2013-07-02", "shop@x 2013-07-01T14", "a" * 500, "{", "*"]
)
def test_what_names_no_wave_is_not_found(redis: "Redis", name: str) -> None:
    make(redis)

    with pytest.raises(NotFound, match="no wave"):
        Waves(redis).get(name)


def test_a_beginning_of_several_ids_is_refused_with_all_of_them(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["wabc1", "wabc2"])
    monkeypatch.setattr("engine.store.wave.wave_id", lambda *_: next(ids))
    make(redis, trigger="1")
    make(redis, trigger="2")

    with pytest.raises(NotFound, match="begins several waves: wabc1, wabc2"):
        Waves(redis).get("wabc")


def test_the_newest_come_first_and_those_that_expired_drop_out(redis: "Redis") -> None:
    made = [make(redis, created=1000 + i, trigger=str(i), flow=("shop", "other")[i % 2]) for i in range(6)]
    redis.delete(made[5].key("wave"))
    waves = Waves(redis)

    assert [p.wave.id for p in waves.recent()] == [w.id for w in reversed(made[:5])]
    assert [p.wave.id for p in waves.recent(2)] == [made[4].id, made[3].id]
    assert [p.wave.id for p in waves.recent(2, flow="other")] == [made[3].id, made[1].id]
    assert waves.recent(version="fix") == []


def test_manual_waves_go_first_and_the_older_of_equals(redis: "Redis") -> None:
    order = [
        make(redis, created=created, trigger=trigger).id
        for created, trigger in ((3000, "manual:1"), (4000, "manual:2"), (1000, "schedule:1"), (2000, "schedule:2"))
    ]

    assert queued(redis) == order


def test_times_and_workers_are_kept_by_cell(redis: "Redis") -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 2, "worker-7")
    step(redis, wave, claimed, 1, P, R, F, entities=[1])
    waves = Waves(redis)

    assert span(waves.times(wave), 1 * wave.n + 1) == (1.5, 0.25)
    assert span(waves.times(wave), 0) == (0.0, 0.0)
    assert waves.cell(wave, 1, 1) == F
    assert waves.column(wave, 1) == b"PFPP"
    assert waves.workers_of(wave, 0, 4) == ["worker-7", "worker-7", "", ""]
    assert (waves.worker_of(wave, 1), waves.worker_of(wave, 3)) == ("worker-7", None)


def test_times_beyond_what_a_cell_holds_are_cut() -> None:
    assert pack_time(-5, -1) == bytes(8)
    assert span(pack_time(1e12, 1e12), 0) == ((2**32 - 1) / 1000, (2**32 - 1) / 100_000)


def test_notes_and_logs_are_read_by_cell(redis: "Redis") -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 4)
    notes = [(0, 1, b'{"x":1}'), (1, 3, b'{"x":2}')]
    send(redis, wave, Moves([(0, 4, b"".join(claimed.records))], [Move(0, P, R, 0, 4)], notes, [(0, 1, b"\xffone\n")]))
    waves = Waves(redis)

    assert waves.notes(wave) == {(0, 1): {"x": 1}, (1, 3): {"x": 2}}
    assert waves.notes(wave, [(0, 1), (0, 0)]) == {(0, 1): {"x": 1}}
    assert (waves.note(wave, 1, 3), waves.note(wave, 0, 0)) == ({"x": 2}, None)
    assert (waves.log(wave, 0, 1), waves.log(wave, 0, 0)) == ("\ufffdone\n", "")


def test_a_wave_that_expired_says_so(redis: "Redis") -> None:
    wave = make(redis)
    redis.delete(wave.key("wave"))

    with pytest.raises(NotFound, match="expired"):
        Waves(redis).progress(wave)


def test_every_key_of_a_wave_expires_with_it(redis: "Redis") -> None:
    wave = make(redis)
    complete(redis, wave, claim(redis, wave, 2))
    end(redis, wave, claim(redis, wave, 1))

    for key in redis.scan_iter():
        assert redis.ttl(key) > 0, key
        if key.startswith(wave.key("").encode()):
            assert redis.expiretime(key) == wave.expire, key


def test_a_short_lived_flow_does_not_take_the_others_off_the_lists(redis: "Redis") -> None:
    """Waves of a version share its list and its queue; one that expires soon must not end them for those that do not."""
    long = make(redis, trigger="long")
    make(redis, trigger="short", expire=long.expire - 29 * 86400)

    for what in ("waves", "queue"):
        assert redis.expiretime(version_key("main", what)) >= long.expire, what


def test_a_large_wave_is_small(redis: "Redis") -> None:
    # Given
    tasks = ("departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error")
    wave = make(redis, n=12_075, tasks=tasks)
    assert Waves(redis).memory(wave) / wave.cells <= 30

    # When all of it is claimed, and every cell has ended
    claimed = claim(redis, wave, wave.n)
    complete(redis, wave, claimed)

    # Then
    assert columns(redis, wave) == ["F" * wave.n] * 6
    assert Waves(redis).memory(wave) / wave.cells <= 30
    assert wave.date == DATE
