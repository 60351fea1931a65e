"""Who did what: the log of acts, as frozen data for the screen and its headless twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.views import iso
from engine.store.acts import Act, Acts
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

DID = {
    "trigger": "triggered",
    "rerun": "re-ran",
    "cancel": "cancelled",
    "schedule": "scheduled",
    "deploy": "deployed",
    "undeploy": "undeployed",
    "scale": "scaled",
    "stop": "stopped",
    "skip": "skipped",
}
"""What somebody did, by the verb of the record."""


@dataclass(frozen=True, slots=True)
class ActRow:
    """One act. `at`: ISO 8601 UTC; `by`: user@host; `origin`: from where: console, command, schedule, demo …; `entities`: how many it
    was about; `did`: the verb as people read it; `id`: grows with time."""

    id: str
    at: str
    verb: str
    did: str
    by: str
    origin: str
    flow: str
    version: str
    date: str
    wave: str
    entities: int
    detail: str

    @property
    def locator(self) -> str:
        """The wave that it was about, as people name it; the version where it was about its fleet."""
        return f"{self.flow}@{self.version} {self.date}" if self.flow else self.version


def rows(acts: Sequence[Act]) -> tuple[ActRow, ...]:
    """Acts as they are shown."""
    return tuple(
        ActRow(
            id=act.id,
            at=iso(act.at) or "",
            verb=act.verb,
            did=DID.get(act.verb, act.verb),
            by=act.by,
            origin=act.origin,
            flow=act.flow,
            version=act.version,
            date=act.date,
            wave=act.wave,
            entities=act.entities,
            detail=act.detail,
        )
        for act in acts
    )


def acts(redis: Client, *, limit: int = 200, wave: str = "") -> tuple[ActRow, ...]:
    """The newest acts, newest first; only those about a wave when one is named, as `Waves.get` takes it.

    Raises:
        NotFound: there is no such wave.
    """
    only = Waves(redis).get(wave).id if wave else None
    return rows(Acts(redis).recent(limit, wave=only))
