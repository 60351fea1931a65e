"""What the screen of an entity reads. Runs in the feed's thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import views
from engine.status import ENDED, STATUS_OF
from engine.store.wave import Wave
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client


@dataclass(frozen=True)
class EntityNews:
    """An entity at one moment, with the log of one of its tasks."""

    detail: views.EntityDetail
    needs: Mapping[str, tuple[str, ...]]
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
        self._needs: dict[str, tuple[str, ...]] = {}
        self._script = ""
        self._last: EntityNews | None = None

    def read(self, redis: Client) -> tuple[EntityNews | None, float]:
        """The entity, and half a second; more when all its tasks have ended."""
        store = Waves(redis)
        wave = self._wave = self._wave or store.get(self._name)
        if not self._script:
            self._number = views.number_of(store, wave, self._entity)
            self._prepare(store, wave)
        store.progress(wave)  # says when the wave is gone
        detail = views.entity_by_number(redis, wave, self._number, logs=False)
        task = self.task if self.task in wave.tasks else ""
        log = store.log(wave, wave.tasks.index(task), self._number) if task else ""
        ends = {STATUS_OF[cell] for cell in ENDED}
        ended = all(row.status in ends for row in detail.tasks)
        news = EntityNews(detail, self._needs, task, log, self._script, ended)
        changed, self._last = news != self._last, news
        return news if changed else None, 3.0 if ended else 0.5

    def _prepare(self, store: Waves, wave: Wave) -> None:
        self._needs = {t.name: tuple(i.name for i in t.edges) for t in store.plan(wave).tasks}
        self._script = views.script_by_number(store, wave, self._number)
