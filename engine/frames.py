"""Pipes, comparisons, waves and boards as pandas frames, for notebooks: `from engine.frames import pipes, points, compare, waves, board`.

Frames are tidy: a row an observation, typed columns. `date` and moments are `datetime64[s, UTC]` (`[ms, UTC]` where they are exact to it),
keys are as users write them. Redis is only read, many keys a trip; without SCAN, so a large Redis costs nothing. It is the one that a command
would use (`WAVEDECK_REDIS_URL`, else the embedded one that runs), or `redis=`: a URL or a client.

Needs pandas: `pip install 'wavedeck[frames]'`. Every function here raises `NoPandas` without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.compare.figures import Asked, steps_between
from engine.compare.points import Facts, points_of
from engine.compare.read import Reader, Row
from engine.curves import is_date
from engine.errors import BadValue, NotFound, WavedeckError
from engine.keys import Date, PipeKey, decode_entity, encode_entity
from engine.payload import decode_json
from engine.status import MARK_OF, STATUS_OF, Status
from engine.store.catalog import Catalog
from engine.store.connect import Client, connect
from engine.store.listing import Listing
from engine.store.pipes import Pipes
from engine.store.wave import span
from engine.store.waves import Waves

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["NoPandas", "board", "compare", "pipes", "points", "waves"]

BATCH = 10_000
"""Pipes that are read before they are put into columns."""
MOST_DATES = 10_000
NEVER = float("nan")


class NoPandas(WavedeckError):
    """pandas is not installed."""


def pipes(
    version: str,
    pipe: str,
    first: str = "",
    last: str = "",
    *,
    entities: Sequence[str] = (),
    redis: Client | str | None = None,
) -> DataFrame:
    """A row a pipe, by date, then in the order of its waves.

    Columns: `date`; `entity` (string); `partition` (category); `bytes` (int64): its size; `value` (object): the value of its JSON, the
    bytes themselves where it is no JSON.

    Parameters:
        first, last: dates, both included; the newest date where both are empty.
        entities: only these.

    Raises:
        NotFound: the version has no such pipe at these dates.
    """
    pd = _pandas()
    told: dict[str, list[Any]] = {name: [] for name in ("date", "entity", "partition", "bytes", "value")}
    for date, entity, partition, data in _read(_client(redis), version, pipe, first, last, entities):
        for name, value in zip(told, (_seconds(date), entity, partition, len(data), _value(data)), strict=True):
            told[name].append(value)
    return pd.DataFrame(
        {
            "date": _moments(told["date"]),
            "entity": pd.array(told["entity"], dtype="string"),
            "partition": pd.Categorical(told["partition"]),
            "bytes": pd.array(told["bytes"], dtype="int64"),
            "value": pd.Series(told["value"], dtype=object),
        }
    )


def points(
    version: str,
    pipe: str,
    first: str = "",
    last: str = "",
    *,
    curve: str | None = None,
    entities: Sequence[str] = (),
    redis: Client | str | None = None,
) -> DataFrame:
    """The numbers in pipes: a row a point of a curve, or a single number.

    Columns: `date`: the wave's; `entity` (string); `partition` (category); `curve` (category): where the number is in the value, empty
    where the value is the number; `at`: the date that it is about, NaT where it is about none; `lead` (Int32): steps (hours, or days)
    from `date` to `at`; `value` (float64), in the pipe's unit.

    Parameters:
        curve: only this one.
        first, last, entities: as for `pipes`.

    Raises:
        NotFound: the version has no such pipe at these dates.
    """
    pd = _pandas()
    client = _client(redis)
    horizons: dict[str, int] = {}
    told: dict[str, list[Any]] = {name: [] for name in ("date", "entity", "partition", "curve", "at", "lead", "value")}
    for date, entity, partition, data in _read(client, version, pipe, first, last, entities):
        if not horizons:
            horizons[pipe] = _horizon(client, version, pipe, date)
        value = _value(data)
        for name, numbers in () if isinstance(value, bytes) else points_of(value, date, horizons[pipe]).items():
            if curve is not None and name != curve:
                continue
            for at, number in numbers.items():
                row = (_seconds(date), entity, partition, name, _seconds(at), _lead(date, at), number)
                for column, cell in zip(told, row, strict=True):
                    told[column].append(cell)
    return pd.DataFrame(
        {
            "date": _moments(told["date"]),
            "entity": pd.array(told["entity"], dtype="string"),
            "partition": pd.Categorical(told["partition"]),
            "curve": pd.Categorical(told["curve"]),
            "at": _moments(told["at"]),
            "lead": pd.array(told["lead"], dtype="Int32"),
            "value": pd.array(told["value"], dtype="float64"),
        }
    )


def compare(
    a: str,
    b: str,
    pipe: str,
    first: str = "",
    last: str = "",
    *,
    truth: str = "",
    curve: str | None = None,
    redis: Client | str | None = None,
) -> DataFrame:
    """Two versions of a pipe side by side: a row a point that either has.

    Columns: `date`, `entity`, `partition`, `curve`, `at`, `lead` as for `points`; `a`, `b` (float64): both versions' numbers, NaN where one has
    none; `difference`: b − a; `there` (category: both, a, b): which version has the pipe; and with `truth` also `truth` (float64): what really
    happened, as it was told last; `error_a`, `error_b`: forecast − truth.

    Parameters:
        first, last: dates, both included; the newest that both have where both are empty.
        truth: `NAME` or `VERSION/NAME` of the pipe that says what really happened; the curve of the same name, else its first.
        curve: only this one.

    Raises:
        NotFound: there is nothing to compare, or no such truth; the text says what is missing.
    """
    pd = _pandas()
    reader = Reader(_client(redis), Asked(a, b, pipe, first, last, truth, curve or ""))
    names = ("date", "entity", "partition", "curve", "at", "lead", "a", "b", "there", "truth")
    told: dict[str, list[Any]] = {name: [] for name in names}
    for rows in reader.rows():
        for row in rows:
            for cells in _side_by_side(row, reader.horizon, curve):
                for column, cell in zip(names, cells, strict=True):
                    told[column].append(cell)
    frame = pd.DataFrame(
        {
            "date": _moments(told["date"]),
            "entity": pd.array(told["entity"], dtype="string"),
            "partition": pd.Categorical(told["partition"]),
            "curve": pd.Categorical(told["curve"]),
            "at": _moments(told["at"]),
            "lead": pd.array(told["lead"], dtype="Int32"),
            "a": pd.array(told["a"], dtype="float64"),
            "b": pd.array(told["b"], dtype="float64"),
            "there": pd.Categorical(told["there"], categories=["both", "a", "b"]),
        }
    )
    frame.insert(8, "difference", frame["b"] - frame["a"])
    if truth:
        frame["truth"] = pd.array(told["truth"], dtype="float64")
        frame["error_a"] = frame["a"] - frame["truth"]
        frame["error_b"] = frame["b"] - frame["truth"]
    return frame


def waves(
    version: str | None = None, flow: str | None = None, *, limit: int = 1000, redis: Client | str | None = None
) -> DataFrame:
    """A row a wave, the newest first.

    Columns: `id`, `flow`, `version`, `trigger`, `by`, `base`, `state`, `cancelled` (string; the last is why, empty when it was not); `date`;
    `created`, `started`, `ended` (`datetime64[ms, UTC]`, NaT when it has not); `seconds` (float64) from its start to its end, NaN while it runs;
    `entities`, `tasks` (int64); and how many cells are `pending`, `running`, `finished`, `failed`, `blocked`, `cancelled_cells` (int64).
    """
    pd = _pandas()
    found = Waves(_client(redis)).recent(limit, version=version, flow=flow)
    texts = ("id", "flow", "version", "trigger", "by", "base", "state", "cancelled")
    all_waves = [progress.wave for progress in found]
    columns: dict[str, Any] = {name: pd.array([getattr(w, name) for w in all_waves], dtype="string") for name in texts}
    columns["date"] = _moments([_seconds(w.date) for w in all_waves])
    for name in ("created", "started", "ended"):
        columns[name] = _moments([getattr(w, name) or None for w in all_waves], "ms")
    ran = [(w.ended - w.started) / 1000 if w.ended and w.started else NEVER for w in all_waves]
    columns["seconds"] = pd.array(ran, dtype="float64")
    columns["entities"] = pd.array([w.n for w in all_waves], dtype="int64")
    columns["tasks"] = pd.array([len(w.tasks) for w in all_waves], dtype="int64")
    for status in Status:
        name = "cancelled_cells" if status is Status.CANCELLED else status.value.lower()
        columns[name] = pd.array([p.total[status] for p in found], dtype="int64")
    return pd.DataFrame(columns)


def board(wave: str, *, redis: Client | str | None = None) -> DataFrame:
    """A row a cell (task of an entity) of one wave, task by task.

    Columns: `entity` (string); `partition`, `task`, `status`, `mark` (category; `mark` is reused, fallback or empty); `started`
    (`datetime64[ms, UTC]`, NaT where it never ran); `seconds` (float64) that it ran, NaN where it did not.

    Parameters:
        wave: an id, the beginning of one, `last`, or `flow@version date`.

    Raises:
        NotFound: there is no such wave.
    """
    pd = _pandas()
    store = Waves(_client(redis))
    found = store.get(wave)
    members, cells, times = store.members(found), store.board(found), store.times(found)
    if len(members) * len(found.tasks) != len(cells):
        raise NotFound(f"wave {found.id} has expired")
    spans = [span(times, at) for at in range(len(cells))]
    entities = [decode_entity(entity) for entity, _ in members]
    partitions = [_partition(partition) for _, partition in members]
    many = len(found.tasks)
    ran = [bool(start or took) for start, took in spans]
    return pd.DataFrame(
        {
            "entity": pd.array(entities * many, dtype="string"),
            "partition": pd.Categorical(partitions * many),
            "task": pd.Categorical.from_codes([task for task in range(many) for _ in members], categories=list(found.tasks)),
            "status": pd.Categorical([STATUS_OF[cell].value for cell in cells], categories=[s.value for s in Status]),
            "mark": pd.Categorical([MARK_OF.get(cell, "") for cell in cells], categories=["", *sorted(set(MARK_OF.values()))]),
            "started": _moments(
                [found.created + round(start * 1000) if yes else None for yes, (start, _) in zip(ran, spans, strict=True)], "ms"
            ),
            "seconds": pd.array([took if yes else NEVER for yes, (_, took) in zip(ran, spans, strict=True)], dtype="float64"),
        }
    )


# reading


def _read(
    redis: Client, version: str, pipe: str, first: str, last: str, entities: Sequence[str]
) -> Iterator[tuple[Date, str, str, bytes]]:
    """Date, entity, partition and bytes of each pipe."""
    store = Pipes(redis)
    known = store.dates(version, pipe, MOST_DATES)
    if not known:
        raise NotFound(f"version {version!r} has no pipe {pipe!r}; `wavedeck pipes {version}` lists what it has")
    for date in filter(None, (first, last)):
        Date(date)
    dates = sorted(d for d in known if (first or "") <= d and (d <= (last or "9999") or d.startswith(last)))
    if not (first or last):
        dates = known[:1]
    if not dates:
        raise NotFound(f"version {version!r} has no {pipe!r} from {first} to {last}; it has {known[-1]} to {known[0]}")
    wanted = {encode_entity(entity) for entity in entities}
    for date in dates:
        listing = Listing(redis, version, pipe, date).all()
        for at in range(0, listing.known, BATCH):
            rows = [row for row in listing.names(at, min(at + BATCH, listing.known)) if not wanted or row[0] in wanted]
            values = store.get_many([str(PipeKey(version, pipe, entity, date)) for entity, _ in rows])
            for (entity, partition), data in zip(rows, values, strict=True):
                if data is not None:
                    yield date, decode_entity(entity), _partition(partition), data


def _side_by_side(row: Row, horizon: int, wanted: str | None) -> Iterator[tuple[Any, ...]]:
    entity, partition = decode_entity(row.entity), _partition(row.partition)
    facts = Facts()
    for told, data in row.told:
        value = _value(data)
        if not isinstance(value, bytes):
            facts.add(value, told)
    for date, x, y in row.pairs:
        if x is None and y is None:
            continue
        there = "a" if y is None else "b" if x is None else "both"
        left, right = _points(x, date, horizon), _points(y, date, horizon)
        for curve in dict.fromkeys([*left, *right]):
            if wanted is not None and curve != wanted:
                continue
            a, b, fact = left.get(curve, {}), right.get(curve, {}), facts.of(curve)
            for at in dict.fromkeys([*a, *b]):
                pair = a.get(at, NEVER), b.get(at, NEVER)
                fixed = (_seconds(date), entity, partition, curve, _seconds(at), _lead(date, at))
                yield *fixed, *pair, there, fact.get(at, NEVER)


def _points(data: bytes | None, date: Date, horizon: int) -> dict[str, dict[str, float]]:
    value = _value(data) if data is not None else b""
    return {} if isinstance(value, bytes) else points_of(value, date, horizon)


def _horizon(redis: Client, version: str, pipe: str, date: Date) -> int:
    """How many steps a pipe forecasts; 0 when it is no forecast."""
    for plan in Catalog(redis).flows(version).values():
        if pipe in plan.index:
            return int(plan.tasks[plan.index[pipe]].horizon / date.step.total_seconds())
    return 0


def _value(data: bytes) -> Any:
    try:
        return decode_json(data)
    except BadValue:
        return data


def _partition(key: str) -> str:
    return "" if key in ("", "-") else decode_entity(key)


def _lead(date: str, at: str) -> int | None:
    return steps_between(str(date), at) if is_date(at) else None


@lru_cache(maxsize=65536)
def _seconds(date: str) -> int | None:
    """A date as Unix time; None for what is none."""
    return int(Date(date).start.timestamp()) if is_date(date) else None


# pandas and Redis, when they are needed


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise NoPandas("engine.frames needs pandas: pip install 'wavedeck[frames]'") from None
    return pandas


def _moments(times: Sequence[int | None], unit: str = "s") -> Any:
    """A column of moments; None becomes NaT."""
    import numpy as np

    pd = _pandas()
    numbers = np.array([np.iinfo("int64").min if t is None else t for t in times], dtype="int64")
    return pd.Series(numbers.view(f"M8[{unit}]")).dt.tz_localize("UTC")


_CLIENTS: dict[str, Client] = {}


def _client(redis: Client | str | None) -> Client:
    """A client that only reads; one for each URL is kept."""
    if redis is not None and not isinstance(redis, str):
        return redis
    url = redis
    if url is None:
        from engine.fleet.embedded import NoRedis, find_running

        if (running := find_running()) is None:
            raise NoRedis("no Redis is running: start one with `wavedeck redis` in another terminal, or give redis= a URL")
        url = running.url
    if url not in _CLIENTS:
        _CLIENTS[url] = connect(url, read_only=True)
    return _CLIENTS[url]
