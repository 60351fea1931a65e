"""Workers: who is alive, busy with what, who is gone, and which of them is bad. Frozen data for the screen and its headless twin.

Field names are stable; `wavedeck workers --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from console.reports.endings import Endings
from console.reports.judge import Deeds, Verdict, deeds, last_failed, verdicts
from console.views import iso
from engine.keys import decode_entity
from engine.store.catalog import Catalog
from engine.store.claims import spans
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

JUDGED = 2
"""By how many of the newest waves of its version a worker is judged."""
NEWEST_VERSIONS = 2
"""Of how many of the versions that were active last the waves are looked at even if none of their workers has been heard of."""
LOOKED_THROUGH = 12
"""Among how many of the newest waves of a version those are looked for, and those of which somebody may hold entities."""


@dataclass(frozen=True, slots=True)
class SlotRow:
    """What a slot does; nothing when it is idle. `entity` as users write it, `since`: when the task began; `name`: how people call the
    wave."""

    pid: int
    wave: str | None
    name: str | None
    entity: str | None
    task: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker. `state`: `busy`, `idle` or `draining` while it is alive; `stopped` when it left in order, `dead` when it fell silent.
    Of one that is known only by what it claimed there is its name, and no `beat`. `beat`: when it was last heard of; `memory` in bytes; `held`: entities that a worker that is gone still holds, until `held_until`;
    `verdict`: how it did in the newest waves, None when it served in none of them. `task`: the ARN of its ECS task, `digest`: of the
    image that this runs, `limit`: bytes of memory that it may use, 0 for all. Of one that is gone: `ran`: what its slots did when it was
    last heard of, `reason`: why it ended, as its house says."""

    name: str
    version: str
    host: str
    pid: int
    image: str
    state: str
    started: str | None
    beat: str | None
    slots: list[SlotRow]
    memory: int
    served: int
    draining: bool
    held: int
    held_until: str | None
    verdict: Verdict | None
    task: str = ""
    digest: str = ""
    zone: str = ""
    limit: int = 0
    ran: tuple[SlotRow, ...] = ()
    reason: str = ""

    @property
    def gone(self) -> bool:
        """Whether it is alive no more."""
        return self.state in ("dead", "stopped")

    @property
    def busy(self) -> list[SlotRow]:
        """The slots that run something, the longest first."""
        return sorted((slot for slot in self.slots if slot.task), key=lambda slot: slot.since or "")

    @property
    def bad(self) -> bool:
        """Whether it stands out among the others."""
        return self.verdict is not None and self.verdict.loud


@dataclass(frozen=True, slots=True)
class Held:
    """Entities that somebody holds. `until`: Unix ms, Redis' clock."""

    entities: int
    until: int


class Crew:
    """The workers of a version, or of all. Remembers what it has read of waves that have ended."""

    def __init__(self, version: str = "") -> None:
        self._version = version
        self._names: dict[str, str] = {}
        self._deeds: dict[str, Deeds] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._held: dict[tuple[str, str], Held] = {}
        self._endings = Endings()
        self._reasons: Mapping[tuple[str, str], str] = {}
        self.judged: tuple[str, ...] = ()
        """The waves that the verdicts are about, the newest first, as people name them."""

    def rows(self, redis: Client, *, wait: bool = False) -> tuple[WorkerRow, ...]:
        """Those alive, by name, then those gone, the last gone first; with what `judge` has found. `wait` for what houses say of why
        they ended; else it is there in a later call."""
        versions = [self._version] if self._version else Catalog(redis).versions()
        alive, gone = Workers(redis).heard(versions)
        self._learn_names(redis, (*alive, *gone))
        self._reasons = self._endings.of(gone, wait=wait)
        heard = {(w.version, w.name) for w in (*alive, *gone)}
        unheard = [Worker(name, version, "", 0, 0.0, 0.0) for version, name in sorted({*self._verdicts, *self._held} - heard)]
        return tuple(self._row(w, gone=False) for w in alive) + tuple(self._row(w, gone=True) for w in (*gone, *unheard))

    def judge(self, redis: Client) -> None:
        """Looks at what the workers did in the newest waves of each version that has workers, and what they hold."""
        versions = [self._version] if self._version else Catalog(redis).versions()
        alive, gone = Workers(redis).heard(versions)
        kept: dict[str, Deeds] = {}
        self._verdicts, self._held = {}, {}
        waves: list[Wave] = []
        for version in sorted({w.version for w in (*alive, *gone)} | {*versions[:NEWEST_VERSIONS]}):
            recent = [p.wave for p in Waves(redis).recent(LOOKED_THROUGH, version=version)]
            started = [wave for wave in recent if wave.started][:JUDGED]
            for wave in started:
                known = self._deeds.get(wave.id)
                kept[wave.id] = known if known is not None and known.final else deeds(redis, wave)
            told = verdicts(redis, [(wave, kept[wave.id]) for wave in started])
            self._verdicts |= {(version, name): verdict for name, verdict in told.items()}
            self._held |= {(version, name): held for name, held in holdings(redis, recent).items()}
            waves += started
        self._deeds = kept
        self.judged = tuple(w.locator for w in sorted(waves, key=lambda w: -w.created))

    def _learn_names(self, redis: Client, workers: Iterable[Worker]) -> None:
        now = {(slot.wave, w.version) for w in workers for slot in (*w.slots, *w.ran) if slot.wave}
        names: dict[str, str] = {}
        for wave, version in now:
            known = self._names.get(wave)
            record = None if known else Waves(redis).find(wave, version)
            names[wave] = known or (record.locator if record else wave)
        self._names = names

    def _row(self, w: Worker, *, gone: bool) -> WorkerRow:
        held = self._held.get((w.version, w.name)) if gone else None
        if gone:
            state = "stopped" if w.stopped else "dead"
        else:
            state = "draining" if w.draining else "busy" if any(s.task for s in w.slots) else "idle"
        return WorkerRow(
            name=w.name,
            version=w.version,
            host=w.host,
            pid=w.pid,
            image=w.image,
            state=state,
            started=iso(w.started * 1000),
            beat=iso(w.beat * 1000),
            slots=[self._slot(s) for s in w.slots],
            memory=0 if gone else w.memory,
            served=w.served,
            draining=w.draining,
            held=held.entities if held else 0,
            held_until=iso(held.until) if held else None,
            verdict=self._verdicts.get((w.version, w.name)),
            task=w.task,
            digest=w.digest,
            zone=w.zone,
            limit=w.limit,
            ran=tuple(map(self._slot, w.ran)) if gone else (),
            reason=self._reasons.get((w.version, w.name), "") if gone else "",
        )

    def _slot(self, s: SlotState) -> SlotRow:
        return SlotRow(
            s.pid,
            s.wave,
            self._names.get(s.wave) if s.wave else None,
            decode_entity(s.entity) if s.entity else None,
            s.task,
            iso(s.since * 1000) if s.since else None,
        )


def workers(redis: Client, version: str = "", *, dead: bool = False) -> list[WorkerRow]:
    """The workers of a version or of all, judged; of those that are gone those that still hold something, or all if `dead`."""
    crew = Crew(version)
    crew.judge(redis)
    return [row for row in crew.rows(redis, wait=dead) if dead or not row.gone or row.held]


def holdings(redis: Client, waves: Iterable[Wave]) -> dict[str, Held]:
    """What each worker, by name, holds in those of these waves that have not ended. Reads the leases there are: no more than workers
    have claimed at once."""
    found: dict[str, Held] = {}
    for wave in (w for w in waves if w.running):
        leases = {int(number): int(until) for number, until in redis.zrange(wave.key("leases"), 0, -1, withscores=True)}
        for number, name in _claimed_by(redis, wave, sorted(leases)).items() if leases else ():
            before = found.get(name, Held(0, 0))
            found[name] = Held(before.entities + 1, max(before.until, leases[number]))
    return found


def _claimed_by(redis: Client, wave: Wave, numbers: Sequence[int]) -> dict[int, str]:
    """Number → who claimed it last, of these entities."""
    crew, held = Waves(redis).crew(wave), spans(numbers)
    with redis.pipeline(transaction=False) as trip:
        for first, many, _ in held:
            trip.getrange(wave.key("claims"), first * 8, (first + many) * 8 - 1)
        records = trip.execute()
    return {
        first + i: crew.get(int.from_bytes(record[8 * i + 4 : 8 * i + 6], "little"), "")
        for (first, _, _), record in zip(held, records, strict=True)
        for i in range(len(record) // 8)
    }


def last_failure(redis: Client, version: str, name: str) -> tuple[str, str, str] | None:
    """The entity that failed last of those that a worker served in the newest waves of its version: wave id, locator, entity as users
    write it; None when none did."""
    for progress in Waves(redis).recent(LOOKED_THROUGH, version=version):
        if (entity := last_failed(redis, progress.wave, name)) is not None:
            return progress.wave.id, progress.wave.locator, decode_entity(entity)
    return None


def holding(row: WorkerRow, now: float, *, short: bool = False) -> str:
    """What a worker that is gone still holds, in words, in some 28 cells if `short`; `now` in Unix seconds."""
    if not row.held or row.held_until is None:
        return ""
    left = datetime.fromisoformat(row.held_until).timestamp() - now
    held = f"holds {row.held:,} {'entity' if row.held == 1 else 'entities'}"
    if short:
        return f"holds {row.held:,} for {left:.0f} s more" if left >= 0.5 else f"{held}, free now"
    return f"{held} until its lease ends in {left:.0f} s" if left >= 0.5 else f"{held} that the next free worker takes up"
