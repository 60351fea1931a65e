"""From runs to Markdown: the rows, and each target beside what was measured. A number that was not measured is not printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.wave.jobs import OURS, SINGLE, Job, bound, listed
from benchmarks.wave.peers import ARMS, Kind, arm
from benchmarks.wave.run import Failed, Run
from benchmarks.wave.turns import Turn

Found = Run | Failed
Of = Callable[[Run], float]
PIPELINES, BULK = "floor: pipelines over 64", "floor: bulk commands over 64"


@dataclass
class Book:
    """All runs. `rounds`: for each round what became of each job."""

    rounds: list[dict[Job, Found]] = field(default_factory=list)

    def jobs(self, group: str) -> list[Job]:
        """Of a group, in order."""
        seen = dict.fromkeys(job for one in self.rounds for job in one if job.group == group)
        return list(seen)

    def runs(self, job: Job) -> list[Run]:
        """Those that came to an end."""
        return [run for one in self.rounds if isinstance(run := one.get(job), Run)]

    def failures(self) -> Iterator[tuple[Job, str]]:
        """Those that did not."""
        for one in self.rounds:
            yield from ((job, run.failed) for job, run in one.items() if isinstance(run, Failed))

    def of(self, name: str, of: Of, group: str = "wave") -> list[float | None]:
        """A number of an arm by round."""
        [*jobs] = [job for job in self.jobs(group) if job.arm == name]
        return [_number(one.get(jobs[0]), of) if jobs else None for one in self.rounds]

    def best(self, kinds: Sequence[Kind], of: Of, choose: Callable[[Iterable[float]], float]) -> list[float | None]:
        """The best of these kinds by round."""
        names = [a.name for a in ARMS if a.kind in kinds]
        rows = [self.of(name, of) for name in names]
        by_round = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
        return [choose(values) if values else None for values in by_round]


def _number(run: Found | None, of: Of) -> float | None:
    return of(run) if isinstance(run, Run) else None


def over(above: Sequence[float | None], below: Sequence[float | None]) -> list[float]:
    """Ratios within rounds in which both were measured."""
    return [a / b for a, b in zip(above, below, strict=True) if a is not None and b is not None and b > 0]


def known(values: Sequence[float | None]) -> list[float]:
    """Without what was not measured."""
    return [v for v in values if v is not None]


@dataclass(frozen=True)
class Target:
    """A line of the table of targets. `at_least`: whether more is better; no target when it is None."""

    what: str
    values: Sequence[float]
    target: float | None
    unit: str
    at_least: bool = True
    digits: int = 1

    @property
    def met(self) -> bool | None:
        """Whether the median meets it."""
        if self.target is None:
            return None
        middle = statistics.median(self.values)
        return middle >= self.target if self.at_least else middle <= self.target

    def __str__(self) -> str:
        low, middle, high = (
            f"{v:,.{self.digits}f}" for v in (min(self.values), statistics.median(self.values), max(self.values))
        )
        told = "" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g} {self.unit}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {self.what} | **{middle} {self.unit}** | {low}–{high} | {told} | {met} |"


def _latency(run: Run) -> float:
    return statistics.median(run.latencies)


def _served(run: Run) -> float:
    return statistics.median(run.served)


def targets(book: Book) -> list[Target]:
    """Each target whose both sides were measured."""
    rate: Of = lambda run: run.rate  # noqa: E731
    ours, single = book.of(OURS, rate), book.of(SINGLE, rate)
    dag, fat = (book.best((kind,), rate, max) for kind in ("dag", "fat"))
    peers: tuple[Kind, ...] = ("dag", "fat")
    cheapest = book.best(peers, lambda run: run.cpu, min)
    quickest = book.best(peers, _latency, min)
    found = [
        Target("1. tasks/s, full batches : fastest peer with dependencies", over(ours, dag), 40, "×"),
        Target("1. tasks/s, entity by entity : fastest peer with dependencies", over(single, dag), 8, "×"),
        Target("1. tasks/s, full batches : fastest fat peer", over(ours, fat), 10, "×"),
        Target("1. tasks/s, entity by entity : fastest fat peer", over(single, fat), 2, "×"),
        Target("2. tasks/s, full batches : floor «pipelines over 64»", over(ours, book.of(PIPELINES, rate)), 1, "×", digits=2),
        Target("2. tasks/s, full batches : floor «bulk commands»", over(ours, book.of(BULK, rate)), None, "×", digits=2),
        Target("3. CPU, full batches : cheapest peer", over(book.of(OURS, lambda r: r.cpu), cheapest), 0.1, "×", False, 3),
        Target(
            "4. entities/s compiled and queued : fastest peer",
            over(book.of(OURS, lambda r: r.queued), book.best(peers, lambda r: r.queued, max)), 10, "×",
        ),
        *_linear(book),
        Target("5. one entity, idle, call → done : fastest peer", over(book.of(OURS, _latency), quickest), 0.75, "×", False, 2),
        Target(
            "5. one entity, idle, queued → done : fastest peer's call → done",
            over(book.of(OURS, _served), quickest), None, "×", False, 2,
        ),
        Target("5. wake-up by a dependency", known(book.of(OURS, _wakeup)), 2, "ms", False, 2),
        Target("6. Redis beyond the pipes, after the wave", known(book.of(OURS, lambda r: r.left)), 30, "bytes a cell", False),
        Target("6. Redis beyond the pipes, at most", known(book.of(OURS, lambda r: r.holds)), 30, "bytes a cell", False),
        *_makespans(book),
        Target("8. scikit-learn: beside calling it in a loop", _overhead(book, lambda t: t.wave / t.loop), 5, "%", False),
        Target("8. scikit-learn: of it, outside of the function", _overhead(book, lambda t: t.wave / t.inside), None, "%"),
        Target("8. scikit-learn: CPU, Redis included, beside the loop's", _overhead(book, lambda t: t.wave_cpu / t.loop_cpu), None, "%"),
    ]  # fmt: skip
    return [target for target in found if target.values]


def _wakeup(run: Run) -> float:
    return statistics.median(run.wakeups)


def _linear(book: Book) -> Iterator[Target]:
    jobs = sorted(book.jobs("enqueue"), key=lambda job: job.entities)
    for job in jobs:
        rates = [run.queued for run in book.runs(job)]
        yield Target(f"4. entities/s compiled and queued, {job.entities:,} of them", rates, None, "/s", digits=0)
    if len(jobs) == 3:
        few, many = (_column(book, job, lambda run: 1 / run.queued) for job in jobs[1:])
        yield Target(f"4. time an entity, {jobs[2].entities:,} : {jobs[1].entities:,}", over(many, few), 1.1, "×", False, 2)


def _column(book: Book, job: Job, of: Of) -> list[float | None]:
    return [_number(one.get(job), of) for one in book.rounds]


def _makespans(book: Book) -> Iterator[Target]:
    jobs = book.jobs("makespan")
    for job in jobs:
        ratios = [run.drain / bound(job.entities, job.workers) for run in book.runs(job)]
        what = f"7. makespan, {job.entities:,} entities on {job.workers} slots : lower bound"
        yield Target(what, ratios, 1.05 if job is jobs[0] else None, "×", False, 3)
        beside = [run.drain / listed(job.entities, job.workers) for run in book.runs(job)]
        yield Target(
            f"7. the same : list scheduling of whole entities ({_ideal(job):.3f} × the bound)", beside, None, "×", False, 3
        )
    if len(jobs) == 3:
        few, many = (_column(book, job, lambda run: run.drain) for job in jobs[1:])
        yield Target("7. makespan, ten times the entities on ten times the slots", over(many, few), 1.05, "×", False, 3)


def _ideal(job: Job) -> float:
    return listed(job.entities, job.workers) / bound(job.entities, job.workers)


def _overhead(book: Book, of: Callable[[Turn], float]) -> list[float]:
    """By how many per cent a ratio is above 1: the median of a run's turns."""
    runs = [run for job in book.jobs("learning") for run in book.runs(job)]
    return [100 * (statistics.median(map(of, run.turns)) - 1) for run in runs if run.turns]


def _spread(values: Sequence[float], digits: int = 0) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"**{middle:,.{digits}f}** | {low:,.{digits}f}–{high:,.{digits}f}"


def _middle(values: Iterable[float], digits: int = 0) -> str:
    return f"{statistics.median(values):,.{digits}f}"


def _row(job: Job, runs: Sequence[Run], name: str) -> str:
    cells = [
        name,
        f"{job.entities:,}",
        _middle(r.queued for r in runs),
        _spread([r.rate for r in runs]),
        _middle((r.cpu for r in runs), 4),
        " / ".join(
            _middle((getattr(r, part) / (r.entities * r.tasks) * 1000 for r in runs), 4)
            for part in ("client", "workers", "redis")
        ),
        f"{_middle(r.memory for r in runs)} ({runs[0].processes})",
        _middle((r.redis_mb for r in runs), 1),
    ]
    return "| " + " | ".join(cells) + " |"


_HEAD = (
    "| | entities | queued, entities/s | tasks/s | range | CPU s per 1,000 tasks | client / workers / Redis "
    "| workers, MB (processes) | Redis, MB |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def _single(book: Book) -> Iterator[str]:
    jobs = [job for job in book.jobs("wave") if any(run.latencies for run in book.runs(job))]
    if jobs:
        yield "\n| one entity on an idle system | call → done, ms | p95 | queued → done, ms | wake-up by a dependency, ms |"
        yield "|---|---:|---:|---:|---:|"
    for job in jobs:
        runs = book.runs(job)
        pooled = sorted(value for run in runs for value in run.latencies)
        middles = [
            _middle((statistics.median(getattr(r, part)) for r in runs), 2) for part in ("latencies", "served", "wakeups")
        ]
        p95 = pooled[min(int(len(pooled) * 0.95), len(pooled) - 1)]
        yield f"| {job.arm} | **{middles[0]}** | {p95:,.1f} | {middles[1]} | {middles[2]} |"


def render(book: Book) -> str:
    """All tables."""
    lines = []
    if jobs := [job for job in book.jobs("wave") if book.runs(job)]:
        lines += [_HEAD, *(_row(job, book.runs(job), job.arm) for job in jobs), *_single(book)]
        lines += ["", *(f"- {a.name}: {a.note}" for a in ARMS if a.note and a.name in {job.arm for job in jobs})]
    more = [job for group in ("shapes", "eight") for job in book.jobs(group) if book.runs(job)]
    if more:
        lines += ["", _HEAD]
        lines += [_row(job, book.runs(job), f"{_what(job)}: {job.arm}") for job in more]
    if found := targets(book):
        lines += ["", "| | median | range | target | |", "|---|---:|---:|---:|---|", *map(str, found)]
    lines += [f"\nFailed: {job.name}: {why}" for job, why in book.failures()]
    return "\n".join(lines)


def _what(job: Job) -> str:
    note = arm(job.arm).note
    if job.group == "eight":
        return "8 workers"
    return note if job.shape == "diamond" and note else job.shape
