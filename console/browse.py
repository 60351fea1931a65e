"""What there is to look through: published flows, living workers and pipes, as frozen data for screens and headless twins.

Field names are stable; `wavedeck … --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from console.reports import levels
from engine.errors import BadKey, NotFound
from engine.keys import Date, decode_entity
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes
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


def workers(redis: Client, version: str | None = None) -> list[Worker]:
    """The workers that are alive, of one version or all."""
    return [w for v in ([version] if version else Catalog(redis).versions()) for w in Workers(redis).alive(v)]


@dataclass(frozen=True)
class PipeListing:
    """A level of the pipes' tree. `level`: versions, names, dates or entities; `more`: whether the list was cut; `after`: where the next
    page begins; `facts`: what is known of each item, as `console.reports.levels` has it."""

    level: str
    path: str
    items: list[str]
    more: bool = False
    writers: list[str] = field(default_factory=list)
    after: str = ""
    facts: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class EntityFacts:
    """An entity that has a pipe, as users write it; who wrote it (a wave's id, or words), its partition and number in that wave."""

    entity: str
    writer: str
    partition: str
    number: int


def pipes(redis: Client, path: str = "", date: str | None = None, *, limit: int = 1000, after: str = "") -> PipeListing:
    """The pipes below a path: nothing → versions, `version` → names, `version/name` → dates, and with a date → entities. `after`: where
    a page before this one ended.

    Raises:
        NotFound: the path names nothing.
        BadKey: `after` is not where a page ended.
    """
    versions = levels.versions(redis)
    if not path:
        return _part("versions", "", versions, [v.version for v in versions], limit, after)
    version, name = levels.split(path, [v.version for v in versions])
    if not name and date is None:
        rows = levels.names(redis, version)
        return _part("names", path, rows, [row.name for row in rows], limit, after)
    store = Pipes(redis)
    if version not in {v.version for v in versions} or name not in store.names(version):
        raise NotFound(f"no pipes at {path!r}; `wavedeck pipes` lists the versions that have some")
    if date is None:
        known = levels.dates(redis, version, name)
        part = _part("dates", path, known, list(map(str, known)), limit, after)
        return replace(part, facts=list(levels.date_rows(redis, version, name, part.facts)))
    found, following = store.page(version, name, Date(date), after, limit)
    items = [decode_entity(e.entity) for e in found]
    facts = [
        EntityFacts(i, e.writer, "" if e.partition == "-" else decode_entity(e.partition), e.number)
        for i, e in zip(items, found, strict=True)
    ]
    return PipeListing("entities", f"{path} {date}", items, bool(following), [e.writer for e in found], following, list(facts))


def _part(level: str, path: str, rows: Sequence[Any], names: list[str], limit: int, after: str) -> PipeListing:
    """A page of a level that is known whole; its pages end at a name."""
    if after and after not in names:
        raise BadKey(f"{after!r} is not where a page of these ended")
    first = names.index(after) + 1 if after else 0
    items, more = names[first : first + limit], len(names) > first + limit
    return PipeListing(level, path, items, more, after=items[-1] if more else "", facts=list(rows[first : first + limit]))


@dataclass(frozen=True)
class PipeDetail:
    """A pipe. `value`: its JSON, or text of its bytes when `json` is False; `expires`: None when it does not."""

    key: str
    json: bool
    value: Any
    bytes: int
    expires: str | None
    writer: str | None
