"""What an act would change, found out before it is done. Runs off the screen's path; shows nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.start import choose_plan, parse_config, source_of, this_date
from engine.errors import BadKey, NotFound
from engine.keys import Date, check_version, encode_entity
from engine.status import WROTE, Cell, Status
from engine.store.catalog import Catalog, resolve_config
from engine.store.pipes import Pipes
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
    """What a trigger would do. `there`: task → cells whose pipe is there already; `unsure`: what could not be foreseen."""

    order: Order
    entities: int
    tasks: tuple[str, ...]
    there: Mapping[str, int]
    workers: int
    slots: int
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
    keys = _entities(redis, plan, flow, date, order, unsure)
    there = {name: n for name in plan.names if (n := _there(redis, order.version, name, date, keys))}
    workers = Workers(redis).alive(order.version)
    slots = sum(len(w.slots) for w in workers)
    return Outcome(order, len(keys), plan.names, there, len(workers), slots, tuple(unsure))


def _entities(redis: Client, plan: Plan, flow: Flow | None, date: Date, order: Order, unsure: list[str]) -> frozenset[str]:
    """The entities, in key form, as `launch` will choose them."""
    wanted = words(order.entities)
    if wanted:
        return frozenset(map(encode_entity, wanted))
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
    return frozenset(e for e, p in members.items() if not partitions or p in partitions)


def _there(redis: Client, version: str, pipe: str, date: Date, keys: frozenset[str]) -> int:
    return sum(entry.entity in keys for entry in Pipes(redis).entries(version, pipe, date))


@dataclass(frozen=True)
class Ending:
    """What cancelling a wave would end: cells by status, entities that wait, entities that workers hold, or why it cannot be."""

    locator: str
    counts: Mapping[Status, int]
    entities: int
    untouched: int
    running: int
    done: int
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
    return Ending(w.locator, progress.total, w.n, w.n - w.next, running, done, over)
