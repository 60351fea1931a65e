"""Under Amazon ECS a busy worker is protected from scale-in: asked for when it becomes busy, given up when it has been idle a while.

Called from the watcher's loop. Only changes are told, and one in `BETWEEN` seconds at most, so that neither the agent nor ECS is
asked often; a refusal or a silence is said once and tried again later, less and less often. Nothing of this fails any work: a worker
that is stopped unprotected gives back what it holds.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.agent import AGENT, ask, refusal

log = logging.getLogger("wavedeck.worker")
PATIENCE = 0.5
"""Seconds that the agent may be silent: the watcher waits for it."""
IDLE = 10.0
"""Seconds without work after which protection is given up: between two batches is not idle."""
BETWEEN = 3.0
"""Seconds between two calls at least."""
RETRY, LONGEST_RETRY = 10.0, 300.0
MOST_MINUTES = 2880
"""What ECS allows."""
Put = Callable[[str, Any], tuple[int, Any]]


def put(url: str, body: Any) -> tuple[int, Any]:
    """A PUT that waits no longer than the watcher may."""
    return ask(url, body, patience=PATIENCE)


def minutes(longest: float) -> int:
    """For how many minutes to ask, when nothing runs longer than `longest` seconds: some more than that, and at most what ECS allows."""
    return min(max(math.ceil(longest / 60) + 5, 10), MOST_MINUTES)


class Protection:
    """Told at each turn of the watcher whether the worker is busy."""

    def __init__(self, environment: Mapping[str, str], *, longest: float, send: Put = put) -> None:
        """Parameters:
        longest: seconds that a worker may be busy with what it has begun: a task's limit and the stop timeout.
        """
        uri = environment.get(AGENT, "")
        self._url = f"{uri}/task-protection/v1/state" if uri else ""
        self._minutes = minutes(longest)
        self._send = send
        self._on = False
        self._busy_at = -math.inf
        self._renew_at = math.inf
        self._not_before = -math.inf
        self._failures = 0

    def tend(self, busy: bool, now: float | None = None) -> None:
        """Says what has to be said; returns within a second. `now`: monotonic seconds."""
        if not self._url:
            return
        now = time.monotonic() if now is None else now
        if busy:
            self._busy_at = now
        wanted = busy or (self._on and now - self._busy_at < IDLE)
        if (wanted == self._on and not (wanted and now >= self._renew_at)) or now < self._not_before:
            return
        self._say(wanted, now)

    def _say(self, on: bool, now: float) -> None:
        body: dict[str, Any] = {"ProtectionEnabled": on}
        if on:
            body["ExpiresInMinutes"] = self._minutes
        status, told = self._send(self._url, body)
        problem = refusal(told) or ("" if status == 200 else str(told or status))
        if problem:
            wait = min(RETRY * 2**self._failures, LONGEST_RETRY)
            self._not_before = now + wait
            if not self._failures:
                log.warning("task protection could not be %s: %s", "taken" if on else "given up", problem[:300])
            self._failures += 1
            return
        if self._failures:
            log.info("task protection answers again")
        self._on, self._failures = on, 0
        self._not_before = now + BETWEEN
        self._renew_at = now + self._minutes * 60 / 2 if on else math.inf
