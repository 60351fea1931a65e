"""The console: wires settings, themes, screens and keys. What happens on a screen is that screen's."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.actions import ActionParseResult
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message_pump import MessagePump
from textual.screen import Screen

from console import theme as theme_module
from console.actions import available, bindings, textual_keymap
from console.feed import Answer, Errand, Feed, Refusal, Source
from console.history import History
from console.in_order import InOrder
from console.locator import VIEWS, BadLocator, Locator, View, parse, way
from console.screens.base import DeckScreen
from console.screens.waves import WavesScreen
from console.settings import Settings
from console.widgets.text import clean

if TYPE_CHECKING:
    from console.watch import Watch
    from engine.fleet.house import House
    from engine.store.connect import Client

THEMES = (*(t.name for t in theme_module.THEMES), "ansi-dark")


class WavedeckApp(InOrder):
    """The console on the Redis at `redis_url`.

    Parameters:
        read_only: nothing that changes Redis can be done.
        locator: where to open, as it is typed after `:`.
        note: a few words about this session, in the header of the first screen.
        theme: one of Textual's themes or ours; else `TEXTUAL_THEME`, else the settings', else `wavedeck-dark`.
        settings: a person's settings; the defaults when not given.
        house: opens the house whose fleets are shown; by the settings when not given.
    """

    TITLE = "wavedeck"
    CSS_PATH = Path(__file__).parent / "screens/base.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("everywhere")]

    def __init__(
        self,
        redis_url: str,
        *,
        read_only: bool = False,
        locator: str | None = None,
        note: str = "",
        theme: str | None = None,
        settings: Settings | None = None,
        house: Callable[[], House] | None = None,
    ) -> None:
        super().__init__()
        self.redis_url, self.read_only, self.note = redis_url, read_only, note
        self.settings = settings or Settings()
        self.history = History()
        self.typed: list[str] = []
        self._start = parse(locator) if locator else None
        self._first_theme = theme or os.environ.get("TEXTUAL_THEME") or self.settings.theme or "wavedeck-dark"
        self._watch: Watch | None = None
        self._open_house, self._house = house, cast("House | None", None)
        theme_module.begin_with(self, self._first_theme)

    def get_default_screen(self) -> Screen[None]:
        home = self._start is not None and self._start.view == "waves"
        return WavesScreen(self._start if self._start is not None and home else Locator())

    def on_mount(self) -> None:
        if self.theme != self._first_theme:
            self.theme = self._first_theme
        if self.settings.keys:
            self.set_keymap(textual_keymap(self.settings.keys))
        if self._start is not None:
            self.go(self._start)
        self.call_after_refresh(self._ask_about_redis)
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        gc.enable()
        gc.freeze()  # what is loaded stays; without it a full collection takes longer than a frame

    def on_unmount(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """None below a screen that hides all: Textual would paint the whole terminal whenever one below it changes."""
        top = self.screen
        return [] if isinstance(top, DeckScreen) and top.styles.background.a == 1 else super()._background_screens

    # Redis, always off the screen's path

    def make_feed(self, source: Source, target: MessagePump) -> Feed:
        """The feed of a screen; it can only read."""
        return Feed(self.redis_url, source, target)

    def errand(self, target: MessagePump, name: str, question: Callable[[Client], object], *, write: bool = False) -> None:
        """Asks Redis once; the answer comes to `target` as a message. Changes something only if it may `write`."""
        Errand(self.redis_url, target, name, question, write=write and not self.read_only)

    def house(self) -> House:
        """Where workers run; in read-only mode one that refuses to change anything. For errands: a house may be slow."""
        from console.house import house
        from engine.fleet.read_only import ReadOnlyHouse

        if self._house is None:
            self._house = (self._open_house or house)()
        return ReadOnlyHouse(self._house) if self.read_only else self._house

    @property
    def house_name(self) -> str:
        """Which house it is, once it has been asked; empty until then."""
        return self._house.name if self._house is not None else ""

    def _ask_about_redis(self) -> None:
        def question(redis: Client) -> object:
            from engine.store.connect import can_write
            from engine.store.room import room

            there = room(redis)
            return can_write(redis), there.warning if there is not None else ""

        self.errand(self, "redis", question, write=True)

    def on_answer(self, message: Answer) -> None:
        if message.name != "redis":
            return
        writable, warning = cast("tuple[bool, str]", message.value)
        if warning:
            self.notify(warning, severity="warning", markup=False, timeout=20)
        if not writable and not self.read_only:
            self.read_only = True
            for screen in self.screen_stack:
                if isinstance(screen, DeckScreen):
                    screen.rights_changed()

    def on_refusal(self, message: Refusal) -> None:
        """Whether this session may write is not known; an act will say so itself."""

    # going

    def go(self, place: Locator) -> None:
        """Shows a place: in a screen that is open if it can, else in a new one above those it is in."""
        from console.screens.places import screen_of

        if not isinstance(self.screen, DeckScreen):
            return
        chain, stack = way(place), [cast(DeckScreen, screen) for screen in self.screen_stack]
        keep = 1
        while keep < min(len(chain), len(stack)) and self._shows(stack[keep], chain[keep], last=keep == len(chain) - 1):
            keep += 1
        for _ in stack[keep:]:
            self.pop_screen()
        for further in chain[keep:]:
            self.push_screen(screen_of(further))
        if keep == len(chain):
            top = stack[keep - 1]
            if len(chain) == 1 or top.place.filter != place.filter:
                top.set_filter(place.filter)
            self.history.visit(top.place)

    def _shows(self, screen: DeckScreen, place: Locator, *, last: bool) -> bool:
        if screen.place.view == place.view and last and screen.moved(place):
            return True
        return screen.place.same(place)

    def obey(self, line: str) -> None:
        """Does what was typed after `:`."""
        line = line.strip()
        if not line:
            return
        self.typed = [*(t for t in self.typed if t != line), line][-50:]
        word, _, rest = line.removeprefix(":").partition(" ")
        if word in ("q", "quit"):
            self.exit()
        elif word == "theme" and rest in self.available_themes:
            self.theme = rest
        else:
            try:
                self.go(parse(line))
            except BadLocator as error:
                self.tell(str(error), bad=True)

    def action_command(self) -> None:
        if isinstance(self.screen, DeckScreen):
            from console.screens.prompts import Foot

            places = [str(p.place) for p in self.screen_stack if isinstance(p, DeckScreen)]
            known = dict.fromkeys([*self.known_places(), *places, *VIEWS, *(f"theme {name}" for name in THEMES), "quit"])
            self.screen.query_one(Foot).ask(self.typed, list(known))

    def known_places(self) -> list[str]:
        """Waves that the home screen knows, as they are typed."""
        home = self.screen_stack[0]
        rows = home.known() if isinstance(home, WavesScreen) else ()
        return [f"{view} {name}" for view in ("wave", "failures", "changes") for name in rows]

    def action_go(self, view: str) -> None:
        if view == "waves":
            self.go(Locator())
        else:
            self.go(Locator(cast(View, view)))

    def action_last(self) -> None:
        if self.history.last is not None:
            self.go(self.history.last)

    def action_history(self, steps: int) -> None:
        if (place := self.history.step(steps)) is not None:
            self.go(place)

    # errors

    strict: ClassVar[bool] = False
    """Whether an error of the console's own ends it, as tests want it."""

    @contextlib.contextmanager
    def unbroken(self) -> Iterator[None]:
        """An error within is kept and told, and ends nothing."""
        try:
            yield
        except Exception as error:
            if self.strict:
                raise
            from console.broken import keep

            if (told := keep(error)) is not None:
                self.tell(told, bad=True)

    async def run_action(self, action: str | ActionParseResult, *args: Any, **options: Any) -> bool:
        with self.unbroken():
            return await super().run_action(action, *args, **options)
        return True

    # what works on every screen

    @property
    def deck_screen(self) -> DeckScreen | None:
        """The screen on top, if it is no dialog."""
        return self.screen if isinstance(self.screen, DeckScreen) else None

    def tell(self, text: str, *, bad: bool = False) -> None:
        """A notice, as plain text on one line."""
        self.notify(clean(text[:500]), severity="error" if bad else "information", markup=False)

    def copy(self, text: str, what: str) -> None:
        """Puts `text` into the terminal's clipboard, by OSC 52."""
        self.copy_to_clipboard(text)
        self.tell(f"copied {what}")

    def action_copy(self) -> None:
        if (screen := self.deck_screen) is not None:
            text = screen.copied()
            self.copy(text, f"{text[:60]}{'…' if len(text) > 60 else ''}") if text else self.tell("nothing to copy here")

    def action_copy_place(self) -> None:
        if (screen := self.deck_screen) is not None:
            self.copy(f":{screen.place}", f":{screen.place}")

    def action_pause(self) -> None:
        if (screen := self.deck_screen) is not None:
            screen.pause(not screen.paused)

    def action_refresh_now(self) -> None:
        if (screen := self.deck_screen) is not None:
            screen.refresh_now()

    def action_save(self) -> None:
        if (screen := self.deck_screen) is not None:
            from console.save import hand_over, save

            if self.is_web:  # whoever looks at the page has no business on the disk of the machine that serves it
                self.tell(f"{hand_over(self, screen.place)} is on its way to your browser")
                return
            try:
                files = save(self, screen.place, self.settings.save)
            except OSError as error:
                self.tell(f"not saved: {error}", bad=True)
            else:
                self.tell(f"saved {' and '.join(map(str, files))}")

    def watch_place(self, place: Locator) -> None:
        """Rings when it changes; a second time, no more."""
        from console.watch import Watch

        if self._watch is None:
            self._watch = Watch(self)
        if said := self._watch.toggle(place):
            self.tell(said)

    def on_watch_rang(self, message: Watch.Rang) -> None:
        if self._watch is not None:
            self._watch.ring(message)

    def action_keys(self) -> None:
        from console.screens.help import HelpScreen

        if (screen := self.deck_screen) is not None:
            self.push_screen(HelpScreen(screen.scope, self.read_only, self.settings.keys))

    def action_next_theme(self) -> None:
        self.theme = THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)] if self.theme in THEMES else THEMES[0]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: the registry's actions of the screen it was opened from."""
        if not isinstance(screen, DeckScreen):
            return
        for action in available(screen.scope, read_only=self.read_only):
            if action.run:
                home = screen if action.home != ("everywhere",) else self
                yield SystemCommand(action.words, action.help, lambda run=action.run, home=home: self._run_action(run, home))

    async def _run_action(self, run: str, home: App[None] | Screen[object]) -> None:
        await self.run_action(run, default_namespace=home)

    # acts

    def rerun(self, wave: str, name: str, what: str, entities: Sequence[int] | None = None) -> None:
        """Asks before entities of a wave (its id and name) run again as a new one. `what`: which they are, in words;
        `entities`: their numbers, all that failed or were blocked when not given."""
        from console.dialogs.rerun import RerunDialog

        self.push_screen(RerunDialog(wave, name, what, entities), self.launched)

    def launched(self, wave: tuple[str, str] | None) -> None:
        """Shows the wave (id, name) that a dialog has started."""
        if wave is not None:
            self.go(Locator("wave", wave=wave[0], name=wave[1]))

    def cancelled(self, told: str | None) -> None:
        """Tells what a dialog has cancelled."""
        if told is not None:
            self.tell(told)


def run_console(
    url: str, *, read_only: bool = False, locator: str | None = None, note: str = "", settings: Settings | None = None
) -> None:
    """Opens the console and returns when it is closed. Options as `WavedeckApp` has them."""
    WavedeckApp(url, read_only=read_only, locator=locator, note=note, settings=settings).run()
