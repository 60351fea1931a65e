"""What the screen of a wave's times reads. Runs in the feed's thread; a large wave's sums are made in a process of their own, or Python would
not let the keys through meanwhile: sorting half a million cells is one step for it.

`python -m console.sources.profile WAVE` prints the sums as JSON, of the Redis that WAVEDECK_REDIS_URL names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from console.reports.gantt import Gantt, gantt
from console.reports.profile import Profile, profile_of, read
from engine.errors import WavedeckError
from engine.fleet import tether
from engine.store.connect import connect
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY, SOON, SHARE = 2.0, 0.2, 20
"""Seconds between two looks at whether it has moved, and at what another process has found; and what reading it may cost: one part in so many
of the time."""
TIMES = (2.0, 4.0)
"""How many times the workers are simulated."""
LARGE = 40_000
"""Cells from which on a wave is summed up elsewhere."""
LONGEST = 120
"""Seconds that this may take."""


@dataclass(frozen=True)
class ProfileNews:
    """Where the time went, and when who was busy."""

    profile: Profile
    drawing: Gantt


class ProfileSource:
    """A wave's times; read again when it has moved."""

    def __init__(self, wave: str, url: str) -> None:
        self._name, self._url = wave, url
        self._seen: object = None
        self._due = 0.0
        self._apart: Apart | None = None

    def read(self, redis: Client) -> tuple[ProfileNews | None, float]:
        """The profile when there is news of it.

        Raises:
            NotFound: no such wave, or it has expired.
            WavedeckError: a large one could not be summed up.
        """
        began, store = time.monotonic(), Waves(redis)
        if self._apart is not None:
            return self._ask()
        progress = store.progress(store.get(self._name))
        wave, state = progress.wave, (progress.counts, progress.wave.ended)
        if state == self._seen or (began < self._due and wave.running):
            return None, EVERY
        self._seen = state
        if wave.cells >= LARGE:
            self._apart = Apart(self._url, wave.id)
            return None, SOON
        news = sum_up(redis, wave.id)
        self._due = began + SHARE * (time.monotonic() - began)
        return news, EVERY

    def _ask(self) -> tuple[ProfileNews | None, float]:
        """What the other process has found, when it has."""
        assert self._apart is not None  # noqa: S101
        apart = self._apart
        if not apart.done:
            return None, SOON
        self._apart, self._due = None, time.monotonic() + SHARE * apart.seconds
        return apart.news(), EVERY


class Apart:
    """Sums a wave up in another process, which ends with the thread that asks."""

    def __init__(self, url: str, wave: str) -> None:
        self._wave, self._began = wave, time.monotonic()
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 open until it has ended
        command = [
            sys.executable,
            "-I",
            "-S",
            tether.__file__,
            "9",
            str(os.getpid()),
            sys.executable,
            "-P",
            "-m",
            __name__,
            wave,
        ]
        env = {**os.environ, "WAVEDECK_REDIS_URL": url}
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    @property
    def done(self) -> bool:
        """Whether it has ended; it is, when it takes too long."""
        if self.seconds > LONGEST:
            self._process.kill()
            self._process.wait()
        return self._process.poll() is not None

    def news(self) -> ProfileNews:
        """What it found.

        Raises:
            WavedeckError: it could not.
        """
        with self._out, self._err:
            self._out.seek(0)
            self._err.seek(0)
            found, told = self._out.read(), self._err.read()
        if self._process.returncode:
            why = told.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"it took over {LONGEST} s"
            raise WavedeckError(f"the times of wave {self._wave} could not be summed up: {why}")
        return msgspec.json.decode(found, type=ProfileNews)


def sum_up(redis: Client, wave: str) -> ProfileNews:
    """Where the time of a wave went."""
    reading = read(redis, wave)
    return ProfileNews(profile_of(reading, TIMES), gantt(reading.timing, reading.names, reading.crew, reading.known))


def main() -> None:
    """Prints the sums of the wave that the first argument names."""
    redis = connect(os.environ["WAVEDECK_REDIS_URL"], read_only=True)
    sys.stdout.buffer.write(msgspec.json.encode(sum_up(redis, sys.argv[1])))


if __name__ == "__main__":
    main()
