"""Which screen shows a place. Screens are imported when they are first shown."""

from __future__ import annotations

from importlib import import_module

from console.locator import Locator, View
from console.screens.base import DeckScreen

SCREENS: dict[View, str] = {
    "waves": "waves.WavesScreen",
    "wave": "wave.WaveScreen",
    "failures": "failures.FailuresScreen",
    "changes": "changes.ChangesScreen",
    "profile": "profile.ProfileScreen",
    "entity": "entity.EntityScreen",
    "pipes": "pipes.PipesScreen",
    "compare": "compare.CompareScreen",
    "state": "state.StateScreen",
    "workers": "workers.WorkersScreen",
    "acts": "acts.ActsScreen",
    "coverage": "coverage.CoverageScreen",
    "history": "history.HistoryScreen",
    "fleet": "fleet.FleetScreen",
}


def screen_of(place: Locator) -> DeckScreen:
    """A new screen that shows `place`."""
    module, name = SCREENS[place.view].split(".")
    screen: DeckScreen = getattr(import_module(f"console.screens.{module}"), name)(place)
    return screen
