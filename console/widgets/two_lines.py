"""Two curves over the same places, one for each version. plotext draws, in the colours of the palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text as RichText
from textual.app import RenderResult
from textual_plotext import PlotextPlot

from console.theme import palette_of
from console.widgets.plot import color_of
from console.widgets.text import clean
from engine.status import Status

MARKERS = ("dot", "hd")


@dataclass(frozen=True)
class Line:
    """A curve and its name."""

    name: str
    ys: tuple[float, ...]


@dataclass(frozen=True)
class Plotted:
    """What a plot shows: a title, the places below it, and one or two lines over them. `zero`: whether 0 belongs in it."""

    title: str = ""
    xs: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    zero: bool = False


class TwoLines(PlotextPlot):  # type: ignore[misc]  # it has no types
    """The first line is faint, the second loud."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.theme = "clear"
        self._shown = Plotted()

    def put(self, plotted: Plotted) -> None:
        """Draws it."""
        if plotted != self._shown:
            self._shown = plotted
            self.refresh()

    def render(self) -> RenderResult:
        if self.size.width < 20 or self.size.height < 5 or not self._shown.xs:
            return RichText("")
        try:
            self._draw()
            drawn: RenderResult = super().render()
        except Exception as error:  # numbers that plotext cannot draw end no console
            return RichText(f"this cannot be plotted: {type(error).__name__}")
        else:
            return drawn

    def _draw(self) -> None:
        plt, shown, palette = self.plt, self._shown, palette_of(self.app)
        plt.clear_figure()
        plt.title(clean(shown.title))
        places = list(range(len(shown.xs)))
        tones = [palette.muted, palette.style(Status.RUNNING)][-len(shown.lines) :]
        for line, tone, marker in zip(shown.lines, tones, MARKERS[-len(shown.lines) :], strict=True):
            draw = plt.plot if len(places) > 1 else plt.scatter
            draw(places, list(line.ys), label=clean(line.name[:30]), color=color_of(tone), marker=marker)
        ys = [y for line in shown.lines for y in line.ys] + ([0.0] if shown.zero else [])
        room = (max(ys) - min(ys) or 1.0) * (len(shown.lines) + 1) / max(self.size.height - 5, 4)
        plt.ylim(min(ys), max(ys) + room)  # else the legend hides the top of a line
        every = max(-(-len(places) * _widest(shown.xs) // max(self.size.width - 12, 9)), 1)
        plt.xticks(places[::every], [clean(x) for x in shown.xs[::every]])
        plt.ticks_color(color_of(palette.muted))


def _widest(texts: Sequence[str]) -> int:
    """Cells between two labels: so many that none is moved aside, which plotext does in the order of a set, another one each time."""
    return max(len(text) for text in texts) + 6
