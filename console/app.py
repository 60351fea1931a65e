"""The console: wires themes, screens and keys. What happens on a screen is that screen's."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from console import theme
from console.actions import available, bindings
from console.screens.base import DeckScreen
from console.screens.waves import WavesScreen


class WavedeckApp(App[None]):
    """The console on the Redis at `redis_url`.

    Parameters:
        read_only: nothing that changes Redis can be done.
        locator: a wave to open at once, named as `Waves.get` takes it.
        note: a few words about this session, in the header of the first screen.
        theme: one of Textual's themes or ours; else `TEXTUAL_THEME`, else `wavedeck-dark`.
    """

    TITLE = "wavedeck"
    CSS_PATH = "screens/base.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("everywhere")]

    def __init__(
        self,
        redis_url: str,
        *,
        read_only: bool = False,
        locator: str | None = None,
        note: str = "",
        theme: str | None = None,
    ) -> None:
        super().__init__()
        self.redis_url, self.read_only, self.note = redis_url, read_only, note
        self._locator, self._first_theme = locator, theme or os.environ.get("TEXTUAL_THEME") or "wavedeck-dark"

    def get_default_screen(self) -> Screen[None]:
        return WavesScreen()

    def on_mount(self) -> None:
        theme.register(self, self._first_theme)
        if self._locator:
            self.open_wave(self._locator, self._locator)
        gc.freeze()  # what is loaded stays; without it a full collection takes longer than a frame

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

    def open_wave(self, wave: str, locator: str) -> None:
        """Shows a wave."""
        from console.screens.wave import WaveScreen

        self.push_screen(WaveScreen(wave, locator))

    def launched(self, wave: tuple[str, str] | None) -> None:
        """Shows the wave (id, locator) that a dialog has started."""
        if wave is not None:
            self.open_wave(*wave)

    def cancelled(self, told: str | None) -> None:
        """Tells what a dialog has cancelled."""
        if told is not None:
            self.notify(told, markup=False)

    def action_keys(self) -> None:
        from console.screens.help import HelpScreen

        if isinstance(self.screen, DeckScreen):
            self.push_screen(HelpScreen(self.read_only))

    def action_next_theme(self) -> None:
        names = [t.name for t in theme.THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]


def run_console(url: str, *, read_only: bool = False, locator: str | None = None, note: str = "") -> None:
    """Opens the console and returns when it is closed. Options as `WavedeckApp` has them."""
    WavedeckApp(url, read_only=read_only, locator=locator, note=note).run()
