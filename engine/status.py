"""The states of a cell (one task of one entity) and the steps between them. Pure.

A cell is one byte on the board. Finished has three bytes, because an operator must see which value a forecast stands
on: computed here, there already (`REUSED`), or computed from an older or another version's input (`FALLBACK`).
"""

import enum


class Status(enum.StrEnum):
    """What a person is told; every list and every copied line carries the word."""

    PENDING = "Pending"
    RUNNING = "Running"
    FINISHED = "Finished"
    FAILED = "Failed"
    BLOCKED = "Blocked"
    CANCELLED = "Cancelled"


class Cell(enum.IntEnum):
    """A byte of the board."""

    PENDING = ord("P")
    RUNNING = ord("R")
    FINISHED = ord("F")
    REUSED = ord("U")
    FALLBACK = ord("O")
    FAILED = ord("X")
    BLOCKED = ord("B")
    CANCELLED = ord("C")


STATUS_OF: dict[int, Status] = {
    Cell.PENDING: Status.PENDING,
    Cell.RUNNING: Status.RUNNING,
    Cell.FINISHED: Status.FINISHED,
    Cell.REUSED: Status.FINISHED,
    Cell.FALLBACK: Status.FINISHED,
    Cell.FAILED: Status.FAILED,
    Cell.BLOCKED: Status.BLOCKED,
    Cell.CANCELLED: Status.CANCELLED,
}

MARK_OF: dict[int, str] = {Cell.REUSED: "reused", Cell.FALLBACK: "fallback"}
"""What sets one finished cell apart from another."""

WROTE = frozenset({Cell.FINISHED, Cell.REUSED, Cell.FALLBACK})
"""Cells whose pipe is there."""

ENDED = WROTE | {Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED}
"""Cells that nothing changes any more."""

OPEN = frozenset({Cell.PENDING, Cell.RUNNING})
"""Cells that have not ended."""

LEGAL: frozenset[tuple[Cell, Cell]] = frozenset(
    [
        (Cell.PENDING, Cell.RUNNING),
        (Cell.PENDING, Cell.FINISHED),
        (Cell.PENDING, Cell.REUSED),
        (Cell.PENDING, Cell.FALLBACK),
        (Cell.PENDING, Cell.BLOCKED),
        (Cell.PENDING, Cell.CANCELLED),
        (Cell.PENDING, Cell.FAILED),
        (Cell.RUNNING, Cell.FINISHED),
        (Cell.RUNNING, Cell.REUSED),
        (Cell.RUNNING, Cell.FALLBACK),
        (Cell.RUNNING, Cell.FAILED),
        (Cell.RUNNING, Cell.BLOCKED),
        (Cell.RUNNING, Cell.CANCELLED),
        (Cell.RUNNING, Cell.PENDING),
        (Cell.FINISHED, Cell.FAILED),
        (Cell.FALLBACK, Cell.FAILED),
        (Cell.FINISHED, Cell.REUSED),
        (Cell.FALLBACK, Cell.REUSED),
    ]
)
"""Every step a cell may take. Pending → Finished is one so brief that its start was told with its end; Running → Pending is a cell given back by a worker that could not end it; Running → Reused one whose
pipe was there when its turn came, written late by an earlier holder; Finished → Failed
is one whose value the store then refused (another's value was there, or there was no room), Finished → Reused one whose value its
own earlier holder, taken for dead, had written meanwhile."""


def legal_pairs() -> str:
    """`LEGAL` as the server scripts read it: two letters a step, a space between steps."""
    return " ".join(sorted(f"{chr(a)}{chr(b)}" for a, b in LEGAL))


def count_by_status(by_cell: dict[int, int]) -> dict[Status, int]:
    """Counts of board bytes added up by status; every status is present."""
    counts = dict.fromkeys(Status, 0)
    for cell, count in by_cell.items():
        counts[STATUS_OF[cell]] += count
    return counts
