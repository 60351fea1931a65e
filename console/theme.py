"""How each state looks: glyph, word, letter, and a style in each palette. Colour never stands alone.

Glyphs are one cell wide, in DejaVu Sans Mono, and no emoji. The four states that matter most (pending, running, finished,
failed) keep a CIE76 distance of 25 from each other in the dark, light and contrast palettes, for normal sight and under
simulated deuteranopia, protanopia and tritanopia; `tests/console/test_theme.py` computes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rich.style import Style
from textual.app import App
from textual.theme import Theme

from engine.status import Cell, Status


@dataclass(frozen=True, slots=True)
class Look:
    """A state without its colour. `glyph` stands for one cell of one entity, `block` for a share of a bar."""

    glyph: str
    block: str
    letter: str
    word: str


LOOKS: Mapping[int, Look] = {
    Cell.PENDING: Look("○", "·", "P", "pending"),
    Cell.RUNNING: Look("◐", "▒", "R", "running"),
    Cell.FINISHED: Look("●", "█", "F", "finished"),
    Cell.REUSED: Look("◉", "█", "U", "reused"),
    Cell.FALLBACK: Look("↺", "█", "O", "covered"),
    Cell.FAILED: Look("✗", "✗", "X", "failed"),
    Cell.BLOCKED: Look("◌", "◌", "B", "blocked"),
    Cell.CANCELLED: Look("⊘", "⊘", "C", "cancelled"),
}
PLAIN = os.environ.get("WAVEDECK_GLYPHS") == "ascii"
"""Whether to draw with ASCII alone, for fonts and terminals without the glyphs; set before this module is imported."""
if PLAIN:
    LOOKS = {
        cell: Look(glyph, block, seen.letter, seen.word)
        for (cell, seen), glyph, block in zip(LOOKS.items(), ".>+=~xbc", ".>###xbc", strict=True)
    }
ASCII: dict[int, Any] = {**str.maketrans("│─├┤┼╰╯┴╭╮┬▸◆›‹…·×↓↑→←–▏▕▾▲△", "|-+++`'+..+>*><~.x" + "v^><-||vA^")} if PLAIN else {}
"""What of lines and signs is drawn instead."""
UNKNOWN = Look("?", "?", "?", "unknown")
"""For a byte that this console does not know: a newer engine wrote it."""

CELL_OF: Mapping[Status, Cell] = {status: Cell[status.name] for status in Status}
"""The plain cell of a status."""

SEVERITY: tuple[Status, ...] = (
    Status.FAILED,
    Status.BLOCKED,
    Status.RUNNING,
    Status.FINISHED,
    Status.CANCELLED,
    Status.PENDING,
)
"""The order of bars and counts: what went wrong, what happens, what is done, what is left."""


def look(state: Status | int) -> Look:
    """The look of a status or of a board byte; any other byte looks `UNKNOWN`."""
    return LOOKS[CELL_OF[state]] if isinstance(state, Status) else LOOKS.get(state, UNKNOWN)


@dataclass(frozen=True, eq=False)
class Palette:
    """The styles of one theme, without a background; the widget's own goes below them.

    `cells` has every board byte; `bars` every status, quieter where many blocks stand together. `text` is what is read
    first, `muted` what goes with it, `faint` what only has to be there (lines, zeros), `lit` marks a chosen path,
    `cursor` is laid over the row that keys act on.
    """

    name: str
    cells: Mapping[int, Style]
    bars: Mapping[Status, Style]
    text: Style
    muted: Style
    faint: Style
    lit: Style
    cursor: Style

    def style(self, state: Status | int) -> Style:
        """The style of a status or of a board byte; any other byte is as loud as a failure."""
        if isinstance(state, Status):
            return self.cells[CELL_OF[state]]
        return self.cells.get(state, self.cells[Cell.FAILED])


def _palette(
    name: str, states: str, *, finished_bar: str, text: str, muted: str, faint: str, lit: str, cursor: Style
) -> Palette:
    """`states`: the colours of P R F U O X B C, in that order."""
    cells = {cell: Style(color=color) for cell, color in zip(LOOKS, states.split(), strict=True)}
    cells[Cell.FAILED] += Style(bold=True)
    bars = {status: cells[CELL_OF[status]] for status in Status} | {Status.FINISHED: Style(color=finished_bar)}
    return Palette(
        name,
        cells,
        bars,
        Style(color=text),
        Style(color=muted),
        Style(color=faint),
        Style(color=lit, bold=True),
        cursor,
    )


DARK = _palette(
    "wavedeck-dark",
    "#8A8F98 #F0E442 #56B4E9 #3E86B0 #A9D8F4 #D55E00 #D55E00 #6B7079",
    finished_bar="#3E86B0",
    text="#D9DCE1",
    muted="#8A8F98",
    faint="#646B76",
    lit="#FFFFFF",
    cursor=Style(bgcolor="#262B33"),
)
LIGHT = _palette(
    "wavedeck-light",
    "#6B707D #A66300 #0077B2 #4C90B4 #005580 #A81931 #A81931 #8A8E97",
    finished_bar="#6FAFD0",
    text="#23262B",
    muted="#6B707D",
    faint="#8A8E97",
    lit="#000000",
    cursor=Style(bgcolor="#E4E7EB"),
)
CONTRAST = _palette(
    "wavedeck-contrast",
    "#A8AEB8 #FFF04A #5CC8FF #5CC8FF #FFFFFF #FF7A33 #FF7A33 #A8AEB8",
    finished_bar="#5CC8FF",
    text="#FFFFFF",
    muted="#D0D4DA",
    faint="#A8AEB8",
    lit="#FFFFFF",
    cursor=Style(bgcolor="#00307A"),
)
ANSI = _palette(
    "ansi",
    "bright_black yellow cyan cyan bright_cyan red red bright_black",
    finished_bar="cyan",
    text="default",
    muted="default",
    faint="bright_black",
    lit="default",
    cursor=Style(underline=True),
)
"""For terminals of sixteen colours: the user's own, by name. Any background could hide one of them, so the cursor underlines."""

PALETTES: Mapping[str, Palette] = {palette.name: palette for palette in (DARK, LIGHT, CONTRAST)}

THEMES: tuple[Theme, ...] = (
    Theme(
        name="wavedeck-dark",
        primary="#56B4E9",
        secondary="#8A8F98",
        accent="#E8B04B",
        warning="#F0E442",
        error="#D55E00",
        success="#56B4E9",
        foreground="#D9DCE1",
        background="#14161A",
        surface="#1A1D22",
        panel="#22262D",
        variables={"footer-key-foreground": "#E8B04B", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="wavedeck-light",
        primary="#0077B2",
        secondary="#6B707D",
        accent="#8A5A00",
        warning="#A66300",
        error="#A81931",
        success="#0077B2",
        foreground="#23262B",
        background="#FAFAF7",
        surface="#F1F1ED",
        panel="#E6E7E4",
        dark=False,
        variables={"footer-key-foreground": "#8A5A00", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="wavedeck-contrast",
        primary="#5CC8FF",
        secondary="#D0D4DA",
        accent="#FFF04A",
        warning="#FFF04A",
        error="#FF7A33",
        success="#5CC8FF",
        foreground="#FFFFFF",
        background="#000000",
        surface="#000000",
        panel="#1A1A1A",
        text_alpha=1.0,
        variables={"footer-key-foreground": "#FFF04A", "border": "#FFFFFF"},
    ),
)


def register(app: App[Any], default: str = "wavedeck-dark") -> None:
    """Adds the themes to `app` and chooses `default`, which may be any theme that Textual has, `ansi-dark` included."""
    for theme in THEMES:
        app.register_theme(theme)
    app.theme = default


def begin_with(app: App[Any], name: str) -> None:
    """Adds the themes to an app that has not begun, and gives it the theme `name` if there is one of that name: chosen later, every style
    would be worked out a second time before the first frame."""
    for theme in THEMES:
        app.register_theme(theme)
    if name in app.available_themes:
        app.set_reactive(App.theme, name)
        app.stylesheet.set_variables(app.get_css_variables())
        dark = app.current_theme.dark
        app.set_class(dark, "-dark-mode", update=False)
        app.set_class(not dark, "-light-mode", update=False)
        app.add_class(f"-theme-{name}", update=False)
        app._refresh_truecolor_filter(app.ansi_theme)


def palette_of(app: App[Any]) -> Palette:
    """The palette that goes with the theme the app shows now; a theme that is not ours gets the nearest.

    Under NO_COLOR states differ in brightness, the failed ones brightest: Textual would grey them by their hue.
    """
    key = app.theme, app.ansi_color, app.no_color
    found = _CHOSEN.get(key)
    if found is None:
        found = _CHOSEN[key] = _choose(app)
    return found


_CHOSEN: dict[tuple[str, bool | None, bool], Palette] = {}
"""By the theme's name, as `palette_of` chose: it is asked for every line, and asking Textual for its theme costs more than the line."""


def _choose(app: App[Any]) -> Palette:
    if app.native_ansi_color:
        return ANSI
    theme = app.current_theme
    palette = PALETTES.get(theme.name) or (DARK if theme.dark else LIGHT)
    return _without_color(palette) if app.no_color else palette


@lru_cache(maxsize=8)
def _without_color(palette: Palette) -> Palette:
    quiet = dict.fromkeys((Cell.FINISHED, Cell.REUSED), palette.muted)
    quiet |= dict.fromkeys((Cell.PENDING, Cell.CANCELLED), palette.faint)
    cells = {cell: quiet.get(Cell(cell), palette.text) for cell in LOOKS} | {int(Cell.FAILED): palette.lit}
    return replace(palette, cells=cells, bars={status: cells[cell] for status, cell in CELL_OF.items()})


@lru_cache(maxsize=64)
def on(palette: Palette, base: Style) -> Palette:
    """`palette` with every style laid over `base`, so that what is drawn has the widget's background."""
    return Palette(
        palette.name,
        {cell: base + style for cell, style in palette.cells.items()},
        {status: base + style for status, style in palette.bars.items()},
        base + palette.text,
        base + palette.muted,
        base + palette.faint,
        base + palette.lit,
        palette.cursor,
    )
