"""What reports of an entity say, as lines of plain text: for commands, for `c`, and for the screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.reports.inputs import InputDiff, InputsDiff, Side
from console.widgets.text import short_seconds
from engine.status import Status

if TYPE_CHECKING:
    from console.entity_view import EntityDetail

VERDICTS = {
    "same": "same",
    "different": "different",
    "only here": "only here",
    "only there": "missing here",
    "nowhere": "on neither side",
    "too large": "different, too large to compare",
}


def most_telling(detail: EntityDetail, wanted: str) -> str:
    """The task that a person wants to see first: the one asked for, else the first that failed, was blocked, runs or is pending."""
    names = [task.task for task in detail.tasks]
    if wanted in names:
        return wanted
    for status in (Status.FAILED, Status.BLOCKED, Status.RUNNING, Status.PENDING):
        for task in detail.tasks:
            if task.status == status:
                return task.task
    return names[0]


def size_words(size: int | None) -> str:
    """Bytes in few cells: `312 B`, `1.2 kB`, `4.0 MB`, and `–` for none."""
    if size is None:
        return "–"
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.1f} kB" if size < 999_950 else f"{size / 1e6:.1f} MB"


def against(found: InputsDiff) -> str:
    """What is compared with what: `weather against shops@main 2013-07-01T13, where it last went well`."""
    if found.why:
        return found.why
    if found.against == "last success":
        return f"inputs of {found.task} against {found.locator}, where it last finished"
    whose = "" if found.same_partition else " (of another partition)"
    return f"inputs of {found.task} against a healthy neighbour: {found.entity}{whose}"


def side(at: Side) -> str:
    """One side in a few words: `1.2 kB`, `312 B, 2h00 old`."""
    return f"{size_words(at.bytes)}{f', {short_seconds(at.age)} old' if at.age else ''}" if at.there else "–"


def verdict(i: InputDiff) -> str:
    """An input in a line: `weather  different  312 B → 298 B`."""
    sizes = f"  {side(i.before)} → {side(i.now)}" if i.before.there or i.now.there else ""
    hashes = (
        f"  {i.before.sha} → {i.now.sha}"
        if i.verdict == "too large" or (i.verdict == "different" and not i.differences)
        else ""
    )
    return f"{i.name}  {VERDICTS[i.verdict]}{sizes}{hashes}"


def told(found: InputsDiff) -> Iterator[str]:
    """All of it, a line a difference."""
    yield against(found)
    if not found.why and not found.inputs:
        yield f"{found.task} takes no pipes, and its config is the same"
    for i in found.inputs:
        yield verdict(i)
        yield from (f"    {d.words}" for d in i.differences)
        if i.more:
            yield f"    … and more than {len(i.differences)} others"
