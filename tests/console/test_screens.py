"""The three screens, as a person sees them, on waves that the engine's scripts made."""

import pytest
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, a_bad_wave, picture, shows, until
from textual.pilot import Pilot
from textual.widgets import Input

from console.app import WavedeckApp
from console.screens.chrome import Header, Rule
from console.screens.entity import EntityScreen
from console.screens.prompts import FilterBar
from console.screens.wave import WaveScreen
from console.screens.wave_list import WaveList
from console.screens.waves import WavesScreen
from console.widgets.flow_graph import FlowGraph
from console.widgets.matrix import EntityMatrix
from engine.status import Cell

BIG, SMALL = (160, 45), (80, 24)


async def open_wave(pilot: Pilot[None]) -> str:
    await shows(pilot, "shops", "2013-07-01T14")
    await pilot.press("enter")
    return await shows(pilot, "ENTITY", "WHY")


async def open_entity(pilot: Pilot[None], *texts: str) -> str:
    await open_wave(pilot)
    await shows(pilot, "▸ south")
    await pilot.press("enter")
    return await shows(pilot, "STATUS", *texts)


@pytest.mark.parametrize("size", [SMALL, (110, 30), BIG, (240, 60)])
async def test_every_screen_fits_its_terminal(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        for step in (lambda: shows(pilot, "PROGRESS", "2013-07-01T14"), lambda: open_wave(pilot), lambda: _enter(pilot)):
            shown = (await step()).split("\n")
            assert len(shown) == size[1]
            assert "as of " in shown[0] and shown[0].rstrip()[-3] == ":"
            assert "? help" in shown[-1]
            assert "○ pending" in "\n".join(shown[-2:]) and "✗ failed" in "\n".join(shown[-2:])
            assert len(shown[-1].rstrip()) <= size[0] and "enter open" in shown[-1]
            if size[0] == 240:
                assert "H history" in shown[-1] or "v pipe" in shown[-1], "all keys are there"


async def _enter(pilot: Pilot[None]) -> str:
    await shows(pilot, "▸ south")
    await pilot.press("enter")
    return await shows(pilot, "STATUS", "Traceback")


async def test_the_list_of_waves_says_how_each_is(redis: Redis, redis_url: str) -> None:
    Stage(redis, date="2013-07-01T13", trigger="schedule:2013-07-01T13:00Z")
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        shown = await shows(pilot, "2013-07-01T14", "queued")
        assert "no workers" in shown
        running, queued = (next(line for line in shown.split("\n") if date in line) for date in ("01T14", "01T13"))
        assert "◐" in running and "✗◌" in running and "ana" in running
        assert running.split("%")[0].endswith("91"), running
        assert "○" in queued and "schedule" in queued


async def test_the_list_is_filtered_and_the_cursor_stays_with_its_wave(redis: Redis, redis_url: str) -> None:
    for hour in range(10, 14):
        Stage(redis, date=f"2013-07-01T{hour}")
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "2013-07-01T13")
        await pilot.press("j", "j")
        waves = pilot.app.screen.query_one(WaveList)
        chosen = waves.chosen
        assert chosen is not None
        Stage(redis, date="2013-07-01T15")
        await shows(pilot, "2013-07-01T15")
        assert waves.chosen is not None and waves.chosen.id == chosen.id
        await pilot.press("slash", *"T1[12]")
        await until(pilot, lambda: len(waves.rows) == 2)
        await pilot.press("enter")
        assert waves.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(waves.rows) == 5)
        await pilot.press("slash", *"([")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WavesScreen)


async def test_an_empty_redis_says_what_to_do(redis: Redis, redis_url: str) -> None:
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "no waves yet; T starts one")
        await pilot.press("enter", "X", "j", "G")
        assert isinstance(pilot.app.screen, WavesScreen)


async def test_the_wave_shows_its_flow_failures_first_and_why(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await open_wave(pilot)
        shown = await shows(pilot, "NoObservation: no weather [red]today[/red] for JFK", "weather 2h old", "p95")
        lines = shown.split("\n")
        graph = {line.split()[-1 - line.split()[::-1].index("sales")]: line for line in lines if " sales " in line}
        assert graph
        weather = next(line for line in lines if " weather " in line and "p50" in line)
        assert "2 ●" in weather and "1 ✗" in weather and "1.5 s" in weather
        entities = [line.split()[0] for line in lines if line.lstrip("▸ ").split(" ")[0] in ("south", "east", "north")]
        assert "south" in shown and entities
        order = sorted(("south", "east", "north"), key=shown.index)
        assert order == ["south", "east", "north"]
        assert "↺ 1 covered" in shown
        assert "1 ✗ failed" in shown and "2 ◌ blocked" in shown


async def test_the_wave_moves_with_redis(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=BIG) as pilot:
        await shows(pilot, "waits for a worker")
        stage.claim()
        stage.run("sales", at=0.1, took=0.1)
        await shows(pilot, "3 ●", "25%")
        stage.step("weather", Cell.PENDING, Cell.RUNNING, at=0.2)
        await shows(pilot, "3 ◐", "weather …")
        stage.step("weather", Cell.RUNNING, Cell.FINISHED, at=0.2, took=0.1)
        stage.run("features", at=0.2, took=0.1)
        stage.run("score", at=0.2, took=0.1)
        stage.end()
        await shows(pilot, "● finished", "took")


async def test_filters_of_the_wave(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await open_wave(pilot)
        await shows(pilot, "▸ south")
        matrix, rule = pilot.app.screen.query_one(EntityMatrix), pilot.app.screen.query_one(Rule)
        await pilot.press("f")
        await until(pilot, lambda: list(matrix.order) == [1])
        assert rule.text == "1 of 3 entities · status:failed,blocked"
        await pilot.press("f")
        await until(pilot, lambda: len(matrix.order) == 3)
        await pilot.press("slash", *"status:cov task:feat")
        await until(pilot, lambda: list(matrix.order) == [2])
        await pilot.press("enter")
        assert matrix.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(matrix.order) == 3)
        assert not pilot.app.screen.query_one(FilterBar).has_class("-on")
        await pilot.press("slash", *"status:oops")
        await until(pilot, lambda: "no status begins with" in rule.text)
        assert len(matrix.order) == 3
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen))


async def test_tab_goes_to_the_graph_and_a_task_lights_up_and_filters(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await open_wave(pilot)
        await shows(pilot, "▸ south")
        graph, matrix = pilot.app.screen.query_one(FlowGraph), pilot.app.screen.query_one(EntityMatrix)
        assert matrix.has_focus
        await pilot.press("tab")
        assert graph.has_focus
        await pilot.press("j", "j")
        assert graph.selected == "weather"
        await pilot.press("enter")
        await until(pilot, lambda: list(matrix.order) == [1])
        assert pilot.app.screen.query_one(FilterBar).query_one(Input).value == "task:weather"
        await pilot.press("enter")
        await until(pilot, lambda: not pilot.app.screen.query_one(FilterBar).query_one(Input).value)
        assert list(matrix.order) == [1], "the task is still selected"
        await pilot.press("tab")
        assert matrix.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(matrix.order) == 3)


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_the_entity_shows_the_evidence(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        shown = await open_entity(pilot, "Traceback", "flows/collect.py:41 in weather")
        assert "▸ ✗ weather" in shown, "the first failure is chosen"
        assert "no weather [red]today[/red] for JFK" in shown
        assert "no weather at 2013-07-01T14" in shown, "why a blocked task did not run"
        assert "1.5 s" in shown and "0.2 s" in shown
        await pilot.press("k", "l")
        await shows(pilot, "fetched [bold]all[/bold]", "red done" if size == SMALL else "red")
        await pilot.press("s")
        await shows(pilot, "#!/usr/bin/env bash", "WAVEDECK_KEY='south'")
        await pilot.press("s")
        await shows(pilot, "● finished", "wrote main/sales south 2013-07-01T14")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WaveScreen)


async def test_an_input_that_was_old_is_told(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await open_wave(pilot)
        await shows(pilot, "▸ south")
        await pilot.press("j", "enter")
        await shows(pilot, "STATUS")
        while "▸ ↺ features" not in picture(pilot.app):
            await pilot.press("k" if "▸ ◐ score" in picture(pilot.app) else "j")
        await shows(pilot, "2h00 old", "main/weather east 2013-07-01T12", "fresh")


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_hostile_keys_show_uninterpreted_everywhere(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = Stage(redis, HOSTILE, by="[bold]eve[/bold]\x1b[31m").claim()
    note = {
        "error": {"type": "[blink]Evil", "message": "\x1b[2J[link=x]\u202edone[/]", "where": "[a", "traceback": "[b]\n\x9bX"}
    }
    stage.run("sales", Cell.FAILED, at=0.1, took=0.1, note=note, log="\x1b]0;owned\x07[red]log")
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=size) as pilot:
        shown = await shows(pilot, "ENTITY", *AS_SHOWN[:6])
        if size == BIG:
            shown = await shows(pilot, *AS_SHOWN, "[blink]Evil: \\x1b[2J[link=x]\\u202edone[/]")
        assert not set(shown) & set("\x1b\x9b\x07\u202e")
        for number, name in enumerate(AS_SHOWN):
            pilot.app.screen.query_one(EntityMatrix).cursor = number
            await pilot.press("enter")
            shown = await shows(pilot, "STATUS", "[blink]Evil", "\\x9bX")
            assert name in shown.split("\n")[0], shown
            await pilot.press("l")
            shown = await shows(pilot, "\\x1b]0;owned\\x07[red]log")
            assert not set(shown) & set("\x1b\x9b\x07\u202e")
            await pilot.press("escape")


async def test_a_wave_that_is_not_there_is_told_and_ends_nothing(redis: Redis, redis_url: str) -> None:
    async with WavedeckApp(redis_url, locator="wave w[red]nope").run_test(size=SMALL) as pilot:
        await shows(pilot, "gone", "no wave 'w[red]nope'")
        await pilot.press("j", "f", "tab", "enter", "slash", "x", "escape", "T", "X")
        await until(pilot, lambda: "no wave" in str([n.message for n in pilot.app._notifications]))
        await pilot.press("escape", "escape")
        await shows(pilot, "no waves yet")


async def test_help_opens_from_everywhere_and_the_theme_turns(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await shows(pilot, "2013-07-01T14")
        for _ in range(4):
            await pilot.press("question_mark")
            await shows(pilot, "Start a wave", "Type a place")
            await pilot.press("G")
            await shows(pilot, "a required input never came")
            await pilot.press("question_mark")
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "keys" not in picture(pilot.app))
        assert pilot.app.theme == "wavedeck-dark"
        await open_entity(pilot)
        await pilot.press("question_mark")
        await shows(pilot, "What the task printed")


async def test_the_palette_offers_what_the_registry_has_here(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await open_wave(pilot)
        matrix = pilot.app.screen.query_one(EntityMatrix)
        await shows(pilot, "▸ south")
        await pilot.press("ctrl+p", *"failed")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: list(matrix.order) == [1])


async def test_no_color_tells_everything_by_glyphs(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        shown = await open_wave(pilot)
        assert all(glyph in shown for glyph in "●◐✗◌↺")
        header = pilot.app.screen.query_one(Header)
        assert header.age_text.startswith("as of")


async def test_a_screen_asks_no_more_once_it_is_left(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await open_entity(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, EntityScreen)
        feed = screen.feed
        await pilot.press("escape")
        await until(pilot, lambda: not feed.is_alive())
