"""`r` on an entity's task: it runs here, beside the console, and its result stands in a pane."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from stage import Stage, error, picture, shows, until

from console.app import WavedeckApp
from engine import Flow
from engine.keys import encode_entity
from engine.status import Cell

FLOW = """
from engine import Flow

flow = Flow("shops", every="1h", state="shops", keep="30d")

@flow.task
def sales(entity):
    return [entity, 1.5]

@flow.task
def forecast(sales):
    raise ValueError("the till of " + sales[0])
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    """The flow, as a module of the folder that is worked in."""
    name = f"shops_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(FLOW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WAVEDECK_FLOWS", name)
    importlib.invalidate_caches()
    yield importlib.import_module(name).flow
    del sys.modules[name]


def a_stage(redis: Redis, flow: Flow) -> Stage:
    """`north one` sold, and its forecast failed, elsewhere in the code than now."""
    stage = Stage(redis, ("north one", "south"), plan=flow.plan).claim()
    stage.run("sales", at=0.1, took=0.1)
    for entity in ("north one", "south"):
        redis.set(f"main/sales {encode_entity(entity)} {stage.wave.date}", f'["{entity}",1.5]')
    stage.run("forecast", Cell.FAILED, at=0.3, took=0.1, note=error())
    return stage


def at(stage: Stage, task: str) -> str:
    return f"entity {stage.wave.locator} north%20one {task}"


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_task_is_replayed_from_the_screen_of_its_entity(
    redis: Redis, redis_url: str, flow: Flow, size: tuple[int, int], read_only: bool
) -> None:
    stage = a_stage(redis, flow)
    async with WavedeckApp(redis_url, locator=at(stage, "forecast"), read_only=read_only).run_test(size=size) as pilot:
        await shows(pilot, "✗ forecast")
        await pilot.press("r")
        await shows(pilot, "forecast · replay", "it fails, and otherwise than then", "took ", timeout=40)
        await pilot.press("k")
        await shows(pilot, "● sales", "sales · replay")
        await pilot.press("r")
        await shows(pilot, "the same value, byte for byte", "value 17 bytes, stored 17 bytes", timeout=40)


async def test_a_read_only_page_runs_nothing_on_its_server(
    redis: Redis, redis_url: str, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(redis, flow)
    async with WavedeckApp(redis_url, locator=at(stage, "sales"), read_only=True).run_test(size=(100, 30)) as pilot:
        await shows(pilot, "● sales")
        monkeypatch.setenv("TEXTUAL_DRIVER", "page")
        await pilot.press("r")
        await until(pilot, lambda: any("runs no code on its server" in n.message for n in pilot.app._notifications))
        assert "· replay" not in picture(pilot.app)


async def test_what_cannot_be_replayed_says_why(
    redis: Redis, redis_url: str, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(redis, flow)
    monkeypatch.setenv("WAVEDECK_FLOWS", "nowhere_to_be_found")
    async with WavedeckApp(redis_url, locator=at(stage, "sales")).run_test(size=(110, 30)) as pilot:
        await shows(pilot, "● sales")
        await pilot.press("r")
        await shows(pilot, "not replayed: no module 'nowhere_to_be_found'", timeout=40)
