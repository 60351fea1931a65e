"""Which worker is bad: failure rate and pace of each against the others that served the same waves.

What is read of a wave: its board and claims once (nine bytes an entity and a byte a cell), and the times of a few entities of each
worker. The rules are pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from console.reports.state import entities_with
from engine.keys import decode_entity
from engine.status import ENDED, STATUS_OF, Cell, Status
from engine.store.claims import spans
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

TIMED = 48
"""Of how many entities of a worker the run times are read, the newest of them."""
FEWEST = 5
"""Whoever served fewer is not judged."""
FEWEST_FAILED = 3
SURE = 3.3
"""By so many standard deviations must a failure rate lie above the others': one chance in two thousand."""
MORE_OFTEN, BY_SHARE = 2.0, 0.05
"""And it must be so many times theirs, and higher by this share."""
SLOWER, BY_SECONDS = 1.8, 0.01
"""From which ratio of run times, and which difference, a worker is slow."""
RAN_WELL = frozenset({Cell.FINISHED, Cell.FALLBACK})
SAMPLE = 200
ONE_PARTITION, ELSEWHERE = 0.8, 0.3
"""If so much of what failed is of one partition, and no more than that of what did not, it is the data rather than the worker."""


@dataclass(frozen=True)
class Deeds:
    """What workers did in a wave, by name: entities that have ended, those that failed (numbers), seconds that an entity took in all
    its tasks for some that ran well. `final`: the wave has ended."""

    served: Mapping[str, int]
    failed: Mapping[str, Sequence[int]]
    good: Mapping[str, Sequence[int]]
    took: Mapping[str, Sequence[float]]
    final: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a worker did. `entities` it has ended and `failed` of them; `rate`, `others`: share of failed entities, its own and that of all
    others together (None: there is no other); `median`: seconds that an entity ran in all its tasks; `slower`: how many times the
    others' (None: not known). `loud`: it stands out; `words` say how, `short` in few of them."""

    entities: int
    failed: int
    rate: float
    others: float | None
    median: float | None
    slower: float | None
    failing: bool = False
    slow: bool = False
    partition: str = ""
    """Nearly all that failed is of it, so it may be the data."""

    @property
    def loud(self) -> bool:
        """Whether it is the worker that is bad, by all that is known."""
        return (self.failing and not self.partition) or self.slow

    @property
    def words(self) -> str:
        """What is odd about it, in a sentence; nothing if nothing is."""
        told = []
        if self.failing:
            told.append(f"{percent(self.rate)} of its entities failed, others {percent(self.others or 0.0)}")
        if self.failing and self.partition:
            told[-1] += f"; nearly all of partition {self.partition}, so rather the data than the worker"
        if self.slow and self.slower:
            told.append(f"{self.slower:.1f}× slower than the others")
        return " · ".join(told)

    @property
    def short(self) -> str:
        """`words` in at most some 30 cells."""
        told = [f"{percent(self.rate)} failed, others {percent(self.others or 0.0)}"] if self.failing else []
        told += [f"{self.slower:.1f}× slower"] if self.slow and self.slower else []
        return " · ".join(told)


@dataclass(slots=True)
class _Sum:
    entities: int = 0
    failed: int = 0
    medians: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)


def percent(share: float) -> str:
    """`38%`, `0.4%`, `0%`."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else f"{share:.1%}"


def deeds(redis: Client, wave: Wave) -> Deeds:
    """Who did what in a wave so far."""
    store = Waves(redis)
    crew, board, claims = store.crew(wave), store.board(wave), store.claim_numbers(wave)
    if len(board) != wave.cells or len(claims) != wave.n:
        return Deeds({}, {}, {}, {}, True)
    done = entities_with(board, wave.n, ENDED, all_of_them=True)
    well = entities_with(board, wave.n, RAN_WELL, all_of_them=True)
    served = {crew[number]: many for number, many in Counter(map(claims.__getitem__, done)).items() if number in crew}
    failed: dict[str, list[int]] = {name: [] for name in served}
    good: dict[str, list[int]] = {name: [] for name in served}
    for found, numbers in ((failed, entities_with(board, wave.n, {Cell.FAILED})), (good, well)):
        for number in numbers:
            name = crew.get(claims[number])
            if name in found:
                found[name].append(number)
    chosen = {name: numbers[-TIMED:] for name, numbers in good.items() if numbers}
    return Deeds(served, failed, {n: g[-SAMPLE:] for n, g in good.items()}, _took(redis, wave, chosen), bool(wave.ended))


def _took(redis: Client, wave: Wave, chosen: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
    """Seconds that each of these entities ran in all its tasks."""
    numbers = sorted(number for some in chosen.values() for number in some)
    total = dict.fromkeys(numbers, 0.0)
    held = spans(numbers)
    with redis.pipeline(transaction=False) as trip:
        for first, many, _ in held:
            for task in range(len(wave.tasks)):
                at = (task * wave.n + first) * 8
                trip.getrange(wave.key("times"), at, at + many * 8 - 1)
        replies = iter(trip.execute())
    for first, _, _ in held:
        for _ in wave.tasks:
            times = next(replies)
            for i in range(len(times) // 8):
                total[first + i] += int.from_bytes(times[8 * i + 4 : 8 * i + 8], "little") / 100_000
    return {name: [total[number] for number in some] for name, some in chosen.items()}


def verdicts(redis: Client, waves: Sequence[tuple[Wave, Deeds]]) -> dict[str, Verdict]:
    """How each worker did in these waves, by name."""
    found = judged([told for _, told in waves])
    return {
        name: _with_partition(redis, name, verdict, waves) if verdict.failing else verdict for name, verdict in found.items()
    }


def judged(waves: Sequence[Deeds]) -> dict[str, Verdict]:
    """How each worker did against the others. Run times are compared within a wave: flows differ."""
    sums: dict[str, _Sum] = {}
    for told in waves:
        medians = {name: median(took) for name, took in told.took.items() if len(took) >= FEWEST}
        for name, served in told.served.items():
            mine = sums.setdefault(name, _Sum())
            mine.entities += served
            mine.failed += len(told.failed.get(name, ()))
            if took := told.took.get(name):
                mine.medians.append(median(took))
            rest = [m for other, m in medians.items() if other != name]
            if name in medians and rest and median(rest) > 0:
                mine.ratios.append(medians[name] / median(rest))
                mine.apart.append(medians[name] - median(rest))
    everyone = (sum(s.entities for s in sums.values()), sum(s.failed for s in sums.values()))
    return {name: _verdict(mine, everyone[0] - mine.entities, everyone[1] - mine.failed) for name, mine in sums.items()}


def _verdict(mine: _Sum, others: int, others_failed: int) -> Verdict:
    rate = mine.failed / mine.entities if mine.entities else 0.0
    theirs = others_failed / others if others else None
    slower = median(mine.ratios) if mine.ratios else None
    return Verdict(
        entities=mine.entities,
        failed=mine.failed,
        rate=rate,
        others=theirs,
        median=mine.medians[0] if mine.medians else None,
        slower=slower,
        failing=theirs is not None and fails_more(mine.entities, mine.failed, others, others_failed),
        slow=slower is not None and slower >= SLOWER and median(mine.apart) >= BY_SECONDS,
    )


def fails_more(n: int, failed: int, others: int, others_failed: int) -> bool:
    """Whether `failed` of `n` is more than `others_failed` of `others`, beyond chance and enough to matter."""
    if n < FEWEST or failed < FEWEST_FAILED or others < FEWEST:
        return False
    rate, theirs = failed / n, others_failed / others
    pooled = (failed + others_failed) / (n + others)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / others))
    return rate >= MORE_OFTEN * theirs and rate - theirs >= max(BY_SHARE, SURE * deviation)


def _with_partition(redis: Client, name: str, verdict: Verdict, waves: Sequence[tuple[Wave, Deeds]]) -> Verdict:
    """The verdict, with the partition that what failed is of, if that tells more than who served it: neighbours are served together."""
    failed, good = Counter[str](), Counter[str]()
    for wave, told in waves:
        failed.update(_partitions(redis, wave, told.failed.get(name, ())[:SAMPLE]))
        good.update(_partitions(redis, wave, told.good.get(name, ())))
    partition, many = failed.most_common(1)[0] if failed else ("", 0)
    explains = many >= ONE_PARTITION * failed.total() and good[partition] <= ELSEWHERE * max(good.total(), 1) and good.total()
    if partition in ("", "-") or not explains:
        return verdict
    return Verdict(
        verdict.entities, verdict.failed, verdict.rate, verdict.others, verdict.median, verdict.slower,
        failing=True, slow=verdict.slow, partition=decode_entity(partition),
    )  # fmt: skip


def _partitions(redis: Client, wave: Wave, numbers: Sequence[int]) -> list[str]:
    """The partitions of these entities, in key form."""
    with redis.pipeline(transaction=False) as trip:
        for first, many, _ in spans(numbers):
            trip.lrange(wave.key("members"), first, first + many - 1)
        return [member.decode().partition(" ")[2] for members in trip.execute() for member in members]


def last_failed(redis: Client, wave: Wave, name: str) -> str | None:
    """The entity (in key form) of a wave that failed last of those that a worker served; None when none did."""
    store = Waves(redis)
    number = {worker: n for n, worker in store.crew(wave).items()}.get(name)
    if number is None:
        return None
    board, claims = store.board(wave), store.claim_numbers(wave)
    if len(board) != wave.cells:
        return None
    mine = [e for e in entities_with(board, wave.n, {Cell.FAILED}) if claims[e] == number][-SAMPLE:]
    ended: dict[int, float] = {}
    for task in range(len(wave.tasks)):
        times = store.column_times(wave, task) if mine else b""
        for e in mine:
            if STATUS_OF.get(board[task * wave.n + e]) == Status.FAILED:
                start, took = (
                    int.from_bytes(times[8 * e : 8 * e + 4], "little"),
                    int.from_bytes(times[8 * e + 4 : 8 * e + 8], "little"),
                )
                ended[e] = max(ended.get(e, 0.0), start / 1000 + took / 100_000)
    if not ended:
        return None
    [(entity, _)] = store.members(wave, last := max(ended, key=lambda e: ended[e]), last)
    return entity
