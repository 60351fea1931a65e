"""What only a terminal sees of the console: the clipboard, the bell, the title, colours, and settings read from a file."""

from __future__ import annotations

import base64
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from stage import Stage, a_bad_wave, error

from benchmarks.measure import ROOT
from benchmarks.terminal import Terminal
from engine.status import Cell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the terminal of the benchmarks is for Linux")

COLOUR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")
COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")


class Raw:
    """A terminal, and all bytes that came to it."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.bytes = terminal, b""
        feed = terminal.grid.feed

        def kept(data: bytes) -> None:
            self.bytes += data
            feed(data)

        terminal.grid.feed = kept  # type: ignore[method-assign]

    @property
    def text(self) -> str:
        return self.terminal.grid.text

    def until(self, true: Callable[[], object], what: str) -> None:
        """Draws what comes until it is so."""
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end, f"not within 30 s: {what}\n{self.text}"
            self.terminal.read(0.02)

    def shows(self, *texts: str) -> None:
        self.until(lambda: all(text in self.text for text in texts), f"the terminal shows {texts}")

    def copies(self, *texts: str) -> None:
        """Waits until something with these was put into the clipboard."""

        self.until(
            lambda: any(
                all(text.encode() in base64.b64decode(found) for text in texts) for found in COPIED.findall(self.bytes)
            ),
            f"{texts} in the clipboard",
        )


@contextmanager
def console(url: str, *words: str, settings: str = "", home: Path, **env: str) -> Iterator[Raw]:
    """The console as a person starts it, with settings in a file."""
    config = home / "config.toml"
    config.write_text(settings)
    command = [sys.executable, "-m", "console.cli", "--redis", url, *words]
    more = {"WAVEDECK_CONFIG": str(config), "WAVEDECK_HOME": str(home), **env}
    with Terminal(command, width=120, height=36, cwd=ROOT, env=more) as terminal:
        yield Raw(terminal)


def test_what_is_copied_goes_to_the_terminal_s_clipboard(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    stage = a_bad_wave(redis)
    with console(redis_url, "--at", f"wave {stage.wave.id}", home=tmp_path) as raw:
        raw.shows("▸ south", "NoObservation")
        raw.terminal.press(b"c")
        raw.copies("south", "NoObservation")
        raw.terminal.press(b"C")
        raw.copies(f":wave shops@main 2013-07-01T14 {stage.wave.id}")
        raw.terminal.press(b"Y")
        raw.copies("## ", "NoObservation", "wavedeck")


def test_a_watched_wave_rings_the_terminal_and_says_so_in_its_title(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    stage = Stage(redis).claim()
    with console(redis_url, "--at", f"wave {stage.wave.id}", home=tmp_path) as raw:
        raw.shows("ENTITY", "north")
        raw.terminal.press(b"w")
        raw.shows("watching shops@main 2013-07-01T14")
        rung = len(_bells(raw.bytes))
        stage.run("sales", at=0.1, took=0.1)
        stage.run("weather", Cell.FAILED, [1], at=0.1, took=0.1, note=error())
        raw.until(lambda: b"\x1b]2;wavedeck: shops@main 2013-07-01T14: running, 1+ failed" in raw.bytes, "the title")
        raw.until(lambda: len(_bells(raw.bytes)) > rung, "the bell")


def _bells(data: bytes) -> list[bytes]:
    """Bells that are not the end of another sequence."""
    return re.findall(rb"\x07", re.sub(rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", b"", data))


def test_settings_are_read_from_a_file(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    a_bad_wave(redis)
    kept = tmp_path / "kept"
    kept.mkdir()
    settings = f'theme = "wavedeck-light"\nsave = "{kept}"\n[keys]\n"help" = "f1"\n"wave.trigger" = "f2"\n'
    with console(redis_url, settings=settings, home=tmp_path) as raw:
        raw.shows("2013-07-01T14", "f1 help", "f2 trigger")
        grounds = re.findall(rb"48;2;(\d+);(\d+);(\d+)", raw.bytes)
        assert min(map(int, max(grounds, key=grounds.count))) > 200, "mostly light"
        raw.terminal.press(b"T")
        raw.terminal.press(b"\x1bOP")
        raw.shows("what the glyphs mean", "f2")
        raw.terminal.press(b"q")
        raw.terminal.press(b"\x13")
        raw.until(lambda: len([*kept.iterdir()]) == 2, "the screen is saved")
        assert {path.suffix for path in kept.iterdir()} == {".svg", ".txt"}


@pytest.mark.parametrize("place", ["waves", "wave last", "failures last"])
def test_no_color_sends_greys_alone(redis: Redis, redis_url: str, tmp_path: Path, place: str) -> None:
    a_bad_wave(redis)
    with console(redis_url, "--at", place, home=tmp_path, NO_COLOR="1") as raw:
        raw.shows("✗", "as of")
        found = COLOUR.findall(raw.bytes)
        assert found and all(len({*map(int, rgb)}) == 1 for rgb in found)
        assert not re.search(rb"\x1b\[(3[1-6]|4[1-6]|9[1-6]|10[1-6])m|[34]8;5;", raw.bytes), "no named colours either"


def test_a_theme_of_sixteen_colours_sends_no_others(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    a_bad_wave(redis)
    with console(redis_url, "--at", "wave last", settings='theme = "ansi-dark"\n', home=tmp_path) as raw:
        raw.shows("▸ south", "✗")
        assert not COLOUR.findall(raw.bytes) and not re.search(rb"[34]8;5;\d", raw.bytes)
        assert re.search(rb"\x1b\[[0-9;]*3[1-6]", raw.bytes), "but those"
