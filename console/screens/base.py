"""What all screens share: a feed while they live, the age of what they show, a filter, the command line and the actions."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.screen import Screen

from console.actions import available, forbidden, refused
from console.feed import Answer, Feed, FeedLost, Gone, News, Refusal, Source
from console.keys import Action, Scope
from console.locator import Locator
from console.moment import now
from console.pattern import BadPattern, SlowPattern
from console.screens.chrome import Header, Rule
from console.screens.prompts import FilterBar, Foot

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.app import WavedeckApp
    from engine.store.connect import Client

STALE = 3.0
"""Seconds without an answer after which a screen says so."""
CALM = 5.0
"""Seconds between steps of a clock, and looks at what is told by the minute, while nothing moves: a console at rest costs next to nothing."""
QUIET = 2.8
"""Seconds without news after which the clock goes on by itself; before, it goes on with the news. At rest news come every 2.5 s, and to
be woken for a clock as well would be a fifth of what the console takes then."""
UNDER_A_DIALOG, HIDDEN = 2.0, 20.0
"""Seconds between reads of a screen that is seen around a dialog, and of one that nobody sees."""


class DeckScreen(Screen[None]):
    """A screen that shows what a source tells. While Redis is silent it is grey and says since when; keys go on working.

    `place` says what it shows; a screen that learns more of it, such as a wave's id, puts that in.
    """

    scope: ClassVar[Scope]
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (110, "-middle"), (150, "-wide")]  # type: ignore[misc]

    def __init__(self, place: Locator) -> None:
        super().__init__()
        self.place = place
        self.paused = False
        self._feed: Feed | None = None
        self._number = 0
        self._at: float | None = None
        self._as_of: float | None = None
        self._age_told: tuple[object, ...] = ()
        self._born = self._seen_since = now()
        self._hidden = False
        self._lost = ""
        self._unshown: object | None = None
        self._misread_as = ""
        self._ticked = time.monotonic()
        self._quiet: asyncio.TimerHandle | None = None

    # what a screen says of itself

    def source(self) -> Source:
        """What the screen's feed reads."""
        raise NotImplementedError

    def show(self, body: object) -> None:
        """Shows what the source told."""
        raise NotImplementedError

    def filtered(self, text: str) -> None:
        """Filters by `text`; `place.filter` has it already."""

    def moved(self, place: Locator) -> bool:  # noqa: ARG002
        """Shows another place of the same view in this very screen, if it can; the place is set when it says so."""
        return False

    def copied(self) -> str:
        """What `c` copies: the row under the cursor, as text."""
        return ""

    def incident(self) -> Callable[[Client], str] | None:
        """What `Y` copies, found out off the screen's path; None where there is no incident."""
        return None

    # what it has

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
        return Foot(self._actions())

    def on_mount(self) -> None:
        self._feed = self.deck.make_feed(self.source(), self)
        self.call_after_refresh(self._feed.start)
        self._seconds = self.set_interval(1.0, self._second)
        if self.place.filter:
            self.set_filter(self.place.filter)

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._feed.stop()
        if self._quiet is not None:
            self._quiet.cancel()

    def on_screen_suspend(self, _event: events.ScreenSuspend) -> None:
        self._hidden = isinstance(self.app.screen, DeckScreen) and self.app.screen is not self
        if self._feed is not None:
            self._feed.slow(HIDDEN if self._hidden else UNDER_A_DIALOG)
            if self._hidden:
                self._seconds.pause()

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        if self.app.screen is self:  # not those that are only passed on the way to a place
            self.deck.history.visit(self.place)
        if self._hidden:
            self._hidden, self._seen_since = False, now()
            self._seconds.resume()
        if self._feed is not None:
            self._feed.slow(0.0)

    # news

    def on_news(self, message: News) -> None:
        if message.number <= self._number:
            return
        self._number, self._at, self._lost = message.number, message.at, ""
        self._unshown = self._unshown if message.body is None else message.body
        if self._unshown is not None:
            with self.deck.unbroken():  # what could not be shown is tried again with the next news
                self.show(self._unshown)
                self._unshown, self._as_of = None, message.at
        self._look_at_age()
        self._wind()

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

    def refresh_now(self) -> None:
        """Asks at once."""
        self.feed.wake()

    def every_second(self) -> None:
        """What changes with the clock; not called while another screen hides this one. At rest it is called for two or three seconds
        at once."""

    @property
    def hurried(self) -> bool:
        """Whether something is shown that is told by the second, though nothing else may happen."""
        return False

    def _second(self) -> None:
        passed = int(time.monotonic() - self._ticked + 0.5)
        self._ticked += passed
        if not self._hidden:
            self._look_at_age()
            for _ in range(min(passed, int(CALM))):
                self.every_second()

    def _wind(self) -> None:
        """The clock goes on with the news that have come, and by itself when none come for a while."""
        if time.monotonic() - self._ticked >= 1:
            self._second()
        if self._quiet is not None:
            self._quiet.cancel()
        if self.hurried:
            self._unwind()
        else:
            self._seconds.pause()
            self._quiet = asyncio.get_running_loop().call_later(QUIET, self._unwind)

    def _unwind(self) -> None:
        if not self._hidden:
            self._seconds.resume()

    def _look_at_age(self) -> None:
        if self._hidden:
            return
        silent = now() - max(self._at or self._born, self._seen_since)
        covered = self.app.screen is not self
        late = silent > (STALE if not covered else STALE + 3) and not self.paused
        trouble = self._lost or ("no answer" if late else "")
        if self._at is not None and (trouble or self._as_of is None or self._at - self._as_of >= CALM):
            self._as_of = self._at
        if (told := (self._as_of, trouble, self.paused)) != self._age_told:
            self._age_told = told
            self.query_one(Header).fresh(self._as_of, trouble, paused=self.paused)
            self.set_class(bool(trouble), "-stale")

    # filtering

    def set_filter(self, text: str) -> None:
        """Filters by `text` and shows that in the bar; nothing takes the filter away."""
        for bar in self.query(FilterBar):
            bar.put(text)
            self.on_filter_bar_changed(FilterBar.Changed(text))

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self.place = replace(self.place, filter=event.text.strip())
        with self.deck.unbroken():
            self.filtered(event.text)

    def misread(self, error: BadPattern) -> None:
        """A list could not be filtered: what was found before stays. Of half a pattern nothing is said, the other half will follow."""
        told = f"{self.place.filter}: {error}"
        if isinstance(error, SlowPattern) and told != self._misread_as:
            self._misread_as = told
            self.say(told, bad=True)

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        bar = self.query_one(FilterBar)
        bar.put(bar.text if event.keep else "")
        self.refocus()

    def refocus(self) -> None:
        """Gives the focus to the main panel."""
        for widget in self.query(self.AUTO_FOCUS).results() if self.AUTO_FOCUS else ():
            widget.focus()
            return

    def action_filter(self) -> None:
        for bar in self.query(FilterBar):
            bar.open()

    # actions

    def _actions(self) -> list[Action]:
        return available(self.scope, read_only=self.deck.read_only, keymap=self.deck.settings.keys)

    def rights_changed(self) -> None:
        """Whether this session may write has been found out."""
        self.refresh_bindings()
        for foot in self.query(Foot):
            foot.tell(self._actions())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Read-only mode has no dangerous action."""
        return not forbidden(action, read_only=self.deck.read_only)

    def on_key(self, event: events.Key) -> None:
        """A key that nothing has taken yet: where read-only mode has taken its action away, that is said."""
        action = refused(self.scope, event.key, self.deck.settings.keys) if self.deck.read_only else None
        if action is not None:
            event.stop()
            self.say(f"read-only: this session may not {action.words}", bad=True)

    def say(self, text: str, *, bad: bool = False) -> None:
        """A notice, as plain text on one line."""
        self.deck.tell(text, bad=bad)

    def pause(self, paused: bool) -> None:
        """Stops the news, or lets them go on."""
        self.paused = paused
        self.feed.pause(paused)
        self._look_at_age()

    def action_back(self) -> None:
        """Out of the filter if there is one, else out of the screen."""
        for bar in self.query(FilterBar):
            if bar.has_class("-on"):
                bar.post_message(FilterBar.Left(keep=False))
                return
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def on_foot_said(self, event: Foot.Said) -> None:
        event.stop()
        self.query_one(Foot).close()
        self.refocus()
        self.deck.obey(event.text)

    def action_incident(self) -> None:
        question = self.incident()
        if question is None:
            self.say("no incident here")
        else:
            self.deck.errand(self, "incident", question)

    def action_watch(self) -> None:
        if self.place.of:
            self.deck.watch_place(self.place)

    def on_answer(self, message: Answer) -> None:
        if message.name == "incident":
            self.deck.copy(message.value, "an incident block")
        else:
            with self.deck.unbroken():
                self.answered(message.name, message.value)

    def answered(self, name: str, value: Any) -> None:
        """What an errand of this screen has brought back."""

    def on_refusal(self, message: Refusal) -> None:
        self.say(message.reason, bad=True)
