"""Home: is anything wrong, and does it matter yet?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Late, Place, Source
from console.locator import Locator
from console.pattern import BadPattern
from console.screens.base import CALM
from console.screens.chrome import Header
from console.screens.cover_lines import CoverLines
from console.screens.prompts import FilterBar
from console.screens.verbs import WaveVerbs
from console.screens.wave_columns import SORTS
from console.screens.wave_list import WaveList, matches
from console.screens.words import many
from console.widgets.text import clean

if TYPE_CHECKING:
    from console.sources.waves import WavesNews


class WavesScreen(WaveVerbs):
    """The newest waves of all versions."""

    scope = "waves"
    CSS_PATH = "waves.tcss"
    AUTO_FOCUS = "WaveList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("waves")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: WavesNews | None = None
        self._second_number = 0

    def compose(self) -> ComposeResult:
        yield Header(["wavedeck"])
        yield CoverLines(id="covers")
        yield FilterBar("words of flow, version, date, who … · !not · failed · slower")
        yield WaveList(id="waves").set_class(True, "panel")
        yield self.foot()

    def on_mount(self) -> None:
        self._tell_header()

    def every_second(self) -> None:
        self._second_number += 1
        if not self._second_number % CALM:  # ages; what moves is painted with the news
            self.query_one(WaveList).repaint_rows()

    def source(self) -> Source:
        return Late(_source)

    def show(self, body: object) -> None:
        self._news = cast("WavesNews", body)
        self._tell_header()
        self.query_one(CoverLines).tell(self._news.covers)
        self._list()

    def _tell_header(self) -> None:
        trip = f" {self._news.round_trip * 1000:.1f} ms" if self._news is not None and self._news.round_trip else ""
        facts = [f"redis {Place.of(self.deck.redis_url).name}{trip}"]
        if self._news is not None:
            facts.append(many(self._news.workers, "worker"))
        if self.deck.read_only:
            facts.append("read-only")
        if self.deck.note:
            facts.insert(0, self.deck.note)
        self.query_one(Header).tell(["wavedeck"], facts)

    def _list(self) -> None:
        rows = self._news.rows if self._news is not None else ()
        try:
            found = [row for row in rows if matches(row, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        none = "no wave matches; esc clears the filter" if self.place.filter else self._no_waves()
        served = self._news.by_version if self._news is not None else None
        self.query_one(WaveList).update(found, none, served)

    def _no_waves(self) -> str:
        if self._news is None:
            return "asking Redis …"
        return "no waves yet" if self.deck.read_only else "no waves yet; T starts one"

    @on(WaveList.Chosen)
    def _open(self) -> None:
        if row := self.query_one(WaveList).chosen:
            self.deck.go(Locator("wave", wave=row.id, name=f"{row.flow}@{row.version} {row.date}"))

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def known(self) -> list[str]:
        """The waves as people call them, the newest first, for the command line."""
        rows = self._news.rows if self._news is not None else ()
        return list(dict.fromkeys(f"{row.flow}@{row.version} {row.date}" for row in rows))

    def target(self) -> Locator | None:
        row = self.query_one(WaveList).chosen
        return Locator("wave", wave=row.id, name=f"{row.flow}@{row.version} {row.date}") if row else None

    def action_cancel_wave(self) -> None:
        self._one_of_many()
        super().action_cancel_wave()

    def action_rerun(self) -> None:
        if (wave := self.target()) is not None:
            self._one_of_many()
            self.deck.rerun(wave.wave, wave.name, "what did not finish")

    def _one_of_many(self) -> None:
        """Says that marks do not count here, if there are some."""
        marked = len(self.query_one(WaveList).marks)
        if marked > 1 and (wave := self.target()) is not None:
            self.say(f"this is about {wave.name}, under the cursor, and not about the {marked} marked waves")

    def action_sort(self) -> None:
        waves = self.query_one(WaveList)
        names = list(SORTS)
        waves.sort = names[(names.index(waves.sort) + 1) % len(names)]
        self._list()
        self.say(f"sorted by {waves.sort}")

    def copied(self) -> str:
        row = self.query_one(WaveList).chosen
        if row is None:
            return ""
        counts = ", ".join(f"{n:,} {s}" for s, n in row.counts.items() if n)
        versus = f"; {row.normal.words}" if row.normal else ""
        return clean(f"{row.flow}@{row.version} {row.date} {row.id} {row.phase}: {row.entities:,} entities, {counts}{versus}")


def _source() -> Source:
    from console.sources.waves import WavesSource  # redis-py and what stands on it cost as much as all of Textual

    return WavesSource()
