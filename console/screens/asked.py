"""What the screen of an entity asks for beside its feed, each thing once: differences, what is like a failure, what a task wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from console.entity_view import TaskRow
from console.moment import now
from console.reports.alike import Alike
from console.reports.inputs import Against, InputsDiff
from console.reports.replay import Replay
from console.sources.entity import EntityNews
from engine.status import Status

if TYPE_CHECKING:
    from engine.store.connect import Client

LOST = (Status.FAILED, Status.BLOCKED)
AGAIN = 30.0
"""Seconds after which is looked again for what is like a failure of a wave that goes on."""

Ask = Callable[[str, Callable[["Client"], object]], None]
"""Asks Redis, off the screen's path; the answer comes to `Asked.answered`."""


class Asked:
    """What was asked for an entity's tasks, by task and status: what is known of a task that has moved on is asked for again."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._diffs: dict[tuple[str, str, Against], InputsDiff | None] = {}
        self._alike: dict[tuple[str, str], tuple[float, Alike | None]] = {}
        self._values: dict[str, str | None] = {}
        self._replays: dict[str, Replay | str | None] = {}

    def diff(self, news: EntityNews, task: TaskRow, against: Against) -> InputsDiff | None:
        """The difference of a task's inputs; None until it is there."""
        key = (task.task, task.status, against)
        if key not in self._diffs:
            self._diffs[key] = None
            wave, number, name = news.detail.wave, news.detail.number, task.task

            def question(redis: Client) -> object:
                from console.reports.inputs import diff
                from engine.store.waves import Waves

                return key, diff(redis, Waves(redis).get(wave), number, name, against)

            self._ask("diff", question)
        return self._diffs[key]

    def alike(self, news: EntityNews, task: TaskRow) -> Alike | None:
        """What else is like a task that was lost, as far as it is known; asked for again while the wave goes on."""
        if task.status not in LOST:
            return None
        key = (task.task, task.status)
        asked, before = self._alike.get(key, (0.0, None))
        if not asked or (news.live and now() - asked > AGAIN):
            self._alike[key] = (now(), before)
            wave, number, name = news.detail.wave, news.detail.number, task.task

            def question(redis: Client) -> object:
                from console.reports.alike import alike
                from engine.store.waves import Waves

                return key, alike(redis, Waves(redis).get(wave), number, name)

            self._ask("alike", question)
        return before

    def replay(self, task: str) -> Replay | str | None:
        """What came of the replay of a task, or why nothing did; None while it runs."""
        return self._replays.get(task)

    def run(self, news: EntityNews, task: TaskRow, url: str) -> None:
        """Replays a task, unless that runs already."""
        name, wave, entity = task.task, news.detail.wave, news.detail.entity
        if name in self._replays and self._replays[name] is None:
            return
        self._replays[name] = None

        def question(redis: Client) -> object:
            from console.reports.replay import replay
            from engine.errors import WavedeckError

            try:
                return name, replay(redis, url, wave, entity, name).replay
            except WavedeckError as e:
                return name, str(e)

        self._ask("replay", question)

    def value(self, key: str) -> str:
        """What a task wrote, its beginning, as text; empty until it is there."""
        if key and key not in self._values:
            self._values[key] = None

            def question(redis: Client) -> object:
                from console.reports.used import preview

                return key, preview(redis, key)

            self._ask("value", question)
        return self._values.get(key) or ""

    def answered(self, name: str, value: Any) -> None:
        """An answer has come."""
        key, found = value
        if name == "diff":
            self._diffs[key] = found
        elif name == "alike":
            self._alike[key] = (now(), found)
        elif name == "value":
            self._values[key] = found
        elif name == "replay":
            self._replays[key] = found

    def refused(self, name: str) -> None:
        """Nothing came of it: it may be asked for again."""
        if name == "diff":
            self._diffs = {key: found for key, found in self._diffs.items() if found is not None}
        elif name == "replay":
            self._replays = {key: found or "Redis could not be asked" for key, found in self._replays.items()}
