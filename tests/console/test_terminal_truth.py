"""What a real terminal shows of a moving wave is what Redis holds, cell for cell, wherever one has scrolled, sorted or filtered to.

What is expected is worked out here from Redis alone; nothing of the console's own glyphs, orders and filters is used for it.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from redis import Redis

from benchmarks.load import a_plan
from benchmarks.measure import ROOT, open_console
from benchmarks.terminal import Grid, Terminal
from engine import Date
from engine.keys import decode_entity
from engine.launch import launch
from engine.status import Cell
from engine.store.claims import Claimed, Move, Moves, claim_command, holds_of, move_command, read_claim, read_move, trip
from engine.store.wave import Wave
from engine.store.waves import Waves

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the terminal of the benchmarks is for Linux")

GLYPHS = {"P": "○", "R": "◐", "F": "●", "U": "◉", "O": "↺", "X": "✗", "B": "◌", "C": "⊘"}
WORST_FIRST = b"XBCRPOFU"
SAID = {"failures": "failures first", "name": "by name", "number": "by number", "slowest": "slowest first"}
PITCH, FOOT = 4, 2
ROW = re.compile(r"([▸ ]) (AA-\d{6}-JFK-LAX)  (?=\S)")
RATE = 8000
"""Steps of cells that the mover is asked to make each second."""
PAGE, END, HOME, ESC = b"\x1b[6~", b"\x1b[F", b"\x1b[H", b"\x1b"


@dataclass(frozen=True)
class Row:
    """An entity on the screen: its name, and a character for each task."""

    name: str
    cells: str


@dataclass(frozen=True)
class Shown:
    """The list of entities on the screen: its rows from the top, how many it has room for, how many lines of it cannot be
    understood, where the cursor is, and what the line above says of how many there are."""

    rows: tuple[Row, ...]
    room: int
    odd: tuple[str, ...]
    cursors: tuple[str, ...]
    said: str


def shown(grid: Grid, tasks: int) -> Shown:
    """What of entities is on the screen."""
    top = next((y for y in range(grid.height) if grid.line(y).startswith("  ENTITY ")), grid.height)
    lines = [grid.line(y) for y in range(top + 1, grid.height - FOOT)]
    rows, odd, cursors = [], [], []
    for number, line in enumerate(lines):
        if match := ROW.match(line):
            at = match.end()
            rows.append(Row(match[2], line[at : at + PITCH * tasks : PITCH]))
            cursors += [match[2]] if match[1] == "▸" else []
        if (match is None and line.strip(" ▁▂▃▄▅▆▇█▎▌▊▕▏")) or (
            match and len(rows) <= number
        ):  # other words, or a row below a gap
            odd.append(line)
    said = next((line for y in range(top) if re.match(r"─ [\d,]+ (of|entities)", line := grid.line(y))), "")
    return Shown(tuple(rows), len(lines), tuple(odd), tuple(cursors), said)


@dataclass(frozen=True)
class Asked:
    """What a person has asked to see: an order, entities with a failure, names that match. `end`: where the screen must be."""

    sort: str = "failures"
    failed: bool = False
    name: str = ""
    end: str = ""


def expected(board: bytes, names: Sequence[str], asked: Asked) -> list[Row]:
    """All rows that a board makes, in order. `slowest` is not known here and taken for `number`."""
    n = len(names)
    cells = [board[entity::n] for entity in range(n)]
    found = [
        entity
        for entity in range(n)
        if (not asked.failed or b"X"[0] in cells[entity]) and (not asked.name or re.search(asked.name, names[entity]))
    ]
    if asked.sort == "failures":
        found.sort(key=lambda entity: min(map(WORST_FIRST.index, cells[entity])))
    elif asked.sort == "name":
        found.sort(key=lambda entity: names[entity])
    return [Row(names[entity], "".join(GLYPHS[chr(cell)] for cell in cells[entity])) for entity in found]


def wrong(seen: Shown, truth: Sequence[Row], asked: Asked) -> list[str]:
    """What of the screen is not so: cells, order, rows that are missing, there twice, or should not be there."""
    by_name, names = {row.name: row for row in truth}, [row.name for row in truth]
    found = [f"not a row: {line!r}" for line in seen.odd]
    for row in seen.rows:
        if row.name not in by_name:
            found.append(f"{row.name} should not be there")
        elif row != by_name[row.name]:
            found.append(f"{row.name}: {row.cells} on the screen, {by_name[row.name].cells} in Redis")
    many = min(seen.room, len(truth))
    if len(seen.rows) != many:
        found.append(f"{len(seen.rows)} rows on the screen, not {many}")
    if len({row.name for row in seen.rows}) != len(seen.rows):
        found.append("an entity is there twice")
    if len(seen.cursors) != min(len(truth), 1):
        found.append(f"cursors: {seen.cursors}")
    if (counted := re.match(r"─ ([\d,]+) ", seen.said)) is None or int(counted[1].replace(",", "")) != len(truth):
        found.append(f"{len(truth)} entities, and it says {seen.said!r}")
    if f" {SAID[asked.sort]} " not in seen.said:
        found.append(f"not sorted {SAID[asked.sort]!r}, it says {seen.said!r}")
    if found or not truth:
        return found
    first = names.index(seen.rows[0].name)
    if asked.sort != "slowest" and [row.name for row in seen.rows] != names[first : first + many]:
        found.append("the rows are not in their order, without a gap")
    if {"first": 0, "last": len(truth) - many}.get(asked.end, first) != first:
        found.append(f"not the {asked.end} row but row {first}")
    return found


NAMES = [f"AA-{number:06}-JFK-LAX" for number in (2, 0, 3, 1)]


def drawn(*lines: str) -> Grid:
    """A screen with these lines of a list that has room for three."""
    grid = Grid(60, 7)
    for y, line in enumerate(("─ 4 entities ── failures first ─", "  ENTITY   0   1   WHY", *lines), 1):
        grid.feed(f"\x1b[{y};1H{line}".encode())
    return grid


RIGHT = ("▸ AA-000003-JFK-LAX  ◐   ✗   why", "  AA-000002-JFK-LAX  ○   ●   why", "  AA-000000-JFK-LAX  ○   ○   why")


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (RIGHT, ""),
        ((RIGHT[0].replace("✗", "●"), *RIGHT[1:]), "AA-000003-JFK-LAX: ◐● on the screen, ◐✗ in Redis"),
        ((RIGHT[0], RIGHT[1].replace("●", " "), RIGHT[2]), "AA-000002-JFK-LAX: ○  on the screen, ○● in Redis"),
        ((RIGHT[0], RIGHT[2], RIGHT[1]), "in their order"),
        ((RIGHT[0], RIGHT[1], RIGHT[2].replace("000000", "000001")), "in their order"),
        ((RIGHT[0], RIGHT[1], RIGHT[1]), "twice"),
        (RIGHT[:2], "2 rows on the screen, not 3"),
        ((RIGHT[0], "", RIGHT[1]), "not a row"),
        ((RIGHT[0], "words", RIGHT[1]), "not a row"),
        ((RIGHT[0], RIGHT[1], RIGHT[2].replace("000000", "000009")), "should not be there"),
        ((RIGHT[0], RIGHT[1].replace(" ", "▸", 1), RIGHT[2]), "cursors"),
    ],
)
def test_a_screen_that_is_not_as_redis_is_found_out(lines: tuple[str, ...], word: str) -> None:
    # Given four entities of two tasks, of which the third runs and has failed
    truth = expected(b"PPRPFPXP", NAMES, Asked())

    # Then a screen is right, or what is wrong with it is said
    found = wrong(shown(drawn(*lines), 2), truth, Asked())
    assert any(word in line for line in found) if word else found == []


def test_another_board_filter_or_end_makes_a_right_screen_wrong() -> None:
    seen = shown(drawn(*RIGHT), 2)
    assert "AA-000003-JFK-LAX: ◐✗ on the screen, ◐● in Redis" in wrong(seen, expected(b"PPRPFPFP", NAMES, Asked()), Asked())
    assert wrong(seen, expected(b"PPRPFPXP", NAMES, Asked(failed=True)), Asked(failed=True))
    assert wrong(seen, expected(b"PPRPFPXP", NAMES, Asked()), Asked(end="first")) == []
    assert wrong(seen, expected(b"PPRPFPXP", NAMES, Asked()), Asked(end="last")) == ["not the last row but row 0"]


def a_wave(redis: Redis, entities: int, tasks: int) -> Wave:
    """A wave whose entities are not numbered by name, held by one worker for a day; of every tenth entity a cell has ended in one
    of the ways that the mover does not know."""
    names = [f"AA-{number * 1009 % entities:06}-JFK-LAX" for number in range(entities)]
    plan = a_plan(tasks)
    launched = launch(
        redis, plan, version="main", date=Date("2013-07-01T14"), trigger="manual:test", by="ana@desk", entities=names
    )
    wave = launched.wave
    claimed = read_claim(wave, trip(redis, [claim_command(wave, entities, "w-07", lease=86400)])[0])
    assert isinstance(claimed, Claimed)
    ids = list(range(0, entities, 10))
    holds = holds_of(ids, [claimed.records[entity] for entity in ids])
    ways = [Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED, Cell.REUSED, Cell.FALLBACK]
    ends = [(entity, entity // 10 % tasks, ways[entity // 10 % len(ways)]) for entity in ids]
    via = [Move(task, Cell.PENDING, Cell.RUNNING, entity, 1) for entity, task, way in ends if way == Cell.FALLBACK]
    steps = [Move(t, Cell.RUNNING if way == Cell.FALLBACK else Cell.PENDING, way, entity, 1) for entity, t, way in ends]
    for some in (via, steps):
        moved = read_move(trip(redis, [move_command(wave, Moves(holds, some))])[0])
        assert not moved.refused, moved
    return wave


@dataclass
class Movement:
    """A process that moves cells of the wave, when it may."""

    process: subprocess.Popen[bytes]

    def go(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        assert self.process.poll() is None, "the mover has ended"
        self.process.send_signal(signal.SIGSTOP)


@contextlib.contextmanager
def movement(url: str, wave: Wave) -> Iterator[Movement]:
    """Cells move until the block ends, whenever they are not stopped."""
    command = [sys.executable, "-m", "benchmarks.load", url, wave.id, "--rate", str(RATE), "--again", "0.8"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"moving\n"
            yield Movement(process)
        finally:
            process.kill()


@dataclass
class Person:
    """Who sits before the terminal of a console on a wave."""

    terminal: Terminal
    redis: Redis
    wave: Wave
    names: list[str] = field(init=False)
    seen: set[str] = field(default_factory=set)
    """All glyphs that were compared."""

    def __post_init__(self) -> None:
        self.names = [decode_entity(entity) for entity, _ in Waves(self.redis).members(self.wave)]

    def board(self) -> bytes:
        return Waves(self.redis).board(self.wave)

    def until(self, true: Callable[[], object], what: Callable[[], object]) -> None:
        """Draws what comes until it is so."""
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end, f"not within 20 s: {what()}\n{self.terminal.grid.text}"
            self.terminal.read(0.02)

    def until_moved(self) -> None:
        """Until five of the rows on the screen have moved, and hundreds of cells elsewhere."""
        n, board = self.wave.n, self.board()
        rows = [self.names.index(row.name) for row in shown(self.terminal.grid, len(self.wave.tasks)).rows]

        def moved() -> bool:
            now = self.board()
            here = sum(board[entity::n] != now[entity::n] for entity in rows)
            return here >= min(5, len(rows)) and sum(a != b for a, b in zip(board, now, strict=True)) > 500

        self.until(moved, lambda: "cells move")

    def type(self, *keys: bytes) -> None:
        """A filter is typed once there is where to."""
        for key in keys:
            self.terminal.press(key)
            if key == b"/":
                self.until(lambda: "\n / " in self.terminal.grid.text, lambda: "the line of the filter")

    def compare(self, asked: Asked, before: tuple[str, ...]) -> tuple[str, ...]:
        """Waits until the screen is as Redis says and shows others than those `before`, from which the keys have led away; the names
        on it. Nothing may move."""

        def found() -> list[str]:
            seen = shown(self.terminal.grid, len(self.wave.tasks))
            same = ["the keys have led nowhere"] if tuple(row.name for row in seen.rows) == before else []
            return same + wrong(seen, expected(self.board(), self.names, asked), asked)

        self.until(lambda: not found(), lambda: (asked, found()))
        rows = shown(self.terminal.grid, len(self.wave.tasks)).rows
        self.seen.update(*(row.cells for row in rows))
        return tuple(row.name for row in rows)


SCROLLED = [((b"j",) * 5, Asked()), ((PAGE,) * 3, Asked()), ((END,), Asked())]
SORTED = [
    ((HOME, b"O"), Asked("name", end="first")),
    ((PAGE,) * 5, Asked("name")),
    ((END,), Asked("name", end="last")),
    ((b"O",), Asked("number")),
    ((HOME,), Asked("number", end="first")),
]
FILTERED = [
    ((b"/", b"status:failed\r"), Asked("number", failed=True)),
    ((PAGE, b"k"), Asked("number", failed=True)),
    ((ESC,), Asked("number")),
    ((b"/", rb"status:failed [0-4]..-JFK" + b"\r"), Asked("number", failed=True, name="[0-4]..-JFK")),
    ((ESC,), Asked("number")),
    ((b"O",), Asked("slowest")),
    ((b"O",), Asked("failures")),
]
SHORT = [
    ((PAGE,) * 3, Asked()),
    ((HOME, b"O"), Asked("name", end="first")),
    ((b"/", b"status:failed\r", PAGE), Asked("name", failed=True)),
    ((ESC,), Asked("name")),
    ((END,), Asked("name", end="last")),
]


@pytest.mark.parametrize(
    ("entities", "steps"),
    [
        pytest.param(3000, SHORT, id="read-whole"),
        pytest.param(4000, SCROLLED + SORTED + FILTERED, id="read-by-rows"),  # as all boards of more than 20,000 cells
    ],
)
def test_the_terminal_equals_redis_under_load(
    redis: Redis, redis_url: str, entities: int, steps: list[tuple[tuple[bytes, ...], Asked]]
) -> None:
    # Given a real console in a real terminal, on a wave whose cells move
    wave = a_wave(redis, entities, 6)
    places: list[tuple[str, ...]] = [()]
    with (
        open_console(redis_url, "--at", f"wave {wave.id}", width=120, height=36) as terminal,
        movement(redis_url, wave) as movement_,
    ):
        person = Person(terminal, redis, wave)
        person.until(lambda: "AA-" in terminal.grid.text, lambda: "the entities of the wave")
        for keys, asked in steps:
            # When keys are pressed among moving cells, and then they stop
            movement_.go()
            person.until_moved()
            person.type(*keys)
            person.until_moved()
            movement_.stop()

            # Then the screen comes to what Redis holds, every row and every cell
            places.append(person.compare(asked, places[-1]))

    # And that was at different places, in every state that a cell can have
    assert all(before != after for before, after in itertools.pairwise(places))
    assert len(steps) < 10 or person.seen == set(GLYPHS.values())
