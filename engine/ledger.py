"""The ledger's verbs: sums an ended wave up and writes its record, once. Whoever serves the version does it when a wave has ended; whoever
reads the ledger makes up for what was missed, while the wave is still there."""

import hashlib
import math
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from engine.errors import WavedeckError
from engine.keys import decode_entity
from engine.longest import expect, variation
from engine.payload import encode_json
from engine.plan import Plan
from engine.signature import signature
from engine.status import Cell
from engine.store.connect import Client
from engine.store.coverage import coverage_figures
from engine.store.ledger import Cost, Entry, Ledger, name_of
from engine.store.read_only import tidying
from engine.store.room import unless_full
from engine.store.wave import Progress, Wave
from engine.store.waves import MEMBERS_A_TRIP, Waves
from engine.store.workers import Worker, Workers
from engine.timing import RAN

LOOKED_AT = 20
"""The newest waves of a version in which a scribe looks for ended ones."""
FAMILIES, SAMPLE = 5, 1000
"""Families of failures that are kept, and failed cells of a task whose notes are read for that."""

Coverage = Callable[[Client, Wave], Any]
"""Finds out how far a wave's forecasts reach, as JSON; None where there is nothing to say."""


def measured(redis: Client, wave: Wave) -> Any:
    """How far the wave's forecasts reached, by task (`coverage_figures`); None where it does not forecast, or cannot be told any more."""
    try:
        return coverage_figures(redis, wave) or None
    except WavedeckError:
        return None


@dataclass(frozen=True)
class _Sums:
    """What the times of a wave add up to. `costs`: seconds by entity; `presence`: crew number → seconds from its first cell to its last."""

    durations: dict[str, tuple[float, float, float]]
    costs: list[float]
    presence: dict[int, float]


def crew_of(redis: Client, wave: Wave, crew: Mapping[int, str]) -> dict[int, Worker]:
    """Crew number → what is known of the worker: those alive, and those gone for at most a day."""
    alive, gone = Workers(redis).heard([wave.version])
    known = {worker.name: worker for worker in (*gone, *alive)}
    return {number: known[name] for number, name in crew.items() if name in known}


def slots_of(redis: Client, wave: Wave, crew: Mapping[int, str]) -> dict[int, int]:
    """Crew number → slots, where that is known."""
    return {number: size for number, worker in crew_of(redis, wave, crew).items() if (size := worker.size)}


def sum_up(
    redis: Client, progress: Progress, coverage: Coverage = measured
) -> tuple[Entry, list[tuple[str, str]], list[float]]:
    """The record of an ended wave; its members, and what each took, in seconds."""
    wave, store = progress.wave, Waves(redis)
    board, crew = store.board(wave), store.crew(wave)
    known = crew_of(redis, wave, crew)
    members, digest = _members(redis, wave)
    sums = _add_up(store, wave, board)
    entry = Entry(
        wave=wave.id, flow=wave.flow, version=wave.version, date=str(wave.date), trigger=wave.trigger, by=wave.by,
        created=wave.created, started=wave.started, ended=wave.ended, entities=wave.n, members=digest, plan=wave.plan,
        config=_hash(encode_json(wave.config)), base=wave.base, of=wave.of, deadline=wave.deadline,
        cancelled=wave.cancelled, cancelled_by=wave.cancelled_by,
        counts={t: {chr(c): n for c, n in progress.counts[i].items()} for i, t in enumerate(wave.tasks)},
        durations=sums.durations,
        cost=_cost(sums, known),
        code=sorted({w.code for w in known.values() if w.code})[:5],
        images=sorted({w.image for w in known.values() if w.image})[:5],
        failures=_failures(store, wave, board, members),
        workers=len(sums.presence),
        slots=sum(known[number].size for number in sums.presence if number in known),
        spread=round(variation(sums.costs), 3),
        coverage=coverage(redis, wave),
    )  # fmt: skip
    return entry, members, sums.costs


def record(redis: Client, progress: Progress, coverage: Coverage = measured) -> Entry:
    """Sums an ended wave up and writes its record; one that is there already stays. What this user may not write is only given back."""
    wave = progress.wave
    entry, members, costs = sum_up(redis, progress, coverage)
    with tidying(), unless_full():
        ledger = Ledger(redis, wave.version)
        if ledger.write(entry) and _teaches(wave, Waves(redis).plan(wave)):
            before = ledger.longest(wave.flow)
            after = expect(before, wave.id, members, costs, entry.slots) if entry.slots else before
            if after != before:
                ledger.expect(wave.flow, after)
    return entry


def _teaches(wave: Wave, plan: Plan) -> bool:
    """Whether a wave says how long entities take: all of them, to their end, and one after another on a slot."""
    return not (wave.of or wave.cancelled or any(task.waits for task in plan.tasks))


def unwritten(
    redis: Client, version: str, known: Iterable[str] = (), *, limit: int = LOOKED_AT, flow: str | None = None
) -> list[Progress]:
    """The ended waves among the newest of a version that have no record; `known`: names of records that are there."""
    told = set(known)
    found = [p for p in Waves(redis).recent(limit, version=version, flow=flow) if p.wave.ended and name_of(p.wave) not in told]
    there = Ledger(redis, version).has([name_of(p.wave) for p in found])
    return [p for p, has in zip(found, there, strict=True) if not has]


def write_missing(redis: Client, version: str, who: str, coverage: Coverage = measured) -> int:
    """Writes the records that are missing, unless somebody else does just now. How many were written."""
    ledger = Ledger(redis, version)
    if not ledger.begin(who):
        return 0
    try:
        missing = unwritten(redis, version)
        for progress in reversed(missing):
            record(redis, progress, coverage)
        return len(missing)
    finally:
        ledger.end()


def entries(redis: Client, version: str, flow: str, limit: int, coverage: Coverage = measured) -> list[Entry]:
    """The newest records of a flow, newest first; those that nobody has written yet are."""
    missing = unwritten(redis, version, flow=flow, limit=min(limit, LOOKED_AT))
    made = {name_of(progress.wave): record(redis, progress, coverage) for progress in reversed(missing)}
    found = {entry.name: entry for entry in Ledger(redis, version).recent(flow, limit)}
    return sorted((made | found).values(), key=lambda entry: (-entry.created, entry.wave))[:limit]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _members(redis: Client, wave: Wave) -> tuple[list[tuple[str, str]], str]:
    """The members in the order of the queue, and a hash that does not depend on it."""
    stored: list[bytes] = []
    for at in range(0, wave.n, MEMBERS_A_TRIP):
        stored += redis.lrange(wave.key("members"), at, at + MEMBERS_A_TRIP - 1)
    pairs = (member.decode().partition(" ") for member in stored)
    return [(entity, partition) for entity, _, partition in pairs], _hash(b"\n".join(sorted(stored)))


def _add_up(store: Waves, wave: Wave, board: bytes) -> _Sums:
    found: dict[str, tuple[float, float, float]] = {}
    costs = [0] * wave.n
    crew = store.claim_numbers(wave)
    begun, ended = dict.fromkeys(set(crew), math.inf), dict.fromkeys(set(crew), 0.0)
    for number, task in enumerate(wave.tasks):
        packed = array("I", store.column_times(wave, number).ljust(wave.n * 8, b"\0"))
        ran = board[number * wave.n : (number + 1) * wave.n].translate(RAN)
        took: list[int] = []
        for place, start, own in compress(zip(range(wave.n), packed[::2], packed[1::2], strict=True), ran):
            if own:
                took.append(own)
                costs[place] += own
                who = crew[place]
                begun[who] = min(begun[who], start)
                ended[who] = max(ended[who], start + own / 100)
        if took:
            took.sort()
            found[task] = tuple(took[at] / 100_000 for at in (len(took) // 2, min(len(took) - 1, len(took) * 95 // 100), -1))  # type: ignore[assignment]
    presence = {who: (ended[who] - begun[who]) / 1000 for who in begun if ended[who]}
    return _Sums(found, [own / 100_000 for own in costs], presence)


def _cost(sums: _Sums, known: Mapping[int, Worker]) -> Cost:
    vcpu = sum(known[who].size * seconds for who, seconds in sums.presence.items() if who in known)
    gb = sum(known[who].memory / 1e9 * seconds for who, seconds in sums.presence.items() if who in known)
    price = priced(vcpu, gb) if vcpu else None
    return Cost(round(sum(sums.costs), 3), round(vcpu, 3), round(gb, 3), price)


def priced(vcpu: float, gb: float) -> float | None:
    """What so many vCPU seconds and GB-seconds cost by the prices of this process' environment; None where it has none."""
    prices = [_price(name) for name in ("WAVEDECK_PRICE_VCPU_HOUR", "WAVEDECK_PRICE_GB_HOUR")]
    if prices == [None, None]:
        return None
    return round((vcpu * (prices[0] or 0.0) + gb * (prices[1] or 0.0)) / 3600, 6)


def _price(name: str) -> float | None:
    """A price from the environment; None where there is none, or none that could be."""
    try:
        price = float(os.environ.get(name, ""))
    except ValueError:
        return None
    return price if math.isfinite(price) and price >= 0 else None


def _text(value: Any) -> str:
    """Text that has a UTF-8 form, whatever it was."""
    return str(value).encode("utf-8", "replace").decode()


def _failures(store: Waves, wave: Wave, board: bytes, members: Sequence[tuple[str, str]]) -> list[tuple[str, str, str, int]]:
    """The largest families. Of more than `SAMPLE` failures of a task that many are read, all over it, and counted for the others."""
    families: dict[tuple[str, str, str], float] = {}
    for number, task in enumerate(wave.tasks):
        column = board[number * wave.n : (number + 1) * wave.n]
        failed = [place for place, cell in enumerate(column) if cell == Cell.FAILED] if Cell.FAILED in column else []
        read = failed[:: -(-len(failed) // SAMPLE)] if failed else []
        notes = store.notes(wave, [(number, place) for place in read])
        for place in read:
            error = notes.get((number, place), {}).get("error", {})
            names = [decode_entity(name) for name in members[place]]
            family = task, _text(error.get("type", ""))[:100], signature(_text(error.get("message", "")), names)
            families[family] = families.get(family, 0.0) + len(failed) / len(read)
    largest = sorted(families.items(), key=lambda item: (-item[1], item[0]))[:FAMILIES]
    return [(*family, round(count)) for family, count in largest]
