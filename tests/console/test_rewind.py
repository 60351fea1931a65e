"""A wave as it was: pure rules against the plain definition, and what is monotone in time."""

import itertools
import time
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from stage import Stage, a_bad_wave

from console.reports.rewind import board_at, counts_of, far_of, film, moment, step_of
from console.screens.wave_rewind import Then, spoken
from console.sources.wave_more import Reel, reel
from engine.status import ENDED, Cell

NEEDS = ((), (), (0, 1), (2,))
LAST = 100.0

RAN = st.sampled_from([Cell.FINISHED, Cell.FALLBACK, Cell.FAILED, Cell.RUNNING])
NEVER_RAN = st.sampled_from([Cell.PENDING, Cell.REUSED, Cell.BLOCKED, Cell.CANCELLED])


@st.composite
def waves(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """A board of four tasks, its times, and the number of entities."""
    n = draw(st.integers(0, 6))
    board, times = bytearray(), array("I")
    for _ in range(n * len(NEEDS)):
        if draw(st.booleans()):
            board.append(draw(RAN))
            start = draw(st.integers(1, 99_000))
            took = 0 if board[-1] == Cell.RUNNING else draw(st.integers(0, 99_900 - start))
            times.extend((start, took * 100))
        else:
            board.append(draw(NEVER_RAN))
            times.extend((0, 0))
    return bytes(board), times.tobytes(), n


@settings(max_examples=300, deadline=None)
@given(waves(), st.lists(st.floats(-5, 105), min_size=2, max_size=6))
def test_time_goes_one_way(wave: tuple[bytes, bytes, int], moments: list[float]) -> None:
    board, times, n = wave
    cells = [board_at(board, times, n, NEEDS, at, LAST) for at in sorted(moments)]
    for before, after in itertools.pairwise(cells):
        assert sum(c in ENDED for c in before) <= sum(c in ENDED for c in after)
        assert before.count(b"P") >= after.count(b"P")
        for old, new, final in zip(before, after, board, strict=True):
            assert old in (Cell.PENDING, Cell.RUNNING, final)
            assert old in (Cell.PENDING, new) or (old == Cell.RUNNING and new == final)


@settings(max_examples=200, deadline=None)
@given(waves())
def test_the_end_is_what_is_and_the_beginning_has_not_begun(wave: tuple[bytes, bytes, int]) -> None:
    board, times, n = wave
    assert board_at(board, times, n, NEEDS, LAST, LAST) == board
    assert set(board_at(board, times, n, NEEDS, 0.0, LAST)) <= {Cell.PENDING, Cell.REUSED, Cell.BLOCKED}


@settings(max_examples=200, deadline=None)
@given(waves(), st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_a_step_gives_what_looking_at_every_cell_gives(wave: tuple[bytes, bytes, int], moments: list[float]) -> None:
    board, times, n = wave
    roll = film(board, times, n, NEEDS, LAST)
    shown, at = board, LAST
    for to in moments:
        shown, at = roll.moved(shown, at, to), to
        assert shown == roll.at(to)


def test_the_rules_for_each_cell() -> None:
    def times(*spans: tuple[float, float]) -> bytes:
        return array("I", [x for start, took in spans for x in (int(start * 1000), int(took * 100_000))]).tobytes()

    row = bytes([Cell.FINISHED, Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED])
    then = [(10, 5), (20, 2), (0, 0), (0, 0)]
    seen = {at: board_at(row, times(*then), 1, NEEDS, at, LAST).decode() for at in (9, 12, 15, 21, 22, 99.9, 100)}
    assert seen == {9: "PPPP", 12: "RPPP", 15: "FPPP", 21: "FRPP", 22: "FXBP", 99.9: "FXBP", 100: "FXBC"}


def test_steps_are_about_a_thirtieth_and_a_far_one_is_ten_minutes() -> None:
    assert [step_of(s) for s in (3, 30, 45, 299, 1000, 1799, 1800, 3600, 7200, 10**6)] == [
        1,
        1,
        2,
        10,
        60,
        60,
        60,
        60,
        300,
        600,
    ]
    assert (far_of(3600), far_of(1200), far_of(300)) == (600, 600, 100)
    assert [spoken(s) for s in (9, 60, 75, 600, 3900)] == ["9 s", "1 min", "1 min 15 s", "10 min", "1 h 05 min"]


def a_reel(last: float, *, ended: bool = False, started: float = 0.0) -> Reel:
    return Reel(film(b"", b"", 0, NEEDS, last), 1_372_687_200.0, started, last, ended)


def test_stepping_stops_at_the_beginning_and_comes_out_now() -> None:
    then = Then.last(a_reel(1800.0, started=5.0)).stepped(-10)
    assert then is not None and then.at == 1200.0 and "10 min ago" in then.words
    back = then.stepped(1)
    assert back is not None and back.at == 1260.0
    first = then.stepped(-10)
    assert first is not None
    first = first.stepped(-10)
    assert first is not None and first.at == 5.0 and "its beginning" in first.words
    assert then.stepped(10) is None
    ended = Then.last(a_reel(60.0, ended=True)).stepped(-1)
    assert ended is not None and ended.words.endswith("2 s before its end")


def test_a_moment_as_people_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    created = 1_372_687_200.0  # 2013-07-01T14:00:00Z
    assert moment("-10m", created, 1800.0) == 1200.0
    assert moment("14:10", created, 1800.0) == 600.0
    assert moment("14:10:30", created, 1800.0) == 630.0
    assert moment("2013-07-01T14:10:00+00:00", created, 1800.0) == 600.0
    assert moment("23:50", created + 10 * 3600 - 1200, 3600.0) == 600.0
    for text in ("13:00", "-2h", "15", "soon", "25:00", "-"):
        with pytest.raises(ValueError, match=r"."):
            moment(text, created, 1800.0)


def test_a_reel_of_a_real_wave_ends_as_the_wave_is(redis: Redis) -> None:
    stage: Stage = a_bad_wave(redis)
    redis.hset(stage.wave.key("wave"), mapping={"created": stage.wave.created - 10_000, "started": stage.wave.created - 10_000})
    board = redis.get(stage.wave.key("board"))
    roll = reel(redis, stage.wave.id)
    assert roll.film.at(roll.last) == board
    assert roll.film.at(0.6).decode()[:3] == "RRR", "sales began at 0.5 and took 0.25"
    counts = counts_of(roll.film.at(0.8), 3, 4)
    assert counts[0] == {Cell.FINISHED: 3} and counts[3] == {Cell.PENDING: 3}
