"""Which entities of a wave are shown, in which order, and how that is said. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from console.screens.words import many
from console.theme import look
from console.widgets.matrix import Entities
from console.widgets.select import Query, Sort, parse, select
from engine.status import Cell

FAILURES, UNFINISHED = "status:failed,blocked", "status:pending,running"
LIST_SORTS = ("failures", "name", "number", "slowest")
MAP_SORTS = ("number", "name", "worker", "start", "failures")
"""How the rows and the heat map can be sorted; the first is how they begin."""
SAID = {"failures": "failures first", "slowest": "slowest first"}
ASKED = frozenset({"worker", "start", "slowest"})
"""Orders that Redis must be asked for."""
TELLING = (Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED, Cell.RUNNING, Cell.FALLBACK)
"""Cells of the selected task that are looked at; those of the others are quiet."""
_TELLING = bytes(byte in TELLING for byte in range(256))


@dataclass(frozen=True, eq=False)
class Picked:
    """The entities in order, and in words which they are. `narrowed`: whether some were left out."""

    order: Sequence[int]
    words: str
    narrowed: bool


def pick(
    board: bytes,
    entities: Entities,
    text: str,
    *,
    sort: str = "failures",
    order: Sequence[int] | None = None,
    task: str | None = None,
    families: Mapping[str, Collection[int]] | None = None,
) -> Picked:
    """Filters by `text`, then by the selected `task`: those for which it is not quiet, or all if there are none.

    Parameters:
        order: all entities in the order of a sort that Redis was asked for; without it they stand by number until it comes.
        families: family key → its entities.

    Raises:
        QueryError: the text cannot be understood.
    """
    n = entities.n
    query: Query = parse(text)
    known: Sort = "failures" if sort == "failures" else "name" if sort == "name" else "number"
    found: Sequence[int] = select(
        board, n, entities.tasks, entities.names, query, partitions=entities.partitions, sort=known, families=families
    )
    told = ""
    if task is not None:
        at = entities.tasks.index(task) * n
        column = board[at : at + n]
        told = f"{task}: {_counts(column)}"
        telling = column.translate(_TELLING)
        kept = array("I", compress(found, map(telling.__getitem__, found)))
        found = kept or found
    if sort in ASKED and order is not None and len(order) == n:
        found = _in_order(found, order, n)
    narrowed = len(found) < n
    size = f"{len(found):,} of {many(n, 'entity', 'entities')}" if narrowed or text else many(n, "entity", "entities")
    return Picked(found, " · ".join(filter(None, [size, text, told])), narrowed)


def unread(entities: Entities) -> Picked:
    """All by number: over a slow link cells that nobody has looked at are not known."""
    return Picked(array("I", range(entities.n)), many(entities.n, "entity", "entities"), False)


def _in_order(found: Sequence[int], order: Sequence[int], n: int) -> Sequence[int]:
    if len(found) == n:
        return order
    here = bytearray(n)
    for entity in found:
        here[entity] = 1
    return array("I", compress(order, map(here.__getitem__, order)))


def _counts(column: bytes) -> str:
    """`10 failed, 2 running`; of a quiet task what it is: `3,000 finished`."""
    counts = [(column.count(cell), look(cell).word) for cell in TELLING]
    if not any(number for number, _ in counts):
        counts = [(column.count(cell), look(cell).word) for cell in (Cell.PENDING, Cell.FINISHED, Cell.REUSED)]
    return ", ".join(f"{number:,} {word}" for number, word in counts if number)


def next_sort(sort: str, sorts: Sequence[str]) -> str:
    """The sort after this one."""
    return sorts[(sorts.index(sort) + 1) % len(sorts)]


def said(sort: str) -> str:
    """A sort in words."""
    return SAID.get(sort, f"by {sort}")
