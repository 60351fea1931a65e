"""Acts: what they say before, that nothing is the default, and what they do."""

import json
from pathlib import Path

import pytest
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, a_plan, picture, shows, until
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.app import WavedeckApp
from console.dialogs.cancel import CancelDialog
from console.dialogs.consequences import Order, foresee, foresee_cancel, settings, words
from console.dialogs.trigger import TriggerDialog
from console.screens.wave import WaveScreen
from console.screens.waves import WavesScreen
from engine.errors import BadKey, NotFound
from engine.keys import Date
from engine.status import Cell, Status
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

SIZES = [(80, 24), (160, 45)]


@pytest.fixture(autouse=True)
def _no_flows_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


def a_state(redis: Redis, n: int = 8) -> None:
    at = Date("2013-07-01T15").start.timestamp()
    States(redis).seen("shops", [(f"shop-{i}", "BER" if i % 2 else "ROM") for i in range(n)], at)
    Catalog(redis).publish("main", [a_plan()])


def a_worker(redis: Redis) -> None:
    Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0, slots=[SlotState(1), SlotState(2)]))


async def ready(pilot: Pilot[None]) -> Button:
    await until(pilot, lambda: pilot.app.screen.query("#yes"))
    button = pilot.app.screen.query_one("#yes", Button)
    await until(pilot, lambda: not button.disabled, "the act can be done")
    return button


@pytest.mark.parametrize("size", SIZES)
async def test_cancel_says_what_it_ends_and_its_default_ends_nothing(
    redis: Redis, redis_url: str, size: tuple[int, int]
) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("X")
        await shows(pilot, "cancel shops@main 2013-07-01T14?", "1 ✗ failed", "2 ◌ blocked", "1 ◐ running", "8 ● finished")
        await shows(pilot, "of 3 entities, 1 are complete, 1 run now")
        await ready(pilot)
        assert pilot.app.focused is not None and pilot.app.focused.id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen))
        assert not Waves(redis).get(stage.wave.id).cancelled


async def test_cancel_cancels_and_says_so(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=(120, 30)) as pilot:
        await shows(pilot, "waits for a worker")
        await pilot.press("X")
        await ready(pilot)
        await pilot.press("right", "enter")
        await shows(pilot, "⊘ cancelled", "12 ⊘ cancelled")
        assert any("cancelled shops@main 2013-07-01T14: 12 cells at once" in n.message for n in pilot.app._notifications)
    wave = Waves(redis).get(stage.wave.id)
    assert wave.cancelled == "cancelled in the console"
    assert "@" in wave.cancelled_by


async def test_a_wave_that_has_ended_cannot_be_cancelled(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    Waves(redis).cancel(stage.wave, "x", "y")
    async with WavedeckApp(redis_url).run_test(size=(80, 24)) as pilot:
        await shows(pilot, "cancelled")
        await pilot.press("X")
        await shows(pilot, "It is cancelled already")
        assert pilot.app.screen.query_one("#yes", Button).disabled


@pytest.mark.parametrize("size", SIZES)
async def test_trigger_fills_itself_in_says_what_it_does_and_starts_a_wave(
    redis: Redis, redis_url: str, size: tuple[int, int]
) -> None:
    a_bad_wave(redis)
    a_state(redis)
    a_worker(redis)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("T")
        await shows(
            pilot, "8 entities × 4 tasks = 32 cells", "2013-07-01T15", "1 worker of main alive, 2 slots", "32 cells run"
        )
        button = await ready(pilot)
        for _ in range(7):
            await pilot.press("enter")
        assert pilot.app.focused is not None and pilot.app.focused.id == "no", "enter through the form ends at no"
        await pilot.press("right")
        assert button.has_focus
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, WaveScreen), "the new wave is shown")
        await shows(pilot, "shops@main 2013-07-01T15", "shop-0")
    wave = Waves(redis).get("shops@main 2013-07-01T15")
    assert wave.n == 8 and wave.trigger.startswith("manual:") and "@" in wave.by


async def test_trigger_over_entities_of_its_own_partitions_and_config(redis: Redis, redis_url: str) -> None:
    a_state(redis)
    async with WavedeckApp(redis_url).run_test(size=(100, 30)) as pilot:
        await shows(pilot, "no waves yet")
        await pilot.press("T")
        form = pilot.app.screen
        assert isinstance(form, TriggerDialog)
        await until(pilot, lambda: form.query_one("#flow", Input).value == "shops")
        form.query_one("#date", Input).value = "2013-07-01T15"
        form.query_one("#partitions", Input).value = "BER"
        await shows(pilot, "4 entities × 4 tasks", "✗ no worker of main is alive")
        form.query_one("#partitions", Input).value = "OSL"
        await shows(pilot, "has no partition 'OSL'")
        assert form.query_one("#yes", Button).disabled
        form.query_one("#partitions", Input).value = ""
        form.query_one("#config", Input).value = "depth=3"
        await shows(pilot, "config 'depth' is of no task")
        form.query_one("#config", Input).value = ""
        form.query_one("#entities", Input).value = " ".join(json.dumps(k) for k in HOSTILE)
        await shows(pilot, f"{len(HOSTILE)} entities × 4 tasks")
        form.query_one("#date", Input).value = "tomorrow"
        await shows(pilot, "date 'tomorrow' is neither")
        form.query_one("#date", Input).value = "2013-07-01T15"
        await ready(pilot)
        form.query_one("#yes", Button).press()
        await shows(pilot, "[red]z", "\\x1b[31mred", "ENTITY")


async def test_trigger_counts_what_is_there_already(redis: Redis) -> None:
    a_state(redis)
    stage = Stage(redis, ["shop-0", "shop-1", "elsewhere"], date="2013-07-01T15").claim()
    stage.run("sales", at=0.1, took=0.1)
    stage.run("weather", Cell.FAILED, [0], at=0.1, took=0.1)
    stage.run("weather", entities=[1], at=0.1, took=0.1)
    key = stage.plan and "main/score shop-3 2013-07-01T15"
    redis.set(key, b"1")
    outcome = foresee(redis, Order("shops", "main", "2013-07-01T15"))
    assert (outcome.entities, outcome.there) == (8, {"sales": 2, "weather": 1})
    assert Pipes(redis).get(key) == b"1"
    assert len(Waves(redis).recent()) == 1, "looking changes nothing"


def test_foresight_of_a_cancel_adds_up(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    ending = foresee_cancel(redis, stage.wave.id)
    assert sum(ending.counts.values()) == 12
    assert ending.counts[Status.FAILED] == 1
    assert (ending.entities, ending.untouched, ending.running, ending.done, ending.over) == (3, 0, 1, 1, "")
    with pytest.raises(NotFound):
        foresee_cancel(redis, "w0000")


def test_names_and_settings_as_people_write_them() -> None:
    assert words('a, b  c,"d e" "f,g"') == ["a", "b", "c", "d e", "f,g"]
    assert words("") == []
    assert settings('task.depth=3 mode=fast on=true tags=["a"]') == {
        "task.depth": 3,
        "mode": "fast",
        "on": True,
        "tags": ["a"],
    }
    with pytest.raises(BadKey, match="not key=value"):
        settings("depth")
    with pytest.raises(BadKey):
        words('"open')


async def test_read_only_has_neither_trigger_nor_cancel(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    a_state(redis)
    async with WavedeckApp(redis_url, read_only=True).run_test(size=(160, 45)) as pilot:
        shown = await shows(pilot, "read-only", "2013-07-01T14")
        for wanted in (WavesScreen, WaveScreen):
            assert isinstance(pilot.app.screen, wanted)
            assert "trigger" not in shown and "X cancel" not in shown
            await pilot.press("T", "X")
            await pilot.pause(0.1)
            assert isinstance(pilot.app.screen, wanted)
            await pilot.press("question_mark")
            shown = await shows(pilot, "keys")
            assert "refused: read-only · Start a wave" in shown
            await pilot.press("escape")
            if wanted is WavesScreen:
                await pilot.press("enter")
                shown = await shows(pilot, "WHY")

        # Whoever opens a dialog in some other way is refused again.
        dialog = CancelDialog(stage.wave.id, stage.wave.locator)
        pilot.app.push_screen(dialog)
        await ready(pilot)
        dialog.query_one("#yes", Button).press()
        await shows(pilot, "read-only: nothing is changed")
        assert "asking" not in picture(pilot.app)
    assert not Waves(redis).get(stage.wave.id).cancelled
