"""Errors of the console's own are kept and told, and end nothing."""

from pathlib import Path

import pytest
from redis import Redis
from stage import Stage, shows, until

from console.app import WavedeckApp
from console.broken import error_file, keep
from console.screens.waves import WavesScreen


def boom(*_: object) -> None:
    raise RuntimeError("a screen that breaks [red]badly")


@pytest.mark.parametrize("where", ["show", "filtered", "action_sort"])
async def test_a_screen_that_breaks_ends_nothing(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))
    monkeypatch.setattr(WavedeckApp, "strict", False)
    monkeypatch.setattr("console.broken._told", {})
    Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=(120, 30), notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14")
        monkeypatch.setattr(WavesScreen, where, boom)
        await pilot.press("slash", "x", "enter", "O")
        Stage(redis, date="2013-07-01T15")
        await until(pilot, lambda: any("the console broke: RuntimeError" in n.message for n in pilot.app._notifications))
        monkeypatch.undo()
        await pilot.press("escape")
        await shows(pilot, "2013-07-01T15")
    kept = (tmp_path / "console-errors.log").read_text()
    assert "a screen that breaks [red]badly" in kept and "Traceback" in kept


def test_the_same_error_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))
    monkeypatch.setattr("console.broken._told", {})
    told = []
    for _ in range(3):
        try:
            boom()
        except RuntimeError as error:
            told.append(keep(error))
    assert told[0] is not None and told[1:] == [None, None]
    assert error_file().read_text().count("Traceback") == 1
