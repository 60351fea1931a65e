"""Whether the worker of this container is alive: its watcher leaves a beat in a file, and `python -m worker.health` looks at it.

Redis is not asked: a worker that waits for Redis is as it should be, and another one in its place would wait too. The file
(`WAVEDECK_PULSE`; without it nothing is written) holds the machine's monotonic seconds, which no correction of the clock moves.
"""

import os
import sys
import time
from contextlib import suppress

PATIENCE = 60.0
"""Seconds without a beat after which a watcher hangs: it beats every second or two, or after the time-outs of a Redis that is away."""
ENVIRONMENT = "WAVEDECK_PULSE"


class Pulse:
    """The watcher's side. The first beat is at once: flows are imported, and warmed up, before its loop begins."""

    def __init__(self, path: str) -> None:
        self._fd = -1
        if path:
            with suppress(OSError):  # then health says that there is no file
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.beat()

    def beat(self) -> None:
        """Says that the watcher goes on."""
        if self._fd >= 0:
            with suppress(OSError):  # a full disk is no reason to end
                os.pwrite(self._fd, b"%-16d" % time.monotonic(), 0)


def problem(path: str, now: float, patience: float = PATIENCE) -> str:
    """What is wrong with the worker whose file this is, in a sentence; empty when nothing is. `now`: monotonic seconds."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 pathlib is most of what this would import
            age = now - int(file.read(16))
    except FileNotFoundError:
        return f"no worker has begun here: there is no {path}"
    except (OSError, ValueError) as e:
        return f"{path} cannot be read: {e}"
    if age < -1:
        return f"{path} is of before this machine was started"
    return f"the worker has not moved for {age:.0f} s" if age > patience else ""


def main() -> int:
    """0 when it is alive, 1 when not, with why on stdout."""
    path = os.environ.get(ENVIRONMENT, "")
    why = problem(path, time.monotonic()) if path else f"{ENVIRONMENT} says no file"
    print(why or "alive")  # noqa: T201
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
