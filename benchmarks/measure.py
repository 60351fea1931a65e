"""How the benchmarks measure a console: in a terminal, with a mover beside it."""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.terminal import Grid, Terminal, cpu_exact, rss_of
from engine.store.connect import Client
from engine.store.wave import Wave

ROOT = Path(__file__).parents[1]
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "wd-bench-pyc")}
"""Compiled files are kept, as on a person's machine, whatever the environment here says."""
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("bare Textual")
Bare().run()
"""


@dataclass
class Samples:
    """Numbers of one kind, from all runs."""

    values: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The value that this share of them does not exceed."""
        ordered = sorted(self.values)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else float("nan")


@contextlib.contextmanager
def a_redis() -> Iterator[str]:
    """A Redis of our own, that keeps nothing; its URL."""
    from engine.fleet.embedded import redis_server

    with tempfile.TemporaryDirectory(prefix="wd-") as home, redis_server(Path(home), persist=False) as server:
        yield server.url


@contextlib.contextmanager
def moving(url: str, wave: Wave, *, rate: float = 5000, seed: int = 1, again: float = 0.2) -> Iterator[None]:
    """Cells of the wave move while the block runs."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.load",
        url,
        wave.id,
        "--rate",
        str(rate),
        "--seed",
        str(seed),
        "--again",
        str(again),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != b"moving\n":
                raise RuntimeError("the mover did not start")
            yield
        finally:
            process.terminate()


def open_console(url: str, *more: str, width: int = 160, height: int = 45, probe: Path | None = None) -> Terminal:
    """The console, as a person starts it."""
    module = ["benchmarks.probe", str(probe)] if probe else ["console.cli"]
    command = [sys.executable, "-m", *module, "--redis", url, *more]
    return Terminal(command, width=width, height=height, cwd=ROOT, env={**COMPILED, "WAVEDECK_CONFIG": "/nowhere/config.toml"})


def open_bare() -> Terminal:
    """The smallest program that Textual can run."""
    return Terminal([sys.executable, "-c", BARE], cwd=ROOT, env={**COMPILED, "TEXTUAL_FPS": "120"})


def open_wave(url: str, wave: Wave, **more: Path | None) -> Terminal:
    """The console on a wave, its entities shown."""
    terminal = open_console(url, "--at", f"wave {wave.id}", **more)
    try:
        terminal.until(lambda grid: _rows(grid) and "AA-" in grid.text, what="the entities of the wave")
    except BaseException:
        terminal.close()
        raise
    return terminal


def _rows(grid: Grid) -> range:
    """The rows of the matrix."""
    top = next((y for y in range(grid.height) if "ENTITY" in grid.line(y)), None)
    return range(0) if top is None else range(top + 1, grid.height - 2)


def _cursor(grid: Grid) -> int:
    """The row with the cursor, -1 for none."""
    return next((y for y in _rows(grid) if grid.cells[y][0] == "▸" or grid.cells[y][1] == "▸"), -1)


def _top(grid: Grid) -> str:
    rows = _rows(grid)
    return grid.line(rows[0])[:28] if rows else ""


def keys(terminal: Terminal, count: int, seed: int, *, scrolling: bool = False) -> Samples:
    """Milliseconds from a key to what it draws, of `count` keys at odd moments. A key moves the cursor down or up by one, or,
    `scrolling`, the entities by a page."""
    chance, found = random.Random(seed), Samples()
    seen: Callable[[Grid], object] = _top if scrolling else _cursor
    for number in range(count):
        terminal.watch(chance.uniform(0.05, 0.15))
        down = number % 30 < 20
        key = (b"\x1b[6~" if down else b"\x1b[5~") if scrolling else (b"j" if down else b"k")
        before = seen(terminal.grid)
        row, top = _cursor(terminal.grid), _top(terminal.grid)
        at = terminal.press(key)
        try:
            drawn = terminal.until(
                lambda grid, before=before, row=row, top=top: seen(grid) != before or (_cursor(grid), _top(grid)) != (row, top),
                3.0,
            )
        except TimeoutError:
            continue  # at an end, where a key draws nothing
        found.values.append((drawn - at) * 1000)
    return found


def cpu_share(terminal: Terminal, seconds: float) -> float:
    """The part of a core that a console takes, in percent."""
    began, cpu = time.monotonic(), cpu_exact(terminal.pid)
    terminal.watch(seconds)
    return 100 * (cpu_exact(terminal.pid) - cpu) / (time.monotonic() - began)


def first_frame(open_it: Callable[[], Terminal], shows: str) -> float:
    """Milliseconds from exec until `shows` is drawn."""
    with open_it() as terminal:
        return (terminal.until(lambda grid: shows in grid.text, what=shows) - terminal.began) * 1000


def frames(file: Path, since: float, until: float) -> Samples:
    """Milliseconds of CPU of the frames drawn between two moments, from a probe's file."""
    lines = (line.split() for line in file.read_text().splitlines())
    return Samples([float(cpu) for at, cpu, *_ in lines if since <= float(at) <= until])


def refreshes(redis: Client, waves: Sequence[Wave], seconds: float) -> list[tuple[Samples, float]]:
    """What it costs to read waves that move, in turn, ten times a second: for each milliseconds of each read, and the mean CPU
    milliseconds a read, all that is done only now and then included."""
    from console.sources.wave import WaveSource

    sources = [WaveSource(wave.id) for wave in waves]
    found = [Samples() for _ in waves]
    cpu = [0.0 for _ in waves]
    for source, wave in zip(sources, waves, strict=True):
        source.read(redis)
        source.look(range(0, wave.n, wave.n // 31)[:31])
    began, turns = time.monotonic(), list(enumerate(sources))
    while time.monotonic() - began < seconds:
        turns.reverse()  # who comes first after the pause finds a cold processor
        for number, source in turns:
            at, used = time.perf_counter(), time.process_time()
            source.read(redis)
            found[number].values.append((time.perf_counter() - at) * 1000)
            cpu[number] += (time.process_time() - used) * 1000
        time.sleep(0.1)
    return [(samples, total / len(samples.values)) for samples, total in zip(found, cpu, strict=True)]


def pings(redis: Client, url: str, wave: Wave, seed: int, seconds: float = 5.0) -> Samples:
    """What a PING takes while the wave moves, in milliseconds: no read can be quicker."""
    found = Samples()
    with moving(url, wave, seed=seed):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            at = time.perf_counter()
            redis.ping()
            found.values.append((time.perf_counter() - at) * 1000)
            time.sleep(0.05)
    return found


def memory(terminal: Terminal) -> float:
    """MB of a console."""
    return rss_of(terminal.pid)
