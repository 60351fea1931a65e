"""A wave as it was: its board at an earlier moment, from the times that every cell keeps. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.status import Cell

FOREVER = 0xFFFFFFFF
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
"""Seconds that a step may have."""
FAR = 600.0
SLICES = 1024
"""Into how many parts of time a film is cut."""


@dataclass(frozen=True, eq=False)
class Film:
    """A wave's cells with when each began and ended, in ms since the wave was created, task by task as the board; `n` entities.

    `slices[i]` has the cells that began or ended in the i-th `width` ms, so that a step looks only at what it changes.
    """

    board: bytes
    begun: array[int]
    ended: array[int]
    n: int
    width: int
    slices: tuple[array[int], ...]

    def at(self, seconds: float) -> bytes:
        """The board as it was so many seconds after the wave was created.

        Cells that began later are Pending, those that had not ended are Running. A cell that never ran (reused, blocked) has
        no time of its own: it ended when its last input did. A cancelled one that never ran is Pending until the end of
        what is known.
        """
        now = _ms(seconds)
        pending, running = int(Cell.PENDING), int(Cell.RUNNING)
        cells = zip(self.board, self.begun, self.ended, strict=True)
        return bytes([cell if ended <= now else running if begun <= now else pending for cell, begun, ended in cells])

    def moved(self, board: bytes, before: float, after: float) -> bytes:
        """`at(after)`, given that `board` is `at(before)`: the work grows with what changed in between."""
        now, low, high = _ms(after), *sorted((_ms(before), _ms(after)))
        changed, begun, ended = bytearray(board), self.begun, self.ended
        for part in self.slices[low // self.width : high // self.width + 1]:
            for cell in part:
                changed[cell] = self.board[cell] if ended[cell] <= now else Cell.RUNNING if begun[cell] <= now else Cell.PENDING
        return bytes(changed)


def _ms(seconds: float) -> int:
    return max(int(seconds * 1000), 0)


def board_at(board: bytes, times: bytes, n: int, needs: Sequence[Sequence[int]], seconds: float, last: float) -> bytes:
    """The board of a wave as it was `seconds` after it was created; parameters as `film` has them, rules as `Film.at`."""
    return film(board, times, n, needs, last).at(seconds)


def film(board: bytes, times: bytes, n: int, needs: Sequence[Sequence[int]], last: float) -> Film:
    """Makes a film of a board and its times (as `common.lua` says them).

    Parameters:
        needs: for each task the tasks that it waits for, which come before it.
        last: seconds after creation of the last moment that is known.
    """
    numbers = array("I", times)
    starts, took = numbers[0::2], numbers[1::2]
    begun, ended = array("I", starts), array("I", starts)
    end = _ms(last)
    for task, inputs in enumerate(needs):
        for at in range(task * n, (task + 1) * n):
            cell, start = board[at], starts[at]
            if cell == Cell.PENDING:
                begun[at] = ended[at] = FOREVER
            elif cell == Cell.RUNNING:
                begun[at], ended[at] = min(start, end), FOREVER
            elif took[at] or start:
                begun[at], ended[at] = min(start, end), min(start + took[at] // 100, end)
            elif cell == Cell.CANCELLED:
                begun[at] = ended[at] = end
            else:
                ready = max([ended[i * n + at - task * n] for i in inputs], default=0)
                begun[at] = ended[at] = min(ready, end)
    width = end // SLICES + 1
    return Film(board, begun, ended, n, width, tuple(_slices(begun, ended, width, end // width + 1)))


def _slices(begun: array[int], ended: array[int], width: int, number: int) -> Iterator[array[int]]:
    found: list[list[int]] = [[] for _ in range(number)]
    for cell, (start, end) in enumerate(zip(begun, ended, strict=True)):
        first, last = start // width, end // width
        if first < number:
            found[first].append(cell)
        if first != last < number:
            found[last].append(cell)
    return (array("I", part) for part in found)


def step_of(elapsed: float) -> float:
    """A step's seconds for a wave that has run so long: about thirty steps, a minute for half an hour to an hour."""
    if 1800 <= elapsed <= 3600:
        return 60.0
    return float(STEPS[min(bisect_right(STEPS, max(elapsed / 30 - 1e-9, 0)), len(STEPS) - 1)])


def far_of(elapsed: float) -> float:
    """The seconds of a far step: ten minutes, or ten steps of a wave shorter than twenty."""
    return FAR if elapsed >= 1200 else 10 * step_of(elapsed)


def counts_of(board: bytes, n: int, tasks: int) -> tuple[dict[int, int], ...]:
    """For each task its cells by board byte."""
    found = []
    for task in range(tasks):
        column = board[task * n : (task + 1) * n]
        found.append({int(cell): number for cell in Cell if (number := column.count(cell))})
    return tuple(found)


def moment(text: str, created: float, last: float) -> float:
    """The moment that a person means, in seconds after a wave was created (Unix time), within what is known of it (`last`, likewise).

    `-10m` is so long before its end, or before now while it runs; `03:12` or `03:12:07` the last such time of this machine's
    clock before that, and an ISO 8601 moment is itself.

    Raises:
        ValueError: the text is none of these, or a moment at which the wave was not there.
    """
    from datetime import datetime, timedelta

    from engine.durations import seconds

    if text.startswith("-"):
        at = last - seconds(text[1:])
    elif text[:2].isdigit() and ":" in text[:3]:
        end = datetime.fromtimestamp(created + last).astimezone()
        clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M")
        then = end.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        at = (then if then <= end else then - timedelta(days=1)).timestamp() - created
    else:
        at = datetime.fromisoformat(text).timestamp() - created
    if not -1 < at <= last + 60:
        raise ValueError(f"{text} is before the wave began or after what is known of it")
    return min(max(at, 0.0), last)
