"""How quick the console is, against its targets: `python benchmarks/console.py [--quick]`. Linux; some twelve minutes.

A Redis of its own, a wave of 50,000 entities × 10 tasks made by the engine's scripts, a process that makes 5,000 transitions a second,
and the real console in a real terminal of 160 × 45. `docs/performance.md` says what each line means.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # else this file would pass for the package `console`

from benchmarks import measure
from benchmarks.load import build, ended
from benchmarks.measure import Samples, cpu_share, first_frame, frames, keys, moving, open_wave
from engine.store.connect import connect
from engine.store.wave import Wave


@dataclass(frozen=True)
class Line:
    """A row of the table; `target` in `unit`, None for what has none."""

    what: str
    values: Samples
    target: float | None
    unit: str
    digits: int = 1

    def __str__(self) -> str:
        low, high = min(self.values.values, default=float("nan")), max(self.values.values, default=float("nan"))
        told = f"| {self.what} | **{self.values.median:.{self.digits}f} {self.unit}** | {low:.{self.digits}f}–{high:.{self.digits}f} "
        if self.target is None:
            return told + "| | |"
        return told + f"| ≤ {self.target:g} {self.unit} | {'yes' if self.values.median <= self.target else '**no**'} |"


class Bench:
    """The runs; `of` gathers what they measure."""

    def __init__(self, url: str, *, quick: bool) -> None:
        self.url, self.redis, self.quick = url, connect(url), quick
        self.folder = Path(tempfile.mkdtemp(prefix="wd-bench-"))
        self.found: dict[str, Samples] = {}

    def of(self, name: str) -> Samples:
        """The samples of a name."""
        return self.found.setdefault(name, Samples())

    def add(self, name: str, value: float) -> None:
        """One more of them."""
        self.of(name).values.append(value)

    def fresh(self, entities: int) -> Wave:
        """A new wave in an empty Redis."""
        self.redis.flushall()
        return build(self.redis, entities)

    def starts(self, times: int) -> None:
        """First frames, a bare Textual program's and the console's in turn."""
        wave = self.fresh(5000)
        home = functools.partial(measure.open_console, self.url)
        there = functools.partial(measure.open_console, self.url, "--at", f"wave {wave.id}")
        for number in range(times + 1):
            bare = first_frame(measure.open_bare, "bare Textual")
            console = first_frame(home, "wavedeck")
            opened = first_frame(there, "AA-0")
            if number:  # the first one fills the disk's cache
                self.add("bare", bare)
                self.add("first", console)
                self.add("ratio", console / bare)
                self.add("opened", opened)

    def loaded(self, seed: int) -> None:
        """Keys, CPU and memory while cells move; then a Redis that hangs; then rest."""
        wave = self.fresh(50_000)
        with open_wave(self.url, wave) as terminal:
            with moving(self.url, wave, seed=seed):
                terminal.watch(4)
                self.add("cpu", cpu_share(terminal, 4 if self.quick else 10))
                self._keys(terminal, "key", 60 if self.quick else 120, seed)
                self._keys(terminal, "page", 20 if self.quick else 60, seed, scrolling=True)
                self._hang(terminal, seed)
                self.add("rss", measure.memory(terminal))
            with measure.open_bare() as bare:
                terminal.watch(25)  # the rate is over ten seconds, and what is told of durations comes task by task
                self.add("idle", cpu_share(terminal, 10 if self.quick else 20))
                self.add("idle bare", cpu_share(bare, 5 if self.quick else 20))
        self._home("idle home, running")
        self.redis.flushall()
        ended(self.redis, 1000)
        self._home("idle home")

    def _home(self, name: str) -> None:
        """The CPU of the home screen while nothing moves."""
        with measure.open_console(self.url) as terminal:
            terminal.until(lambda grid: "bench" in grid.text, what="the waves")
            terminal.watch(15)
            self.add(name, cpu_share(terminal, 10 if self.quick else 20))

    def _keys(self, terminal: measure.Terminal, name: str, count: int, seed: int, *, scrolling: bool = False) -> None:
        found = keys(terminal, count, seed, scrolling=scrolling)
        self.add(f"{name} p50", found.median)
        self.add(f"{name} p95", found.at(0.95))

    def _hang(self, terminal: measure.Terminal, seed: int) -> None:
        """The slowest key while Redis hangs four times for 400 ms."""
        ended = threading.Event()

        def hang() -> None:
            with connect(self.url) as redis:
                while not ended.wait(0.1):
                    redis.execute_command("CLIENT", "PAUSE", 400, "ALL")

        thread = threading.Thread(target=hang)
        thread.start()
        try:
            found = keys(terminal, 20, seed + 100)
        finally:
            ended.set()
            thread.join()
        self.add("hang p50", found.median)
        self.add("hang max", max(found.values))

    def painted(self, seed: int, entities: int = 50_000, name: str = "frame") -> None:
        """Frames, by the stop-watch inside, while cells move and keys are pressed."""
        wave = self.fresh(entities)
        file = self.folder / f"{name}-{seed}"
        with open_wave(self.url, wave, probe=file) as terminal, moving(self.url, wave, seed=seed):
            terminal.watch(4)
            began = time.monotonic()
            terminal.watch(3)
            middle = time.monotonic()
            found = keys(terminal, 30 if self.quick else 80, seed)
            paged = keys(terminal, 15 if self.quick else 40, seed, scrolling=True)
            ended = time.monotonic()
            if name != "frame":
                self.add(f"{name} key p50", found.median)
                self.add(f"{name} page p50", paged.median)
                self.add(f"{name} page p95", paged.at(0.95))
        self.add(f"{name} p50", frames(file, began, ended).median)
        self.add(f"{name} p95", frames(file, began, ended).at(0.95))
        self.add(f"{name} at rest p95", frames(file, began, middle).at(0.95))

    def read(self, seed: int) -> None:
        """What a refresh costs, of a wave that moves; then of a large and of a small one that move alike, in turn."""
        large, small = self.fresh(50_000), build(self.redis, 5000, date="2013-07-01T15")
        seconds = 5 if self.quick else 12
        with moving(self.url, large, seed=seed):
            [(alone, cpu)] = measure.refreshes(self.redis, [large], seconds)
            with moving(self.url, small, seed=seed, again=0.6):
                [(big, big_cpu), (little, little_cpu)] = measure.refreshes(self.redis, [large, small], seconds)
        self.add("refresh p50", alone.median)
        self.add("refresh p95", alone.at(0.95))
        self.add("refresh cpu", cpu)
        self.add("ping p95", measure.pings(self.redis, self.url, large, seed).at(0.95))
        self.add("refresh ratio", big_cpu / little_cpu)
        self.add("refresh ratio p50", big.median / little.median)

    def lines(self) -> list[Line]:
        """The table."""
        told: list[tuple[str, str, float | None, str, int]] = [
            ("key → paint, p50", "key p50", 5, "ms", 1),
            ("key → paint, p95", "key p95", 20, "ms", 1),
            ("page → paint, p50", "page p50", None, "ms", 1),
            ("page → paint, p95", "page p95", None, "ms", 1),
            ("slowest key while Redis hangs for 400 ms", "hang max", 100, "ms", 1),
            ("frame, CPU, p50", "frame p50", None, "ms", 1),
            ("frame, CPU, p95", "frame p95", 5, "ms", 1),
            ("frame without keys, CPU, p95", "frame at rest p95", None, "ms", 1),
            ("refresh with counts, p50", "refresh p50", 2, "ms", 2),
            ("refresh with counts, p95", "refresh p95", 2, "ms", 2),
            ("a PING then, p95", "ping p95", None, "ms", 2),
            ("refresh, mean CPU", "refresh cpu", None, "ms", 2),
            ("refresh, 50,000 : 5,000 entities, mean CPU", "refresh ratio", 1.5, "×", 2),
            ("refresh, 50,000 : 5,000 entities, median", "refresh ratio p50", 1.5, "×", 2),
            ("CPU at 5,000 transitions/s", "cpu", 6, "%", 1),
            ("CPU at rest, a wave that stands still", "idle", 0.3, "%", 2),
            ("CPU at rest, home, all waves ended", "idle home", 0.3, "%", 2),
            ("CPU at rest, home, a wave that stands still", "idle home, running", 0.3, "%", 2),
            ("CPU at rest, bare Textual", "idle bare", None, "%", 2),
            ("resident memory", "rss", 90, "MB", 0),
            ("first frame, bare Textual", "bare", None, "ms", 0),
            ("first frame, console", "first", None, "ms", 0),
            ("first frame, console : bare Textual", "ratio", 1.2, "×", 2),
            ("exec → a wave of 5,000 entities is shown", "opened", None, "ms", 0),
            ("1,000,000 cells: key → paint, p50", "million key p50", 5, "ms", 1),
            ("1,000,000 cells: page → paint, p50", "million page p50", None, "ms", 1),
            ("1,000,000 cells: page → paint, p95", "million page p95", 20, "ms", 1),
            ("1,000,000 cells: frame, CPU, p95", "million p95", 5, "ms", 1),
        ]
        return [
            Line(what, self.found[name], target, unit, digits)
            for what, name, target, unit, digits in told
            if name in self.found
        ]


def main() -> None:
    """Runs it all, the arms in turn, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, fewer keys")
    parser.add_argument("--only", default="", help="starts,loaded,painted,read,million")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with measure.a_redis() as url:
        bench = Bench(url, quick=given.quick)
        arms: dict[str, Callable[[int], None]] = {
            "starts": lambda _: bench.starts(3 if given.quick else 5),
            "loaded": bench.loaded,
            "painted": bench.painted,
            "read": bench.read,
            "million": lambda seed: bench.painted(seed, 100_000, "million"),
        }
        for seed in range(1, 2 if given.quick else 4):
            for name, arm in arms.items():
                if not given.only or name in given.only.split(","):
                    print(f"… round {seed}: {name}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
                    arm(seed)
        print(f"{os.cpu_count()} cores, load {load:.1f} before and {os.getloadavg()[0]:.1f} after; medians of the rounds\n")
        print("| | median | range | target | |\n|---|---:|---:|---:|---|")
        print(*bench.lines(), sep="\n")


if __name__ == "__main__":
    main()
