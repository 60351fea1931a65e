"""What all screens share: a feed while they live, the age of what they show, and the actions of the registry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.screen import Screen

from console.actions import Scope, available, forbidden
from console.feed import Feed, FeedLost, Gone, News, Source
from console.screens.chrome import FilterBar, Foot, Header, Rule

if TYPE_CHECKING:
    from console.app import WavedeckApp

STALE = 3.0
"""Seconds without an answer after which a screen says so."""


class DeckScreen(Screen[None]):
    """A screen that shows what a source tells. While Redis is silent it is grey and says since when; keys go on working."""

    scope: ClassVar[Scope]
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (110, "-middle"), (150, "-wide")]  # type: ignore[misc]

    def __init__(self) -> None:
        super().__init__()
        self._feed: Feed | None = None
        self._number = 0
        self._at: float | None = None
        self._born = time.time()
        self._lost = ""

    def source(self) -> Source:
        """What the screen's feed reads."""
        raise NotImplementedError

    def show(self, body: object) -> None:
        """Shows what the source told."""
        raise NotImplementedError

    @property
    def deck(self) -> WavedeckApp:
        """The app."""
        from console.app import WavedeckApp

        return cast(WavedeckApp, self.app)

    @property
    def feed(self) -> Feed:
        """The feed; only while the screen lives."""
        assert self._feed is not None  # noqa: S101
        return self._feed

    def foot(self) -> Foot:
        """Legend and keys of this screen."""
        return Foot(available(self.scope, read_only=self.deck.read_only))

    def on_mount(self) -> None:
        self._feed = Feed(self.deck.redis_url, self.source(), self)
        self.call_after_refresh(self._feed.start)
        self.set_interval(0.5, self._look_at_age)

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._feed.stop()

    def on_screen_suspend(self, _event: events.ScreenSuspend) -> None:
        if self._feed is not None:
            self._feed.slow(True)

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        if self._feed is not None:
            self._feed.slow(False)

    def on_news(self, message: News) -> None:
        if message.number <= self._number:
            return
        self._number, self._at, self._lost = message.number, message.at, ""
        if message.body is not None:
            self.show(message.body)
        self._look_at_age()

    def on_feed_lost(self, message: FeedLost) -> None:
        if not self._lost and self.app.screen is self:
            self.say(message.reason, bad=True)
        self._lost = self._lost or "link lost"
        self._look_at_age()

    def on_gone(self, message: Gone) -> None:
        if self._lost != "gone" and self.app.screen is self:
            self.say(message.reason, bad=True)
        self._lost = "gone"
        for rule in self.query(Rule):
            rule.tell(message.reason, bad=True)
        self._look_at_age()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Read-only mode has no dangerous action."""
        return not forbidden(action, read_only=self.deck.read_only)

    def say(self, text: str, *, bad: bool = False) -> None:
        """A notice, as plain text."""
        self.notify(text[:500], severity="error" if bad else "information", markup=False)

    def action_back(self) -> None:
        """Out of the filter if there is one, else out of the screen."""
        for bar in self.query(FilterBar):
            if bar.has_class("-on"):
                bar.post_message(FilterBar.Left(keep=False))
                return
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def _look_at_age(self) -> None:
        silent = time.time() - (self._at or self._born)
        covered = self.app.screen is not self
        trouble = self._lost or ("no answer" if silent > (STALE if not covered else STALE + 3) else "")
        self.query_one(Header).fresh(self._at, trouble)
        self.set_class(bool(trouble), "-stale")
