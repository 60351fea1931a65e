"""The last finisher lets the fleet go: whoever finds that nothing of the version is left to do has its house keep the floor only.

Where a house keeps the workers (`WAVEDECK_FLEET`). The house is asked by a process of its own, `python -m worker.letting_go VERSION`:
it takes seconds, and what it loads is not for a worker to carry.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from engine.errors import WavedeckError
from engine.fleet.choose import HOUSE, open_house
from engine.fleet.scaling import let_go
from engine.keys import version_key
from engine.store.connect import Client, connect
from engine.store.wanted import wanted
from worker.journal import set_up

log = logging.getLogger("wavedeck.worker")
IDLE = 5.0
"""Seconds without work after which a worker looks whether others have any."""
EVERY = 10.0
"""Seconds between two looks."""
ALONE = 30_000
"""Ms in which no other worker of the version asks."""
COMMAND = (sys.executable, "-P", "-m", "worker.letting_go")


class LettingGo:
    """Told at each turn of the watcher whether the worker is busy."""

    def __init__(
        self,
        redis: Client,
        version: str,
        environment: Mapping[str, str] = os.environ,
        *,
        start: Callable[[Sequence[str]], "subprocess.Popen[bytes]"] | None = None,
    ) -> None:
        self._redis, self._version = redis, version
        self._has_house = bool(environment.get(HOUSE))
        self._start = start or (lambda command: subprocess.Popen(command, stdin=subprocess.DEVNULL))
        self._asking: subprocess.Popen[bytes] | None = None
        self._busy_at = self._looked_at = time.monotonic()

    @property
    def pid(self) -> int:
        """The process that asks the house; 0 when there is none."""
        return self._asking.pid if self._asking is not None else 0

    def tend(self, busy: bool, now: float) -> None:
        """Looks now and then; `now`: monotonic seconds.

        Raises:
            redis.exceptions.RedisError: Redis is away.
        """
        if not self._has_house:
            return
        if self._asking is not None and self._asking.poll() is not None:
            self._asking = None
        if busy:
            self._busy_at = now
        if self._asking is not None or now - self._busy_at < IDLE or now - self._looked_at < EVERY:
            return
        self._looked_at = now
        told = wanted(self._redis, self._version)
        if told is None or told.workers <= told.floor or self._redis.zcard(version_key(self._version, "queue")):
            return
        if self._redis.set(version_key(self._version, "letting-go"), "1", nx=True, px=ALONE):
            log.info("nothing is left to do: the workers of %s may go, %d stay", self._version, told.floor)
            self._asking = self._start([*COMMAND, self._version])


def main(version: str) -> int:
    """Lets a version's workers go, if nothing is left to do; the exit status."""
    set_up("INFO", os.environ.get("WAVEDECK_LOG_FORMAT") or "text", "letting-go", version)
    redis = connect(os.environ.get("WAVEDECK_REDIS_URL", ""), timeout=10)
    house = open_house(os.environ.get("WAVEDECK_REDIS_URL", ""))
    try:
        let_go(redis, house.fleet(version))
    except WavedeckError as e:
        print(f"wavedeck worker: the workers could not be let go: {e}", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        house.close()
        redis.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
