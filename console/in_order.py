"""Keys one after another. Textual passes a key to whatever has the focus when it arrives, and what that does not take climbs back to
the app: of keys that come in one burst (a paste, a slow link, `tmux send-keys`) the second is under way before the first has moved the
focus, and a letter overtakes a backspace. Here each waits until the one before has done all that it does."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 2.0
"""Seconds that a key waits at most for those before it."""
QUICK = 100
"""Turns of the loop after which something slow is under way: it is looked at less often then."""


class InOrder(App[None]):
    """An app whose keys and pastes do not overtake each other, none of which is lost."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._to_come: deque[events.Key | events.Paste] = deque()
        self._on_its_way: asyncio.Task[None] | None = None

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._to_come.append(event)
        if self._on_its_way is None:
            await self._go_on()

    async def _go_on(self) -> None:
        """Lets keys go, up to one that must be seen out before the next."""
        self._on_its_way = None
        while self._to_come:
            event, path = self._to_come.popleft(), self._path()
            if not _is_text(event, path[0]):
                self._on_its_way = asyncio.create_task(self._see_out(path))
            await super().on_event(event)
            if self._on_its_way is not None:
                return

    async def _see_out(self, path: Iterable[MessagePump]) -> None:
        """Waits until a key has gone its way, and whatever it has set going where the next one will go; then that may go."""
        end, turns = time.monotonic() + LONGEST, 0
        try:
            while time.monotonic() < end:
                await asyncio.sleep(0 if turns < QUICK else 0.002)
                turns += 1
                if all(map(_at_rest, (*path, *self._path()))):
                    break
        finally:
            self.call_later(self._go_on)

    def _path(self) -> list[MessagePump]:
        """Where a key goes that comes now: from what has the focus up to the app."""
        if not self._screen_stack:
            return [self]
        return list((self.focused or self.screen).ancestors_with_self)


def _is_text(event: events.Event, focus: MessagePump) -> bool:
    """Whether it is a letter for a field, which takes it at once: what comes behind it cannot overtake it."""
    return isinstance(event, events.Key) and isinstance(focus, Widget) and focus.check_consume_key(event.key, event.character)


def _at_rest(pump: MessagePump) -> bool:
    """Whether a part of the app waits for a message, and none has come. What is closed will do nothing any more."""
    ready: Any = pump._message_queue.ready_event  # asyncio's, with those who wait for it
    return pump._closing or pump._closed or (bool(ready._waiters) and not ready.is_set())
