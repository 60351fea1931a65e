"""Curves: this value's, what earlier ones said, and what really happened. plotext draws, in the colours of the palette."""

from __future__ import annotations

from rich.color import ColorType
from rich.style import Style
from rich.text import Text as RichText
from textual.app import RenderResult
from textual_plotext import PlotextPlot

from console.reports.series import Chart
from console.theme import palette_of
from console.widgets.text import clean
from engine.curves import Curve
from engine.status import Status

MARKERS = {"earlier": "dot", "this": "hd", "observed": "●"}
"""How each role is drawn, in this order: what really happened lies above all."""
WORDS = {"this": "", "earlier": "said before", "observed": "what really happened"}
MOST = 8
"""Curves that are drawn; more are a tangle."""


class Plot(PlotextPlot):  # type: ignore[misc]  # it has no types
    """The curves of a chart."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.theme = "clear"  # the widget's own background; the colours come from the palette
        self._chart = Chart()

    def put(self, chart: Chart) -> None:
        """Draws `chart`."""
        if chart != self._chart:
            self._chart = chart
            self.refresh()

    def render(self) -> RenderResult:
        if self.size.width < 20 or self.size.height < 6:
            return RichText("too small for a plot")
        try:
            self._draw()
            drawn: RenderResult = super().render()
        except Exception as error:  # a curve that plotext cannot draw, such as one from -1e308 to 1e308, ends no console
            return RichText(f"this cannot be plotted: {type(error).__name__}")
        else:
            return drawn

    def _draw(self) -> None:
        plt, chart = self.plt, self._chart
        palette = palette_of(self.app)
        plt.clear_figure()
        xs = axis(chart)
        at = {x: i for i, x in enumerate(xs)}
        tones = {"this": palette.lit, "earlier": palette.faint, "observed": palette.style(Status.RUNNING)}
        told: set[str] = set()
        for curve in sorted(chart.curves, key=lambda c: list(MARKERS).index(c.role))[-MOST:]:
            places = [at[x] for x, _ in curve.points]
            marker = MARKERS[curve.role]
            label = None if curve.role == "earlier" and curve.role in told else legend(curve)
            told.add(curve.role)
            draw = plt.scatter if curve.role == "observed" or len(places) == 1 else plt.plot
            draw(places, [y for _, y in curve.points], label=label, color=color_of(tones[curve.role]), marker=marker)
        ys = [y for curve in chart.curves for _, y in curve.points]
        room = (max(ys) - min(ys) or 1.0) * (len(told) + 1) / max(self.size.height - 6, 4)
        plt.ylim(min(ys), max(ys) + room)  # else the legend hides the top of a curve
        shown = xs[:: max(-(-len(xs) * 9 // max(self.size.width - 12, 9)), 1)]
        plt.xticks([at[x] for x in shown], [short(x, dated=chart.dated) for x in shown])
        plt.ticks_color(color_of(palette.muted))


def axis(chart: Chart) -> list[str]:
    """The places on the x axis, in order."""
    found = {x for curve in chart.curves for x, _ in curve.points}
    return sorted(found) if chart.dated else sorted(found, key=lambda x: (len(x), x))


def short(x: str, *, dated: bool) -> str:
    """A place on the axis in few cells: `01 T14`, `07-01`."""
    if not dated:
        return clean(x)
    return f"{x[8:10]} {x[10:]}" if len(x) == 13 else x[5:]


def legend(curve: Curve) -> str:
    """What a curve is, in a line."""
    words = WORDS[curve.role]
    return clean(f"{curve.name[:40]} {words}".strip() if curve.role != "earlier" else words)


def color_of(style: Style) -> object:
    """A style's colour as plotext takes it."""
    color = style.color
    if color is None or color.type == ColorType.DEFAULT:
        return "default"
    if color.triplet is not None:
        return tuple(color.triplet)
    return color.number if color.number is not None else "default"
