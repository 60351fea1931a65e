"""What can be done with a wave from every screen that knows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.locator import Locator
from console.screens.base import DeckScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.connect import Client


class WaveVerbs(DeckScreen):
    """The actions of `keys.py` about a wave: for screens that say by `target` which one."""

    def target(self) -> Locator | None:
        """The wave that keys act on, as `Locator("wave", …)`; None when there is none."""
        return Locator("wave", wave=self.place.wave, name=self.place.name) if self.place.of else None

    def action_families(self) -> None:
        self._show_of("failures")

    def action_changes(self) -> None:
        self._show_of("changes")

    def action_coverage(self) -> None:
        wave = self.target()
        self.deck.go(Locator("coverage", path=wave.name.rpartition(" ")[0] if wave else ""))

    def action_first_red(self) -> None:
        wave = self.target()
        if wave is None:
            return

        def question(redis: Client) -> object:
            from console.reports.failures import first_red
            from engine.store.waves import Waves

            found = first_red(redis, Waves(redis).get(wave.of))
            return (
                Locator("entity", wave=found.wave, name=found.locator, entity=found.entity, task=found.task) if found else None
            )

        self.deck.errand(self, "first red", question)

    def action_trigger(self) -> None:
        from console.dialogs.trigger import TriggerDialog

        wave = self.target()
        flow, _, rest = (wave.name if wave else "").partition("@")
        version = rest.rpartition(" ")[0] or "main"
        self.app.push_screen(TriggerDialog(flow, version), self.deck.launched)

    def action_cancel_wave(self) -> None:
        from console.dialogs.cancel import CancelDialog

        if (wave := self.target()) is not None:
            self.app.push_screen(CancelDialog(wave.of, wave.name), self.deck.cancelled)

    def action_watch(self) -> None:
        if (wave := self.target()) is not None:
            self.deck.watch_place(wave)

    def incident(self) -> Callable[[Client], str] | None:
        place = self.incident_place()
        if place is None:
            return None

        def question(redis: Client) -> str:
            from console.reports.incident import incident

            return incident(redis, place)

        return question

    def incident_place(self) -> Locator | None:
        """What an incident block is about."""
        return self.target()

    def answered(self, name: str, value: object) -> None:
        if name == "first red":
            if isinstance(value, Locator):
                self.deck.go(value)
            else:
                self.say("nothing failed in this wave")

    def _show_of(self, view: str) -> None:
        if (wave := self.target()) is not None:
            self.deck.go(Locator(view, wave=wave.wave, name=wave.name))  # type: ignore[arg-type]
