"""The pipes browser: its levels, what they count, how they are paged, searched and gone through."""

import json

import pytest
from piped import BIG, DATE, SIZES, SMALL, at, items, many, place, two_versions, write
from redis import Redis
from stage import Stage, picture, shows, until

from console.app import WavedeckApp
from console.locator import parse
from console.sources.pipes import Ask, PipesSource

# levels


@pytest.mark.parametrize("size", SIZES)
async def test_one_goes_in_and_out_of_all_levels(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    two_versions(redis, ("2013-07-01T13", DATE))
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await shows(pilot, DATE)
        await pilot.press("2")
        await shows(pilot, "pipes › main", "features", "sales", "weather", "4 pipes")
        await pilot.press("j", "enter")
        await shows(pilot, "› sales", DATE, "2013-07-01T13", "2 dates")
        await pilot.press("enter")
        await shows(pilot, "ENTITY", "north", "south", "2 entities")
        await pilot.press("enter")
        shown = await shows(pilot, "delay: 12.5", "main/sales north", "bytes of JSON", "expires in", "w-07")
        assert "written by" in shown and "made of it" in shown and "features" in shown and "shops@main" in shown
        for text in ("2 entities", "2 dates", "4 pipes", "2 versions", "PROGRESS"):
            await pilot.press("escape")
            await shows(pilot, text)


async def test_it_begins_in_the_version_of_the_wave_one_comes_from(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await shows(pilot, DATE)
        await at(pilot, f"wave shops@fix-1 {DATE}", "shops@fix-1", "ENTITY")
        await pilot.press("2")
        await shows(pilot, "pipes › fix-1", "4 pipes")
        assert place(pilot) == "pipes fix-1"
        await pilot.press("minus")
        await shows(pilot, f"waves › shops@fix-1 {DATE}")


async def test_one_version_and_one_date_are_gone_through(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north"]).claim()
    write(redis, stage, "sales", {0: {"delay": 12.5}})
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        await pilot.press("2")
        await shows(pilot, "4 pipes")
        assert items(pilot).chosen == "sales", "the first that has something"
        await pilot.press("enter")
        await shows(pilot, "1 entity")
        assert place(pilot) == f"pipes main/sales {DATE}"
        await pilot.press("enter")
        await shows(pilot, "delay: 12.5")
        for text in ("1 entity", "1 date", "4 pipes", "PROGRESS"):
            await pilot.press("escape")
            await shows(pilot, text)


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_two_versions_are_compared_within_five_keys(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    two_versions(redis, ("2013-07-01T13", DATE))
    for version in ("main", "fix-1"):
        redis.set(f"{version}/features north {DATE}", json.dumps({"value": version}))
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await shows(pilot, DATE)
        await pilot.press("2")
        await shows(pilot, "4 pipes")
        await pilot.press("enter")
        await shows(pilot, "2 dates")
        await pilot.press("enter")
        await shows(pilot, "1 entity")
        await pilot.press("enter")
        await shows(pilot, '"main"')
        await pilot.press("v")
        shown = await shows(pilot, "1 difference to fix-1")
        assert '"main"' in shown and '"fix-1"' in shown and "≠" in shown


async def test_levels_say_how_many(redis: Redis, redis_url: str) -> None:
    two_versions(redis, ("2013-07-01T13", DATE))
    Stage(redis, ["north"], date="2013-07-01T15")
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await at(pilot, "pipes main", "4 pipes")
        shown = await shows(pilot, "DATES  NEWEST")
        row = next(line for line in shown.split("\n") if "sales" in line)
        assert f"sales 3 {DATE} 2 " in " ".join(row.split()), row
        await pilot.press("escape")
        shown = await shows(pilot, "VERSION", "PIPES", "LAST ACTIVE", "2 versions")
        assert items(pilot).chosen == "main" and items(pilot).at(0).cells[0] == "4"  # type: ignore[union-attr]
        await at(pilot, "pipes main/sales", "3 dates")
        assert [row.cells[0] for row in items(pilot).view.rows] == ["0", "2", "2"]
        assert items(pilot).chosen == DATE, "the newest that has something"


async def test_the_level_above_and_what_is_in_the_row_stand_beside(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await at(pilot, "pipes main", "fix-1", "features", DATE)
        await at(pilot, f"pipes main/sales {DATE}", "north", "delay: 12.5", "DATE")
        await pilot.press("j")
        await shows(pilot, "▸ south", "delay: 1 ")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "delay" not in picture(pilot.app))


async def test_the_cursor_is_where_it_was(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await at(pilot, f"pipes main/sales {DATE}", "2 entities")
        await pilot.press("j", "enter")
        await shows(pilot, "main/sales south")
        await pilot.press("escape")
        await shows(pilot, "▸ south")
        await at(pilot, f"pipes main/weather {DATE} south", "temp")
        await pilot.press("escape", "escape", "escape")
        await shows(pilot, "▸ weather")


async def test_places_history_and_the_line(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north vs fix-1").run_test(size=BIG) as pilot:
        await shows(pilot, "1 difference")
        await at(pilot, "pipes fix-1", "4 pipes")
        await at(pilot, f"pipes main/weather {DATE}", "2 entities")
        await pilot.press("minus")
        await shows(pilot, "4 pipes")
        await pilot.press(*["left_square_bracket"] * 3)
        await until(pilot, lambda: place(pilot) == f"pipes main/sales {DATE} north vs fix-1")
        await pilot.press("right_square_bracket")
        await shows(pilot, "4 pipes")
        await pilot.press("C")
        assert pilot.app.clipboard == ":pipes fix-1"


async def test_a_version_may_hold_a_slash(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north"], version="feature/x").claim()
    write(redis, stage, "sales", {0: {"delay": 7}})
    two_versions(redis)
    async with WavedeckApp(redis_url, locator="pipes feature/x").run_test(size=SMALL) as pilot:
        await shows(pilot, "pipes › feature/x", "4 pipes")
        await pilot.press("j", "enter") if items(pilot).chosen != "sales" else await pilot.press("enter")
        await shows(pilot, "1 entity")
        await pilot.press("enter")
        await shows(pilot, "delay: 7")
        for text in ("1 entity", "1 date", "4 pipes", "3 versions"):
            await pilot.press("escape")
            await shows(pilot, text)


async def test_what_is_not_there_is_said(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await at(pilot, f"pipes main/sales {DATE} nobody", "no pipe")
        await pilot.press("m", "v", "c", "slash", "enter", "escape")
        await shows(pilot, "2 entities")
        await at(pilot, "pipes nobody", "no version 'nobody'")
        await at(pilot, "pipes main/nothing", "no pipes at main/nothing")
        await at(pilot, f"pipes main/sales {DATE[:10]}", "0 entities")
        await at(pilot, "pipes main/sales yesterday", "neither YYYY-MM-DD")
        await at(pilot, f"pipes main/sales {DATE}", "2 entities")


async def test_an_empty_redis(redis: Redis, redis_url: str) -> None:
    async with WavedeckApp(redis_url, locator="pipes").run_test(size=SMALL) as pilot:
        await shows(pilot, "0 versions")
        await pilot.press("j", "enter", "v", "m", "tab", "G", "c", "escape")
        assert len(pilot.app.screen_stack) == 1


# many


async def test_entities_are_read_where_they_are_seen(redis: Redis, redis_url: str) -> None:
    many(redis, 20_000)
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE}").run_test(size=SMALL) as pilot:
        await shows(pilot, "shop-00000", "20,000 entities")
        assert len(items(pilot).view.rows) < 400, "a window, not all"
        await pilot.press("G")
        await shows(pilot, "▸ shop-19999")
        await pilot.press("ctrl+u")
        await shows(pilot, "▸ shop-1998")
        items(pilot).cursor = 10_000
        await shows(pilot, "▸ shop-10000")
        assert len(items(pilot).view.rows) < 400
        await pilot.press("enter")
        await pilot.press("escape")
        await shows(pilot, "▸ shop-10000")


async def test_a_search_says_how_far_it_is(redis: Redis, redis_url: str) -> None:
    many(redis, 30_000)
    source = PipesSource(Ask(parse(f"pipes main/sales {DATE} /9$ !0")))
    seen = []
    for _ in range(8):
        news, pause = source.read(redis)
        if news is not None and news.view is not None:
            seen.append((news.view.searched, news.view.total, news.view.done))
            last = news.view
        if pause:
            break
    assert seen == [(10_000, 30_000, False), (20_000, 30_000, False), (30_000, 30_000, True)]
    expected = [f"shop-{i:05}" for i in range(30_000) if i % 10 == 9 and "0" not in f"{i:05}"]
    assert last.count == len(expected)
    assert [row.name for row in last.rows] == expected[:100]
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE}").run_test(size=SMALL) as pilot:
        await shows(pilot, "30,000 entities")
        await pilot.press("slash", *"9$ !0", "enter")
        await shows(pilot, f"{len(expected):,} of 30,000 entities")
        await pilot.press("G")
        await shows(pilot, f"▸ {expected[-1]}")
        await pilot.press("escape")
        await shows(pilot, "30,000 entities", "shop-00000")


async def test_a_page_asks_for_a_page(redis: Redis) -> None:
    many(redis, 20_000)
    redis.config_resetstat()
    news, _ = PipesSource(Ask(parse(f"pipes main/sales {DATE}"))).read(redis)
    sent = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in redis.info("commandstats").items()}
    assert news is not None and news.view is not None and len(news.view.rows) == 100 and news.view.count == 20_000
    assert sent["lrange"] == 1 and "scan" not in sent and "keys" not in sent


async def test_what_is_written_meanwhile_appears(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north", "south", "east"]).claim()
    write(redis, stage, "sales", {2: 1})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE}").run_test(size=SMALL) as pilot:
        await shows(pilot, "▸ east", "1 entity")
        write(redis, stage, "sales", {0: 2})
        await shows(pilot, "2 entities", "  north", "▸ east")


async def test_small_levels_are_filtered(redis: Redis, redis_url: str) -> None:
    two_versions(redis, tuple(f"2013-07-{d:02}T14" for d in range(1, 13)))
    async with WavedeckApp(redis_url, locator="pipes main/sales").run_test(size=SMALL) as pilot:
        await shows(pilot, "12 dates")
        await pilot.press("slash", *"07-1 !12", "enter")
        await shows(pilot, "2 of 12 dates", "▸ 2013-07-11T14")
        await pilot.press("j", "enter")
        await shows(pilot, "› 2013-07-10T14", "2 entities")
        await at(pilot, "pipes main /S$", "2 of 4 pipes", "▸ features", "sales")
        await at(pilot, "pipes main /[", "nothing matches")
