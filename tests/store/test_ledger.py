"""The ledger: what a record says, that it is written once, how long it is kept, and who may write it."""

import time
from dataclasses import replace

import msgspec
import pytest
from boards import DATE, F, O, P, R, X, claim, end, holds, make, send, step
from redis import Redis

from engine.cancel import cancel
from engine.errors import Refused
from engine.ledger import entries, record, sum_up, unwritten, write_missing
from engine.payload import encode_json
from engine.store.claims import Moves
from engine.store.connect import connect
from engine.store.ledger import Cost, Entry, Ledger, name_of
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Worker, Workers

pytestmark = pytest.mark.every_house


def ended(redis: "Redis", n: int = 4, *, trigger: str = "manual:1", failed: int = 0, **more: object) -> Wave:
    """A wave of two tasks whose cells took 0.25 s each, the second of `failed` entities failed."""
    wave = make(redis, n, trigger=trigger, **more)
    claimed = claim(redis, wave, n)
    step(redis, wave, claimed, 0, P, R, F)
    bad = list(range(failed))
    if bad:
        step(redis, wave, claimed, 1, P, R, X, entities=bad)
        notes = [
            (1, e, encode_json({"error": {"type": "ValueError", "message": f"no price for e{e} of {e * 7}"}})) for e in bad
        ]
        send(redis, wave, Moves(holds(claimed), notes=notes))
    step(redis, wave, claimed, 1, P, R, O, entities=[failed])
    step(redis, wave, claimed, 1, P, R, F, entities=range(failed + 1, n))
    end(redis, wave, claimed)
    return Waves(redis).progress(wave).wave


def test_a_record_says_what_ran(redis: "Redis") -> None:
    # Given a wave with failures, served by a worker that is known
    Workers(redis).beat(
        Worker("w1", "main", "host", 1, 0, time.time(), memory=2_000_000_000, size=3, image="img@sha", code="abc")
    )
    wave = ended(redis, 6, failed=2, config={"a": {"x": 1}})
    # When it is recorded
    entry = record(redis, Waves(redis).progress(wave))
    # Then
    assert (entry.wave, entry.flow, entry.date, entry.entities) == (wave.id, "shop", str(DATE), 6)
    assert entry.counts == {"a": {"F": 6}, "b": {"F": 3, "O": 1, "X": 2}}
    assert entry.cells("O") == 1
    assert list(entry.durations) == ["a", "b"]
    assert entry.durations["a"] == pytest.approx((0.25, 0.25, 0.25))
    assert entry.failures == [("b", "ValueError", "no price for <key> of <n>", 2)]
    assert (entry.workers, entry.slots, entry.images, entry.code) == (1, 3, ["img@sha"], ["abc"])
    # Twelve cells of a quarter of a second, all in the same quarter, on three slots with 2 GB
    assert entry.cost.busy == pytest.approx(3.0)
    assert entry.cost.vcpu == pytest.approx(0.75)
    assert entry.cost.gb == pytest.approx(0.5)
    assert entry.cost.price is None
    assert entry.coverage is None
    # And it is read back as it was, in the order of the waves
    [read] = Ledger(redis, "main").recent("shop", 5)
    assert msgspec.to_builtins(read) == msgspec.to_builtins(entry)


def test_prices_and_coverage_are_told_where_they_are_known(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    Workers(redis).beat(Worker("w1", "main", "host", 1, 0, time.time(), memory=1_000_000_000, size=1))
    wave = ended(redis)
    monkeypatch.setenv("WAVEDECK_PRICE_VCPU_HOUR", "3600")
    monkeypatch.setenv("WAVEDECK_PRICE_GB_HOUR", "nonsense")
    entry, _, _ = sum_up(redis, Waves(redis).progress(wave), lambda _redis, of: {"fresh": of.n})
    assert entry.cost.price == pytest.approx(0.25)
    assert entry.coverage == {"fresh": 4}


def test_the_hashes_tell_members_and_config_apart_and_not_their_order(redis: "Redis") -> None:
    one = record(redis, Waves(redis).progress(ended(redis, 4, trigger="manual:1")))
    same = record(redis, Waves(redis).progress(ended(redis, 4, trigger="manual:2")))
    other = record(redis, Waves(redis).progress(ended(redis, 5, trigger="manual:3", config={"a": {"x": 2}})))
    assert (one.members, one.config) == (same.members, same.config)
    assert one.members != other.members
    assert one.config != other.config


def test_a_record_is_written_once_and_kept_for_as_long_as_is_wanted(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEDECK_LEDGER_KEEP", "2d")
    wave = ended(redis)
    first = record(redis, Waves(redis).progress(wave))
    # When somebody writes another one
    assert not Ledger(redis, "main").write(replace(first, by="somebody else"))
    # Then the first stays
    assert [entry.by for entry in Ledger(redis, "main").recent("shop", 5)] == ["tests"]
    assert 0 < redis.ttl(f"wd:{{main}}:ledger:{name_of(wave)}") <= 2 * 86400
    assert redis.ttl("wd:{main}:ledgers:shop") > 86400
    # And what is older than the ledger goes from its index
    old = replace(first, wave="w000000000000", created=first.created - 3 * 86400_000)
    Ledger(redis, "main").write(old)
    Ledger(redis, "main").write(replace(first, wave="w000000000001", created=first.created + 1))
    assert [entry.wave for entry in Ledger(redis, "main").recent("shop", 5)] == ["w000000000001", wave.id]
    monkeypatch.setenv("WAVEDECK_LEDGER_KEEP", "soon")
    with pytest.raises(Refused, match="WAVEDECK_LEDGER_KEEP"):
        Ledger(redis, "main").write(old)


def test_one_writes_at_a_time_and_nothing_twice(redis: "Redis") -> None:
    waves = [ended(redis, trigger=f"manual:{n}") for n in range(3)]
    make(redis, trigger="manual:still-runs")
    assert {p.wave.id for p in unwritten(redis, "main")} == {wave.id for wave in waves}
    # While another writes, nobody else does
    assert Ledger(redis, "main").begin("another")
    assert write_missing(redis, "main", "me") == 0
    Ledger(redis, "main").end()
    # Then all that is missing is written, and then nothing is
    assert write_missing(redis, "main", "me") == 3
    assert write_missing(redis, "main", "me") == 0
    assert unwritten(redis, "main") == []


def test_a_cancelled_wave_has_a_record_too(redis: "Redis") -> None:
    wave = make(redis)
    cancel(redis, wave, reason="wrong data", by="bob@laptop")
    [entry] = entries(redis, "main", "shop", 5)
    assert (entry.cancelled, entry.cancelled_by) == ("wrong data", "bob@laptop")
    assert entry.counts == {"a": {"C": 4}, "b": {"C": 4}}
    assert entry.durations == {}


def test_who_may_only_read_is_told_all_the_same(redis: "Redis", redis_url: str) -> None:
    waves = [ended(redis, trigger=f"manual:{n}") for n in range(2)]
    reader = connect(redis_url, read_only=True)
    assert {entry.wave for entry in entries(reader, "main", "shop", 5)} == {wave.id for wave in waves}
    assert Ledger(redis, "main").recent("shop", 5) == []
    record(redis, Waves(redis).progress(waves[0]))
    assert {entry.wave for entry in entries(reader, "main", "shop", 5)} == {wave.id for wave in waves}


def test_a_wave_that_comes_again_under_its_id_has_a_record_of_its_own(redis: "Redis") -> None:
    first = ended(redis)
    record(redis, Waves(redis).progress(first))
    redis.delete(*[first.key(what) for what in ("wave", "board", "times", "members", "counts", "claims", "leases", "notes")])
    again = ended(redis, 2, created=first.created + 5000)
    record(redis, Waves(redis).progress(again))
    assert [entry.entities for entry in Ledger(redis, "main").recent("shop", 5)] == [2, 4]


def test_what_cannot_be_read_is_left_out(redis: "Redis") -> None:
    wave = ended(redis)
    record(redis, Waves(redis).progress(wave))
    redis.set(f"wd:{{main}}:ledger:{name_of(wave)}", b'{"wave": 1}')
    assert Ledger(redis, "main").recent("shop", 5) == []


def test_a_record_of_a_large_flow_is_some_two_kilobytes() -> None:
    quantiles = (0.123, 1.234, 12.345)
    counts = {"F": 49_000, "O": 500, "X": 400, "B": 100}
    tasks = [f"a_task_with_a_name_{n}" for n in range(10)]
    entry = Entry(
        "w0123456789ab", "flights", "feature/some-branch", "2013-07-01T14", "schedule:2013-07-01T14", "schedule", 1, 1, 1, 50_000,
        "0" * 12, "1" * 12, "2" * 12, dict.fromkeys(tasks, counts), dict.fromkeys(tasks, quantiles), Cost(1e6, 2e6, 3e6, 12.3456),
        failures=[(tasks[0], "NoObservation", "no weather for <key> at <date> in a message of some length", 400)] * 5,
        images=["registry/repository@sha256:" + "a" * 64], code=["0123456789ab-dirty"],
    )  # fmt: skip
    assert len(msgspec.json.encode(entry)) < 2800
