"""What there is to look through: published flows, states, workers and pipes, as frozen data for screens and headless twins.

Field names are stable; `wavedeck … --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from console.moment import now
from console.views import iso
from engine.errors import BadKey, BadValue, NotFound
from engine.keys import Date, PipeKey, decode_entity
from engine.payload import decode_json
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.workers import Worker, Workers


@dataclass(frozen=True)
class FlowRow:
    """A flow that a version has published."""

    flow: str
    version: str
    every: float
    state: str
    tasks: list[str]
    edges: list[tuple[str, str]]
    sha: str


def flows(redis: Client, version: str | None = None) -> list[FlowRow]:
    """The published flows, of one version or all."""
    catalog = Catalog(redis)
    return [
        FlowRow(p.flow, v, p.every, p.state, list(p.names), list(p.edges), p.sha)
        for v in ([version] if version else catalog.versions())
        for p in catalog.flows(v).values()
    ]


@dataclass(frozen=True)
class StateView:
    """A state. `partitions`: entities by partition; `entities`: (entity, partition, last seen)."""

    state: str
    total: int
    partitions: dict[str, int]
    entities: list[tuple[str, str, str | None]]


def state(redis: Client, name: str, *, limit: int = 1000) -> StateView:
    """A state, by its name.

    Raises:
        NotFound: no such state.
    """
    members = States(redis).members(name)
    if not members:
        raise NotFound(f"no state {name!r}; there are: {', '.join(States(redis).names()) or 'none'}")
    partitions: dict[str, int] = {}
    for m in members:
        partition = decode_entity(m.partition)
        partitions[partition] = partitions.get(partition, 0) + 1
    shown = [(decode_entity(m.entity), decode_entity(m.partition), iso(m.seen * 1000)) for m in members[:limit]]
    return StateView(name, len(members), partitions, shown)


def workers(redis: Client, version: str | None = None) -> list[Worker]:
    """The workers that are alive, of one version or all."""
    return [w for v in ([version] if version else Catalog(redis).versions()) for w in Workers(redis).alive(v)]


@dataclass(frozen=True)
class PipeListing:
    """A level of the pipes' tree. `level`: versions, names, dates or entities; `more`: whether the list was cut."""

    level: str
    path: str
    items: list[str]
    more: bool = False
    writers: list[str] = field(default_factory=list)


def pipes(redis: Client, path: str = "", date: str | None = None, *, limit: int = 1000) -> PipeListing:
    """The pipes below a path: nothing → versions, `version` → names, `version/name` → dates, and with a date → entities.

    Raises:
        NotFound: the path names nothing.
    """
    versions = Catalog(redis).versions()
    if not path:
        return PipeListing("versions", "", versions[:limit], len(versions) > limit)
    store = Pipes(redis)
    if path in versions and date is None:
        names = store.names(path)
        return PipeListing("names", path, names[:limit], len(names) > limit)
    version, _, name = path.rpartition("/")
    if version not in versions or name not in store.names(version):
        raise NotFound(f"no pipes at {path!r}; `wavedeck pipes` lists the versions that have some")
    if date is None:
        dates = list(map(str, store.dates(version, name, limit + 1)))
        return PipeListing("dates", path, dates[:limit], len(dates) > limit)
    found = list(islice(store.entries(version, name, Date(date)), limit + 1))
    shown = found[:limit]
    items = [decode_entity(e.entity) for e in shown]
    return PipeListing("entities", f"{path} {date}", items, len(found) > limit, [e.writer for e in shown])


@dataclass(frozen=True)
class PipeDetail:
    """A pipe. `value`: its JSON, or text of its bytes when `json` is False; `expires`: None when it does not."""

    key: str
    json: bool
    value: Any
    bytes: int
    expires: str | None
    writer: str | None


def pipe(redis: Client, path: str, raw: str, date: str) -> PipeDetail:
    """One pipe's value.

    Raises:
        NotFound: there is none.
    """
    version, slash, name = path.rpartition("/")
    if not slash:
        raise BadKey(f"{path!r} is not VERSION/NAME")
    key = PipeKey.make(version, name, raw, date)
    store = Pipes(redis)
    stored = store.get(key)
    if stored is None:
        raise NotFound(f"no pipe {str(key)!r}")
    try:
        value, is_json = decode_json(stored), True
    except BadValue:
        value, is_json = stored[:65536].decode("utf-8", "backslashreplace"), False
    left = redis.pttl(str(key))
    expires = iso(now() * 1000 + left) if left > 0 else None
    return PipeDetail(str(key), is_json, value, len(stored), expires, store.writer(key))
