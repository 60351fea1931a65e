"""One pipe: its value as a tree, a table, raw or plotted, or beside another version's; and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from console.moment import now
from console.reports.pipes import READ, Shown
from console.screens.pipe_lists import OriginList, origins
from console.screens.text_pane import Text, TextPane, line
from console.screens.words import age, many, unix
from console.widgets.json_tree import JsonTree, place_text
from console.widgets.raw import RawView, is_text
from console.widgets.sides import Sides
from console.widgets.sparks import spark
from console.widgets.text import clean
from console.widgets.value_table import Table, ValueTable, table
from engine.keys import PipeKey
from engine.status import Status

if TYPE_CHECKING:
    from console.widgets.plot import Plot

COPIED = 100_000
"""Characters of a value that go to the clipboard."""


def modes_of(shown: Shown, told: Table | None) -> list[str]:
    """The ways in which a pipe can be shown."""
    pipe = shown.whole
    found = ["versus"] if pipe.other else []
    if not pipe.detail.json:
        return [*found, "raw"]
    found.append("tree")
    if told is not None:
        found.append("table")
    return [*found, "raw", *(["plot"] if pipe.chart is not None else [])]


def verdict(shown: Shown) -> str:
    """What a comparison comes to, in words; "" where nothing is compared."""
    pipe = shown.whole
    if not pipe.other:
        return ""
    if pipe.theirs is None:
        return f"✗ {pipe.other} has no such pipe"
    if pipe.equal:
        return f"equal to {pipe.other}'s"
    number = f"more than {len(pipe.differences):,} differences" if pipe.more else many(len(pipe.differences), "difference")
    return f"{number} to {pipe.other}" if pipe.differences else f"other bytes than {pipe.other}'s"


class Value(Container):
    """The value of a pipe in one of its modes."""

    DEFAULT_CSS = """
    Value { height: 1fr; width: 1fr; }
    Value > * { display: none; height: 1fr; }
    Value.-tree #tree, Value.-table #table, Value.-raw #raw, Value.-plot #plot, Value.-versus #sides, Value.-words #words {
        display: block;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None, focusable: bool = True) -> None:
        super().__init__(id=id, classes=classes)
        self.mode, self.modes = "tree", ["tree"]
        self._wanted = "tree"
        self._focusable = focusable
        self._shown: Shown | None = None
        self._table: Table | None = None
        self._told: dict[str, object] = {}

    def compose(self) -> ComposeResult:
        yield JsonTree(id="tree", classes="panel")
        yield ValueTable(id="table", classes="panel")
        yield RawView(id="raw", classes="panel")
        yield Sides(id="sides", classes="panel")
        yield TextPane(id="words", classes="panel")

    def on_mount(self) -> None:
        for pane in self.children:
            pane.can_focus = self._focusable

    def show(self, shown: Shown) -> None:
        """Shows a pipe as the last one was shown, if it can be, else in the first mode that makes sense; a comparison as such."""
        if shown is self._shown:
            return
        compared = self._shown is not None and self._shown.whole.other
        self._shown, self._told = shown, {}
        self._table = table(shown.whole.detail.value) if shown.whole.detail.json else None
        self.modes = modes_of(shown, self._table)
        if shown.whole.other and not compared:
            self.mode = "versus"
        else:
            self.mode = self._wanted if self._wanted in self.modes else self.modes[0]
        self._draw()

    def next_mode(self) -> None:
        """The next way of showing it."""
        if self._shown is not None:
            self.mode = self._wanted = self.modes[(self.modes.index(self.mode) + 1) % len(self.modes)]
            self._draw()

    @property
    def pane(self) -> Widget:
        """The panel that is seen."""
        return self.query_one(f"#{self._pane()}")

    def turn(self) -> None:
        """Folds or unfolds what the cursor is on."""
        if self.mode == "tree":
            self.query_one(JsonTree).turn()
        elif self.mode == "versus":
            self.query_one(Sides).turn()

    def _pane(self) -> str:
        if self.mode != "versus":
            return self.mode
        assert self._shown is not None  # noqa: S101
        return "sides" if self._shown.whole.differences else "words"

    def _draw(self) -> None:
        shown, pane = self._shown, self._pane()
        assert shown is not None  # noqa: S101
        for name in ("tree", "table", "raw", "plot", "words"):
            self.set_class(name == pane, f"-{name}")
        self.set_class(pane == "sides", "-versus")
        if self._told.get(pane) is shown:
            return
        self._told[pane] = shown
        pipe = shown.whole
        if pane == "tree":
            self.query_one(JsonTree).put(pipe.detail.value)
        elif pane == "table" and self._table is not None:
            self.query_one(ValueTable).put(self._table)
        elif pane == "raw":
            self.query_one(RawView).put(shown.data, pipe.detail.bytes)
        elif pane == "plot":
            self._plot()
        elif pane == "sides" and pipe.theirs is not None:
            version = PipeKey.parse(pipe.detail.key).version
            self.query_one(Sides).put((version, pipe.other), pipe.detail.value, pipe.theirs.value, pipe.differences)
        else:
            tone: Any = "lit" if pipe.equal else Status.BLOCKED
            self.query_one("#words", TextPane).put([line(), line(Text(verdict(shown), tone)), *_sizes(shown)], top=True)

    def _plot(self) -> None:
        assert self._shown is not None and self._shown.whole.chart is not None  # noqa: S101
        found = self.query("#plot")
        if found:
            plot: Plot = found.first()  # type: ignore[assignment]
        else:
            from console.widgets.plot import Plot as Drawn

            plot = Drawn(id="plot", classes="panel")
            plot.can_focus = self._focusable
            self.mount(plot)
        plot.put(self._shown.whole.chart)

    def copied(self) -> str:
        """What the cursor is on, after its path, as text; the whole value where there is no cursor."""
        if self._shown is None:
            return ""
        detail, node = self._shown.whole.detail, self.query_one(JsonTree).chosen
        if self.mode == "tree" and node is not None and node.path:
            return clean(f"{detail.key} {place_text(node.path)} {node.text}")
        if self.mode == "table":
            return self.query_one(ValueTable).chosen
        side = self.query_one(Sides).chosen
        if self._pane() == "sides" and side is not None:
            return clean(" ".join(filter(None, [detail.key, place_text(side.path), side.left, "→", side.right, side.note])))
        data = self._shown.data[:COPIED]
        return data.decode("utf-8", "backslashreplace") if is_text(data) else data.hex(" ")


def _sizes(shown: Shown) -> list[tuple[Text, ...]]:
    pipe = shown.whole
    sizes = [("this", pipe.detail), (pipe.other, pipe.theirs)]
    return [line(Text(f"{name}  ", "muted"), f"{d.bytes:,} bytes") for name, d in sizes if d is not None]


class ValueView(Container):
    """A pipe as a person looks at it: its value, and where it comes from beside it or below."""

    def compose(self) -> ComposeResult:
        yield Value(id="pipe")
        yield OriginList(id="origins", classes="panel")

    @property
    def value(self) -> Value:
        """The value."""
        return self.query_one(Value)

    def show(self, shown: Shown) -> None:
        """Shows a pipe."""
        self.value.show(shown)
        self.tell(shown)

    def tell(self, shown: Shown) -> None:
        """Shows where it comes from, how large it is and how long it lives."""
        detail = shown.whole.detail
        expires = unix(detail.expires)
        life = f"expires in {age(max(expires - now(), 0))}" if expires else "does not expire"
        cut = detail.bytes > READ
        kind = "text" if is_text(shown.data) else "bytes"
        kind = "JSON" if detail.json else f"too long for a tree, {kind}" if cut else kind
        self.query_one(OriginList).put(
            f"{detail.bytes:,} bytes of {kind} · {life}", origins(shown.whole, PipeKey.parse(detail.key), _said(shown))
        )


def _said(shown: Shown) -> list[tuple[str, str]]:
    """A single number's history, as bars."""
    chart = shown.whole.chart
    if chart is None or isinstance(shown.whole.detail.value, dict | list) or not chart.curves:
        return []
    numbers = [y for _, y in chart.curves[0].points]
    return [("over time", f"{spark(numbers)} {numbers[-1]:.6g}")]
