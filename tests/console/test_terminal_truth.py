"""What a real terminal shows of a moving wave is what Redis holds, cell for cell, wherever one has scrolled, sorted or filtered to."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator

import pytest
from redis import Redis

from benchmarks.load import Mover, build
from benchmarks.measure import open_wave
from benchmarks.terminal import Grid, Terminal
from engine.store.wave import Wave
from engine.store.waves import Waves

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the terminal of the benchmarks is for Linux")

GLYPHS = {"P": "○", "R": "◐", "F": "●", "U": "◉", "O": "↺", "X": "✗", "B": "◌", "C": "⊘"}
ROW = re.compile(r"[▸ ] AA-(\d{6})-JFK-LAX\s+((?:\S\s+){10})")


def rows_of(grid: Grid) -> list[tuple[int, str]]:
    """The entities on the screen, by number, each with its ten glyphs."""
    found = map(ROW.match, map(grid.line, range(grid.height)))
    return [(int(row[1]), "".join(row[2].split())) for row in found if row]


def wrong(rows: list[tuple[int, str]], board: bytes, n: int) -> list[str]:
    """What of the rows is not what the board says."""
    truth = {entity: "".join(GLYPHS[chr(cell)] for cell in board[entity::n]) for entity, _ in rows}
    return [f"{entity}: {shown} on the screen, {truth[entity]} in Redis" for entity, shown in rows if shown != truth[entity]]


def test_a_cell_that_differs_is_found() -> None:
    # Given two entities of ten tasks, of which the second failed at its third
    board = bytearray(b"P" * 20)
    board[2 * 2 + 1] = ord("X")
    grid = Grid(60, 2)
    grid.feed("\x1b[1;1H▸ AA-000000-JFK-LAX  ○   ○   ○   ○   ○   ○   ○   ○   ○   ○   why".encode())
    grid.feed("\x1b[2;1H  AA-000001-JFK-LAX  ○   ○   ✗   ○   ○   ○   ○   ○   ○   ○   why".encode())

    # Then the screen is right, and wrong as soon as one cell is stale
    assert len(rows_of(grid)) == 2 and not wrong(rows_of(grid), bytes(board), 2)
    board[2 * 2 + 1] = ord("F")
    assert wrong(rows_of(grid), bytes(board), 2) == ["1: ○○✗○○○○○○○ on the screen, ○○●○○○○○○○ in Redis"]


@contextlib.contextmanager
def moving(mover: Mover) -> Iterator[None]:
    """Cells move, about ten thousand a second, until the block ends."""
    ended = threading.Event()

    def move() -> None:
        while not ended.wait(0.005):
            mover.batch()

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def settled(terminal: Terminal, redis: Redis, wave: Wave, order: str) -> list[int]:
    """Waits until the screen is full of rows that are as Redis says and in their order; the entities."""
    board = Waves(redis).board(wave)
    failed = [b"X"[0] in board[entity :: wave.n] for entity in range(wave.n)]

    def true(grid: Grid) -> bool:
        rows = rows_of(grid)
        entities = [entity for entity, _ in rows]
        ordered = {
            "failures": [failed[e] for e in entities] == sorted((failed[e] for e in entities), reverse=True),
            "name": entities == sorted(entities),
            "failed": all(failed[e] for e in entities) and len(entities) == min(sum(failed), full),
        }[order]
        return not wrong(rows, board, wave.n) and ordered and len(entities) == len(set(entities)) and len(entities) > 5

    top = next(y for y in range(terminal.grid.height) if "ENTITY" in terminal.grid.line(y))
    full = next(y for y in range(terminal.grid.height) if "○ pending" in terminal.grid.line(y)) - top - 1
    terminal.until(true, 20, f"rows as in Redis, {order}; wrong: {wrong(rows_of(terminal.grid), board, wave.n)}")
    return [entity for entity, _ in rows_of(terminal.grid)]


def test_the_terminal_equals_redis_under_load(redis: Redis, redis_url: str) -> None:
    # Given a real console on a wave that moves all the time
    wave = build(redis, 3000)
    mover = Mover(redis, wave, again=0.3, fail=0.02)
    steps = [
        (b"jjjjj", "failures"),
        (b"\x1b[6~" * 3, "failures"),
        (b"\x1b[F", "failures"),
        (b"\x1b[H", "failures"),
        (b"O", "name"),
        (b"\x1b[6~" * 5 + b"k", "name"),
        (b"/ status:failed\r", "failed"),
        (b"\x1b[6~", "failed"),
        (b"\x1b", "name"),
    ]
    seen = []
    with open_wave(redis_url, wave) as terminal:
        for keys, order in steps:
            # When keys are pressed while cells move, and they stop moving
            with moving(mover):
                terminal.watch(0.4)
                for piece in keys.split(b" "):
                    terminal.press(piece)
                    terminal.watch(0.6)
            # Then the screen comes to what Redis holds
            seen.append(settled(terminal, redis, wave, order))
    assert mover.steps > 5000
    assert seen[0] != seen[1] and seen[4] != seen[5], "it has scrolled"
