"""An embedded Redis, for machines that have none: started on demand, shared by this user's commands, ended by the one that started it.

One file lock decides who that is: the owner holds it from before the start until after the end, and the kernel lets go of it
however the owner ends. So two commands never start two servers over one data directory, and a `redis.json` whose lock is free
is known to be left over. The data directory holds:

    redis.lock    held by the owner
    redis.json    where the server is; there while it serves, or left over from a killed owner
    redis.sock    its socket, unless the path is too long for one
    redis.conf    its configuration, written at each start
    redis.log     its log
    appendonly*   what it keeps, with `persist`
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import platformdirs
from redis.exceptions import RedisError

from engine.fleet.binaries import Kind
from engine.fleet.record import ANSWER_WITHIN, NoRedis, Record, ask, read_record
from engine.fleet.server import serving
from engine.store.address import Address, safe
from engine.store.connect import RedisAwayError

__all__ = ["NoRedis", "Server", "data_dir", "find_running", "redis_server"]

JOIN_WITHIN = 60.0
"""Seconds to wait for a server that another command is starting; it may be loading what it kept."""


@dataclass(frozen=True)
class Server:
    """A Redis that answered. `pid` is None for one that is not ours (`external`)."""

    url: str
    kind: Kind
    pid: int | None
    version: str


def data_dir(home: Path | None = None) -> Path:
    """Where Wavedeck keeps files: `home`, else `WAVEDECK_HOME`, else the platform's user data directory. It may not exist yet."""
    return (home or Path(os.environ.get("WAVEDECK_HOME") or platformdirs.user_data_dir("wavedeck"))).absolute()


def find_running(home: Path | None = None) -> Server | None:
    """The server that a command uses without starting one: `WAVEDECK_REDIS_URL`, else ours if it runs and answers.

    Changes nothing. A `redis.json` left over from a killed command counts as none, even while its server is still ending.

    Raises:
        NoRedis: `WAVEDECK_REDIS_URL` is set, and nothing answers there.
    """
    if url := os.environ.get("WAVEDECK_REDIS_URL"):
        return _external(url)
    folder = data_dir(home)
    record = read_record(folder)
    return _as_server(record) if record is not None and _is_owned(folder) and _answers(record) else None


@contextmanager
def redis_server(home: Path | None = None, *, persist: bool = True, start: bool = True) -> Iterator[Server]:
    """A Redis for the time of the block: the one that runs (`find_running`), else a new one that ends with the block.

    A new one is the first of `binaries.find_program`. With `persist` it keeps its data in the data directory (fakeredis never
    does); a server that runs already is used as it is. While another command is starting one, this waits for it. A server ends
    with the command that started it, and its other users then lose it.

    After a crash: when the owner is killed, Linux ends the server with it, in order, so nothing acknowledged is lost; the next
    command waits for that end, clears what is left, and starts on the same data. On other systems the next command ends it.
    When the server itself dies, the owner does not start another.

    Raises:
        NoRedis: nothing runs and `start` is false, nothing could be started, or `WAVEDECK_REDIS_URL` does not answer.
    """
    if running := find_running(home):
        yield running
        return
    if not start:
        raise NoRedis("no Redis is running: start one with `wavedeck redis` in another terminal, or set WAVEDECK_REDIS_URL")
    folder = data_dir(home)
    found = _lock_or_join(folder)
    if isinstance(found, Server):
        yield found
        return
    with found, serving(folder, persist=persist) as record:
        yield _as_server(record)


def _external(url: str) -> Server:
    try:
        Address.of(url)
    except ValueError as e:
        raise NoRedis(f"{safe(url)!r} (from WAVEDECK_REDIS_URL) is no Redis URL: {e}") from e
    try:
        version, _ = ask(url)
    except ValueError as e:
        raise NoRedis("WAVEDECK_REDIS_URL is not the URL of a Redis, such as redis://localhost:6379/0 or unix:///a/path") from e
    except RedisAwayError as e:
        raise NoRedis(f"{e} (from WAVEDECK_REDIS_URL)") from e
    except RedisError as e:
        raise NoRedis(f"no Redis answers at {safe(url)} (from WAVEDECK_REDIS_URL): {str(e).rstrip('.')}") from e
    return Server(url, "external", None, version)


def _as_server(record: Record) -> Server:
    return Server(record.url, record.kind, record.pid, record.version)


def _answers(record: Record) -> bool:
    try:
        _, pid = ask(record.url)
    except (RedisError, ValueError):
        return False
    return pid in (None, record.pid)  # another: the port has gone to somebody else


def _lock_or_join(folder: Path) -> FileIO | Server:
    """The held lock, when it is for this command to start the server; the server, when another command did."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise NoRedis(f"cannot make the data directory {folder}: {e.strerror}; set WAVEDECK_HOME to another") from e
    begun = time.monotonic()
    while True:
        if lock := _try_lock(folder, fcntl.LOCK_EX):
            return lock
        if server := find_running(folder):
            return server
        waited = time.monotonic() - begun
        record = read_record(folder)
        if record is not None and waited > ANSWER_WITHIN:
            raise NoRedis(f"the Redis that process {record.owner} started does not answer: end that command, then try again")
        if waited > JOIN_WITHIN:
            raise NoRedis(f"another command has been starting Redis for {waited:.0f} s; its log is {folder / 'redis.log'}")
        time.sleep(0.02)


def _is_owned(folder: Path) -> bool:
    lock = _try_lock(folder, fcntl.LOCK_SH)
    if lock is None:
        return True
    lock.close()
    return False


def _try_lock(folder: Path, how: int) -> FileIO | None:
    """`redis.lock`, locked until it is closed; None when another command holds it."""
    try:
        file = FileIO(folder / "redis.lock", "a")
    except OSError as e:
        raise NoRedis(f"cannot write in the data directory {folder}: {e.strerror}; set WAVEDECK_HOME to another") from e
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError as e:
        file.close()
        raise NoRedis(f"cannot lock {folder / 'redis.lock'}: {e.strerror}; set WAVEDECK_HOME to a local disk") from e
    return file
