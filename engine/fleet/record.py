"""Where the embedded Redis is: the note `redis.json` that its owner leaves, and the question whether anybody answers there."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, ResponseError
from redis.retry import Retry

from engine.errors import WavedeckError
from engine.fleet.binaries import Kind
from engine.store.address import Address
from engine.store.connect import Client
from engine.store.connect import connect as elsewhere

ANSWER_WITHIN = 5.0
"""Seconds a server may take to answer a PING before it counts as not answering."""


class NoRedis(WavedeckError):
    """There is no Redis to use; the text says what was tried and what to do."""


@dataclass(frozen=True)
class Record:
    """What `redis.json` says. Its user alone can read it: over TCP the URL holds the server's password."""

    url: str
    pid: int
    started: float
    kind: Kind
    version: str
    owner: int


def read_record(folder: Path) -> Record | None:
    """What `folder`'s `redis.json` says; None when there is none, or none that makes sense."""
    try:
        return Record(**json.loads((folder / "redis.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Write `redis.json` in one step: a reader, and a crash, find all of it or none."""
    draft = folder / "redis.json.new"
    write_private(draft, json.dumps(asdict(record)))
    draft.replace(folder / "redis.json")


def drop_record(folder: Path) -> None:
    """Remove `redis.json` if it is there."""
    (folder / "redis.json").unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write `text` to a new file at `path` that its user alone can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.fsencode(text))


def connect(url: str, within: float = ANSWER_WITHIN) -> Client:
    """A client that gives up after `within` seconds and tries nothing twice.

    Raises:
        ValueError: `url` is not a Redis URL.
        RedisAwayError: it is a cluster's, and no node answers.
    """
    if Address.of(url).house != "server":
        return elsewhere(url, timeout=within, retries=0)
    return Redis.from_url(url, socket_timeout=within, socket_connect_timeout=within, retry=Retry(NoBackoff(), 0), protocol=2)


def ask(url: str, within: float = ANSWER_WITHIN) -> tuple[str, int | None]:
    """PING the server at `url`: its version and its pid, "" and None where it does not tell (fakeredis does not).

    Raises:
        RedisError: no answer. `ConnectionError`: nobody listens; of its kinds `BusyLoadingError`: not yet; `TimeoutError`: stuck.
        ValueError: `url` is not a Redis URL.
    """
    with connect(url, within) as client:
        try:
            client.ping()
        except NoPermissionError:
            return "", None  # it answers: this user may read, and not ping
        try:
            told = client.info("server")
        except ResponseError:
            return "", None
    return str(told.get("valkey_version") or told.get("redis_version") or ""), told.get("process_id")
