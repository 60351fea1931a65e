"""Redis goes away, hangs and comes back: the console says so, stays quick, and goes on."""

import asyncio
import time

from servers import RedisServer
from stage import a_bad_wave, shows, until

from console.app import WavedeckApp
from console.feed import News
from console.screens.base import DeckScreen
from console.screens.chrome import Header
from console.widgets.matrix import EntityMatrix


async def test_keys_react_while_redis_hangs() -> None:
    with RedisServer() as server, server.client() as redis:
        stage = a_bad_wave(redis, [f"e-{i:03}" for i in range(300)])
        async with WavedeckApp(server.url, locator=stage.wave.id).run_test(size=(120, 30)) as pilot:
            await shows(pilot, "▸ e-001")
            redis.execute_command("CLIENT", "PAUSE", 1500, "ALL")
            matrix = pilot.app.screen.query_one(EntityMatrix)
            began, slowest = time.monotonic(), 0.0
            while time.monotonic() - began < 1.2:
                before, pressed = matrix.cursor, time.monotonic()
                await pilot.press("j")
                assert matrix.cursor == before + 1
                slowest = max(slowest, time.monotonic() - pressed)
            assert slowest < 0.5, f"a key took {slowest:.2f} s"
            assert not pilot.app.screen.has_class("-stale"), "a second is no loss yet"


async def test_a_lost_link_is_grey_with_its_time_and_comes_back() -> None:
    with RedisServer(persist=True) as server, server.client() as redis:
        stage = a_bad_wave(redis)
        async with WavedeckApp(server.url).run_test(size=(120, 30)) as pilot:
            await shows(pilot, "2013-07-01T14", "as of")
            server.kill()
            await shows(pilot, "link lost · as of")
            assert pilot.app.screen.has_class("-stale")
            await shows(pilot, "2013-07-01T14")
            await pilot.press("enter")
            await shows(pilot, "waves › shops@main 2013-07-01T14", "link lost · asking Redis")
            await pilot.press("T")
            await shows(pilot, "Redis cannot be reached")
            await pilot.press("escape", "X")
            await shows(pilot, "cancel shops@main", "Redis cannot be reached")
            await pilot.press("escape", "tab", "j", "f")
            server.start()
            await shows(pilot, "NoObservation", stage.wave.locator)
            await until(pilot, lambda: "link lost" not in pilot.app.screen.query_one(Header).age_text)
            assert not pilot.app.screen.has_class("-stale")
            await pilot.press("escape", "escape")
            await shows(pilot, "PROGRESS")
            await until(pilot, lambda: not pilot.app.screen.has_class("-stale"))


async def test_a_redis_that_only_hangs_is_told_too() -> None:
    with RedisServer() as server, server.client() as redis:
        a_bad_wave(redis)
        async with WavedeckApp(server.url).run_test(size=(80, 24)) as pilot:
            await shows(pilot, "2013-07-01T14")
            server.pause()
            await until(pilot, lambda: pilot.app.screen.has_class("-stale"))
            await pilot.press("j", "k")
            server.resume()
            await until(pilot, lambda: not pilot.app.screen.has_class("-stale"))


async def test_late_news_are_dropped(redis_url: str) -> None:
    async with WavedeckApp(redis_url).run_test(size=(80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DeckScreen)
        await until(pilot, lambda: screen._number > 1)
        shown: list[object] = []
        screen.show = shown.append  # type: ignore[method-assign]
        screen.feed.stop()
        screen.feed.join(2)
        await pilot.pause()
        number = screen._number
        for late in (number, number - 1, number + 2, number + 1):
            screen.post_message(News(late, time.time(), late))
            await asyncio.sleep(0.05)
        assert [body for body in shown if isinstance(body, int)] == [number + 2]
