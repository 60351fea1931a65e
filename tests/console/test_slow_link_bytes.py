"""What travels to a whole console on a slow link: its feed's reads and its errands, counted on the wire."""

import contextlib
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from redis import Redis
from stage import error, picture, shows, until
from textual.pilot import Pilot

from benchmarks.load import build
from console.app import WavedeckApp
from console.screens.wave import WaveScreen
from console.settings import Settings
from console.widgets.matrix import EntityMatrix
from engine.payload import encode_json
from engine.status import Cell
from engine.store.claims import Move, Moves, holds_of, move_command, pack_time, read_move, trip
from engine.store.wave import Wave
from engine.store.waves import Waves

TASKS = 6
OPENING, REFRESH = 16_000, 3_000
"""Bytes that a console may get to open a wave, with its rights and its plan, and then with each refresh, whatever the wave's size: some
forty rows of six cells, their names and reasons, the record, the counters, and now and then a sample of one task's run times."""


class Wire:
    """A socket of its own before Redis' one. `url`: what to connect to; `received`: bytes that Redis has sent to whoever did."""

    def __init__(self, url: str) -> None:
        self._redis = url.removeprefix("unix://").partition("?")[0]
        self._folder = tempfile.TemporaryDirectory(prefix="wd-")  # short: a socket's path has 107 bytes
        self._here = socket.socket(socket.AF_UNIX)
        path = Path(self._folder.name) / "wire.sock"
        self._here.bind(str(path))
        self._here.listen()
        self._open: list[socket.socket] = []
        self.url, self.received = f"unix://{path}", 0
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._here, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._here.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._redis)
                self._open += [client, server]
                Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, giver: socket.socket, taker: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while part := giver.recv(65536):
                if counted:
                    self.received += len(part)  # before it arrives: who has an answer has its bytes counted
                taker.sendall(part)
        with contextlib.suppress(OSError):
            taker.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(redis_url: str) -> Iterator[Wire]:
    """What the console's bytes go through."""
    wire = Wire(redis_url)
    yield wire
    wire.close()


def run(redis: Redis, wave: Wave, entities: Sequence[int], after: Cell, note: dict[str, Any] | None = None) -> None:
    """The first task of neighbours: Pending → Running → `after`."""
    first, many = entities[0], len(entities)
    claims: Any = redis.getrange(wave.key("claims"), first * 8, (first + many) * 8 - 1)
    holds = holds_of(entities, [claims[i * 8 : i * 8 + 8] for i in range(many)])
    times = pack_time(1.0, 0.5) * many
    notes = [(0, e, encode_json(note)) for e in entities] if note else []
    for before, then in ((Cell.PENDING, Cell.RUNNING), (Cell.RUNNING, after)):
        steps = [Move(0, before, then, first, many, times)]
        moved = read_move(trip(redis, [move_command(wave, Moves(holds, steps, notes if then == after else []))])[0])
        assert not moved.refused, moved


async def equals_redis(pilot: Pilot[Any], redis: Redis, wave: Wave, first: int) -> list[int]:
    """Waits until `first` is on the screen and every row there, its name and its cells, is as in Redis; the rows' entities."""
    screen = pilot.app.screen
    assert isinstance(screen, WaveScreen)
    matrix, store = screen.query_one(EntityMatrix), Waves(redis)

    def same() -> bool:
        rows, board = matrix.on_screen, store.board(wave)
        shown = picture(pilot.app)
        return first in rows and all(
            matrix._board[e :: wave.n] == board[e :: wave.n] and f"AA-{e:06}-JFK-LAX" in shown for e in rows
        )

    await until(pilot, same, f"the rows with entity {first} are those in Redis")
    return list(matrix.on_screen)


@pytest.mark.parametrize(("entities", "slow"), [(2_000, True), (20_000, True), (20_000, False)])
async def test_a_console_on_a_slow_link_gets_what_it_shows(redis: Redis, wire: Wire, entities: int, slow: bool) -> None:
    # Given a wave with a failure in sight and some far from it, and a console that sees Redis through a counted wire
    wave = build(redis, entities, TASKS)
    run(redis, wave, range(2, 4), Cell.FAILED, error())
    run(redis, wave, range(1_000, 1_200), Cell.FAILED, error())
    app = WavedeckApp(wire.url, locator=wave.id, settings=Settings(slow_link=slow))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "AA-000002-JFK-LAX", "no weather")
        screen = pilot.app.screen
        assert isinstance(screen, WaveScreen)
        matrix = screen.query_one(EntityMatrix)
        rows = await equals_redis(pilot, redis, wave, 2)

        # When cells in sight move, the last rows are gone to, and cells move there
        run(redis, wave, range(6, 10), Cell.FINISHED)
        rows += await equals_redis(pilot, redis, wave, 2)
        await pilot.press("G")
        rows += await equals_redis(pilot, redis, wave, entities - 1)
        run(redis, wave, range(entities - 5, entities), Cell.FALLBACK)
        rows += await equals_redis(pilot, redis, wave, entities - 1)
        counts = {status: n for status, n in Waves(redis).progress(wave).counts[0].items() if n}
        await until(pilot, lambda: screen._news is not None and screen._news.counts[0] == counts, "the counters")
        received, refreshes = wire.received, screen._number
        read = screen._news.board if screen._news else b""

        # Then on the slow link no more has travelled than what was in sight; else all cells and names
        names_and_cells = entities * (TASKS + len("AA-000000-JFK-LAX"))
        if not slow:
            assert received > names_and_cells
            return
        assert received < OPENING + REFRESH * refreshes, f"{received:,} bytes in {refreshes} refreshes"
        assert list(matrix.order) == list(range(entities))
        known = {e for e in range(entities) if any(read[e :: wave.n])}
        assert set(rows) <= known and len(known) < 5 * len(matrix.on_screen), "cells that were never in sight"

        # And who wants all of it gets it
        await pilot.press("O")
        await until(pilot, lambda: screen._news is not None and screen._news.whole, "the whole wave")
        assert wire.received - received > names_and_cells
