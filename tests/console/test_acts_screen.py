"""The log of acts: who started, re-ran and cancelled what, when, from where."""

import pytest
from redis import Redis
from stage import HOSTILE, Stage, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.screens.acts import ActList, ActsScreen
from console.screens.base import DeckScreen
from console.sources.acts import PAGE
from engine.cancel import cancel
from engine.store.acts import Act, Acts

SIZES = [(80, 24), (160, 45)]
BIG = (160, 45)


def did(redis: Redis, verb: str = "trigger", by: str = "ana@desk", wave: str = "w0123456789ab", **more: object) -> None:
    given = {"origin": "console", "version": "main", "flow": "shops", "date": "2013-07-01T14", "entities": 3, "detail": ""}
    Acts(redis).record(Act(at=0, verb=verb, by=by, wave=wave, **(given | more)))  # type: ignore[arg-type]


def place(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    assert isinstance(screen, DeckScreen)
    return str(screen.place)


@pytest.mark.parametrize("size", SIZES)
async def test_who_did_what_from_where_the_newest_first(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = Stage(redis)
    cancel(redis, stage.wave, reason="wrong data", by="bob@laptop", origin="command")
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await pilot.press("5")
        shown = await shows(pilot, "triggered", "cancelled", "shops@main 2013-07-01T14", "ana@desk", "bob@laptop", "2 acts")
        assert shown.index("bob@laptop") < shown.index("ana@desk")
        assert "bob@laptop cancelled 3 entities of shops@main 2013-07-01T14 from" in shown
        assert size == SIZES[0] or "from command: wrong data" in shown
        # What happens now comes on top
        did(redis, "rerun", "eve@phone", detail="of wave w0")
        await shows(pilot, "eve@phone", "re-ran")


async def test_enter_opens_the_wave_and_c_copies_the_line(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    async with WavedeckApp(redis_url, locator="acts").run_test(size=BIG) as pilot:
        await shows(pilot, "triggered")
        await pilot.press("c")
        copied = pilot.app.clipboard
        assert "ana@desk triggered 3 entities of shops@main 2013-07-01T14 from" in copied and copied.endswith(stage.wave.id)
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == f"wave shops@main 2013-07-01T14 {stage.wave.id}")


async def test_filter(redis: Redis, redis_url: str) -> None:
    for who in ("ana@desk", "bob@laptop"):
        for verb in ("trigger", "cancel"):
            did(redis, verb, who)
    async with WavedeckApp(redis_url, locator="acts /cancel !ana").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "bob@laptop")
        acts = pilot.app.screen.query_one(ActList)
        assert acts.count == 1 and "ana@desk" not in shown
        screen = pilot.app.screen
        assert isinstance(screen, ActsScreen)
        screen.set_filter("(")
        assert acts.count == 1, "half an expression leaves what was found"
        screen.set_filter("nobody")
        await shows(pilot, "no act matches; esc clears the filter")
        await pilot.press("escape")
        await until(pilot, lambda: acts.count == 4)


async def test_older_acts_come_as_one_goes_down(redis: Redis, redis_url: str) -> None:
    for number in range(PAGE + 20):
        did(redis, detail=f"act {number}")
    async with WavedeckApp(redis_url, locator="acts").run_test(size=BIG) as pilot:
        await shows(pilot, f"act {PAGE + 19}", "and older ones")
        acts = pilot.app.screen.query_one(ActList)
        assert acts.count == PAGE
        await pilot.press("G")
        await until(pilot, lambda: acts.count == PAGE + 20)
        await pilot.press("G")
        await shows(pilot, "act 0")
        assert "older" not in picture(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_words_break_no_line(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    for hostile in HOSTILE:
        did(redis, hostile, hostile, detail=hostile, flow=hostile, origin=hostile)
    async with WavedeckApp(redis_url, locator="acts").run_test(size=size) as pilot:
        await shows(pilot, "9 acts", "東京-店")
        for _ in HOSTILE:
            shown = picture(pilot.app)
            assert all(len(line) <= size[0] for line in shown.split("\n")) and "\x1b" not in shown and "\u202e" not in shown
            await pilot.press("c", "j")
            assert "\n" not in pilot.app.clipboard and "\x1b" not in pilot.app.clipboard


async def test_nobody_has_done_anything(redis: Redis, redis_url: str) -> None:
    async with WavedeckApp(redis_url, locator="acts").run_test(size=(80, 24)) as pilot:
        await shows(pilot, "nobody has done anything yet")
