"""What the screen of a wave is made of, and which of it is seen: one of two drawings of the flow, one of two of its entities."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.screens.chrome import Header, Rule
from console.screens.prompts import FilterBar
from console.screens.verbs import WaveVerbs
from console.screens.wave_asks import Asks
from console.screens.wave_filter import LIST_SORTS, MAP_SORTS, Picked
from console.screens.wave_rewind import Then
from console.screens.wave_summary import Summary
from console.screens.wave_why import Reasons
from console.sources.wave import WaveNews, WaveSource, WaveStill
from console.widgets.flow_graph import FlowGraph
from console.widgets.matrix import EntityMatrix

if TYPE_CHECKING:
    from console.widgets.heat_map import HeatMap
    from console.widgets.layered_graph import LayeredGraph


class WaveParts(WaveVerbs):
    """Panels and state of the screen; the second drawing and the heat map are made when they are first wanted."""

    scope = "wave"
    CSS_PATH = "wave.tcss"
    AUTO_FOCUS = "EntityMatrix"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("wave")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = WaveSource(place.of)
        self._still: WaveStill | None = None
        self._news: WaveNews | None = None
        self._then: Then | None = None
        self._chosen: str | None = None
        self._sorts = [LIST_SORTS[0], MAP_SORTS[0]]
        self._picked = Picked(array("I"), "", False)
        self._asks = Asks(self)
        self._reasons = Reasons(self._want, lambda: self.set_timer(0.02, self._reasons.ask))
        self._layers: LayeredGraph | None = None
        self._map: HeatMap | None = None

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of])
        yield Summary().set_class(True, "panel")
        yield FlowGraph(id="graph", classes="panel")
        yield Rule(id="rule")
        yield FilterBar("regex · status:failed · task:NAME · partition:P · family:KEY · !not")
        yield EntityMatrix(why=self._why, empty="asking Redis …", id="matrix", classes="panel")
        yield self.foot()

    def on_mount(self) -> None:
        self._matrix, self._rail = self.query_one(EntityMatrix), self.query_one(FlowGraph)
        self.watch(self._matrix, "scroll_y", self._scrolled, init=False)

    def source(self) -> Source:
        self._source.slow_link = self.deck.settings.slow_link
        return self._source

    # to be said by the screen

    def _why(self, entity: int) -> str:
        raise NotImplementedError

    def _show_moment(self) -> None:
        """Puts now, or the moment gone back to, into every panel."""
        raise NotImplementedError

    def _pick(self, *, calmly: bool = False) -> None:
        """Filters and sorts, when anything that matters for it has changed; `calmly`: only while this screen is on top."""
        raise NotImplementedError

    def _tell(self) -> None:
        """The line above the entities: what is below it, and what keys would act on."""
        raise NotImplementedError

    # what is seen

    @property
    def _graph(self) -> FlowGraph | LayeredGraph:
        return self._layers if self._layers is not None and self._layers.display else self._rail

    @property
    def _entities(self) -> EntityMatrix | HeatMap:
        return self._map if self._map is not None and self._map.display else self._matrix

    @property
    def _mapped(self) -> bool:
        return self._entities is not self._matrix

    @property
    def _board(self) -> bytes:
        """The cells that are shown: as they are, or as they were."""
        return self._then.board if self._then else self._news.board if self._news else b""

    @property
    def _sort_now(self) -> str:
        return self._sorts[self._mapped]

    def refocus(self) -> None:
        self._entities.focus()

    def action_drawing(self) -> None:
        if self._still is None:
            return
        focused = self._graph.has_focus
        if self._layers is None:
            from console.widgets.layered_graph import LayeredGraph

            self._layers = LayeredGraph(id="layers", classes="panel")
            self._layers.set_flow(self._still.wave.tasks, self._still.plan.edges)
            self.mount(self._layers, after=self._rail)
            self._rail.display = False
        else:
            self._layers.display, self._rail.display = self._rail.display, self._layers.display
        self._graph.select(self._chosen)
        self._show_moment()
        self._tell()
        if focused:
            self._graph.focus()

    def action_heat(self) -> None:
        if self._map is None:
            from console.widgets.heat_map import HeatMap

            self._map = HeatMap(id="heat", classes="panel")
            self.mount(self._map, after=self._matrix)
            self._matrix.display = False
        else:
            self._map.display, self._matrix.display = self._matrix.display, self._map.display
        self._demand()
        self._look()
        self._pick()
        self._tell()
        self._entities.focus()

    # what of a large wave is read

    def _look(self) -> None:
        """Tells the source which entities are on the screen."""
        self._source.look(() if self._mapped else self._matrix.on_screen)

    def _scrolled(self) -> None:
        self._look()
        if self._source.slow_link:
            self.feed.wake()

    def _demand(self) -> None:
        """On a slow link all is read only when somebody wants to see it."""
        if self._source.slow_link:
            self._source.fetch()
            self.feed.wake()

    def _want(self, wanted: frozenset[int]) -> None:
        self._source.wanted = wanted
        self.feed.wake()
