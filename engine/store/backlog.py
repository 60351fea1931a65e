"""How much is outstanding: what is pending or claimed in the open waves of a version. The metric for those who want alarms.

What is claimed counts, for a queue that looks empty while all is in hand would have its workers taken away.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.keys import version_key, wave_key
from engine.store.connect import Client

NAMESPACE = "Wavedeck"


@dataclass(frozen=True)
class Backlog:
    """Entities of a version. `pending`: that nobody has claimed; `running`: that workers hold; `waves`: that have not ended."""

    version: str
    pending: int
    running: int
    waves: int

    @property
    def outstanding(self) -> int:
        """Units outstanding."""
        return self.pending + self.running


def backlog(redis: Client, versions: Sequence[str]) -> list[Backlog]:
    """That of each of these versions, in two trips. Of what is queued nothing is counted that was cancelled and is nobody's."""
    with redis.pipeline(transaction=False) as trip:
        for version in versions:
            trip.zrange(version_key(version, "queue"), 0, -1)
        queued = [[name.decode() for name in names] for names in trip.execute()] if versions else []
        waves = [(version, wave) for version, names in zip(versions, queued, strict=True) for wave in names]
        for version, wave in waves:
            trip.hmget(wave_key(version, wave, "wave"), "left", "ended")
            trip.zcard(wave_key(version, wave, "leases"))
        told = trip.execute() if waves else []
    found = {version: [0, 0, 0] for version in versions}
    for (version, _), (left, ended), held in zip(waves, told[::2], told[1::2], strict=True):
        if left is not None and not ended:
            running = min(int(held), int(left))
            for place, many in enumerate((int(left) - running, running, 1)):
                found[version][place] += many
    return [Backlog(version, *counts) for version, counts in found.items()]


def metric(told: Backlog, now: float | None = None) -> dict[str, Any]:
    """A line in CloudWatch's embedded metric format: written to a log group of its own account, it is a metric by version."""
    names = ("UnitsOutstanding", "UnitsPending", "UnitsRunning")
    return {
        "_aws": {
            "Timestamp": int((time.time() if now is None else now) * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Version"]],
                    "Metrics": [{"Name": name, "Unit": "Count"} for name in names],
                }
            ],
        },
        "Version": told.version,
        "UnitsOutstanding": told.outstanding,
        "UnitsPending": told.pending,
        "UnitsRunning": told.running,
        "WavesOpen": told.waves,
    }
