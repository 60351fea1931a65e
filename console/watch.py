"""`w`: what rings while one looks elsewhere. One feed for all that is watched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.message import Message

from console.feed import News
from console.locator import Locator
from console.widgets.text import clean

if TYPE_CHECKING:
    from console.app import WavedeckApp
    from engine.store.connect import Client

EVERY = 1.0
STALLED = 60.0
"""Seconds without any ended cell after which a running wave counts as stalled."""


class Watching:
    """The source: each watched place in a word or two. `places` may be set from any thread, as a whole."""

    def __init__(self) -> None:
        self.places: tuple[Locator, ...] = ()
        self._moved: dict[Locator, tuple[object, float]] = {}

    def read(self, redis: Client) -> tuple[Mapping[Locator, str], float]:
        """Place → how it is."""
        from engine.errors import NotFound

        told = {}
        for place in self.places:
            try:
                told[place] = self._pulse(redis, place)
            except NotFound:
                told[place] = "gone"
        return told, EVERY

    def _pulse(self, redis: Client, place: Locator) -> str:
        from console import entity_view, views
        from engine.status import Status
        from engine.store.waves import Waves

        store = Waves(redis)
        wave = store.get(place.of)
        if place.view == "entity":
            rows = entity_view.entity(redis, wave.id, place.entity, logs=False).tasks
            worst = next((r for s in ("Failed", "Blocked", "Cancelled") for r in rows if r.status == s), None)
            ended = sum(r.status not in ("Pending", "Running") for r in rows)
            return f"{worst.task} {worst.status.lower()}" if worst else "finished" if ended == len(rows) else "under way"
        progress = store.progress(wave)
        row = views.wave_row(progress)
        failed = row.counts[Status.FAILED]
        tenfold = f", {10 ** (len(str(failed)) - 1):,}+ failed" if failed else ""
        if row.phase != "running":
            return f"{row.phase}{f', {failed:,} failed' if failed else ''}"
        seen, since = self._moved.get(place, (None, 0.0))
        if seen != progress.counts:
            self._moved[place] = progress.counts, time.monotonic()
        elif time.monotonic() - since > STALLED:
            return f"stalled: nothing moved for {STALLED:.0f} s{tenfold}"
        return f"running{tenfold}"


class Watch:
    """What an app watches."""

    class Rang(Message, bubble=False):
        """A watched place is another than it was. `before` is "" when it was looked at for the first time."""

        def __init__(self, place: Locator, before: str, now: str) -> None:
            super().__init__()
            self.place, self.before, self.now = place, before, now

    def __init__(self, app: WavedeckApp) -> None:
        self._app = app
        self._watching = Watching()
        self._known: dict[Locator, str] = {}
        self._feed = app.make_feed(self._watching, _Listener(self))  # type: ignore[arg-type]
        self._feed.start()

    @property
    def places(self) -> tuple[Locator, ...]:
        """What is watched."""
        return self._watching.places

    def toggle(self, place: Locator) -> str:
        """Watches `place`, or no more and says so; that it is watched is said once it is known what it was."""
        place = replace(place, view="entity" if place.view == "entity" else "wave", filter="", task="")
        watched = place in self.places
        self._watching.places = tuple(p for p in self.places if p != place) if watched else (*self.places, place)
        self._known.pop(place, None)
        self._feed.wake()
        return f"no longer watching {name_of(place)}" if watched else ""

    def hear(self, told: Mapping[Locator, str]) -> None:
        """Runs in the feed's thread."""
        for place, word in told.items():
            before = self._known.get(place, "")
            self._known[place] = word
            if before != word:
                self._app.post_message(self.Rang(place, before, word))

    def ring(self, rang: Rang) -> None:
        """The bell, the terminal's title, and a notice; at first the notice alone."""
        if not rang.before:
            self._app.tell(f"watching {name_of(rang.place)}: {rang.now}; w again ends that")
            return
        text = f"{name_of(rang.place)}: {rang.now} (was {rang.before})"
        self._app.tell(text, bad="failed" in rang.now or "stalled" in rang.now)
        if self._app.settings.bell:
            self._app.bell()
        if (driver := self._app._driver) is not None:  # Textual has no public way to set the terminal's title
            driver.write(f"\x1b]2;wavedeck: {clean(text)}\x07")

    def stop(self) -> None:
        """No more."""
        self._feed.stop()


class _Listener:
    """Stands where a screen stands for other feeds."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def post_message(self, message: Message) -> bool:
        if isinstance(message, News):
            self._watch.hear(message.body)  # type: ignore[arg-type]
        return True


def name_of(place: Locator) -> str:
    """A watched place as people call it."""
    return " ".join(filter(None, [place.name or place.wave, place.entity]))
