"""What an overlay wave will do, as data and in lines. Field names are stable; `--json` prints them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.widgets.text import clean
from engine.overlay import Overlay, Read


@dataclass(frozen=True)
class Runs:
    """A task that runs, and why."""

    task: str
    why: str


@dataclass(frozen=True)
class OverlayView:
    """An overlay wave before it starts. `entities`: how many, None for the state as it will be then; `of`: of how many they are a
    sample; `like` and `like_locator`: the base's wave whose entities they are, empty for none."""

    flow: str
    version: str
    base: str
    date: str
    like: str
    like_locator: str
    entities: int | None
    of: int | None
    share: float
    runs: tuple[Runs, ...]
    reads: tuple[Read, ...]


def view(what: Overlay) -> OverlayView:
    """It as data."""
    like, members = what.like, what.members
    return OverlayView(
        what.plan.flow, what.version, what.base, str(what.date), like.id if like else "", like.locator if like else "",
        len(members) if members is not None else None, what.sampled if members is not None else None, what.share,
        tuple(Runs(task, why) for task, why in what.runs.items()), what.reads,
    )  # fmt: skip


def lines(what: OverlayView) -> Iterator[str]:
    """It for a person: who, what runs and why, what is read."""
    yield clean(f"{what.flow}@{what.version} {what.date} over {what.base}: {_who(what)}")
    width = max(len(name) for name in (*(r.task for r in what.runs), *(r.task for r in what.reads)))
    for runs in what.runs:
        yield clean(f"  runs   {runs.task:<{width}}  {runs.why}")
    for read in what.reads:
        there = (
            f"{read.there:,} of {read.of:,} are there"
            if read.there is not None and read.of is not None
            else "as far as it is there"
        )
        yield clean(f"  reads  {read.task:<{width}}  {what.base}'s, {there}")


def _who(what: OverlayView) -> str:
    if what.entities is None:
        return f"over the state as it is now: {what.base} has no wave of that date"
    share = f" (a sample of {what.share:.4g} of {what.of:,})" if what.share < 1 else ""
    return f"{what.entities:,} entities{share} of wave {what.like} ({what.like_locator})"
