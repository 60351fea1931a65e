"""What is known of a wave's board: the rows on the screen, read each time, and all of it, read now and then. Runs in the feed's thread.

To read all of a board costs by its size and to read what is on the screen does not, so a refresh costs the same of 5,000 entities as
of 50,000. On a slow link the whole is read only when somebody asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from engine.errors import NotFound
from engine.status import Cell
from engine.store.claims import spans
from engine.store.wave import Progress, Wave, from_hash, read_counts
from engine.store.waves import read_together

if TYPE_CHECKING:
    from engine.store.connect import Client

SMALL = 20_000
"""Cells up to which a board is read as a whole each time: that costs no more than its rows."""
WHOLE_EVERY = 1.0
SHARE = 33
"""What reading whole boards may cost: one part in so many of the time."""
LONGEST = 0.1
"""Seconds that a reading may count for: what took longer waited for Redis, and was no work."""
PACE = 250_000
"""And bytes a second."""
DOUBT = 30.0
"""Seconds after which a wave that runs is read as a whole although its counters say that nothing has moved: two cells may have changed
places."""
CALM = 10.0
"""And seconds for which the rows on the screen are believed while they say so."""
FEW = 64
"""Pieces of the board up to which they are asked for one by one."""
UNREAD = 0
"""Stands on the board where nothing was read yet."""


class BoardReader:
    """Reads a wave's record, its counters and its board, all of one moment.

    `window`: the entities on the screen, to be set from any thread, as a whole; None until somebody does, then all is read each time.
    `board`: the cells as they were read last; the window's are always new. `whole`: whether all were read, `whole_at` when (monotonic
    seconds). `behind`: whether cells beyond the window have moved since.
    """

    def __init__(self, *, slow_link: bool = False) -> None:
        self.slow_link = slow_link
        self.window: Sequence[int] | None = None
        self.board = b""
        self.whole, self.whole_at, self.behind = False, 0.0, True
        self._wanted = False
        self._due = 0.0
        self._stored: tuple[Any, Any] = (None, None)
        self._progress: Progress | None = None
        self._rows = _Rows((), 0, 0)
        self._rows_at, self._quiet = 0.0, False
        self._no_rows = False

    def want(self) -> None:
        """The next read is of the whole board, whatever the link. From any thread."""
        self._wanted = True

    def until_due(self) -> float | None:
        """Seconds until cells beyond the window are to be read, when they have moved; None when they have not, or on a slow link."""
        return max(self._due - time.monotonic(), 0.0) if self.behind and not self.slow_link else None

    def read(self, redis: Client, wave: Wave) -> tuple[Progress, bool]:
        """How far the wave is, and whether its counters or any cell that was read have changed.

        Raises:
            NotFound: it has expired.
        """
        began, before = time.monotonic(), self.board
        whole = self._is_due(wave, began)
        wanted, self._wanted = self._wanted, False
        window = () if whole else tuple(self.window or ())
        if not whole and self._calm(window, began) and self._unmoved(redis, wave):
            assert self._progress is not None  # noqa: S101 - it is calm, so it was read
            return self._progress, False
        if (window, wave.n) != (self._rows.entities, self._rows.n):
            self._rows = _Rows(window, wave.n, len(wave.tasks))
        try:
            record, counts, cells = self._ask(redis, wave, whole)
        except BaseException:
            self._wanted = self._wanted or wanted
            raise
        progress, counted = self._told(wave, record, counts)
        self._rows_at = began
        if whole:
            self._take(wave, cells[0] or b"", began)
        else:
            self.board = self._rows.put(self.board or bytes(wave.cells), cells)
            self.behind = self.behind or counted or self.board is not before
        self._quiet = not (counted or self.board is not before)
        return progress, not self._quiet

    def _calm(self, window: tuple[int, ...], now: float) -> bool:
        """Whether these rows were read a moment ago and nothing moved."""
        return self._quiet and window == self._rows.entities and now - self._rows_at < CALM

    def _unmoved(self, redis: Client, wave: Wave) -> bool:
        """Whether the record and the counters are what they were: then the rows are not asked for."""
        told = read_together(redis, lambda trip: (trip.hgetall(wave.key("wave")), trip.hgetall(wave.key("counts"))))
        return tuple(told) == self._stored

    def _is_due(self, wave: Wave, now: float) -> bool:
        if self._wanted or (not self.board and not self.slow_link):
            return True
        if self.slow_link:
            return False
        if self.window is None or self._no_rows or wave.cells <= SMALL:
            return True
        running = self._progress is not None and not self._progress.wave.ended
        return now >= self._due and (self.behind or (running and now - self.whole_at > DOUBT))

    def _ask(self, redis: Client, wave: Wave, whole: bool) -> tuple[dict[bytes, bytes], dict[bytes, bytes], list[Any]]:
        def fill(trip: Client) -> None:
            trip.hgetall(wave.key("wave"))
            trip.hgetall(wave.key("counts"))
            for command in [("GET", wave.key("board"))] if whole else self._rows.commands(wave.key("board")):
                trip.execute_command(*command)

        try:
            record, counts, *cells = read_together(redis, fill)
        except ResponseError:
            if whole or self._no_rows:
                raise
            self._no_rows = True  # a server without BITFIELD_RO, such as fakeredis
            return self._ask(redis, wave, whole=True)
        return record, counts, cells

    def _told(self, wave: Wave, record: dict[bytes, bytes], counts: dict[bytes, bytes]) -> tuple[Progress, bool]:
        if b"n" not in record:
            raise NotFound(f"wave {wave.id} has expired")
        before = self._progress
        if before is not None and self._stored == (record, counts):
            return before, False
        counted = before.counts if before is not None and self._stored[1] == counts else read_counts(counts, len(wave.tasks))
        now = before.wave if before is not None and self._stored[0] == record else from_hash(wave.id, record)
        self._stored, self._progress = (record, counts), Progress(now, counted)
        return self._progress, before is None or counted is not before.counts

    def _take(self, wave: Wave, board: bytes, began: float) -> None:
        if len(board) == wave.cells:
            self.board = self.board if board == self.board else board
        elif not self.board:
            self.board = bytes([Cell.PENDING]) * wave.cells
        now = time.monotonic()
        self.whole, self.whole_at, self.behind = True, now, False
        self._due = now + max(WHOLE_EVERY, wave.cells / PACE, min(now - began, LONGEST) * SHARE)


class _Rows:
    """The cells of some entities: how to ask for them, and where on the board they stand."""

    def __init__(self, entities: tuple[int, ...], n: int, tasks: int) -> None:
        self.entities, self.n = entities, n
        runs = [(first, many) for first, many, _ in spans(sorted(e for e in entities if e < n))]
        pieces = [(task * n + first, many) for task in range(tasks) for first, many in runs]
        self._pieces = pieces if len(pieces) <= FEW else []
        self._places = [] if self._pieces else [at + i for at, many in pieces for i in range(many)]
        self._bits = [word for at in self._places for word in ("GET", "u8", f"#{at}")]

    def commands(self, board: str) -> list[tuple[Any, ...]]:
        """What to ask of the string `board`."""
        if self._bits:
            return [("BITFIELD_RO", board, *self._bits)]
        return [("GETRANGE", board, at, at + many - 1) for at, many in self._pieces]

    def put(self, board: bytes, replies: list[Any]) -> bytes:
        """`board` with what was told; the very same when that is nothing new."""
        if self._bits:
            new = [
                (at, bytes((cell,))) for at, cell in zip(self._places, replies[0], strict=True) if cell and cell != board[at]
            ]
        else:
            told = zip(self._pieces, replies, strict=True)
            new = [(at, part) for (at, many), part in told if len(part) == many and part != board[at : at + many]]
        if not new:
            return board
        changed = bytearray(board)
        for at, part in new:
            changed[at : at + len(part)] = part
        return bytes(changed)
