"""What the screen of a flow's history reads. Runs in the feed's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.reports.history import FlowHistory, history
from engine.errors import NotFound
from engine.ledger import unwritten
from engine.store.ledger import Ledger, name_of
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY = 2.5
MOST = 400
"""Waves of a flow that are shown: more than two weeks of hours."""


class HistorySource:
    """The ledger of a flow (`flow@version`; of the newest wave's when there is none)."""

    def __init__(self, flow: str) -> None:
        self._flow, _, self._version = flow.partition("@")
        self._seen: object = None

    def read(self, redis: Client) -> tuple[FlowHistory | None, float]:
        """The history, when there is another record.

        Raises:
            NotFound: no flow is named, and there is no wave.
        """
        flow, version = self._flow, self._version
        if not flow or not version:
            newest = Waves(redis).recent(1, flow=flow or None)
            if not newest:
                raise NotFound(
                    f"no wave of {flow} is there; say which version: history {flow}@main" if flow else "there is no wave yet"
                )
            flow, version = newest[0].wave.flow, version or newest[0].wave.version
        missing = unwritten(redis, version, flow=flow)
        state = Ledger(redis, version).names(flow, MOST), [name_of(p.wave) for p in missing]
        if state == self._seen:
            return None, EVERY
        told = history(redis, flow, version, MOST)
        self._flow, self._version, self._seen = flow, version, state
        return told, EVERY
