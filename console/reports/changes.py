"""What is different in a wave from the one before it. Field names are stable; `--json` prints them.

`Reading` gathers what is compared of one wave; `compare` is pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Literal

from console.locator import Locator, View
from console.reports.book import BAD, Group, mask, places, shared
from console.reports.failures import FAILED, earlier
from console.views import Durations, durations
from console.widgets.text import short_seconds
from engine import durations as spans
from engine.keys import decode_entity
from engine.plan import Input, Plan, TaskPlan
from engine.status import WROTE, Cell, Status
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Workers

Section = Literal["entities", "families", "members", "durations", "fallbacks", "plan", "config", "workers"]
SECTIONS: dict[Section, str] = {
    "entities": "entities fail and recover",
    "families": "families of failures",
    "members": "who takes part",
    "durations": "how long tasks run",
    "fallbacks": "older and reused inputs",
    "plan": "tasks of the flow",
    "config": "config",
    "workers": "workers and images",
}
SETS = ("newly-failed", "newly-blocked", "still-failing", "recovered", "newcomers")
"""Names of sets of entities, which `family:` takes in filters as it takes a family's key."""

NAMES = 5
RATIO = 1.5
"""The least ratio of run times, and of the sizes of families, that counts as a difference."""
LEAST_SECONDS = 0.05
"""Below this nobody cares how much slower a task is."""
LEAST_MORE = 2


@dataclass(frozen=True)
class Change:
    """One difference. `before` and `now`: as people read them; `which`: names, or what else goes with it; `loud`: for the worse;
    `place`: the line that leads to it, "" when there is none."""

    section: Section
    what: str
    before: str
    now: str
    which: str = ""
    loud: bool = False
    place: str = ""


@dataclass(frozen=True)
class Changes:
    """A wave against an earlier one; `before` is that one's locator, "" when there is none. `why` this one: `last wave`, `re-run of` or
    `base version`. `same`: the sections without a difference; `running`: the wave has not ended, so more may come."""

    wave: str
    locator: str
    before: str
    before_id: str
    why: str
    lines: list[Change]
    same: list[Section]
    running: bool = False


@dataclass(frozen=True, eq=False)
class Reading:
    """What is compared of a wave. Entities in key form; `failed` and `blocked` have no entity in common; `families`: key → a group, as
    its book has it; `crew`: worker → entities it claimed last; `images`: image → how many of these workers."""

    wave: Wave
    plan: Plan
    names: list[str]
    failed: frozenset[str]
    blocked: frozenset[str]
    well: frozenset[str]
    families: Mapping[str, Group]
    durations: Mapping[str, Durations]
    fallbacks: Mapping[str, int]
    reused: int
    crew: Mapping[str, int]
    images: Mapping[str, int] = field(default_factory=dict)


def read(redis: Client, wave: Wave) -> Reading:
    """Gathers it.

    Raises:
        NotFound: the wave has expired.
    """
    store, n = Waves(redis), wave.n
    progress = store.progress(wave)
    board, names = store.board(wave), [entity for entity, _ in store.members(wave)]
    columns = [board[task * n : (task + 1) * n] for task in range(len(wave.tasks))]
    failed = reduce(or_, (mask(column, FAILED) for column in columns), 0)
    bad = reduce(or_, (mask(column, BAD) for column in columns), 0)
    not_written = reduce(or_, (mask(column, _NOT_WRITTEN) for column in columns), 0)
    everyone = int.from_bytes(b"\1" * n, "little")
    book = shared(progress.wave)
    with book.lock:
        groups = dict(book.all(redis, blocked=False).groups)
    times = store.times(wave)
    crew, numbers = store.crew(wave), Counter(store.claim_numbers(wave))
    return Reading(
        wave=progress.wave,
        plan=store.plan(wave),
        names=names,
        failed=_named(names, failed, n),
        blocked=_named(names, bad & ~failed, n),
        well=_named(names, everyone & ~not_written, n),
        families=groups,
        durations={task: durations(times, board, n, number) for number, task in enumerate(wave.tasks)},
        fallbacks={t: c for t, cells in zip(wave.tasks, progress.counts, strict=True) if (c := cells.get(Cell.FALLBACK, 0))},
        reused=sum(cells.get(Cell.REUSED, 0) for cells in progress.counts),
        crew={name: numbers[number] for number, name in crew.items() if numbers[number]},
        images=_images(redis, wave.version, set(crew.values())),
    )


_NOT_WRITTEN = bytes(byte not in WROTE for byte in range(256))


def _named(names: list[str], bits: int, n: int) -> frozenset[str]:
    return frozenset(names[number] for number in places(bits, n))


def _images(redis: Client, version: str, crew: set[str]) -> dict[str, int]:
    if not crew:
        return {}
    alive, gone = Workers(redis).heard([version])
    return dict(Counter(worker.image for worker in (*alive, *gone) if worker.image and worker.name in crew))


def other(store: Waves, wave: Wave) -> tuple[Wave, str] | None:
    """The wave to compare with, and why that one: what it runs again; the last ended wave of the same flow and version; else the base
    version's."""
    if wave.of and (first := store.find(wave.of)) is not None:
        return first, "re-run of"
    if found := earlier(store, wave, 1):
        return found[0].wave, "last wave"
    if wave.base and wave.base != wave.version:
        for p in store.recent(50, version=wave.base, flow=wave.flow):
            if p.wave.ended and not p.wave.cancelled and not p.wave.of and p.wave.date <= wave.date:
                return p.wave, "base version"
    return None


def changes(redis: Client, wave: Wave) -> Changes:
    """What is different from the wave that `other` finds.

    Raises:
        NotFound: the wave has expired.
    """
    found = other(Waves(redis), wave)
    if found is None:
        return nothing(wave)
    return compare(read(redis, found[0]), read(redis, wave), found[1])


def nothing(wave: Wave) -> Changes:
    """There is no earlier wave."""
    return Changes(wave.id, wave.locator, "", "", "", [], [], running=not wave.ended)


def compare(old: Reading, new: Reading, why: str = "last wave") -> Changes:
    """What is different. Of a wave that runs nothing is said that its end could still change."""
    parts: dict[Section, Callable[[], Iterable[Change]]] = {
        "entities": lambda: _entities(old, new),
        "families": lambda: _families(old, new),
        "members": lambda: () if new.wave.of else _members(old, new),
        "durations": lambda: _durations(old, new),
        "fallbacks": lambda: _fallbacks(old, new),
        "plan": lambda: _plan(old.plan, new.plan),
        "config": lambda: _config(old.wave, new.wave),
        "workers": lambda: _workers(old, new),
    }
    told = {section: list(part()) for section, part in parts.items()}
    home = {section: str(_place(new.wave, "failures" if section == "families" else "wave")) for section in parts}
    return Changes(
        new.wave.id,
        new.wave.locator,
        old.wave.locator,
        old.wave.id,
        why,
        [c if c.place else replace(c, place=home[section]) for section, lines in told.items() for c in lines],
        [section for section, lines in told.items() if not lines],
        running=not new.wave.ended,
    )


def sets(old: Reading, new: Reading) -> dict[str, frozenset[str]]:
    """The sets that `SETS` names, in key form."""
    return {
        "newly-failed": new.failed - old.failed,
        "newly-blocked": new.blocked - old.failed - old.blocked,
        "still-failing": new.failed & old.failed,
        "recovered": new.well & (old.failed | old.blocked),
        "newcomers": frozenset(new.names) - frozenset(old.names),
    }


def members(redis: Client, wave: Wave, name: str) -> frozenset[int]:
    """The numbers of the entities of one of `SETS`; none when there is no earlier wave.

    Raises:
        NotFound: the wave has expired.
    """
    found = other(Waves(redis), wave)
    if found is None:
        return frozenset()
    new = read(redis, wave)
    wanted = sets(read(redis, found[0]), new)[name]
    return frozenset(number for number, entity in enumerate(new.names) if entity in wanted)


def _place(wave: Wave, view: View = "wave", query: str = "") -> Locator:
    return Locator(view, wave=wave.id, name=wave.locator, filter=query)


def _told(keys: Iterable[str]) -> str:
    names = sorted(decode_entity(key) for key in keys)
    return ", ".join(names[:NAMES]) + (f" and {len(names) - NAMES:,} more" if len(names) > NAMES else "")


def _where(wave: Wave, keys: frozenset[str], name: str) -> str:
    """One entity itself, several as a filtered wave."""
    if len(keys) == 1:
        return str(Locator("entity", wave=wave.id, name=wave.locator, entity=decode_entity(next(iter(keys)))))
    return str(_place(wave, query=f"family:{name}"))


def _entities(old: Reading, new: Reading) -> Iterator[Change]:
    found = sets(old, new)
    values = {
        "newly-failed": (f"{len(old.failed):,} failed", f"{len(new.failed):,} failed"),
        "newly-blocked": (f"{len(old.blocked):,} blocked", f"{len(new.blocked):,} blocked"),
        "still-failing": ("failed", "failed"),
        "recovered": ("not finished", "finished"),
    }
    for name, (before, now) in values.items():
        if keys := found[name]:
            what, loud = f"{len(keys):,} {name.replace('-', ' ')}", name.startswith("newly")
            yield Change("entities", what, before, now, _told(keys), loud, _where(new.wave, keys, name))


def _families(old: Reading, new: Reading) -> Iterator[Change]:
    was = {key: g for key, g in old.families.items() if g.status == Status.FAILED}
    now = {key: g for key, g in new.families.items() if g.status == Status.FAILED}
    for key, g in sorted(now.items(), key=lambda at: -len(at[1].numbers)):
        a, b = len(was[key].numbers) if key in was else 0, len(g.numbers)
        grown = b >= a * RATIO and b - a >= LEAST_MORE
        if not a or grown or (new.wave.ended and a >= b * RATIO and a - b >= LEAST_MORE):
            word = "new family" if not a else "family grew" if grown else "family shrank"
            place = str(_place(new.wave, query=f"family:{key}"))
            yield Change("families", word, f"{a:,}", f"{b:,}", _title(new, g), not a or grown, place)
    if new.wave.ended:
        for key, g in sorted(was.items(), key=lambda at: -len(at[1].numbers)):
            if key not in now:
                place = str(_place(old.wave, query=f"family:{key}"))
                yield Change("families", "family gone", f"{len(g.numbers):,}", "0", _title(old, g), place=place)


def _title(of: Reading, g: Group) -> str:
    return f"{of.wave.tasks[g.task]}: {g.type}: {g.signature}{f', {g.where}' if g.where else ''}"


def _members(old: Reading, new: Reading) -> Iterator[Change]:
    there, here = frozenset(old.names), frozenset(new.names)
    sizes = f"{len(there):,}", f"{len(here):,}"
    if joined := here - there:
        yield Change("members", f"{len(joined):,} joined", *sizes, _told(joined), place=_where(new.wave, joined, "newcomers"))
    if left := there - here:
        place = _where(old.wave, left, "") if len(left) == 1 else str(Locator("state", path=new.wave.state))
        yield Change("members", f"{len(left):,} left", *sizes, _told(left), place=place)


def _durations(old: Reading, new: Reading) -> Iterator[Change]:
    for task, now in new.durations.items():
        was = old.durations.get(task)
        pairs = [("p50", was.p50, now.p50), ("p95", was.p95, now.p95)] if was is not None else []
        ratios = {name: (a, b, b / a) for name, a, b in pairs if a and b and max(a, b) >= LEAST_SECONDS}
        odd = {name: r for name, r in ratios.items() if max(r[2], 1 / r[2]) >= RATIO}
        if not odd:
            continue
        name, (a, b, ratio) = next(iter(odd.items()))
        words = f"{ratio:.1f}× slower" if ratio > 1 else f"{1 / ratio:.1f}× faster"
        more = [f"{n} {short_seconds(r[0])} → {short_seconds(r[1])}" for n, r in ratios.items() if n != name]
        yield Change(
            "durations",
            f"{task} {words}",
            f"{name} {short_seconds(a)}",
            f"{name} {short_seconds(b)}",
            ", ".join(more),
            ratio > 1,
            str(_place(new.wave, query=f"task:{task} status:finished,failed")),
        )


def _fallbacks(old: Reading, new: Reading) -> Iterator[Change]:
    for task in dict.fromkeys((*new.wave.tasks, *old.wave.tasks)):
        a, b = old.fallbacks.get(task, 0), new.fallbacks.get(task, 0)
        if b > a or (b < a and new.wave.ended):
            place = str(_place(new.wave, query=f"task:{task} status:covered")) if b else ""
            yield Change("fallbacks", f"{task} on older inputs", f"{a:,}", f"{b:,}", "", b > a, place)
    if new.wave.ended and old.reused != new.reused:
        place = str(_place(new.wave, query="status:reused")) if new.reused else ""
        yield Change("fallbacks", "cells whose pipe was there", f"{old.reused:,}", f"{new.reused:,}", "", False, place)


def _plan(old: Plan, new: Plan) -> Iterator[Change]:
    if old.sha == new.sha:
        return
    was, now = {t.name: t for t in old.tasks}, {t.name: t for t in new.tasks}
    found = [Change("plan", f"task {name} is new", "–", "there") for name in now if name not in was]
    found += [Change("plan", f"task {name} is gone", "there", "–", "", True) for name in was if name not in now]
    for name in was.keys() & now.keys():
        a, b = _facts(was[name]), _facts(now[name])
        keys = [key for key in dict.fromkeys((*a, *b)) if a.get(key) != b.get(key)]
        found += [Change("plan", f"{key} of {name}", a.get(key, "–"), b.get(key, "–")) for key in keys]
    yield from sorted(found, key=lambda c: c.what) or [Change("plan", "plan", old.sha, new.sha)]


def _facts(task: TaskPlan) -> dict[str, str]:
    """What a task does, each in a word."""
    facts = {
        "timeout": spans.text(task.timeout),
        "limit": spans.text(task.limit),
        "horizon": spans.text(task.horizon) if task.horizon else "–",
        "command": " ".join(task.command) or "–",
        "codec": task.codec,
        "arguments": ", ".join(task.reserved) or "–",
    }
    facts |= {f"input {i.name}": _input(i) for i in task.inputs}
    return facts | {f"default {key}": str(value) for key, value in task.config.items()}


def _input(i: Input) -> str:
    if i.history:
        return f"the last {spans.text(i.history)}"
    return ("required" if i.required else "optional") + (f", up to {spans.text(i.lookback)} old" if i.lookback else "")


def _config(old: Wave, new: Wave) -> Iterator[Change]:
    was, now = ({f"{t}.{k}": v for t, values in w.config.items() for k, v in values.items()} for w in (old, new))
    for name in sorted(was.keys() | now.keys()):
        a, b = (str(values[name]) if name in values else "–" for values in (was, now))
        if a != b:
            yield Change("config", name, a, b)


def _workers(old: Reading, new: Reading) -> Iterator[Change]:
    place = str(Locator("workers", path=new.wave.version))
    if old.images and new.images and old.images.keys() != new.images.keys():
        a, b = (", ".join(sorted(images)) for images in (old.images, new.images))
        yield Change("workers", "image", a, b, place=place)
    came, went = sorted(new.crew.keys() - old.crew.keys()), sorted(old.crew.keys() - new.crew.keys())
    if old.crew and new.crew and (came or (went and new.wave.ended)):
        which = [f"{word}: {', '.join(names[:NAMES])}" for word, names in (("came", came), ("went", went)) if names]
        yield Change("workers", "workers", f"{len(old.crew):,}", f"{len(new.crew):,}", "; ".join(which), place=place)
