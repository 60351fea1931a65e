"""Every screen at three sizes in four themes, as text: what is drawn, and in which style each cell is. A clock that stands still.

`pytest tests/console/test_snapshots.py --snapshot-update` takes them anew; look at the difference before you commit it.
"""

import re

import pytest
from fake_house import town
from played import PlayedApp, drawn, failing, stop_clock, styles
from redis import Redis
from side_by_side import two_versions
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

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
}


class Text(SingleFileSnapshotExtension):
    """A text file a snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


def stage(redis: Redis, view: str) -> None:
    """What is there to be shown."""
    (two_versions if view == "compare" else failing)(redis)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", PLACES)
async def test_screen(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, view: str, size: tuple[int, int]
) -> None:
    clock = stop_clock(monkeypatch)
    stage(redis, view)
    app = PlayedApp(redis, clock, locator=PLACES[view], house=town)
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        parts = ["\n".join(line.rstrip() for line in drawn(app))]
        for theme in THEMES:
            app.theme = theme
            await pilot.pause()
            await app.play(pilot, 1)
            assert "\n".join(line.rstrip() for line in drawn(app)) == parts[0], f"{theme} draws other words"
            parts.append(f"── {theme}\n{styles(app)}")
    assert "\n\n".join(parts) + "\n" == snapshot(extension_class=Text)


@pytest.mark.parametrize("view", PLACES)
async def test_without_colours_it_says_the_same(redis: Redis, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    texts = []
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color) if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
        clock = stop_clock(monkeypatch)
        redis.flushall()
        stage(redis, view)
        app = PlayedApp(redis, clock, locator=PLACES[view], house=town)
        async with app.run_test(size=(120, 36)) as pilot:
            await app.play(pilot)
            texts.append("\n".join(line.rstrip() for line in drawn(app)))
            if no_color:
                hues = set(re.findall(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", styles(app)))
                assert all(len({*rgb}) == 1 for rgb in hues), "only greys"
    assert texts[0] == texts[1]
