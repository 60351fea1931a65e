"""Keys that come in one burst, as from a paste, a slow link or `tmux send-keys`, mean what they would one by one."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest
from redis import Redis
from stage import Stage, a_bad_wave, shows, until
from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.widgets import Input

from benchmarks.measure import open_console
from console.app import WavedeckApp
from console.dialogs.cancel import CancelDialog
from console.dialogs.trigger import TriggerDialog
from console.screens.base import DeckScreen
from console.screens.entity import EntityScreen
from console.screens.help import HelpScreen
from console.screens.prompts import FilterBar
from console.widgets.matrix import EntityMatrix
from engine.store.waves import Waves

SIZE = (120, 36)


def key(name: str) -> events.Key:
    """A key as a terminal's driver makes it."""
    return events.Key(_character_to_key(name), name) if len(name) == 1 else events.Key(name, None)


def burst(app: App[Any], *keys: str) -> None:
    """All keys are there before the first is looked at. What is longer than a name of a key was pasted."""
    for name in keys:
        event: events.Event = events.Paste(name.removeprefix("paste:")) if name.startswith("paste:") else key(name)
        event.set_sender(app)
        app.post_message(event)


def place(app: App[Any]) -> str:
    return str(app.screen.place) if isinstance(app.screen, DeckScreen) else ""


@pytest.mark.parametrize(
    ("keys", "there"),
    [
        (["/", *"status:failed", "enter"], "wave shops@main 2013-07-01T14 {id} /status:failed"),
        (["/", "paste:status:failed", "enter"], "wave shops@main 2013-07-01T14 {id} /status:failed"),
        (["/", *"dsX!FRT", "enter", "escape"], "wave shops@main 2013-07-01T14 {id}"),
        ([":", *"waves", "enter"], "waves"),
        ([":", "paste:waves", "enter"], "waves"),
        ([":", *"workers", "enter", "escape"], "waves"),
        ([":", *"acts", "enter", ":", *"failures last", "enter"], "failures shops@main 2013-07-01T14 {id}"),
        (["/", *"nort", "backspace", "backspace", "r", "left", "left", "home", "^", "enter"], "wave shops@main 2013-07-01T14 {id} /^nor"),
        (["4", "/", *"w-0", "enter"], "workers /w-0"),
    ],
)  # fmt: skip
async def test_no_key_is_lost_or_goes_astray(redis: Redis, redis_url: str, keys: list[str], there: str) -> None:
    # Given a console on a wave
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=SIZE) as pilot:
        await shows(pilot, "▸ south")
        # When keys come all at once
        burst(pilot.app, *keys)
        # Then they have done what they do one after another
        wanted = there.format(id=stage.wave.id)
        await until(pilot, lambda: place(pilot.app) == wanted, f"{wanted}; it is {place(pilot.app)}")


async def test_many_keys_keep_their_order(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    text = "".join(chr(ord("a") + number % 26) for number in range(500))
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=SIZE) as pilot:
        await shows(pilot, "▸ south")
        burst(pilot.app, "/", *text)
        await until(pilot, lambda: place(pilot.app).endswith(f" /{text}"), "all of it is the filter")


async def test_a_backspace_is_not_overtaken_by_a_digit(redis: Redis, redis_url: str) -> None:
    # Given a form with a number in it
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        pilot.app.push_screen(TriggerDialog())
        await until(pilot, lambda: isinstance(pilot.app.focused, Input), "a field has the focus")
        field = pilot.app.screen.query_one("#flow", Input)
        field.value = "30"
        field.cursor_position = 2
        # When the last digit is replaced in one burst
        burst(pilot.app, "backspace", "5", "left", "1", "end", "backspace", "7")
        # Then it is
        await until(pilot, lambda: field.value == "317", f"it is {field.value!r}")


async def test_keys_go_to_the_screen_that_the_key_before_them_opens(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=SIZE) as pilot:
        await shows(pilot, "▸ south")
        burst(pilot.app, "?", "escape", "enter", "tab")
        await until(pilot, lambda: isinstance(pilot.app.screen, EntityScreen), "the entity is there")
        burst(pilot.app, "?")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "the help is there")


async def test_a_key_that_comes_before_the_wave_does_is_obeyed_when_it_is_there(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis).claim()
    long_ago = stage.wave.created - 1_800_000
    redis.hset(stage.wave.key("wave"), mapping={"created": long_ago, "started": long_ago})
    stage.run("sales", at=60.0, took=30.0)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        burst(pilot.app, "enter", "<")
        await shows(pilot, "as it was at", "10 min ago")


async def test_keys_that_come_at_once_confirm_nothing_that_has_not_been_told(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a Redis that has not said yet what cancelling would do
    stage = Stage(redis)
    monkeypatch.setattr(CancelDialog, "ask", lambda *_: None)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        # When all keys of a cancel come in one burst
        burst(pilot.app, "X", "right", "enter", "?")
        # Then the dialog is left, nothing was cancelled, and the key after it is obeyed
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "the help is there")
        wave = Waves(redis).get(stage.wave.id)
        assert not wave.cancelled


async def test_keys_wait_for_a_slow_one(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an action that takes its time
    a_bad_wave(redis)

    async def slow(screen: DeckScreen) -> None:
        await asyncio.sleep(0.3)
        screen.query_one(FilterBar).open()

    monkeypatch.setattr(DeckScreen, "action_filter", slow)
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=SIZE) as pilot:
        await shows(pilot, "▸ south")
        # When keys come behind it
        burst(pilot.app, "/", *"nor")
        # Then they go where it has led
        await until(pilot, lambda: place(pilot.app).endswith(" /nor"), "the filter")


async def test_one_can_leave_although_a_key_never_comes_to_its_end(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a list that a key has stopped for good
    a_bad_wave(redis)
    never = asyncio.Event()

    async def stuck(_list: EntityMatrix, _event: events.Key) -> None:
        await never.wait()

    monkeypatch.setattr("console.in_order.LONGEST", 0.2)
    monkeypatch.setattr(EntityMatrix, "on_key", stuck, raising=False)
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=SIZE) as pilot:
        await shows(pilot, "▸ south")
        # When somebody leaves
        burst(pilot.app, "j", "ctrl+q")
        # Then the console ends
        try:
            for _ in range(100):
                if pilot.app._exit:
                    break
                await asyncio.sleep(0.05)
            assert pilot.app._exit
        finally:
            never.set()


@pytest.mark.skipif(sys.platform != "linux", reason="the terminal of the benchmarks is for Linux")
@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (b"/sout\x7f\x7futh", " / south"),
        (b":workers\r", "no worker"),
        (b"\x1b[200~dX\x1b[201~/e\x1b[200~as\x1b[201~t", " / east"),
    ],
)
def test_in_a_real_terminal(redis: Redis, redis_url: str, keys: bytes, shown: str) -> None:
    # Given a console in a real terminal
    stage = a_bad_wave(redis)
    with open_console(redis_url, "--at", f"wave {stage.wave.id}", width=120, height=36) as terminal:
        _until(terminal, "▸ south")
        # When keys come in one write, some pasted
        terminal.press(keys)
        # Then they are where they belong
        _until(terminal, shown)


def _until(terminal: Any, *texts: str) -> None:
    end = time.monotonic() + 20
    while not all(text in terminal.grid.text for text in texts):
        assert time.monotonic() < end, f"not within 20 s: {texts}\n{terminal.grid.text}"
        terminal.read(0.02)
