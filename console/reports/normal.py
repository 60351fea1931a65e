"""«Is this normal?»: a wave against the last ten ended waves of its flow.

What is compared is the time for each cell that ran (waves differ in size, and what was reused took none) and the share of
those that failed. Median and MAD, so that one bad wave of the past does not make the next one look well. The core is pure;
`Normals` reads what it needs, and remembers what has ended.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from engine.status import Cell

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.ledger import Entry
    from engine.store.wave import Progress

LAST = 10
"""How many waves of the past count."""
FEWEST = 3
"""Fewer are no custom."""
TINY = 50
"""A wave of fewer cells is judged by nothing: one cell more or less is chance."""
ALIKE = 8
"""Waves whose sizes differ by more than this factor have little to say of each other's pace."""
SLOWER = 1.5
"""From this ratio on it is told, if it is also beyond what the past waves differ by."""
LATE_SECONDS, LATE_SHARE = 3.0, 0.25
"""How far behind a wave must be: in seconds, and as a share of what one of its size takes in all."""
FEWEST_FAILED, LEAST_RATE = 3, 0.001
MOST_RATIO = 99.0

DONE = (Cell.FINISHED, Cell.FALLBACK, Cell.FAILED)
"""Cells that ran and have ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """What of a wave is compared. `created`, `started`: Unix seconds; `seconds`: since it started, until it ended; `ran`: cells that
    ran and ended, `failed` some of them; `of`: the wave that it runs a part of again; `phase` as in the list of waves."""

    id: str
    flow: str
    version: str
    phase: str
    created: float
    started: float
    seconds: float
    entities: int
    cells: int
    ran: int
    failed: int
    of: str = ""

    @property
    def failure_rate(self) -> float:
        """The share of failures, 0 to 1."""
        return self.failed / self.ran if self.ran else 0.0


@dataclass(frozen=True, slots=True)
class Normal:
    """How a wave compares with those before it.

    `words` say it; "" for one that waits or was cancelled. `ratio`: its seconds a cell against the usual, those since `since` where
    that is known; 2.4 is 2.4 times slower, None when there is nothing to compare. `since`: when it fell behind for good; None when
    it did not, was slow from the start, or nobody looked. Rates are shares of the cells that ran. `loud`: somebody should look.
    """

    words: str
    ratio: float | None = None
    since: str | None = None
    failure_rate: float = 0.0
    usual_failure_rate: float | None = None
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """When a wave's pace fell below the usual for good (Unix seconds), and its ratio to the usual since then."""

    at: float
    ratio: float


# the pure core


def compare(wave: Run, history: Iterable[Run], drop: Drop | None = None) -> Normal:
    """`wave` against those of `history` that `past` takes."""
    if wave.phase in ("queued", "cancelled"):
        return Normal("")
    if wave.of:
        return Normal(f"re-run of {wave.of}", failure_rate=wave.failure_rate)
    before = past(wave, history)
    if words := _why_not(wave, before):
        return Normal(words, failure_rate=wave.failure_rate)
    ratio, slow, fast = _pace(wave, before)
    usual_rate = median(run.failure_rate for run in before)
    failing = _failing(wave, [run.failure_rate for run in before])
    drop = drop if slow else None
    shown = drop.ratio if drop else ratio
    return Normal(
        _words(wave, shown, slow, fast, drop, usual_rate if failing else None),
        None if shown is None else round(shown, 2),
        datetime.fromtimestamp(drop.at, UTC).isoformat(timespec="seconds") if drop else None,
        wave.failure_rate,
        usual_rate,
        loud=slow or failing,
    )


def past(wave: Run, history: Iterable[Run]) -> list[Run]:
    """The last ten ended waves of the flow before `wave`, newest first: whole ones of about its size where there are such; of its
    version, and of others only when there are fewer than three."""
    ended = [
        run
        for run in history
        if run.flow == wave.flow
        and run.phase == "finished"
        and not run.of
        and run.ran
        and run.id != wave.id
        and run.created <= wave.created
    ]
    alike = [run for run in ended if run.cells <= wave.cells * ALIKE and wave.cells <= run.cells * ALIKE]
    found = sorted(alike or ended, key=lambda run: -run.created)
    same = [run for run in found if run.version == wave.version]
    if len(same) >= FEWEST:
        return same[:LAST]
    return [*same, *(run for run in found if run.version != wave.version)][:LAST]


def is_slow(normal: Normal) -> bool:
    """Whether `normal` says that the wave is slow."""
    return normal.loud and "slow" in normal.words


def find_drop(ends: Sequence[float], seconds: float, usual: float) -> tuple[float, float] | None:
    """When the pace fell below `usual` for good, and the ratio since: seconds from the wave's start. None: from the start.

    Its lead over a pace between the usual and a slow one was greatest then, so it was never made good after.

    Parameters:
        ends: when the cells ended, seconds since the start, in order.
        seconds: how long the wave has run.
        usual: seconds that one of `ends` usually takes.
    """
    if not ends or usual <= 0:
        return None
    between = usual * math.sqrt(SLOWER)
    leads = [number - end / between for number, end in enumerate(ends, 1)]
    best = max(range(len(ends)), key=lambda i: (leads[i], i))
    at = ends[best]
    if leads[best] <= 0 or at < 0.05 * seconds or at >= seconds:
        return None
    ratio = (seconds - at) / (max(len(ends) - 1 - best, 0.5) * usual)
    return (at, min(ratio, MOST_RATIO)) if ratio >= SLOWER else None


def brief(words: str) -> str:
    """A normal's words in at most nine cells."""
    if words.endswith(" to compare"):
        return "few"
    if words.startswith(("first ", "re-run ")):
        return words.partition(" ")[0]
    if words.startswith("only "):
        words = words.rpartition(" ")[0]
        return words if len(words) <= 9 else "subset"
    first = re.split(r" since|, | · ", words)[0]
    return first.replace("slower", "slow").replace("faster", "fast")


def _why_not(wave: Run, before: Sequence[Run]) -> str:
    """Why there is nothing to say, if so."""
    if not before:
        return "first of its flow"
    if wave.cells < TINY or wave.cells * ALIKE < median(run.cells for run in before):
        return f"only {wave.entities:,} entities" if wave.entities != 1 else "only 1 entity"
    if wave.cells > ALIKE * max(run.cells for run in before):
        return "first of its size"
    if len(before) < FEWEST:
        return f"only {len(before)} to compare"
    behind = wave.seconds - usual_pace(before) * wave.ran
    return "too early" if wave.ran < TINY and wave.phase == "running" and behind < _patience(wave, before) else ""


def usual_pace(before: Sequence[Run]) -> float:
    """Seconds a cell that are usual."""
    return math.exp(median(_log_pace(run) for run in before))


def _log_pace(run: Run) -> float:
    return math.log(max(run.seconds, 0.001) / max(run.ran, 1))


def _patience(wave: Run, before: Sequence[Run]) -> float:
    return max(LATE_SECONDS, LATE_SHARE * usual_pace(before) * wave.cells)


def _pace(wave: Run, before: Sequence[Run]) -> tuple[float | None, bool, bool]:
    """The ratio to the usual, and whether that is slow, or fast, beyond what the past waves differ by."""
    if not wave.ran and wave.phase == "finished":
        return None, False, False  # all of it was there already, or blocked
    usual = usual_pace(before)
    off = _log_pace(wave) - math.log(usual)
    spread = max(1.4826 * median(abs(_log_pace(run) - math.log(usual)) for run in before), 0.05)
    told = abs(off) >= max(math.log(SLOWER), 3 * spread)
    behind = wave.seconds - usual * wave.ran
    slow = told and off > 0 and behind >= _patience(wave, before)
    fast = told and off < 0 and -behind >= LATE_SECONDS and wave.ran >= TINY
    return min(math.exp(off), MOST_RATIO), slow, fast


def _failing(wave: Run, rates: Sequence[float]) -> bool:
    if wave.ran < TINY or wave.failed < FEWEST_FAILED:
        return False
    usual = median(rates)
    spread = 1.4826 * median(abs(rate - usual) for rate in rates)
    chance = math.sqrt(usual / wave.ran)
    return wave.failure_rate >= max(LEAST_RATE, 2 * usual, usual + 3 * max(spread, chance))


def _words(wave: Run, ratio: float | None, slow: bool, fast: bool, drop: Drop | None, usual_rate: float | None) -> str:
    pace = ""
    if ratio is not None and (slow or fast):
        pace = f"{_times(ratio)} slower" if slow else f"{_times(1 / ratio)} faster"
    if usual_rate is not None:
        fail = f"{_percent(wave.failure_rate)} fail"
        return f"{pace} · {fail}" if slow else f"{fail}, usually {_percent(usual_rate)}"
    if drop is not None:
        return f"{pace} since {time.strftime('%H:%M', time.localtime(drop.at))}"
    return pace or "as usual"


def _times(ratio: float) -> str:
    if ratio >= MOST_RATIO:
        return f">{MOST_RATIO:.0f}×"
    return f"{ratio:.1f}×" if ratio < 9.95 else f"{ratio:.0f}×"


def _percent(rate: float) -> str:
    percent = 100 * rate
    return f"{percent:.0f}%" if percent >= 10 or not percent else f"{percent:.1f}%" if percent >= 0.05 else "<0.1%"


# the reader

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
