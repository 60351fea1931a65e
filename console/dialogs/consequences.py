"""What an act would change, found out before it is done. Runs off the screen's path; shows nothing."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.dialogs.expectation import expect, there_already
from console.start import choose_plan, parse_config, source_of, this_date
from engine.errors import BadKey, NotFound, Refused
from engine.keys import Date, check_version, encode_entity
from engine.rerun import plan_of, unfinished
from engine.status import STATUS_OF, WROTE, Cell, Status
from engine.store.catalog import Catalog, resolve_config
from engine.store.need import Fit, fit
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import Workers

if TYPE_CHECKING:
    from engine.flow import Flow
    from engine.plan import Plan
    from engine.store.connect import Client


@dataclass(frozen=True)
class Order:
    """What the form of a trigger says, as text."""

    flow: str
    version: str
    date: str
    base: str = ""
    partitions: str = ""
    entities: str = ""
    config: str = ""


@dataclass(frozen=True)
class Offer:
    """What can be filled in: flows published for the version, and the date after the last wave's."""

    flows: tuple[str, ...]
    versions: tuple[str, ...]
    flow: str
    version: str
    date: str


@dataclass(frozen=True)
class Outcome:
    """What a trigger would do. `there`: task → cells whose pipe is there already; `fit`: what it needs in Redis; `unsure`: what could not
    be foreseen."""

    order: Order
    entities: int
    tasks: tuple[str, ...]
    there: Mapping[str, int]
    workers: int
    slots: int
    expected: str
    fit: Fit
    unsure: tuple[str, ...] = field(default=())


def words(text: str) -> list[str]:
    """Names between commas or spaces; one that holds either stands in JSON quotes."""
    found: list[str] = []
    rest, decoder = text.strip(), json.JSONDecoder()
    while rest:
        if rest[0] == '"':
            try:
                word, end = decoder.raw_decode(rest)
            except ValueError as e:
                raise BadKey(f"{rest!r}: {e}") from None
        else:
            end = min([len(rest), *(at for c in ", " if (at := rest.find(c)) >= 0)])
            word = rest[:end]
        found.append(word)
        rest = rest[end:].lstrip(", ")
    return found


def settings(text: str) -> dict[str, Any]:
    """The overrides of a line of text: `parse_config` of its words.

    Raises:
        BadKey: a word has no `=`.
    """
    return parse_config(text.split())


def offer(redis: Client, flow: str, version: str) -> Offer:
    """What to fill a form in with. Without a flow, one that the version has published."""
    catalog = Catalog(redis)
    versions = catalog.versions()
    version = version or (versions[0] if versions else "main")
    flows = tuple(catalog.flows(version))
    flow = flow or (flows[0] if flows else "")
    last = Waves(redis).recent(1, flow=flow) if flow else []
    date = ""
    if last:
        date = str(last[0].wave.date.shift(1))
    elif flow:
        with contextlib.suppress(NotFound):
            date = str(this_date(choose_plan(redis, version, flow)[0]))
    return Offer(flows, tuple(versions), flow, version, date)


def foresee(redis: Client, order: Order) -> Outcome:
    """What `order` would do; changes nothing.

    Raises:
        WavedeckError: it could not be done; the text says why.
    """
    if order.base:
        check_version(order.base)
    plan, flow = choose_plan(redis, check_version(order.version), order.flow)
    date = Date(order.date)
    resolve_config(plan, Catalog(redis).config(order.version, plan.flow), settings(order.config))
    unsure: list[str] = []
    members = _entities(redis, plan, flow, date, order, unsure)
    keys = frozenset(members)
    there = there_already(redis, order.version, plan.names, date, keys)
    workers = Workers(redis).alive(order.version)
    slots = sum(len(w.slots) for w in workers)
    new = {task: len(keys) - there.get(task, 0) for task in plan.names}
    expected = expect(redis, order.version, plan, new, slots)
    room = fit(redis, plan, version=order.version, date=date, members=list(members.items()))
    return Outcome(order, len(keys), plan.names, there, len(workers), slots, expected, room, tuple(unsure))


def _entities(redis: Client, plan: Plan, flow: Flow | None, date: Date, order: Order, unsure: list[str]) -> dict[str, str]:
    """Entity → partition, in key form, as `launch` will choose them."""
    wanted = words(order.entities)
    if wanted:
        return dict.fromkeys(map(encode_entity, wanted), "-")
    members = {m.entity: m.partition for m in States(redis).members(plan.state, date=date, active=plan.active)}
    source = source_of(flow, plan.state)
    if source is not None:
        members |= {encode_entity(e): encode_entity(p) for e, p in source(date)}
    elif plan.state in plan.sources:
        unsure.append("the code of the state's source is not here: the state is taken as it is")
    partitions = {encode_entity(p) for p in words(order.partitions)}
    if missing := partitions - set(members.values()):
        raise NotFound(f"state {plan.state!r} has no partition {min(missing)!r} at {date}")
    if not members:
        raise NotFound(f"state {plan.state!r} has no entity active at {date}")
    return {e: p for e, p in members.items() if not partitions or p in partitions}


OPEN = frozenset({Status.PENDING, Status.RUNNING})
WORST = (Status.FAILED, Status.BLOCKED, Status.CANCELLED, Status.RUNNING, Status.PENDING, Status.FINISHED)
_RANK = bytes(WORST.index(STATUS_OF.get(cell, Status.PENDING)) for cell in range(256))
_OPEN = bytes(STATUS_OF.get(cell) in OPEN for cell in range(256))


@dataclass(frozen=True)
class Again:
    """What a re-run would do. `bad`: entities by the worst status they have; `run` and `reused`: task → cells; `open`: how many of the
    entities have not ended in the wave itself."""

    locator: str
    flow: str
    version: str
    entities: int
    open: int
    bad: Mapping[Status, int]
    run: Mapping[str, int]
    reused: Mapping[str, int]
    workers: int
    slots: int
    expected: str
    fit: Fit


def foresee_rerun(redis: Client, name: str, numbers: Sequence[int] | None) -> Again:
    """What running entities of a wave again would do; changes nothing.

    Raises:
        NotFound: there is no such wave, or its flow is gone.
        Refused: nothing of it is left to run again.
    """
    store = Waves(redis)
    wave = store.get(name)
    plan = plan_of(redis, wave, wave.version)
    board = store.board(wave)
    chosen = unfinished(board, wave.n) if numbers is None else sorted(set(numbers))
    if not chosen:
        raise Refused(f"nothing of {wave.locator} failed, was blocked or was cancelled")
    members = store.members(wave)
    there = there_already(redis, wave.version, plan.names, wave.date, frozenset(members[e][0] for e in chosen))
    columns = [board[t * wave.n : (t + 1) * wave.n] for t in range(len(wave.tasks))]
    # A column twice, as `min` of a single one is not that of its cells.
    worst = bytes(map(min, *(column.translate(_RANK) for column in (*columns, columns[0]))))
    still = bytes(map(max, *(column.translate(_OPEN) for column in (*columns, columns[0]))))
    ranks = Counter(map(worst.__getitem__, chosen))
    bad = {WORST[rank]: number for rank, number in sorted(ranks.items())}
    waits = sum(map(still.__getitem__, chosen))
    workers = Workers(redis).alive(wave.version)
    slots = sum(len(w.slots) for w in workers)
    reused = {task: there.get(task, 0) for task in plan.names}
    run = {task: len(chosen) - number for task, number in reused.items()}
    expected = expect(redis, wave.version, plan, run, slots)
    room = fit(redis, plan, version=wave.version, date=wave.date, members=[members[e] for e in chosen])
    return Again(
        wave.locator, wave.flow, wave.version, len(chosen), waits, bad, run, reused, len(workers), slots, expected, room
    )


@dataclass(frozen=True)
class Ending:
    """What cancelling a wave would end: cells by status, `lost`: task → pipes that will not appear, entities that were never begun,
    that run now (in `slots` slots) and that are done, or why it cannot be."""

    locator: str
    flow: str
    counts: Mapping[Status, int]
    entities: int
    untouched: int
    running: int
    done: int
    slots: int
    lost: Mapping[str, int]
    over: str = ""


def foresee_cancel(redis: Client, wave: str) -> Ending:
    """What cancelling would end; changes nothing.

    Raises:
        NotFound: there is no such wave.
    """
    store = Waves(redis)
    progress = store.progress(store.get(wave))
    w = progress.wave
    board = store.board(w)
    columns: Sequence[bytes] = [board[at : at + w.n] for at in range(0, len(board), w.n)]
    running = sum(Cell.RUNNING in cells for cells in zip(*columns, strict=True))
    over = "cancelled" if w.cancelled else "finished" if w.ended else ""
    done = sum(all(c in WROTE for c in cells) for cells in zip(*columns, strict=True))
    busy = sum(slot.wave == w.id for worker in Workers(redis).alive(w.version) for slot in worker.slots)
    by_task = {task: progress.by_status(number) for number, task in enumerate(w.tasks)}
    lost = {task: sum(counts[s] for s in OPEN) for task, counts in by_task.items()}
    return Ending(w.locator, w.flow, progress.total, w.n, w.n - w.next, running, done, busy, lost, over)
