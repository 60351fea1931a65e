"""Why workers that are gone ended, as their house says: asked when somebody looks at one, and never to find out who is alive."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from engine.errors import WavedeckError

if TYPE_CHECKING:
    from engine.fleet.house import FleetWorker, House
    from engine.store.workers import Worker

AGAIN = 60.0
"""Seconds before a house is asked again about those of which it had nothing to say."""
REMEMBERED = 3600.0
"""Seconds for which a house remembers what ended: nobody asks about what is longer gone."""

Who = tuple[str, str]
"""Version and name of a worker."""


class Endings:
    """What is known by now. May be asked from one thread; a house is asked from another, one at a time."""

    def __init__(self, open_house: Callable[[str], House] | None = None) -> None:
        """`open_house`: of the name that it is given; by this person's settings when not given."""
        self._open = open_house
        self._known: dict[Who, str] = {}
        self._asked: dict[str, float] = {}
        self._asking: threading.Thread | None = None

    def of(self, gone: Iterable[Worker], *, wait: bool = False) -> Mapping[Who, str]:
        """Why each of these ended, of those that are known; asks for the others, and with `wait` until they are."""
        missing = [w for w in gone if (w.version, w.name) not in self._known and time.time() - w.beat < REMEMBERED]
        due = sorted({w.version for w in missing if time.monotonic() - self._asked.get(w.version, -AGAIN) >= AGAIN})
        if due and (self._asking is None or not self._asking.is_alive()):
            self._asked |= dict.fromkeys(due, time.monotonic())
            self._asking = threading.Thread(target=self._ask, args=(missing,), name="endings", daemon=True)
            self._asking.start()
        if wait and self._asking is not None:
            self._asking.join()
        return self._known

    def _ask(self, missing: list[Worker]) -> None:
        for name, some in (("ecs", [w for w in missing if w.task]), ("local", [w for w in missing if _is_here(w)])):
            for version in sorted({w.version for w in some}):
                try:
                    told = self._house(name).fleet(version).workers(stopped=True)
                except (WavedeckError, OSError):  # who may look at waves need not be one who may ask AWS
                    continue
                found = [(w, _ending(w, told)) for w in some if w.version == version]
                self._known = {**self._known, **{(w.version, w.name): why for w, why in found if why}}

    def _house(self, name: str) -> House:
        if self._open is not None:
            return self._open(name)
        from console.house import house

        return house(name=name)


def _ending(worker: Worker, told: Iterable[FleetWorker]) -> str:
    task = worker.task.rpartition("/")[2]
    for one in told:
        same = one.name == task if task else one.pid == worker.pid and abs(one.started - worker.started) < REMEMBERED
        if same:
            return one.reason
    return ""


def _is_here(worker: Worker) -> bool:
    return not worker.task and worker.host == socket.gethostname()
