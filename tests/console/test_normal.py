"""«Is this normal?»: what is said of a wave beside the last ten of its flow, and when it fell behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import NOON, World, stop_clock
from redis import Redis

from console.reports import normals
from console.reports.normal import LAST, TINY, Drop, Normal, Run, brief, compare, find_drop, past
from console.reports.normals import SAMPLE, Normals, run_of
from engine.ledger import write_missing
from engine.store.wave import Wave
from engine.store.waves import Waves


def a_run(number: int = 0, **more: Any) -> Run:
    """A wave of 1000 entities × 10 tasks that took 100 s: 10 ms a cell; `number` hours ago."""
    whole = Run(
        id=f"w{number:012x}",
        flow="flights",
        version="main",
        phase="finished",
        created=NOON - 3600.0 * number,
        started=NOON - 3600.0 * number,
        seconds=100.0,
        entities=1000,
        cells=10_000,
        ran=10_000,
        failed=0,
    )
    return replace(whole, **more)


HISTORY = [a_run(n, seconds=100.0 + n % 3) for n in range(1, 15)]


# what is said


@pytest.mark.parametrize(
    ("more", "words", "loud"),
    [
        ({}, "as usual", False),
        ({"seconds": 130.0}, "as usual", False),
        ({"seconds": 240.0}, "2.4× slower", True),
        ({"seconds": 2400.0}, "24× slower", True),
        ({"seconds": 1e7}, ">99× slower", True),
        ({"seconds": 50.0, "cells": 5000, "ran": 5000, "entities": 500}, "as usual", False),
        ({"seconds": 40.0}, "2.5× faster", False),
        ({"failed": 510}, "5.1% fail, usually 0%", True),
        ({"failed": 510, "seconds": 240.0}, "2.4× slower · 5.1% fail", True),
        ({"failed": 2}, "as usual", False),
        ({"phase": "running", "ran": 5000, "seconds": 52.0}, "as usual", False),
        ({"phase": "running", "ran": 5000, "seconds": 120.0}, "2.4× slower", True),
        ({"phase": "running", "ran": 10, "seconds": 5.0}, "too early", False),
        ({"phase": "running", "ran": 0, "seconds": 60.0}, ">99× slower", True),
        ({"phase": "queued", "ran": 0, "seconds": 0.0}, "", False),
        ({"phase": "cancelled", "ran": 50, "seconds": 60.0}, "", False),
        ({"of": "w123456789abc", "ran": 300, "cells": 300, "seconds": 90.0}, "re-run of w123456789abc", False),
        ({"entities": 15, "cells": 150, "ran": 150, "seconds": 90.0}, "only 15 entities", False),
        ({"entities": 1, "cells": 10, "ran": 10, "failed": 10}, "only 1 entity", False),
        ({"entities": 100_000, "cells": 1_000_000, "ran": 1_000_000, "seconds": 1.0}, "first of its size", False),
        ({"flow": "campaigns"}, "first of its flow", False),
    ],
)
def test_a_wave_is_compared_with_those_before_it(more: dict[str, Any], words: str, loud: bool) -> None:
    found = compare(a_run(**more), HISTORY)

    assert (found.words, found.loud) == (words, loud)


def test_numbers_go_with_the_words() -> None:
    found = compare(a_run(seconds=242.4, failed=510), [replace(run, failed=20) for run in HISTORY])

    assert found == Normal("2.4× slower · 5.1% fail", 2.4, None, 0.051, 0.002, loud=True)


def test_when_it_fell_behind_is_said_and_the_ratio_is_that_since(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    found = compare(a_run(seconds=240.0), HISTORY, Drop(NOON + 60, 4.0))

    assert (found.words, found.ratio, found.since) == ("4.0× slower since 14:07", 4.0, "2013-07-01T14:07:31+00:00")
    assert compare(a_run(), HISTORY, Drop(NOON + 60, 4.0)).since is None, "not of one that is as usual"


def test_fewer_than_three_are_no_custom() -> None:
    slow = a_run(seconds=900.0, failed=5000)

    assert compare(slow, HISTORY[:1]).words == "only 1 to compare"
    assert compare(slow, HISTORY[:2]) == Normal("only 2 to compare", failure_rate=0.5)
    assert compare(slow, HISTORY[:3]).loud


def test_waves_that_differ_much_make_a_difference_less_of_an_alarm() -> None:
    wild = [a_run(n, seconds=seconds) for n, seconds in enumerate([30, 60, 100, 170, 300, 50, 200, 90, 120, 100], 1)]
    often_fails = [a_run(n, failed=failed) for n, failed in enumerate([100, 900, 300, 600, 50, 800, 400], 1)]

    assert compare(a_run(seconds=240.0), wild).words == "as usual"
    assert compare(a_run(failed=510), often_fails).words == "as usual"


def test_one_bad_wave_of_the_past_hides_nothing() -> None:
    spoiled = [*HISTORY[:9], a_run(10, seconds=9000.0, failed=9000)]

    assert compare(a_run(seconds=240.0, failed=510), spoiled).words == "2.4× slower · 5.1% fail"


# with what


def test_the_last_ten_of_its_version_count() -> None:
    others = [a_run(n, id=f"x{n}", version="fix-123") for n in range(1, 9)]
    unfit = [
        a_run(1, id="later", created=NOON + 1),
        a_run(1, id="part", of="w1"),
        a_run(1, id="cancelled", phase="cancelled"),
        a_run(1, id="runs", phase="running"),
        a_run(1, id="nothing ran", ran=0),
        a_run(1, id="tiny", cells=100),
        a_run(1, id="other flow", flow="campaigns"),
    ]

    found = past(a_run(), [*reversed(HISTORY), *others, *unfit])

    assert [run.id for run in found] == [run.id for run in HISTORY[:LAST]]


def test_other_versions_count_only_when_there_are_fewer_than_three() -> None:
    others = [a_run(n, id=f"x{n}", version="fix-123") for n in range(1, 4)]

    assert [r.version for r in past(a_run(), [*HISTORY[:2], *others])] == ["main", "main", "fix-123", "fix-123", "fix-123"]
    assert {r.version for r in past(a_run(), [*HISTORY[:3], *others])} == {"main"}


@given(
    seconds=st.floats(0, 1e9),
    cells=st.integers(1, 10**7),
    share=st.floats(0, 1),
    bad=st.floats(0, 1),
    phase=st.sampled_from(["running", "finished", "queued", "cancelled"]),
    history=st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**7), st.floats(0, 1)), max_size=15),
)
def test_it_always_has_something_short_to_say(
    seconds: float, cells: int, share: float, bad: float, phase: str, history: list[tuple[float, int, float]]
) -> None:
    ran = int(cells * share)
    wave = a_run(seconds=seconds, entities=cells, cells=cells, ran=ran, failed=int(ran * bad), phase=phase)
    before = [
        a_run(n, seconds=took, cells=max(many, 1), ran=many, failed=int(many * f))
        for n, (took, many, f) in enumerate(history, 1)
    ]

    found = compare(wave, before)

    assert len(found.words) <= 24 and len(brief(found.words)) <= 9
    assert bool(found.words) is (phase in ("running", "finished"))
    assert not (found.loud and (cells < TINY or len(past(wave, before)) < 3)), "no alarm on little"
    assert found.ratio is None or 0 <= found.ratio <= 99
    assert found.loud is any(word in found.words for word in ("slower", "fail"))


# since when


def test_a_wave_falls_behind_at_one_moment() -> None:
    ends = [i * 0.1 for i in range(500)] + [50 + i * 0.4 for i in range(100)]

    at, ratio = find_drop(ends, 90.0, 0.1) or (0, 0)

    assert at == pytest.approx(50, abs=0.5)
    assert ratio == pytest.approx(4, rel=0.1)


def test_a_pause_that_was_made_good_is_none() -> None:
    pause = [i * 0.1 for i in range(200)] + [40 + i * 0.02 for i in range(500)] + [50 + i * 0.4 for i in range(100)]

    at, _ = find_drop(pause, 90.0, 0.1) or (0, 0)

    assert at == pytest.approx(50, abs=0.5), "not at 20, where it paused"


def test_slow_from_the_start_fell_behind_never() -> None:
    assert find_drop([i * 0.3 for i in range(1, 300)], 90.0, 0.1) is None
    assert find_drop([], 90.0, 0.1) is None


def test_a_wave_that_stands_still_fell_behind_at_its_last_cell() -> None:
    at, ratio = find_drop([i * 0.1 for i in range(1, 301)], 600.0, 0.1) or (0, 0)

    assert (at, ratio) == (pytest.approx(30), 99.0)


@given(st.integers(40, 400), st.integers(20, 80), st.floats(2.5, 8))
def test_the_moment_is_found_wherever_it_is(before: int, after: int, slower: float) -> None:
    ends = [i * 1.0 for i in range(1, before + 1)] + [before + i * slower for i in range(1, after + 1)]

    at, ratio = find_drop(ends, ends[-1], 1.0) or (0, 0)

    assert at == pytest.approx(before, abs=1)
    assert ratio == pytest.approx(slower, rel=0.15)


# from Redis


class Counted:
    """A client that counts what comes of `getrange` in its pipelines."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self.sizes = redis, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    def pipeline(self, **more: Any) -> Any:
        trip = self._redis.pipeline(**more)
        execute = trip.execute

        def counted(*args: Any, **kwargs: Any) -> Any:
            answers = execute(*args, **kwargs)
            self.sizes += [len(answer) for answer in answers if isinstance(answer, bytes)]
            return answers

        trip.execute = counted
        return trip


def fell_behind(world: World, wave: Wave, *, until: float, slower: float) -> None:
    """Writes times into an ended wave: 30 s in all at first, `slower` times as long after `until`."""
    pace = 30 / wave.cells
    many = int(until / pace)
    ends = [pace * i if i < many else until + (i - many) * pace * slower for i in range(wave.cells)]
    packed = b"".join(max(int(end * 1000) - 50, 0).to_bytes(4, "little") + (5000).to_bytes(4, "little") for end in ends)
    world.redis.set(wave.key("times"), packed)


def test_from_redis_with_its_history(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    world = World(redis, 60)
    old = [world.wave(24 - ago, began=3600.0 * ago, took=30.0) for ago in range(6, 1, -1)]
    slow = world.wave(23, began=3600.0, took=80.0)
    last = world.wave(13, began=60.0, share=0.5)
    fell_behind(world, slow, until=20.0, slower=6.0)
    world.settle()
    normals = Normals()

    told = normals.of(redis, Waves(redis).recent(50), NOON)

    assert told[old[0].id].words == "first of its flow"
    assert told[old[1].id].words == "only 1 to compare"
    assert told[old[4].id].words == "as usual"
    assert told[last.id].words.startswith("4.0× slower"), "60 s for half of what takes 30 s in all"
    assert told[slow.id].words == "2.7× slower", "it is neither the newest nor does it run"
    ended = [p for p in Waves(redis).recent(50) if p.wave.id != last.id]
    told = normals.of(redis, ended, NOON)
    assert told[slow.id].words == "6.1× slower since 13:06", "now it is"
    assert told[slow.id].since == "2013-07-01T13:06:51+00:00"


def test_old_waves_are_looked_up_once_even_if_the_list_is_short(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    world = World(redis, 20)
    for ago in range(4, 0, -1):
        world.wave(24 - ago, began=3600.0 * ago, took=30.0)
    world.settle()
    short = Waves(redis).recent(1)

    assert Normals().of(redis, short, NOON, deep=False)[short[0].wave.id].words == "first of its flow"
    normals = Normals()
    assert normals.of(redis, short, NOON)[short[0].wave.id].words == "as usual"
    monkeypatch.setattr(Waves, "recent", None)
    assert normals.of(redis, short, NOON)[short[0].wave.id].words == "as usual"


def test_times_are_read_seldom_of_a_running_wave_and_once_of_an_ended_one(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_clock(monkeypatch)
    world = World(redis, 60)
    for ago in range(5, 1, -1):
        world.wave(24 - ago, began=3600.0 * ago, took=30.0)
    last = world.wave(13, began=60.0, share=0.5)
    world.settle()
    reads: list[str] = []
    monkeypatch.setattr("console.reports.normals.read_drop", lambda _redis, progress, *_: reads.append(progress.wave.id))
    passed = [0.0]
    monkeypatch.setattr("console.reports.normals.time.monotonic", lambda: passed[0])
    normals = Normals()
    for second in range(21):
        passed[0] = float(second)
        normals.of(redis, Waves(redis).recent(50), NOON + second)
    assert reads == [last.id] * 3, "every ten seconds"

    redis.hset(last.key("wave"), "ended", int((NOON + 21) * 1000))
    for second in range(21, 90):
        passed[0] = float(second)
        normals.of(redis, Waves(redis).recent(50), NOON + second)
    assert reads == [last.id] * 4


def test_a_huge_wave_costs_no_more_than_a_sample(redis: Redis) -> None:
    cells = 300_000
    ends = [int(min(i, 200_000) + max(i - 200_000, 0) * 5) for i in range(cells)]
    redis.set("times", b"".join((end // 10).to_bytes(4, "little") + (1).to_bytes(4, "little") for end in ends))
    counted = Counted(redis)

    found = normals._sample(counted, "times", cells, 0.0)

    assert len(found) == SAMPLE and sum(counted.sizes) == SAMPLE * 8 and len(counted.sizes) <= 128
    at, ratio = find_drop(found, ends[-1] / 10_000, 0.0001 * cells / SAMPLE) or (0, 0)
    assert at == pytest.approx(20, abs=0.5) and ratio == pytest.approx(5, rel=0.1)


def test_what_was_there_already_took_no_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    world = World(redis, 20)
    wave = world.wave(13, began=60.0, took=1.0)
    world.settle()
    for task in range(4):
        redis.hset(wave.key("counts"), mapping={f"{task}F": 0, f"{task}O": 0, f"{task}U": 20})

    [progress] = Waves(redis).recent(1)

    assert run_of(progress, NOON).ran == 0
    history = [a_run(n, flow="shops", cells=80, ran=80) for n in range(1, 6)]
    assert compare(run_of(progress, NOON), history) == Normal("as usual", None, None, 0.0, 0.0)


def test_waves_that_have_expired_still_say_what_is_usual(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given four waves that the ledger knows, which have expired, and a slow one now
    stop_clock(monkeypatch)
    world = World(redis, 40)
    old = [world.wave(hour, began=3600.0 * (14 - hour), took=10.0) for hour in (9, 10, 11, 12)]
    world.settle()
    assert write_missing(redis, "main", "tests") == 4
    last = world.wave(14, began=100.0, took=60.0)
    world.settle()
    for wave in old:
        redis.delete(*[wave.key(what) for what in ("wave", "board", "times", "members", "counts")])

    found = Normals().of(redis, Waves(redis).recent(50), NOON)

    assert set(found) == {last.id}
    assert found[last.id].ratio == pytest.approx(6.0, rel=0.1)
    assert found[last.id].loud
