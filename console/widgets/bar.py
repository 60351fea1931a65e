"""Counts by status as a bar of a few cells: what failed first, and nothing so rare that it is not seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.theme import SEVERITY, look
from engine.status import Status

Piece = tuple[Status, int]
ENDED = (Status.FINISHED, Status.FAILED, Status.BLOCKED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a wave is: the `bar`, and its `label`, which says 0% only when nothing ended and 100% only when all did."""

    bar: tuple[Piece, ...]
    ended: int
    total: int
    label: str


def segments(counts: Mapping[Status, int], width: int) -> list[Piece]:
    """The cells of each status in a bar of `width`, in the order of SEVERITY; statuses that count nothing are left out.

    The cells add up to `width` exactly, shared by largest remainder. Every status that counts something has at least one;
    where `width` is too small for that, the first in order have one each. No counts, no cells.
    """
    present = [status for status in SEVERITY if counts.get(status, 0) > 0]
    if len(present) >= width:
        return [(status, 1) for status in present[: max(width, 0)]]
    rest = present
    while rest:
        room, total = width - len(present) + len(rest), sum(counts[status] for status in rest)
        fair = [status for status in rest if counts[status] * room >= total]
        if len(fair) == len(rest):
            break
        rest = fair
    shares = _share(counts, rest, width - len(present) + len(rest)) if rest else {}
    return [(status, shares.get(status, 1)) for status in present]


def text(pieces: Sequence[Piece]) -> str:
    """The bar as characters that tell the statuses apart without colour: `✗◌▒█⊘·`."""
    return "".join(look(status).block * cells for status, cells in pieces)


def progress(counts: Mapping[Status, int], width: int) -> Progress:
    """The bar and the label of a whole wave from its counts, summed over tasks."""
    total = sum(counts.values())
    ended = sum(counts.get(status, 0) for status in ENDED)
    percent = 100 * ended // total if total else 0
    label = f"{max(percent, 1) if ended else 0}%"
    return Progress(tuple(segments(counts, width)), ended, total, label)


def headline(counts: Mapping[Status, int]) -> Status:
    """The one status that stands for a task: failed if anything did, else where it is, and when all ended the worst end."""
    total, ended = sum(counts.values()), sum(counts.get(status, 0) for status in ENDED)
    if counts.get(Status.FAILED):
        return Status.FAILED
    if counts.get(Status.RUNNING) or 0 < ended < total:
        return Status.RUNNING
    ends = (Status.BLOCKED, Status.CANCELLED, Status.FINISHED)
    return next((status for status in ends if counts.get(status)), Status.PENDING)


def _share(counts: Mapping[Status, int], statuses: Sequence[Status], room: int) -> dict[Status, int]:
    total = sum(counts[status] for status in statuses)
    shares = {status: counts[status] * room // total for status in statuses}
    by_remainder = sorted(statuses, key=lambda status: -(counts[status] * room % total))
    for status in by_remainder[: room - sum(shares.values())]:
        shares[status] += 1
    return shares
