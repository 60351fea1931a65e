"""The screen of where a wave's time went, and that of a flow's history."""

import asyncio
import time
from collections.abc import Callable

import pytest
from redis import Redis
from stage import HOSTILE, Stage, error, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.screens.base import DeckScreen
from console.screens.history import PastList
from console.screens.profile import Lanes
from console.sources import profile as source
from engine.errors import WavedeckError
from engine.ledger import write_missing
from engine.status import Cell

SMALL, BIG = (80, 24), (160, 45)


def worked(redis: Redis, entities: list[str], hour: int = 14, failing: int = 0) -> Stage:
    """A wave in which each entity began 50 ms after the one before, in the order given."""
    stage = Stage(redis, entities, date=f"2013-07-01T{hour:02}", trigger=f"schedule:{hour}").claim()
    for number in range(len(entities)):
        at = 0.05 * number
        stage.run("sales", entities=[number], at=at, took=0.01)
        stage.run("weather", entities=[number], at=at + 0.01, took=0.02)
        stage.run("features", entities=[number], at=at + 0.03, took=0.01)
        bad = number < failing
        stage.run(
            "score", Cell.FAILED if bad else Cell.FINISHED, [number], at=at + 0.04, took=0.01, note=error() if bad else None
        )
    stage.end()
    return stage


def place(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    assert isinstance(screen, DeckScreen)
    return str(screen.place)


async def until_true(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def told(pilot: Pilot[None], text: str) -> bool:
    return any(text in note.message for note in pilot.app._notifications)


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_numbers_then_slots_then_entities_and_in_to_one(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = worked(redis, [f"shop-{n}" for n in range(8)])
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=size) as pilot:
        await shows(pilot, "shop-7")
        await pilot.press("t")
        shown = await shows(pilot, "8 entities, 32 cells ran in 0.4 s", "with 2 times the workers", "weather", "SLOTS")
        assert "50%" in shown or "40%" in shown  # weather's share of the run times
        await pilot.press("m")
        shown = await shows(pilot, "w-07/1", "S sales", "W weather", "F features")
        lane = next(row for row in shown.splitlines() if "▸ w-07/1" in row)
        assert lane.count("W") + lane.count("w") > lane.count("S") + lane.count("s")
        await pilot.press("m")
        await shows(pilot, "shop-0", "shop-7")
        # The order of the queue is a diagonal: nothing of the last one at the left
        rows = picture(pilot.app).splitlines()
        first, last = (next(row for row in rows if name in row and "·" in row) for name in ("shop-0", "shop-7"))
        assert first.index("·") > first.index("0") + 2
        assert last.rstrip().rstrip("▁▂▃▄▅▆▇█ ")[-1] not in "·"
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: place(pilot).startswith(f"entity shops@main 2013-07-01T14 {stage.wave.id} shop-2"))
        await pilot.press("escape", "t")
        await shows(pilot, "8 entities, 32 cells ran")
        assert place(pilot) == f"profile shops@main 2013-07-01T14 {stage.wave.id}"


async def test_many_entities_share_rows(redis: Redis, redis_url: str) -> None:
    # Given more entities than any screen has rows
    stage = Stage(redis, [f"shop-{n:04}" for n in range(3000)]).claim()
    for task in ("sales", "weather", "features", "score"):
        stage.run(task, at=1.0, took=0.5)
    stage.end()
    async with WavedeckApp(redis_url, locator="profile last").run_test(size=SMALL) as pilot:
        await shows(pilot, "3,000 entities")
        await pilot.press("m", "m")
        await shows(pilot, "shop-0000 … shop-0024", "25 entities")
        rows = pilot.app.screen.query_one(Lanes)
        assert rows.count == 120
        await pilot.press("enter")
        await until(pilot, lambda: told(pilot, "this row is 25 of them"))


async def test_a_large_wave_is_summed_up_by_another_process(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that every wave is a large one
    stage = worked(redis, ["a", "\x1b[31mb"])
    monkeypatch.setattr(source, "LARGE", 1)
    here: list[str] = []
    monkeypatch.setattr(source, "sum_up", lambda _redis, wave: here.append(wave))
    # Then the same is told, and not by this process
    async with WavedeckApp(redis_url, locator="profile last").run_test(size=BIG) as pilot:
        await shows(pilot, "2 entities, 8 cells ran", "shops@main 2013-07-01T14", timeout=30)
    assert here == []
    # And what it cannot do it says
    redis.delete(stage.wave.key("plan"))
    with pytest.raises(WavedeckError, match=r"could not be summed up: .*the published flow cannot be read"):
        apart = source.Apart(redis_url, stage.wave.id)
        await until_true(lambda: apart.done)
        apart.news()


async def test_a_wave_that_has_not_begun_and_names_from_outside(redis: Redis, redis_url: str) -> None:
    Stage(redis, HOSTILE)
    async with WavedeckApp(redis_url, locator="profile last").run_test(size=SMALL) as pilot:
        await shows(pilot, "nothing has run yet")
        await pilot.press("m")
        await shows(pilot, "nothing has run yet")
    worked(redis, HOSTILE, hour=15)
    async with WavedeckApp(redis_url, locator="profile last").run_test(size=BIG) as pilot:
        await shows(pilot, "9 entities, 36 cells")
        await pilot.press("m", "m")
        shown = await shows(pilot, "\\x1b[31mred", "[red]z", "a\\nb")
        assert "\x1b" not in shown


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_history_goes_beyond_the_waves(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    # Given five waves, the newest slower and with failures, of which the oldest is gone
    stages = [worked(redis, [f"shop-{n}" for n in range(60)], hour, failing=4 if hour == 14 else 0) for hour in range(10, 15)]
    assert write_missing(redis, "main", "tests") == 5
    gone = stages[0].wave
    redis.delete(*[gone.key(what) for what in ("wave", "board", "times", "members", "counts")])
    async with WavedeckApp(redis_url, locator="waves").run_test(size=size) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("H")
        shown = await shows(pilot, "shops@main › history", "5 waves", "took", "failed", "covered", "2013-07-01T10")
        assert place(pilot) == "history shops@main"
        assert "▁▁▁▁█" in shown  # failures
        await shows(pilot, "expired")
        # Only what is there can be opened
        await pilot.press("G", "enter")
        await until(pilot, lambda: told(pilot, "has expired; what is left of it"))
        await pilot.press("home", "enter")
        await until(pilot, lambda: place(pilot).startswith("wave shops@main 2013-07-01T14"))
        await pilot.press("H")
        await shows(pilot, "shops@main › history", "2013-07-01T10")
        rows = pilot.app.screen.query_one(PastList)
        await pilot.press("slash", *"score", "enter")
        await until(pilot, lambda: rows.count == 1, "the filter leaves the wave that failed")


async def test_a_wave_that_ends_comes_on_top_of_its_history(redis: Redis, redis_url: str) -> None:
    worked(redis, ["a", "b"], 13)
    async with WavedeckApp(redis_url, locator="history shops@main").run_test(size=SMALL) as pilot:
        await shows(pilot, "2013-07-01T13")
        worked(redis, ["a", "b"], 14)
        await pilot.press("ctrl+r")
        await shows(pilot, "2013-07-01T14", "2 waves")


async def test_no_flow_no_history(redis: Redis, redis_url: str) -> None:
    async with WavedeckApp(redis_url, locator="history").run_test(size=SMALL) as pilot:
        await shows(pilot, "there is no wave yet")
