"""Which waves there were to compare with, and when one fell behind: what `normal` needs, read from Redis. What has ended is remembered."""

from __future__ import annotations

import contextlib
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from console.reports.normal import DONE, LAST, Drop, Normal, Run, compare, find_drop, is_slow, past, usual_pace
from engine.status import Cell

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.ledger import Entry
    from engine.store.wave import Progress

DEEP = 400
"""How many waves of the past are looked through once, for flows that run seldom."""
SAMPLE, STRETCH = 8192, 64
"""Cells whose times are read to find when a wave fell behind, and how many neighbours at once."""
AGAIN = 10.0
"""Seconds after which a running wave is looked at anew."""
A_READ = 2
"""Waves whose times are read at most in one go."""
REMEMBERED = 2000


def run_of(progress: Progress, at: float) -> Run:
    """What is compared of a wave, at the moment `at` (Unix seconds)."""
    from console.views import phase

    wave = progress.wave
    until = wave.ended / 1000 if wave.ended else at
    done = {cell: sum(counts.get(cell, 0) for counts in progress.counts) for cell in DONE}
    return Run(
        id=wave.id,
        flow=wave.flow,
        version=wave.version,
        phase=phase(wave),
        created=wave.created / 1000,
        started=wave.started / 1000,
        seconds=max(0.0, until - wave.started / 1000) if wave.started else 0.0,
        entities=wave.n,
        cells=wave.cells,
        ran=sum(done.values()),
        failed=done[Cell.FAILED],
        of=wave.of,
    )


def run_of_entry(entry: Entry) -> Run:
    """What is compared of a wave of which only its record is left."""
    return Run(
        id=entry.wave,
        flow=entry.flow,
        version=entry.version,
        phase="cancelled" if entry.cancelled else "finished",
        created=entry.created / 1000,
        started=entry.started / 1000,
        seconds=entry.seconds,
        entities=entry.entities,
        cells=entry.entities * len(entry.counts),
        ran=entry.cells("FOX"),
        failed=entry.cells("X"),
        of=entry.of,
    )


class Normals:
    """Says of waves how normal they are. Belongs to one thread; ended waves are worked out once."""

    def __init__(self) -> None:
        self._ended: dict[str, Run] = {}
        self._known: dict[str, Normal] = {}
        self._drops: dict[str, tuple[float, Drop | None, bool]] = {}
        self._deep = False

    def of(self, redis: Client, found: Sequence[Progress], at: float, *, deep: bool = True) -> dict[str, Normal]:
        """Wave id → how normal it is, at `at` (Unix seconds). `deep`: looks once for older waves to compare with; a screen's first
        read does without, to be there sooner."""
        if deep and not self._deep:
            from engine.store.waves import Waves

            recent = Waves(redis).recent(DEEP)
            self._remember(recent, at)
            self._recall(redis, recent)
            self._deep = True
        runs = {p.wave.id: self._ended.get(p.wave.id) or run_of(p, at) for p in found}
        self._remember((p for p in found if p.wave.ended), at)
        by_flow: dict[str, list[Run]] = {}
        for run in self._ended.values():
            by_flow.setdefault(run.flow, []).append(run)
        told, looked = {}, 0
        newest = _newest(found)
        for progress in found:
            run = runs[progress.wave.id]
            normal = self._known.get(run.id) or compare(run, by_flow.get(run.flow, ()))
            if run.id in self._ended:
                self._known[run.id] = normal
            if is_slow(normal) and (run.phase == "running" or run.id in newest):
                late, asked = self._late(redis, progress, run, by_flow[run.flow], may_read=looked < A_READ)
                looked += asked
                normal = late or normal
            told[run.id] = normal
        return told

    def _remember(self, found: Iterable[Progress], at: float) -> None:
        new = [run_of(p, at) for p in found if p.wave.ended and p.wave.id not in self._ended]
        if not new:
            return
        self._ended |= {run.id: run for run in new}
        if len(self._ended) > REMEMBERED:
            kept = sorted(self._ended.values(), key=lambda run: run.created)[-REMEMBERED // 2 :]
            self._ended = {run.id: run for run in kept}
        since = min(run.created for run in new)  # what was said of waves before these stands
        self._known = {i: n for i, n in self._known.items() if i in self._ended and self._ended[i].created < since}

    def _recall(self, redis: Client, recent: Iterable[Progress]) -> None:
        """Takes from the ledger what has expired, of flows of which too few waves are left to compare with."""
        from redis.exceptions import NoPermissionError

        from engine.store.ledger import Ledger

        left = Counter((p.wave.flow, p.wave.version) for p in recent if p.wave.ended and not p.wave.of and not p.wave.cancelled)
        for flow, version in {(p.wave.flow, p.wave.version) for p in recent}:
            if left[flow, version] < LAST:
                with contextlib.suppress(NoPermissionError):
                    for entry in Ledger(redis, version).recent(flow, 2 * LAST):
                        self._ended.setdefault(entry.wave, run_of_entry(entry))

    def _late(
        self, redis: Client, progress: Progress, run: Run, history: Sequence[Run], *, may_read: bool
    ) -> tuple[Normal | None, bool]:
        """`run` with when it fell behind, and whether Redis was asked for that."""
        asked, drop, final = self._drops.get(run.id, (-AGAIN, None, False))
        read = not final and may_read and time.monotonic() - asked >= AGAIN
        if read:
            drop = read_drop(redis, progress, run, usual_pace(past(run, history)))
            self._drops[run.id] = time.monotonic(), drop, run.phase != "running"
            if len(self._drops) > REMEMBERED:
                self._drops.pop(next(iter(self._drops)))
        return (compare(run, history, drop) if drop else None), read


def _newest(found: Sequence[Progress]) -> set[str]:
    """The newest wave of each flow and version, of those that have begun."""
    first: dict[tuple[str, str], str] = {}
    for progress in found:
        if progress.wave.started and not progress.wave.of:
            first.setdefault((progress.wave.flow, progress.wave.version), progress.wave.id)
    return set(first.values())


def read_drop(redis: Client, progress: Progress, run: Run, usual: float) -> Drop | None:
    """When `run` fell behind, from a sample of its cells' times; `usual`: seconds a cell."""
    wave = progress.wave
    ends = _sample(redis, wave.key("times"), wave.cells, run.started - run.created)
    if not ends:
        return None
    found = find_drop(ends, run.seconds, usual * run.ran / len(ends))
    return Drop(run.started + found[0], found[1]) if found else None


def _sample(redis: Client, key: str, cells: int, started: float) -> list[float]:
    """When cells ended, in order, seconds since the wave started: of all, or of stretches spread evenly over it."""
    stretches = min(SAMPLE // STRETCH, -(-cells // STRETCH))
    firsts = [cells * i // stretches for i in range(stretches)]
    length = STRETCH if stretches == SAMPLE // STRETCH else 0
    with redis.pipeline(transaction=False) as trip:
        for first, following in zip(firsts, [*firsts[1:], cells], strict=True):
            last = min(first + length, following) if length else following
            trip.getrange(key, first * 8, last * 8 - 1)
        stored = b"".join(trip.execute())
    times = array("I", stored)
    return sorted(start / 1000 + took / 100_000 - started for start, took in zip(times[::2], times[1::2], strict=True) if took)
