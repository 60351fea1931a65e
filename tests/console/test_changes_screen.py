"""The screen of changes."""

from redis import Redis
from stage import HOSTILE, Stage, error, picture, shows, until
from test_failures_report import a_wave

from console.app import WavedeckApp
from console.screens.base import DeckScreen
from engine.status import Cell

BIG = (160, 45)


async def test_differences_and_a_faint_line_for_what_is_as_before(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "A"})
    a_wave(redis, 14, {2: "A", 3: "B"})
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "against shops@main 2013-07-01T13", "! 2 newly failed", "1 failed → ", "2 failed")
        assert "shop-2, shop-3" in shown and "new family" in shown and "1 recovered" in shown
        assert "= config: as before" in shown and "= who takes part: as before" in shown
        assert "= entities" not in shown


async def test_nothing_is_different(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {})
    a_wave(redis, 14, {})
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "nothing is different from shops@main 2013-07-01T13", "no differences")
        assert shown.count("as before") == 8
        await pilot.press("enter", "c")  # there is nothing to open or copy
        assert isinstance(pilot.app.screen, DeckScreen)
        assert pilot.app.screen.place.view == "changes"


async def test_there_is_no_wave_before(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 14, {1: "A"})
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=BIG) as pilot:
        await shows(pilot, "there is no earlier wave of this flow and version to compare with")


async def test_enter_opens_what_the_line_is_about(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "A"})
    a_wave(redis, 14, {2: "A", 3: "B"})
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=BIG) as pilot:
        await shows(pilot, "▸ ! 2 newly failed")
        await pilot.press("enter")
        shown = await shows(pilot, "family:newly-failed", "2 of 6 entities")
        assert "shop-2" in shown and "shop-3" in shown and "shop-1" not in shown
        await pilot.press("escape", "d")
        await shows(pilot, "1 recovered")
        await pilot.press("j", "enter")
        await shows(pilot, "› shop-1")


async def test_filter_and_copy(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "A"})
    a_wave(redis, 14, {2: "A", 3: "B"})
    async with WavedeckApp(redis_url, locator="changes last /entities !recovered").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "▸ ! 2 newly failed", "1 difference")
        assert "as before" not in shown and "new family" not in shown
        await pilot.press("c")
        assert pilot.app.clipboard == "2 newly failed: 1 failed → 2 failed shop-2, shop-3"
        await pilot.press("escape")
        await shows(pilot, "as before")


async def test_it_follows_a_wave_that_runs(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {})
    stage = Stage(redis, [f"shop-{n}" for n in range(6)]).claim()
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=BIG) as pilot:
        await shows(pilot, "nothing is different", "the wave still runs")
        stage.run("sales", Cell.FAILED, [5], at=0.1, took=0.1, note=error())
        await pilot.press("ctrl+r")
        await shows(pilot, "▸ ! 1 newly failed")


async def test_hostile_keys_on_a_small_screen(redis: Redis, redis_url: str) -> None:
    before = Stage(redis, HOSTILE, date="2013-07-01T13").claim()
    for task in before.plan.names:
        before.run(task, at=0.1, took=0.1)
    before.end()
    stage = Stage(redis, HOSTILE).claim()
    for number, key in enumerate(HOSTILE):
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=error(f"E{number}", f"[red]{key}\x1b[2J"))
    async with WavedeckApp(redis_url, locator="changes last").run_test(size=(80, 24)) as pilot:
        shown = await shows(pilot, "9 newly failed", "new family")
        assert all(len(line) <= 80 for line in shown.split("\n"))
        assert "\x1b" not in shown and "\u202e" not in shown
        assert "0 failed → 9 failed" in shown
        await pilot.resize_terminal(240, 60)
        await until(pilot, lambda: "\\x1b[31mred" in picture(pilot.app))
