"""Every screen at three sizes in four themes, as text: what is drawn, and in which style each cell is. A clock that stands still.

`pytest tests/console/test_snapshots.py --snapshot-update` takes them anew; look at the difference before you commit it.
"""

import re
from pathlib import Path
from typing import Any

import forecasts
import pytest
from fake_house import town
from played import PlayedApp, Stopped, drawn, failing, stop_clock, styles
from redis import Redis
from side_by_side import two_versions
from stage import error
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Input

from console.locator import VIEWS
from console.reports.replay import Ran, Replay
from engine.replayed import Given

THEMES = ("wavedeck-dark", "wavedeck-light", "wavedeck-contrast", "ansi-dark")
SIZES = ((80, 24), (120, 36), (200, 50))
PLACES = {
    "waves": "waves",
    "wave": "wave last",
    "failures": "failures last",
    "changes": "changes last",
    "profile": "profile last",
    "entity": "entity last shop-03 weather",
    "pipes": "pipes main/score 2013-07-01T14 shop-00",
    "compare": "compare main/forecast 2013-07-01T00..2013-07-02T23 vs try/x truth observed_sales",
    "state": "state shops",
    "workers": "workers",
    "acts": "acts",
    "history": "history shops@main",
    "fleet": "fleet",
    "coverage": "coverage shops@main forecast",
}
KEYS = {
    "waves-coverage": ("waves", ""),
    "waves-help": ("waves", "?"),
    "waves-trigger": ("waves", "T"),
    "waves-cancel": ("waves", "X"),
    "waves-lost": ("waves", ""),
    "wave-rerun": ("wave", "R"),
    "wave-layers": ("wave", "g"),
    "wave-map": ("wave", "m"),
    "wave-lit": ("wave", "tab j"),
    "wave-past": ("wave", "comma"),
    "profile-slots": ("profile", "m"),
    "profile-entities": ("profile", "m m"),
    "entity-log": ("entity", "k l"),
    "entity-script": ("entity", "s"),
    "entity-diff": ("entity", "d"),
    "entity-replay": ("entity", "r"),
    "pipes-table": ("pipes", "m"),
    "pipes-raw": ("pipes", "m m"),
    "pipes-plot": ("pipes", "m m m"),
    "pipes-dates": ("pipes", "escape escape"),
}
"""Other looks of these screens → the place, and the keys that lead there."""
IN_GLYPHS = ("wave-map",)
"""What draws statuses in colours alone where there are enough, and else in glyphs."""
LOOKS = {**{view: (view, "") for view in PLACES}, **KEYS}


class Text(SingleFileSnapshotExtension):
    """A text file a snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


def stage(redis: Redis, look: str) -> None:
    """What is there to be shown."""
    if look == "compare":
        two_versions(redis)
    elif look in ("coverage", "waves-coverage"):
        forecasts.scene(redis)
    else:
        failing(redis)


async def look_at(app: PlayedApp, pilot: Pilot[None], look: str) -> None:
    """Goes on to a look of the place where the console has opened."""
    await app.play(pilot)
    if look == "waves-lost":
        await app.lose(pilot)
    for key in LOOKS[look][1].split():
        await pilot.press(key)
        await app.play(pilot)
    for field in app.screen.query(Input):
        field.cursor_blink = False
    await app.play(pilot)


def replayed(_redis: Redis, _url: str, wave: str, entity: str, task: str) -> Ran:
    """Stands where a replay stands, which takes as long as it takes."""
    there = Given("sales", "recorded", "main/sales shop-03 2013-07-01T14", 13)
    known: dict[str, Any] = {
        "wave": wave, "locator": "shops@main 2013-07-01T14", "entity": entity, "task": task, "pipe": f"main/{task} {entity}", "status": "Failed",
        "mark": "", "outcome": "finished", "verdict": "works now", "code": "other", "code_then": "a1", "code_here": "b2", "where": "flows/collect.py:41",
        "config": {"growth": 1.1}, "inputs": [there], "bytes": 17, "stored_bytes": None, "differences": [], "more": False, "error": None,
        "then_error": error()["error"], "seconds": 0.25, "then_seconds": 2.0, "cpu": 0.125, "peak": 90_000_000, "grew": 1_000_000,
        "log": "fetched the day again\n", "seen": 0, "profile": [], "notes": ["the code of weather here is another than the wave ran"],
    }  # fmt: skip
    return Ran(Replay(**known), b'{"till": "works"}', f"main/{task} {entity}", "json", 3600.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stopped:
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))
    monkeypatch.setattr("console.reports.replay.replay", replayed)
    return stop_clock(monkeypatch)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("look", LOOKS)
async def test_screen(redis: Redis, clock: Stopped, snapshot: SnapshotAssertion, look: str, size: tuple[int, int]) -> None:
    stage(redis, look)
    app = PlayedApp(redis, clock, locator=PLACES[LOOKS[look][0]], house=town)
    async with app.run_test(size=size) as pilot:
        await look_at(app, pilot, look)
        parts = ["\n".join(line.rstrip() for line in drawn(app))]
        for theme in THEMES:
            app.theme = theme
            await pilot.pause()
            await app.play(pilot, 1)
            now = "\n".join(line.rstrip() for line in drawn(app))
            assert now == parts[0] or (look in IN_GLYPHS and theme == "ansi-dark"), f"{theme} draws other words"
            parts.append(f"── {theme}\n{styles(app)}")
    assert "\n\n".join(parts) + "\n" == snapshot(extension_class=Text)


@pytest.mark.parametrize("look", LOOKS)
async def test_without_colours_it_says_the_same(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    texts = []
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color) if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
        redis.flushall()
        stage(redis, look)
        app = PlayedApp(redis, clock, locator=PLACES[LOOKS[look][0]], house=town)
        async with app.run_test(size=(120, 36)) as pilot:
            await look_at(app, pilot, look)
            texts.append("\n".join(line.rstrip() for line in drawn(app)))
            if no_color:
                hues = set(re.findall(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", styles(app)))
                assert all(len({*rgb}) == 1 for rgb in hues), "only greys"
    assert (texts[0] == texts[1]) is (look not in IN_GLYPHS)


def test_every_screen_is_among_them() -> None:
    assert set(PLACES) == set(VIEWS)
