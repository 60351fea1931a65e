"""What the screen of workers reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.crew import Crew, WorkerRow

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY = 1.0
JUDGE_EVERY, JUDGE_SHARE = 4.0, 20
"""Seconds between looks at what they did, and what these may cost: one part in so many of the time."""


@dataclass(frozen=True)
class CrewNews:
    """The workers, those alive first; `judged`: the waves that their verdicts are about, the newest first."""

    rows: tuple[WorkerRow, ...]
    judged: tuple[str, ...]


class WorkersSource:
    """The workers of a version, or of all when it is "". `version` may be set from any thread."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._crew, self._of = Crew(version), version
        self._judge_at = float("-inf")
        self._last: CrewNews | None = None

    def read(self, redis: Client) -> tuple[CrewNews | None, float]:
        """The workers, when anything of them is different."""
        if self.version != self._of:
            self._crew, self._of, self._judge_at = Crew(self.version), self.version, float("-inf")
        began = time.monotonic()
        if began >= self._judge_at:
            self._crew.judge(redis)
            self._judge_at = began + max(JUDGE_EVERY, JUDGE_SHARE * (time.monotonic() - began))
        news = CrewNews(self._crew.rows(redis), self._crew.judged)
        changed, self._last = news != self._last, news
        return news if changed else None, EVERY
