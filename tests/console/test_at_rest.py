"""What a console that nobody touches asks and draws: little, and no more because Redis was slow for a moment."""

from dataclasses import replace

import pytest
from redis import Redis
from servers import RedisServer
from stage import a_plan

from benchmarks.load import Mover, build
from console.sources.board import LONGEST, SHARE, BoardReader
from console.sources.rate import RATE_OVER, STEP
from console.sources.wave_more import waits_for
from console.sources.waves import WAVES_IDLE, WAVES_LIVE, WavesSource
from engine.status import Cell


def test_a_reading_that_waited_for_redis_is_not_taken_for_work() -> None:
    with RedisServer() as server, server.client() as redis:
        # Given a wave too large to be read each time, and a first read that Redis holds up
        wave = build(redis, 5000)
        reader = BoardReader()
        reader.window = range(30)
        redis.execute_command("CLIENT", "PAUSE", 700, "ALL")
        reader.read(redis, wave)
        assert reader.whole and reader.until_due() is None, "nothing has moved since"

        # When cells beyond the window move
        Mover(redis, wave).batch()
        reader.read(redis, wave)

        # Then they are read within seconds, not after as many as the pause was long
        due = reader.until_due()
        assert due is not None and due <= LONGEST * SHARE < 0.7 * SHARE / 5


def test_waves_that_stand_still_are_asked_about_less_and_told_by_the_step(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a wave that runs, and has not moved for longer than rates look back
    wave, clock = build(redis, 50), [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    source = WavesSource()
    while clock[0] < 1000 + 2 * RATE_OVER:
        _, pause = source.read(redis)
        clock[0] += pause

    # When nobody moves it
    told = []
    for _ in range(8):
        told.append(source.read(redis))
        clock[0] += told[-1][1]

    # Then it is read as seldom as can be, and told only when its clock goes on a step
    assert {pause for _, pause in told} == {WAVES_IDLE}
    steps = [news for news, _ in told if news is not None]
    assert 0 < len(steps) <= 8 * WAVES_IDLE / STEP

    # And what moves is told at once
    Mover(redis, wave).batch()
    news, pause = source.read(redis)
    assert news is not None and pause == WAVES_LIVE
    assert news.rows[0].counts != steps[-1].rows[0].counts


@pytest.mark.parametrize(("elapsed", "words"), [(1.0, "59 s left"), (59.0, "1 s left"), (61.0, "its patience has ended")])
def test_the_last_minute_of_a_patience_is_told_by_the_second(elapsed: float, words: str) -> None:
    assert words in said(60.0, elapsed)


def test_before_its_last_minute_a_patience_is_told_by_the_minute() -> None:
    assert {said(600.0, elapsed) for elapsed in range(1, 60)} == {"waits for weather …, 9 min left"}


def said(timeout: float, elapsed: float) -> str:
    """What is said of an entity whose `features` waits for `weather`, which runs, so long after it began."""
    plan = a_plan()
    plan = replace(plan, tasks=tuple(replace(task, timeout=timeout) for task in plan.tasks))
    cells = bytes([Cell.FINISHED, Cell.RUNNING, Cell.PENDING, Cell.PENDING])
    return waits_for(plan, cells, 0, next_=1, begun=0.0, elapsed=elapsed, workers=1, version="main")
