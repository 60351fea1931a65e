"""One command of a machine keeps a version's local workers; others tell it what they wish, through files.

Local workers end with the command that started them. So that a second command, the console or a worker that finishes last can
scale them all the same, the keeper holds a lock and obeys a file. In `fleet/<slug>` of the data directory lie:

    keeper.lock   held by the keeper
    wish.json     how many workers there should be, and which are to leave: written by anybody
    now.json      what the keeper has: written by the keeper, worthless while nobody holds the lock
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from engine.errors import Refused
from engine.fleet.embedded import data_dir
from engine.fleet.house import FleetWorker
from engine.fleet.local import WORKER, LocalFleet, LocalWorker
from engine.fleet.names import slug

log = logging.getLogger("wavedeck.fleet")
TICK = 0.1
"""Seconds between two looks at the wish."""
CALM = 5.0
"""Seconds before a worker that ended by itself is replaced: one that cannot start is not started ten times a second."""

PATIENCE = 5
"""How often a lock that is held is asked for, 20 ms apart."""

T = TypeVar("T", bound=msgspec.Struct)


class Wish(msgspec.Struct, frozen=True):
    """How many workers; the names of those that are to leave, with why."""

    version: str
    count: int = 0
    leave: dict[str, str] = {}


class Now(msgspec.Struct, frozen=True):
    """What a keeper has. `keeper`: its pid."""

    version: str
    keeper: int
    count: int
    workers: tuple[FleetWorker, ...] = ()
    logs: dict[str, str] = {}


class Place:
    """A version's folder."""

    def __init__(self, version: str, home: Path | None = None) -> None:
        self.version = version
        self.folder = data_dir(home) / "fleet" / slug(version)

    def wish(self) -> Wish:
        """What was last wished for."""
        return _read(self.folder / "wish.json", Wish) or Wish(self.version)

    def now(self) -> Now | None:
        """What the keeper has; None while nobody keeps this fleet."""
        return _read(self.folder / "now.json", Now) if self.is_kept() else None

    def is_kept(self) -> bool:
        """Whether a command keeps this fleet."""
        if not self.folder.exists():
            return False
        lock = self._open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def write(self, name: str, value: msgspec.Struct) -> None:
        """Replaces a file; whoever reads it meanwhile has the old or the new one."""
        draft = self.folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        draft.write_bytes(msgspec.json.encode(value))
        draft.replace(self.folder / name)

    def take(self) -> int | None:
        """The lock, a file descriptor to close; None when another holds it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._open_lock()
        for _ in range(PATIENCE):  # whoever asks `is_kept` holds it for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                (self.folder / "now.json").unlink(missing_ok=True)  # of a keeper that was killed
                return lock
        os.close(lock)
        return None

    def _open_lock(self) -> int:
        return os.open(self.folder / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Keeper:
    """Keeps a version's workers from when it is made until `close`, which ends them in order.

    Raises:
        Refused: another command keeps them.
    """

    def __init__(
        self,
        url: str,
        version: str,
        *,
        home: Path | None = None,
        slots: int | None = None,
        flows: str | None = None,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.place = Place(version, home)
        lock = self.place.take()
        if lock is None:
            raise Refused(f"another command keeps the local workers of {version}")
        self._lock = lock
        self._fleet = LocalFleet(
            url, version=version, slots=slots, flows=flows, log_dir=self.place.folder / "logs", command=command
        )
        self._seen: dict[int, tuple[float, float]] = {}
        self._why: dict[int, str] = {}
        self._scaled, self._count, self._told = 0.0, 0, Now("", 0, 0)
        self.place.write("wish.json", Wish(version))
        self._tell()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {version}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout: float = 10) -> None:
        """End the workers, in order and after `timeout` seconds with SIGKILL, and let go of the fleet. May be called again."""
        if self._leaving.is_set():
            return
        self._leaving.set()
        self._thread.join()
        self._fleet.stop(timeout)
        (self.place.folder / "now.json").unlink(missing_ok=True)
        os.close(self._lock)

    def _keep(self) -> None:
        while not self._leaving.wait(TICK):
            try:
                self._obey(self.place.wish())
                self._tell()
            except OSError as e:  # no process or file can be made now: tried again
                log.warning("the local workers of %s: %s", self.place.version, e)
                self._leaving.wait(CALM)

    def _obey(self, wish: Wish) -> None:
        workers = self._fleet.workers()
        for worker in workers:
            if (why := wish.leave.get(str(worker.number))) is not None and worker.alive and not worker.leaving:
                self._why[worker.number] = why
                self._fleet.leave(worker.number)
        staying = sum(worker.alive and not worker.leaving for worker in workers)
        wished = wish.count != self._count
        if wished or (staying < wish.count and time.monotonic() - self._scaled > CALM):
            self._count, self._scaled = wish.count, time.monotonic()
            self._fleet.scale(wish.count)

    def _tell(self) -> None:
        workers = self._fleet.workers()
        for worker in workers:
            started, ended = self._seen.get(worker.number, (time.time(), 0.0))
            self._seen[worker.number] = started, ended or (0.0 if worker.alive else time.time())
        now = Now(
            self.place.version,
            os.getpid(),
            self._count,
            tuple(map(self._worker, workers)),
            {str(w.number): str(w.log) for w in workers},
        )
        if now != self._told:
            self.place.write("now.json", now)
            self._told = now

    def _worker(self, worker: LocalWorker) -> FleetWorker:
        started, ended = self._seen[worker.number]
        return FleetWorker(
            name=str(worker.number),
            version=self.place.version,
            kind="local",
            state="stopped" if not worker.alive else "stopping" if worker.leaving else "running",
            created=started,
            started=started,
            stopped=ended,
            exit=worker.returncode,
            reason=self._why.get(worker.number, "") or _ending(worker),
            pid=worker.pid,
        )


def _ending(worker: LocalWorker) -> str:
    if worker.alive or worker.returncode == 0:
        return ""
    code = worker.returncode or 0
    return f"killed by signal {-code}" if code < 0 else f"ended with {code}; its log says why"


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
