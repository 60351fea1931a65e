"""What works on every screen: places, the command line, history, copying, saving, pausing, watching."""

import asyncio
from pathlib import Path

import pytest
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.feed import Answer
from console.locator import parse
from console.screens.base import DeckScreen
from console.screens.chrome import Header
from console.screens.fields import CommandInput
from console.screens.prompts import Foot
from console.screens.waves import WavesScreen
from console.settings import Settings
from engine.status import Cell

BIG = (160, 45)


def place(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    assert isinstance(screen, DeckScreen)
    return str(screen.place)


async def say(pilot: Pilot[None], line: str) -> None:
    await pilot.press("colon")
    pilot.app.screen.query_one(CommandInput).value = line
    await pilot.press("enter")
    await pilot.pause()


async def test_a_line_leads_there_and_esc_leads_out_again(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        await say(pilot, "entity shops@main 2013-07-01T14 south weather")
        shown = await shows(pilot, "waves › shops@main 2013-07-01T14 › south", "Traceback")
        assert "NoObservation" in shown
        assert place(pilot) == f"entity shops@main 2013-07-01T14 {stage.wave.id} south weather"
        await pilot.press("escape")
        await shows(pilot, "waves › shops@main 2013-07-01T14", "ENTITY")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WavesScreen)
        assert len(pilot.app.screen_stack) == 1


async def test_the_way_that_leads_here_is_told_from_its_near_end(redis: Redis, redis_url: str) -> None:
    Stage(redis, ["a-shop-of-some-length"])
    redis.set("main/features a-shop-of-some-length 2013-07-01T14", "1.5")
    line = "pipes main/features 2013-07-01T14 a-shop-of-some-length"
    for width, told in (
        (120, " waves › pipes › main › features › 2013-07-01T14 › a-shop-of-some-length "),
        (80, " waves › pipes › main › features › 2013-07-01T14 › a-shop-of-s… "),
        (60, " … › 2013-07-01T14 › a-shop-of-some-length "),
    ):
        async with WavedeckApp(redis_url, locator=line).run_test(size=(width, 24)) as pilot:
            await shows(pilot, told)


async def test_a_console_opens_where_it_is_told_with_a_filter(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator="wave last /status:failed").run_test(size=BIG, notifications=True) as pilot:
        shown = await shows(pilot, "▸ south", "status:failed")
        assert "north" not in shown
        await pilot.press("escape")
        await shows(pilot, "north")
        await pilot.press("C")
        assert pilot.app.clipboard == f":{place(pilot)}"


async def test_a_line_that_leads_nowhere_says_so_and_nothing_moves(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        await say(pilot, "nowhere at all")
        await shows(pilot, "'nowhere' is no place")
        await say(pilot, "wave flights@main 1999-01-01T00")
        await shows(pilot, "no wave 'flights@main 1999-01-01T00'")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WavesScreen)


async def test_the_command_line_completes_recalls_and_can_be_left(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=(80, 24)) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("colon", *"wave sh")
        field = pilot.app.screen.query_one(CommandInput)
        await until(pilot, lambda: field._suggestion == "wave shops@main 2013-07-01T14")
        assert "○ pending" in picture(pilot.app), "the legend stays"
        await pilot.press("right", "enter")
        await shows(pilot, "waves › shops@main 2013-07-01T14")
        await pilot.press("colon", "up")
        field = pilot.app.screen.query_one(CommandInput)
        assert field.value == "wave shops@main 2013-07-01T14"
        await pilot.press("down")
        assert field.value == ""
        await pilot.press("escape")
        assert not pilot.app.screen.query_one(Foot).has_class("-command")
        assert pilot.app.focused is not None and pilot.app.focused is not field
        await say(pilot, "theme wavedeck-light")
        assert pilot.app.theme == "wavedeck-light"
        await say(pilot, "q")
    assert pilot.app.return_code == 0


async def test_history_and_the_last_view(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    name = f"shops@main 2013-07-01T14 {stage.wave.id}"
    async with WavedeckApp(redis_url).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("enter")
        await shows(pilot, "▸ south")
        await pilot.press("enter")
        await shows(pilot, "Traceback")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: place(pilot) == f"wave {name}")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: place(pilot) == "waves")
        await pilot.press("left_square_bracket")
        assert place(pilot) == "waves", "there is nothing before home"
        await pilot.press("right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: place(pilot).startswith("entity"))
        await pilot.press("minus")
        await until(pilot, lambda: place(pilot) == f"wave {name}")
        await pilot.press("minus")
        await until(pilot, lambda: place(pilot).startswith("entity"))
        await pilot.press("1")
        await until(pilot, lambda: place(pilot) == "waves")


async def test_copying_the_row_and_the_place(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis, HOSTILE)
    async with WavedeckApp(redis_url).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("c")
        assert "shops" in pilot.app.clipboard and "main" in pilot.app.clipboard and "\n" not in pilot.app.clipboard
        await pilot.press("enter")
        await shows(pilot, "a\\nb")
        await pilot.press("c")
        copied = pilot.app.clipboard
        assert "a\\nb" in copied and "failed" in copied.lower() and "\x1b" not in copied and "\n" not in copied


async def test_a_screen_is_saved_as_picture_and_text(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url, settings=Settings(save=str(tmp_path))).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("ctrl+s")
        await shows(pilot, "saved ")
        text = next(tmp_path.glob("*.txt")).read_text("utf-8")
        assert text.startswith(":waves\n") and "2013-07-01T14" in text and "✗ failed" in text
        svg = next(tmp_path.glob("*.svg")).read_text("utf-8")
        assert svg.startswith("<svg") and not any(part in svg for part in ("url(http", "href=", "@import"))


async def test_a_folder_that_cannot_be_written_ends_nothing(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url, settings=Settings(save=str(tmp_path / "none"))).run_test(
        size=BIG, notifications=True
    ) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("ctrl+s")
        await shows(pilot, "not saved: ")


async def test_pausing_stops_the_news_and_is_no_loss(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis).claim()
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "ENTITY", "0%")
        await pilot.press("p")
        await shows(pilot, "paused · as of")
        await asyncio.sleep(0.3)
        await pilot.pause()
        stage.run("sales", at=0.1, took=0.1)
        await asyncio.sleep(0.5)
        await pilot.pause()
        assert "25%" not in picture(pilot.app)
        await pilot.press("ctrl+r")
        await shows(pilot, "25%", "paused")
        stage.run("weather", at=0.1, took=0.1)
        assert not pilot.app.screen.has_class("-stale")
        await pilot.press("p")
        await shows(pilot, "50%")
        assert "paused" not in pilot.app.screen.query_one(Header).age_text


async def test_a_watched_wave_rings_from_another_screen(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(redis).claim()
    rung = []
    monkeypatch.setattr(WavedeckApp, "bell", lambda _: rung.append(1))
    monkeypatch.setattr("console.watch.EVERY", 0.05)
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "ENTITY")
        await pilot.press("w")
        await shows(pilot, "watching shops@main 2013-07-01T14")
        await pilot.press("escape")
        watch = pilot.app._watch  # type: ignore[attr-defined]
        await until(pilot, lambda: watch._known)
        stage.run("sales", at=0.1, took=0.1)
        stage.run("weather", Cell.FAILED, [1], at=0.1, took=0.1)
        told = "shops@main 2013-07-01T14: running, 1+ failed (was running)"
        await until(pilot, lambda: told in [n.message for n in pilot.app._notifications])
        assert len(rung) == 1
        await pilot.press("enter")
        await shows(pilot, "ENTITY")
        await pilot.press("w")
        await shows(pilot, "no longer watching")
        assert watch.places == ()


async def test_without_rights_the_dangerous_keys_go(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    app = WavedeckApp(redis_url)
    async with app.run_test(size=BIG, notifications=True) as pilot:
        assert "X cancel" in await shows(pilot, "2013-07-01T14")
        app.on_answer(Answer("redis", (False, "")))
        await until(pilot, lambda: "X cancel" not in picture(app))
        await pilot.press("X", "T", "R")
        assert len(app.screen_stack) == 1
        await until(pilot, lambda: "read-only: this session may not cancel" in [n.message for n in app._notifications])


def test_every_place_of_the_documentation_is_one() -> None:
    text = Path("docs/console.md").read_text("utf-8")
    lines = [word for line in text.split("\n") for word in line.split("`") if word.startswith(":")]
    assert len(lines) > 5
    for line in lines:
        parse(line)
