"""The pipes: version → name → date → entity → value, with the level above and what is in the chosen row beside each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal

from console.actions import bindings
from console.feed import Source
from console.locator import OF_A_WAVE, Locator
from console.reports.levels import level_of
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.pipe_lists import ItemList, OriginList
from console.screens.pipe_value import Value, ValueView, verdict
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.sources.pipe_levels import View
from console.sources.pipes import Ask, PipesNews, PipesSource
from console.widgets.text import clean

if TYPE_CHECKING:
    from engine.store.connect import Client

ONE = {"versions": "version", "pipes": "pipe", "dates": "date", "entities": "entity"}


class PipesScreen(DeckScreen):
    """One screen for all levels: enter goes in, esc out. `place` is where it is; `_ask` what its source is asked for."""

    scope = "pipes"
    CSS_PATH = "pipes.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pipes")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._ask = Ask(place, start=not place.path and not place.filter)
        self._source = PipesSource(self._ask)
        self._news: PipesNews | None = None
        self._cursors: dict[Locator, int] = {}
        self._settled = False  # whether the cursor has been put where this level begins
        self._skip = False  # whether a level of one date is gone through
        self._compared = ""  # the version that a list of entities is compared with, to come back to

    def compose(self) -> ComposeResult:
        yield Header(["waves", "pipes"])
        yield FilterBar("a regular expression · !not · of a comparison: differs missing equal")
        with Horizontal(id="levels"):
            yield ItemList(id="above", classes="panel", focusable=False)
            yield ItemList(id="items", classes="panel")
            with Container(id="beside"):
                yield ItemList(id="below", classes="panel", focusable=False)
                yield Value(id="glance", focusable=False)
        yield ValueView(id="value")
        yield Rule(id="rule")
        yield self.foot()

    def on_mount(self) -> None:
        if self._ask.start:
            # where one comes from a wave, its version is the one that matters
            came = self.deck.history.here
            prefer = came.name.partition("@")[2].partition(" ")[0] if came is not None and came.view in OF_A_WAVE else ""
            self._put(replace(self._ask, prefer=prefer))
        self._tell_header()
        self.refocus()

    def source(self) -> Source:
        return self._source

    @property
    def items(self) -> ItemList:
        """The list of the level."""
        return self.query_one("#items", ItemList)

    # asking

    def _put(self, ask: Ask) -> None:
        """Asks the source for something else."""
        if ask != self._ask or ask is not self._source.ask:
            self._ask = self._source.ask = ask
            if self._feed is not None:
                self.feed.wake()

    def _look(self) -> None:
        """Asks for the rows that are seen and for what is beside the chosen one."""
        if self._news is None or self._news.view is None or not self._settled:
            return
        first, rows = self.items.window
        have = self._news.view
        if have.first <= first + 30 and (
            first + rows - 30 <= have.first + len(have.rows) or have.first + len(have.rows) == have.count
        ):
            first, rows = self._ask.first, self._ask.rows  # what is here will do
        wide, middle = self.has_class("-wide"), self.has_class("-middle")
        chosen = self.items.chosen or self._ask.chosen
        self._put(replace(self._ask, first=first, rows=rows, chosen=chosen, find="", beside=wide or middle, parent=wide))

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self._look)

    # going

    def moved(self, place: Locator) -> bool:
        if place == self.place:
            return True
        self._go(place)
        return True

    def _go(self, place: Locator, *, find: str = "", skip: bool = False) -> None:
        """Shows another level, or another pipe; the cursor goes where it was there, or to the row `find`."""
        self._cursors[replace(self.place, filter="")] = self.items.cursor
        level = level_of(place)
        self.place = place
        self._settled, self._skip = False, skip
        self.query_one(FilterBar).put(place.filter)
        if level != "value":
            self.items.wait()
        cursor = self._cursors.get(replace(place, filter=""), -1) if not find else -1
        first = max(cursor - 60, 0)
        beside = not self.has_class("-narrow")
        self._put(Ask(place, first=first, find=find, beside=beside, parent=self.has_class("-wide")))
        self.query_one(Rule).tell("asking Redis …")
        self._tell_header()
        self.deck.history.visit(place)

    def _tell_header(self) -> None:
        place, news = self.place, self._news
        known = news is not None and news.version and news.place.path == place.path
        parts = [news.version, news.name] if news is not None and known else [place.path]
        crumbs = ["waves", "pipes", *filter(None, [*parts, place.date, place.entity])]
        facts = [f"versus {place.other}"] if place.other else []
        self.query_one(Header).tell(crumbs, facts)

    def _up(self) -> tuple[Locator, str] | None:
        """The level above, and which of its rows this one is; None where that is another screen."""
        news, place = self._news, replace(self.place, filter="")
        version, name = (news.version, news.name) if news is not None and news.place.path == place.path else ("", "")
        if place.entity:
            return replace(place, entity="", other=self._compared if place.other else ""), place.entity
        if place.date:
            return replace(place, date="", other=""), place.date
        if name:
            return replace(place, path=version, other=""), name
        if version and news is not None and news.versions > 1:
            return Locator("pipes"), version
        return None

    def action_back(self) -> None:
        """Out of the filter, out of the comparison, up a level, out of the pipes."""
        bar = self.query_one(FilterBar)
        if bar.has_class("-on"):
            super().action_back()
        elif self.place.other and not (self.place.entity and self._compared):
            self._compared = ""
            self._go(replace(self.place, other="", filter=""))
        elif (up := self._up()) is not None:
            self._go(up[0], find=up[1])
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    @on(RowList.Chosen)
    def _enter(self, event: RowList.Chosen) -> None:
        event.stop()
        if self.has_class("-value"):
            self._enter_value()
            return
        name, news, place = self.items.chosen, self._news, replace(self.place, filter="")
        if not name or news is None or news.view is None:
            return
        if news.level == "versions":
            self._go(replace(place, path=name))
        elif news.level == "pipes":
            self._go(replace(place, path=f"{news.version}/{name}"), skip=True)
        elif news.level == "dates":
            self._go(replace(place, date=name))
        else:
            self._compared = place.other
            self._go(replace(place, entity=name))

    def _enter_value(self) -> None:
        origins = self.query_one(OriginList)
        if not origins.has_focus:
            self.query_one(ValueView).value.turn()
            return
        origin = origins.chosen
        if origin is None or origin.place is None:
            self.say("that leads nowhere" if origin is None or not origin.missing else "that is not in Redis")
        elif origin.place.view == "pipes":
            self._compared = ""
            self._go(origin.place)
        else:
            self.deck.go(origin.place)

    @on(RowList.Moved)
    @on(ItemList.Wanted)
    def _seen(self) -> None:
        self._look()

    # news

    def show(self, body: object) -> None:
        assert isinstance(body, PipesNews)  # noqa: S101
        if body.place != self.place:
            if not (self._ask.start and self.place == self._ask.place):
                return
            self.place = body.place  # it began inside a version
            self._put(replace(self._ask, place=body.place, start=False))
            self.deck.history.amend(self.place)
        first = self._news is None or not self._news.place.same(body.place)
        self._news = body
        self._tell_header()
        was_value = self.has_class("-value")
        self.set_class(body.level == "value", "-value")
        if body.error:
            self.query_one(Rule).tell(body.error, bad=True)
            return
        if body.shown is not None:
            self.query_one(ValueView).show(body.shown)
            self.query_one(ValueView).tell(body.shown)
            self._tell_value()
        elif body.view is not None:
            self._show_level(body, body.view)
        if first or was_value != self.has_class("-value"):
            self.call_after_refresh(self.refocus)

    def _show_level(self, news: PipesNews, view: View) -> None:
        cursor = -1
        if not self._settled:
            remembered = self._cursors.get(replace(self.place, filter=""), -1) if not self.place.filter else 0
            cursor = view.at if self._ask.find and view.at >= 0 else remembered if remembered >= 0 else max(view.at, 0)
            self._settled = True
            if self._skip and view.level == "dates" and view.count == view.total == 1 and not news.place.filter:
                self._skip = False
                self._go(replace(self.place, date=view.name_at(0)))
                return
        empty = (
            "nothing matches; esc clears the filter"
            if self.place.filter and view.done
            else ""
            if not view.done
            else "no pipes here yet"
        )
        self.items.update(view, empty, cursor)
        self._tell_level(view)
        self._show_beside(news)
        self._look()

    def _show_beside(self, news: PipesNews) -> None:
        if news.parent is not None:
            self.query_one("#above", ItemList).update(news.parent, "", news.parent.at)
        self.set_class(news.parent is not None, "-above")
        self.set_class(news.beside is not None, "-below")
        self.set_class(news.glance is not None, "-glance")
        if news.beside is not None:
            self.query_one("#below", ItemList).update(news.beside, "nothing is written yet", max(news.beside.at, 0))
        if news.glance is not None:
            self.query_one("#glance", Value).show(news.glance)

    def _tell_level(self, view: View) -> None:
        noun = view.level if view.total != 1 else ONE[view.level]
        if self.place.filter:
            still = "" if view.done else f" · searched {view.searched:,} of {view.total:,} …"
            text = f"{view.count:,} of {view.total:,} {noun} · {clean(self.place.filter)}{still}"
        else:
            still = "" if view.done else " · comparing …" if self.place.other else " …"
            text = f"{view.total:,} {noun}{f' · {view.note}' if view.note else ''}{still}"
        order = {"versions": "the last active first", "dates": "newest first"}.get(view.level, "")
        self.query_one(Rule).tell(text, order)

    def _tell_value(self) -> None:
        assert self._news is not None and self._news.shown is not None  # noqa: S101
        value, shown = self.query_one(ValueView).value, self._news.shown
        modes = " · ".join(f"[{m}]" if m == value.mode else m for m in value.modes)
        told = verdict(shown)
        self.query_one(Rule).tell(told or f"shown as {value.mode}", modes, bad=bool(told) and not shown.whole.equal)

    def filtered(self, text: str) -> None:  # noqa: ARG002
        if self._ask.place != self.place and level_of(self.place) != "value":
            self._settled = False
            self._put(replace(self._ask, place=self.place, first=0, chosen="", find=""))
            self.query_one(Rule).tell(f"looking for {clean(self.place.filter)} …" if self.place.filter else "asking Redis …")

    # what keys do

    def refocus(self) -> None:
        (self.query_one(ValueView).value.pane if self.has_class("-value") else self.items).focus()

    def action_filter(self) -> None:
        if self.has_class("-value"):
            self.say("a filter is for lists; esc leads to the one that this pipe is in")
        else:
            super().action_filter()

    def action_mode(self) -> None:
        view = self.query_one(ValueView)
        if self.has_class("-value") and self._news is not None and self._news.shown is not None:
            moved = not self.query_one(OriginList).has_focus
            view.value.next_mode()
            self._tell_value()
            if moved:
                self.call_after_refresh(self.refocus)
        elif self.has_class("-glance"):
            self.query_one("#glance", Value).next_mode()
        else:
            self.say("choose a pipe first; then m shows its value another way")

    def action_versus(self) -> None:
        """The next other version that has the pipe, or pipes of this date; then none."""
        news, place = self._news, self.place
        if news is None or news.error or news.level not in ("entities", "value"):
            self.say("choose a date or a pipe first; then v lays another version beside it")
            return
        version, name = news.version, news.name

        def question(redis: Client) -> object:
            from console.reports import levels, pipes

            if place.entity:
                return place, pipes.others(redis, pipes.key_of(version, name, place.entity, place.date))
            return place, levels.others(redis, version, name, place.date)

        self.deck.errand(self, "versus", question)

    def action_compare(self) -> None:
        """All pipes of this name against those of the version beside it, or of the next other one."""
        news, place = self._news, self.place
        name = news.name if news is not None else ""
        if news is not None and news.level == "pipes":
            name = self.items.chosen
        if news is None or news.error or not name:
            self.say("choose a pipe first; then = compares it with another version's")
            return
        version = news.version

        def question(redis: Client) -> object:
            from console.sources.compare import rivals

            return place, f"{version}/{name}", rivals(redis, version, name, place.other)

        self.deck.errand(self, "compare", question)

    def answered(self, name: str, value: Any) -> None:
        if name == "compare":
            place, path, (other, truth, span) = value
            if not other:
                self.say("no other version has pipes of this name")
            elif place == self.place:
                self.deck.go(Locator("compare", path=path, date=place.date or span, other=other, task=truth))
            return
        if name != "versus":
            super().answered(name, value)
            return
        place, others = value
        if place != self.place:
            return
        if not others:
            self.say("no other version has this pipe" if place.entity else "no other version has pipes of this name and date")
            return
        names = [*others, ""]
        other = names[(names.index(place.other) + 1) % len(names)] if place.other in names else names[0]
        cursor = self.items.cursor
        self._compared = self._compared if other and place.entity else ""
        self._go(replace(place, other=other))
        if not place.entity:
            self._cursors[replace(self.place, filter="")] = cursor

    def copied(self) -> str:
        news = self._news
        if news is None:
            return ""
        if self.has_class("-value") and news.shown is not None:
            if not self.query_one(OriginList).has_focus:
                return self.query_one(ValueView).value.copied()
            origin = self.query_one(OriginList).chosen
            return clean(" ".join(filter(None, [origin.text, origin.note]))) if origin else ""
        name = self.items.chosen
        if not name:
            return ""
        if news.level == "entities":
            from console.reports.pipes import key_of

            return str(key_of(news.version, news.name, name, self.place.date))
        return clean({"versions": name, "pipes": f"{news.version}/{name}"}.get(news.level, f"{self.place.path} {name}"))
