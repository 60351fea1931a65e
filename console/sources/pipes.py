"""What the pipes' screen reads: a level of the pipes or one pipe, and what goes beside it. Runs in the feed's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.locator import Locator
from console.reports.levels import level_of, split
from console.reports.pipes import Shown, key_of, peek, shown
from console.sources.pipe_levels import Dates, Entities, Level, Names, Versions, View
from engine.errors import WavedeckError
from engine.store.catalog import Catalog

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY = 2.0
KEPT = 6
"""Levels that are kept as they were read, so that going back and forth costs nothing."""


@dataclass(frozen=True)
class Ask:
    """What the screen wants to see.

    Parameters:
        first: the first row of the level that is wanted, and `rows` how many.
        chosen: the row under the cursor; what is in it goes beside, if `beside`.
        find: where the cursor is to stand, when that is not known yet.
        parent: whether the level above is wanted, too.
        start: begin inside the version `prefer`, or the last active one.
    """

    place: Locator
    first: int = 0
    rows: int = 100
    chosen: str = ""
    find: str = ""
    beside: bool = False
    parent: bool = False
    start: bool = False
    prefer: str = ""


@dataclass(frozen=True, eq=False)
class PipesNews:
    """A level or a pipe. `place`: where it is, which is another one only when it was to `start`; `version` and `name`: the two parts of
    its path; `versions`: how many there are; `beside`: the level below the chosen row, or `glance`, its value; `error`: why there is
    nothing."""

    place: Locator
    level: str
    version: str = ""
    name: str = ""
    versions: int = 0
    view: View | None = None
    parent: View | None = None
    beside: View | None = None
    chosen: str = ""
    glance: Shown | None = None
    shown: Shown | None = None
    error: str = ""

    def same(self, other: PipesNews | None) -> bool:
        """Whether both tell the same; values are compared by identity, as they never change."""
        if other is None:
            return False
        mine = (self.place, self.view, self.parent, self.beside, self.chosen, self.error, self.versions)
        theirs = (other.place, other.view, other.parent, other.beside, other.chosen, other.error, other.versions)
        return mine == theirs and self.glance is other.glance and self.shown is other.shown


class PipesSource:
    """Answers `ask`, which may be set from any thread, as a whole."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._levels: dict[tuple[str, ...], Level] = {}
        self._values: dict[tuple[str, ...], Shown] = {}
        self._last: PipesNews | None = None

    def read(self, redis: Client) -> tuple[PipesNews | None, float]:
        """What is asked for; at once again while there is more to find out."""
        ask = self.ask
        try:
            news, busy = self._answer(redis, ask)
        except WavedeckError as wrong:
            news, busy = PipesNews(ask.place, level_of(ask.place), error=str(wrong).partition("\n")[0]), False
        changed, self._last = not news.same(self._last), news
        return news if changed else None, 0.0 if busy else EVERY

    def _answer(self, redis: Client, ask: Ask) -> tuple[PipesNews, bool]:
        place, versions = ask.place, Catalog(redis).versions()
        if ask.start and not place.path and versions:
            place = replace(place, path=ask.prefer if ask.prefer in versions else self._begin(redis))
        version, name = split(place.path, versions)
        level = "pipes" if version and not name else level_of(place)
        news = PipesNews(place, level, version, name, len(versions))
        if level == "value":
            return replace(news, shown=self._value(redis, news)), False
        here = self._level(news.place, level, version, name)
        view = here.read(redis, ask.first, ask.rows, ask.find)
        chosen = ask.chosen or view.name_at(view.at)
        news = replace(news, view=view, chosen=chosen)
        if ask.parent and level != "versions":
            news = replace(news, parent=self._parent(redis, news))
        if not (ask.beside and chosen) or here.busy:
            return news, here.busy
        if self._last is None or self._last.view is None or self._last.place != place:
            return news, True  # the level itself first, what goes beside it with the next read
        return self._beside(redis, news, chosen)

    def _begin(self, redis: Client) -> str:
        view = self._keep(("versions", ""), Versions).read(redis, 0, 1000, "")
        return view.name_at(view.at)

    def _keep(self, key: tuple[str, ...], make: Callable[[], Level]) -> Level:
        """The level that was read under this key, or a new one; the longest unused is forgotten."""
        found = self._levels.pop(key, None) or make()
        self._levels[key] = found
        while len(self._levels) > KEPT:
            del self._levels[next(iter(self._levels))]
        return found

    def _level(self, place: Locator, level: str, version: str, name: str) -> Level:
        query = place.filter
        key = (level, place.path, place.date if level == "entities" else "", query)
        if level == "versions":
            return self._keep((level, query), lambda: Versions(query))
        if level == "pipes":
            return self._keep(key, lambda: Names(version, query))
        if level == "dates":
            return self._keep(key, lambda: Dates(version, name, query))
        return self._keep((*key, place.other), lambda: Entities(version, name, place.date, query, place.other))

    def _parent(self, redis: Client, news: PipesNews) -> View:
        place = news.place
        if news.level == "pipes":
            return self._level(Locator("pipes"), "versions", "", "").read(redis, 0, 200, news.version)
        if news.level == "dates":
            return self._level(Locator("pipes", path=news.version), "pipes", news.version, "").read(redis, 0, 200, news.name)
        level = self._level(replace(place, date="", filter=""), "dates", news.version, news.name)
        at = max(level.read(redis, 0, 1, place.date).at, 0)
        return level.read(redis, max(at - 50, 0), 100, place.date)

    def _beside(self, redis: Client, news: PipesNews, chosen: str) -> tuple[PipesNews, bool]:
        """The level below the chosen row, or its value."""
        inside = replace(news.place, filter="")
        if news.level == "versions":
            below = self._level(replace(inside, path=chosen), "pipes", chosen, "")
        elif news.level == "pipes":
            below = self._level(replace(inside, path=f"{news.version}/{chosen}"), "dates", news.version, chosen)
        elif news.level == "dates":
            below = self._level(replace(inside, date=chosen, other=""), "entities", news.version, news.name)
        else:
            key = key_of(news.version, news.name, chosen, news.place.date)
            return replace(
                news, glance=self._kept(("peek", str(key), inside.other), lambda: peek(redis, key, inside.other))
            ), False
        return replace(news, beside=below.read(redis, 0, 60, "")), False

    def _value(self, redis: Client, news: PipesNews) -> Shown:
        place = news.place
        key = key_of(news.version, news.name, place.entity, place.date)
        if not redis.exists(str(key)):
            self._values.clear()
        number = next((n for level in self._levels.values() if (n := level.number_of(key)) >= 0), -1)
        return self._kept(("value", str(key), place.other), lambda: shown(redis, key, place.other, number=number))

    def _kept(self, key: tuple[str, ...], read: Callable[[], Shown]) -> Shown:
        """A pipe never changes, so one that was read is kept; two of them, as they may be large."""
        if key not in self._values:
            if len(self._values) > 1:
                del self._values[next(iter(self._values))]
            self._values[key] = read()
        return self._values[key]
