"""Which of two versions forecasts better: tests on pairs of absolute errors of the same entity, hour and lead. Pure.

Errors of neighbouring hours, of entities in the same hour and of several forecasts for one hour go together (the same storm delays all of
them), so a test that takes each for a witness of its own is far too sure. The first test here does not: it adds up each hour
(Diebold and Mariano 1995), and tells from the slow swings of the series how uncertain its mean is (equal-weighted cosines with t's distribution:
Lazarus, Lewis, Stock and Watson 2018; for forecasts Coroneo and Iacone 2020), which stays honest with few hours. The second, Wilcoxon's
signed-rank test over pairs of (entity, hour), takes each for a witness and is told with that caveat; it knows nothing of how large errors
are, so one bad day does not decide it.

scipy says how likely a statistic is. Where it is not installed the tests say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.compare.figures import Sample, Test

FEWEST = 24
"""Hours (or days) of truth with fewer of which nothing is said."""
SURE = 0.05
WORSE = 0.005
"""By how much a root mean square error must be larger to be called worse."""
MISSING = "needs scipy: pip install 'wavedeck[frames]'"
BY_HOUR, BY_PAIR = "Diebold-Mariano, hour by hour", "Wilcoxon signed-rank"


def by_hour(hours: Mapping[int, tuple[int, float]]) -> Test:
    """Whether the mean difference is 0, hours taken whole and neighbouring ones as going together.

    Parameters:
        hours: of each hour (a number; neighbours differ by 1) how many points, and the sum of their differences of absolute errors.
    """
    n, known = len(hours), sum(count for count, _ in hours.values())
    mean = sum(total for _, total in hours.values()) / known if known else None
    if n < 2 or mean is None:
        return Test(BY_HOUR, n, "hours", difference=mean, why="one hour is no sample")
    degrees = degrees_of(max(hours) - min(hours) + 1)
    error = deviation({at: total - count * mean for at, (count, total) in hours.items()}, degrees) / known
    t = _stats("t")
    if t is None or not error:
        why = MISSING if t is None else "no difference anywhere" if not mean else "all hours differ alike"
        return Test(BY_HOUR, n, "hours", difference=mean, degrees=degrees, why=why)
    reach = float(t.ppf(1 - SURE / 2, degrees)) * error
    p = float(2 * t.sf(abs(mean / error), degrees))
    return Test(BY_HOUR, n, "hours", mean / error, p, mean, mean - reach, mean + reach, degrees)


def degrees_of(span: int) -> int:
    """How many slow waves of a series of so many hours tell how uncertain its mean is; the degrees of freedom of the test."""
    return max(int(0.4 * span ** (2 / 3)), 1)


def deviation(sums: Mapping[int, float], degrees: int) -> float:
    """The standard deviation of the total of a series, which may have gaps and whose neighbours may go together: by the mean square of its
    first cosine waves, which are what a slow swing shows in and the mean does not."""
    first, span = min(sums), max(sums) - min(sums) + 1
    squares = 0.0
    for wave in range(1, degrees + 1):
        squares += sum(u * math.cos(math.pi * wave * (at - first + 0.5) / span) for at, u in sums.items()) ** 2
    return math.sqrt(2 * squares / degrees)


def by_pair(pairs: Sample) -> Test:
    """Whether the differences of pairs of (entity, hour) lie evenly around 0."""
    some = [d for d in pairs.kept if d]
    sampled = pairs.n > len(pairs.kept)
    wilcoxon = _stats("wilcoxon")
    if wilcoxon is None or not some:
        why = MISSING if wilcoxon is None else "no pair differs"
        return Test(BY_PAIR, pairs.n, "pairs of entity and hour", sampled=sampled, why=why)
    found: Any = wilcoxon(some, method="asymptotic")
    unit = "pairs of entity and hour"
    mean = pairs.total / pairs.n
    return Test(BY_PAIR, pairs.n, unit, float(found.statistic), float(found.pvalue), mean, sampled=sampled)


def _stats(name: str) -> Any:
    try:
        import scipy.stats
    except ImportError:
        return None
    return getattr(scipy.stats, name)


def finding(a: str, b: str, maes: Sequence[float], rmses: Sequence[float], test: Test) -> tuple[str, str]:
    """Which version is better, nothing where that cannot be said; and a sentence with the figures."""
    (before, now), (rough, smooth) = maes, rmses
    share = f" ({(now - before) / before:+.1%})".replace("%", " %").replace("-", "−") if before else ""
    figures = f"mean absolute error {now:.4g} of {b} against {before:.4g} of {a}{share}"
    if test.n < FEWEST:
        return "", f"too few hours to say which is better: {test.n}, and {FEWEST} are wanted; {figures}"
    if test.p is None:
        return "", f"which is better was not tested ({test.why}); {figures}"
    if test.p >= SURE:
        return "", f"no difference that {test.n} hours could show (p = {p_text(test.p)}); {figures}"
    better = b if now < before else a
    loser, winner = (rough, smooth) if better == b else (smooth, rough)
    other = winner > loser * (1 + WORSE)
    but = f"; by root mean square error it is worse, {smooth:.4g} of {b} against {rough:.4g} of {a}" if other else ""
    return better, f"{better} forecasts better: {figures}, p = {p_text(test.p)}{but}"


def p_text(p: float) -> str:
    """A probability as people write it."""
    return f"{p:.3g}" if p >= 0.001 else f"{p:.1e}" if p else "0"
