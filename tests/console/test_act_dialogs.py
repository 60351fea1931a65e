"""Dialogs before acts: exact consequences, typed names, memory, one act a Yes, everything by keys alone at 80×24."""

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, a_plan, picture, shows, until
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.app import WavedeckApp
from console.dialogs import memory
from console.dialogs.cancel import CancelDialog
from console.dialogs.consequences import Order
from console.dialogs.rerun import RerunDialog
from console.dialogs.trigger import TriggerDialog
from console.screens.waves import WavesScreen
from engine.keys import Date
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

SMALL = (80, 24)


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


def a_state(redis: Redis, n: int = 8) -> None:
    at = Date("2013-07-01T15").start.timestamp()
    States(redis).seen("shops", [(f"shop-{i}", "BER" if i % 2 else "ROM") for i in range(n)], at)
    Catalog(redis).publish("main", [a_plan()])


def a_worker(redis: Redis, *slots: SlotState) -> None:
    Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0, slots=list(slots) or [SlotState(1), SlotState(2)]))


async def ready(pilot: Pilot[Any]) -> Button:
    await until(pilot, lambda: pilot.app.screen.query("#yes"))
    button = pilot.app.screen.query_one("#yes", Button)
    await until(pilot, lambda: not button.disabled, "the act can be done")
    return button


def focused(pilot: Pilot[Any]) -> str:
    return (pilot.app.focused.id or "") if pilot.app.focused is not None else ""


async def typed(pilot: Pilot[Any], text: str) -> None:
    for char in text:
        await pilot.press(char)


# by keys alone, at 80×24


async def test_re_run_by_keys(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    a_worker(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        await pilot.press("R")
        await shows(
            pilot,
            "1 entity in a new wave",
            "1 ✗ failed",
            "◉ 1 cell reused",
            "3 cells run",
            "weather 1",
            "1 worker of main alive, 2 slots",
            "expected time unknown: no wave of this flow has run to its end",
        )
        await ready(pilot)
        assert focused(pilot) == "no"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen))
        assert len(Waves(redis).recent()) == 1, "the default is no"
        await pilot.press("R")
        await ready(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(Waves(redis).recent()) == 2)
        [new] = [p.wave for p in Waves(redis).recent() if p.wave.of]
        await until(pilot, lambda: pilot.app.screen.place.wave == new.id, "the new wave is shown")  # type: ignore[attr-defined]
    assert (new.of, [e for e, _ in Waves(redis).members(new)]) == (stage.wave.id, ["south"])
    [act, *_] = Acts(redis).recent()
    assert (act.verb, act.origin, act.wave) == ("rerun", "console", new.id)
    assert act.by.startswith(f"{getpass.getuser()}@")


@pytest.mark.parametrize("key", ["escape", "n"])
@pytest.mark.parametrize("act", ["X", "R"])
async def test_no_is_one_key(redis: Redis, redis_url: str, act: str, key: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        await pilot.press(act)
        await ready(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen))
    assert len(Waves(redis).recent()) == 1 and not Waves(redis).get(stage.wave.id).cancelled


def many_dialogs(redis: Redis) -> dict[str, Callable[[], Any]]:
    """Dialogs about 1,200 entities."""
    stage = a_bad_wave(redis, [f"shop-{i}" for i in range(1200)])
    a_state(redis, 1200)
    a_worker(redis)
    wave = stage.wave
    return {
        "cancel": lambda: CancelDialog(wave.id, wave.locator),
        "rerun": lambda: RerunDialog(wave.id, wave.locator, "what is marked", list(range(1200))),
        "trigger": lambda: TriggerDialog("shops", "main"),
    }


@pytest.mark.parametrize("name", ["cancel", "rerun", "trigger"])
async def test_above_a_thousand_entities_the_flow_s_name_is_typed(redis: Redis, redis_url: str, name: str) -> None:
    dialog = many_dialogs(redis)[name]()
    before = len(Waves(redis).recent())
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        results: list[Any] = []
        pilot.app.push_screen(dialog, results.append)
        shown = await shows(pilot, "more than 1,000 entities: type shops")
        yes = dialog.query_one("#yes", Button)
        assert yes.disabled
        assert dialog.no in shown and dialog.yes in shown, "the buttons are on the screen"
        if name == "trigger":
            for _ in range(7):
                await pilot.press("enter")
        else:
            assert focused(pilot) == "no"
            await pilot.press("up")
        assert focused(pilot) == "typed"
        await typed(pilot, "shop")
        assert yes.disabled, "a part of the name is not the name"
        await pilot.press("enter")
        assert focused(pilot) == "no" and not results
        await pilot.press("up", "s")
        await until(pilot, lambda: not yes.disabled)
        await pilot.press("enter")
        assert focused(pilot) == "yes"
        await pilot.press("enter")
        await until(pilot, lambda: results)
    if name == "cancel":
        assert Waves(redis).recent()[0].wave.cancelled
    else:
        assert len(Waves(redis).recent()) == before + 1
        assert max(p.wave.created for p in Waves(redis).recent()) and Waves(redis).get(results[0][0]).n == 1200


async def test_a_thousand_need_no_name(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, [f"e{i}" for i in range(1000)])
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        pilot.app.push_screen(CancelDialog(stage.wave.id, stage.wave.locator))
        await ready(pilot)
        assert "type shops" not in picture(pilot.app)


async def test_nothing_is_run_when_every_pipe_is_there(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        dialog = RerunDialog(stage.wave.id, stage.wave.locator, "what is marked", [0])
        pilot.app.push_screen(dialog)
        await shows(pilot, "nothing would run: every pipe is there")
        assert dialog.query_one("#yes", Button).disabled


async def test_hostile_names_break_no_line(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis, HOSTILE)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        for dialog in (
            RerunDialog(stage.wave.id, "\x1b[31m[red]\n" * 20, "\u202e[/]\n\x1b[2J" * 9, None),
            CancelDialog(stage.wave.id, "\x1b[31m[red]\n" * 20),
        ):
            pilot.app.push_screen(dialog)
            await ready(pilot)
            rows = [strip.text for strip in dialog._compositor.render_strips()]
            assert {len(row) for row in rows} <= {80} or all("\x1b" not in row and "\n" not in row for row in rows)
            assert all("\x1b" not in row and "\u202e" not in row for row in rows)
            assert dialog.no in "\n".join(rows)
            await pilot.press("escape")


# one act a Yes


async def test_yes_acts_once_however_often_it_is_pressed(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.rerun as module

    a_bad_wave(redis)
    go, really, asked = Event(), module.rerun, []

    def slow(*args: Any, **more: Any) -> Any:
        asked.append(more["by"])
        assert go.wait(20)
        return really(*args, **more)

    monkeypatch.setattr(module, "rerun", slow)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        await pilot.press("R")
        yes = await ready(pilot)
        await pilot.press("right", "enter", "enter")
        await until(pilot, lambda: asked)
        yes.press()
        await pilot.pause()
        assert yes.disabled
        await pilot.press("escape")
        await until(pilot, lambda: any("not called back" in n.message for n in pilot.app._notifications))
        go.set()
        await until(pilot, lambda: len(Waves(redis).recent()) == 2)
    assert len(asked) == 1


async def test_a_form_that_is_being_sent_cannot_be_sent_again(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import console.start as module

    a_state(redis)
    go, really, asked = Event(), module.start_wave, []

    def slow(*args: Any, **more: Any) -> Any:
        asked.append(more["origin"])
        assert go.wait(20)
        return really(*args, **more)

    monkeypatch.setattr(module, "start_wave", slow)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "no waves yet")
        pilot.app.push_screen(TriggerDialog("shops", "main"))
        await until(pilot, lambda: pilot.app.screen.query("#date"))
        pilot.app.screen.query_one("#date", Input).value = "2013-07-01T15"
        yes = await ready(pilot)
        yes.press()
        await until(pilot, lambda: asked)
        pilot.app.screen.query_one("#base", Input).value = "stable"
        await pilot.pause(0.5)
        assert yes.disabled
        yes.press()
        go.set()
        await until(pilot, lambda: Waves(redis).recent())
    assert asked == ["console"]
    assert Waves(redis).recent()[0].wave.base == ""


async def test_what_the_engine_refuses_is_said_in_the_dialog(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "07-01T14")
        dialog = CancelDialog(stage.wave.id, stage.wave.locator)
        pilot.app.push_screen(dialog)
        yes = await ready(pilot)
        Waves(redis).cancel(stage.wave, "somebody was faster", "eve")
        yes.press()
        await shows(pilot, "has ended already")
        assert yes.disabled
    assert Acts(redis).recent(wave=stage.wave.id, limit=9)[0].verb == "trigger", "no second cancel is in the log"


@pytest.mark.parametrize("name", ["cancel", "rerun", "trigger"])
async def test_read_only_refuses_in_the_dialog_and_again_in_the_engine(redis: Redis, redis_url: str, name: str) -> None:
    stage = a_bad_wave(redis)
    a_state(redis)
    dialog: Any = {
        "cancel": lambda: CancelDialog(stage.wave.id, stage.wave.locator),
        "rerun": lambda: RerunDialog(stage.wave.id, stage.wave.locator, "", None),
        "trigger": lambda: TriggerDialog("shops", "main"),
    }[name]()
    async with WavedeckApp(redis_url, read_only=True).run_test(size=SMALL) as pilot:
        app = pilot.app
        assert isinstance(app, WavedeckApp)
        await shows(pilot, "07-01T14")
        app.push_screen(dialog)
        (await ready(pilot)).press()
        await shows(pilot, "read-only: nothing is changed")

        # A dialog that does not ask is refused by the engine: its client can only read.
        def act(name: str, deed: Any) -> None:
            app.errand(dialog, name, deed, write=True)

        dialog.act = act
        dialog.do()
        await shows(pilot, "read-only: this session changes nothing")
    assert len(Waves(redis).recent()) == 1 and not Waves(redis).get(stage.wave.id).cancelled
    assert [a.verb for a in Acts(redis).recent()] == ["trigger"]


# what the form remembers


async def test_the_form_begins_with_what_was_last_started(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    a_state(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "no waves yet")
        pilot.app.push_screen(TriggerDialog("shops", "main"))
        await until(pilot, lambda: pilot.app.screen.query("#date"))
        form = pilot.app.screen
        for field, value in {"date": "2013-07-01T15", "base": "stable", "partitions": "BER"}.items():
            form.query_one(f"#{field}", Input).value = value
        await shows(pilot, "4 entities × 4 tasks")
        (await ready(pilot)).press()
        await until(pilot, lambda: Waves(redis).recent())
        await until(pilot, (tmp_path / "triggered.json").exists)
    kept = json.loads((tmp_path / "triggered.json").read_text())
    assert kept == {"shops@main": {"base": "stable", "partitions": "BER", "entities": "", "config": ""}}
    assert (tmp_path / "triggered.json").stat().st_mode & 0o077 == 0
    assert memory.remembered("shops", "main") == {"flow": "shops", "base": "stable", "partitions": "BER"}
    assert memory.remembered("", "main")["flow"] == "shops", "without a flow it is the version's last"
    assert memory.remembered("shops", "fix") == {}

    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        pilot.app.push_screen(TriggerDialog("shops", "main"))
        await shows(pilot, "stable", "BER", "2013-07-01T16")


async def test_what_was_refused_is_not_remembered(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    a_state(redis)
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "no waves yet")
        pilot.app.push_screen(TriggerDialog("shops", "main"))
        await until(pilot, lambda: pilot.app.screen.query("#date"))
        pilot.app.screen.query_one("#date", Input).value = "2013-07-01T15"
        yes = await ready(pilot)
        redis.delete(*redis.scan_iter("wd:state:*"))
        yes.press()
        await shows(pilot, "has no entity active")
    assert not (tmp_path / "triggered.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a@main": 3}', '{"shops@main": {"base": 3}}', "[" * 100_000, "\x00\xff"])
async def test_a_memory_that_cannot_be_read_is_none(redis: Redis, redis_url: str, tmp_path: Path, text: str) -> None:
    a_state(redis)
    (tmp_path / "triggered.json").write_text(text, encoding="latin-1")
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        pilot.app.push_screen(TriggerDialog("shops", "main"))
        await until(pilot, lambda: pilot.app.screen.query("#flow"))
        assert pilot.app.screen.query_one("#flow", Input).value == "shops"
        assert pilot.app.screen.query_one("#base", Input).value == ""


def test_a_memory_that_cannot_be_written_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path / "file/below"))
    memory.remember(Order("shops", "main", "", config="k=\udcff"))
    assert memory.remembered("shops", "main") == {}
