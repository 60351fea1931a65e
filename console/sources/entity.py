"""What the screen of an entity reads. Runs in the feed's thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import entity_view
from console.reports.used import Evidence
from console.reports.why import Why, facts, reasons
from engine.plan import Plan
from engine.status import ENDED, STATUS_OF
from engine.store.wave import Wave
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

PENDING = Why()


@dataclass(frozen=True)
class EntityNews:
    """An entity at one moment, with the log of one of its tasks. `serves`: by task, what covers for those that were lost, in words;
    `live`: whether its wave goes on."""

    detail: entity_view.EntityDetail
    version: str
    date: str
    live: bool
    why: Why
    serves: Mapping[str, str]
    log_of: str
    log: str
    script: str
    ended: bool


class EntitySource:
    """One entity of a wave. `task`: whose log the screen shows; it may be set from any thread."""

    def __init__(self, wave: str, entity: str) -> None:
        self.task = ""
        self._name, self._entity, self._number = wave, entity, -1
        self._wave: Wave | None = None
        self._plan: Plan | None = None
        self._given: Evidence | None = None
        self._script = ""
        self._last: EntityNews | None = None

    def read(self, redis: Client) -> tuple[EntityNews | None, float]:
        """The entity, and half a second; more when all its tasks have ended."""
        store = Waves(redis)
        wave = self._wave or store.get(self._name)
        if self._plan is None or self._given is None:
            self._number = entity_view.number_of(store, wave, self._entity)
            self._script = entity_view.script_by_number(store, wave, self._number)
            self._plan, self._given = store.plan(wave), Evidence(redis, wave)
        wave = self._wave = store.progress(wave).wave  # says when the wave is gone
        self._given.redis = redis
        detail = entity_view.entity_by_number(redis, wave, self._number, logs=False, plan=self._plan, given=self._given)
        task = self.task if self.task in wave.tasks else ""
        log = store.log(wave, wave.tasks.index(task), self._number) if task else ""
        ends = {STATUS_OF[cell] for cell in ENDED}
        ended = all(row.status in ends for row in detail.tasks)
        why = PENDING if ended else reasons(self._plan, facts(redis, wave, self._number))
        serves = {row.task: row.serves.words(wave) for row in detail.tasks if row.serves}
        news = EntityNews(detail, wave.version, str(wave.date), not wave.ended, why, serves, task, log, self._script, ended)
        changed, self._last = news != self._last, news
        return news if changed else None, 3.0 if ended else 0.5
