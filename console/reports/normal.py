"""«Is this normal?»: a wave against the last ten ended waves of its flow.

What is compared is the time for each cell that ran (waves differ in size, and what was reused took none) and the share of
those that failed. Median and MAD, so that one bad wave of the past does not make the next one look well. The core is pure;
`Normals` reads what it needs, and remembers what has ended.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from engine.status import Cell

if TYPE_CHECKING:
    pass

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
