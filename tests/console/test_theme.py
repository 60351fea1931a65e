"""Colours that can be told apart by everyone, and glyphs for when there are none."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from textual.app import App

from console.theme import (
    ANSI,
    CELL_OF,
    CONTRAST,
    DARK,
    LIGHT,
    LOOKS,
    PALETTES,
    SEVERITY,
    THEMES,
    UNKNOWN,
    Palette,
    look,
    palette_of,
    register,
)
from engine.status import STATUS_OF, Cell, Status

MAIN = (Status.PENDING, Status.RUNNING, Status.FINISHED, Status.FAILED)
GROUNDS = {theme.name: str(theme.background) for theme in THEMES}

# Machado, Oliveira, Fernandes 2009, full severity, for linear RGB.
SIGHTS = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(hexcode: str) -> list[float]:
    parts = [int(hexcode[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lab(rgb: Sequence[float]) -> tuple[float, float, float]:
    def root(t: float) -> float:
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    x, y, z = (root(value / white) for value, white in zip(times(XYZ, rgb), WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, sight: str) -> float:
    first, second = (lab([min(max(part, 0.0), 1.0) for part in times(SIGHTS[sight], linear(code))]) for code in (one, other))
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5


def contrast(one: str, other: str) -> float:
    low, high = sorted(times(XYZ, linear(code))[1] for code in (one, other))
    return (high + 0.05) / (low + 0.05)


def code(style: Style) -> str:
    assert isinstance(style.color, Color)
    return style.color.get_truecolor().hex


def texts(palette: Palette) -> Iterator[Style]:
    yield from (palette.text, palette.muted, palette.lit)
    yield from (palette.style(status) for status in MAIN)
    yield palette.style(Status.BLOCKED)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("palette", [DARK, LIGHT, CONTRAST], ids=lambda palette: palette.name)
def test_the_main_states_stay_apart(palette: Palette, sight: str) -> None:
    codes = [code(palette.style(status)) for status in MAIN]
    assert min(distance(one, other, sight) for one, other in itertools.combinations(codes, 2)) >= 25


@pytest.mark.parametrize(("palette", "least"), [(DARK, 4.5), (LIGHT, 4.5), (CONTRAST, 7.0)])
def test_text_has_contrast(palette: Palette, least: float) -> None:
    ground = GROUNDS[palette.name]
    assert min(contrast(code(style), ground) for style in texts(palette)) >= least


@pytest.mark.parametrize("palette", [DARK, LIGHT, CONTRAST], ids=lambda palette: palette.name)
def test_glyphs_have_contrast_under_the_cursor_too(palette: Palette) -> None:
    assert palette.cursor.bgcolor is not None
    under = palette.cursor.bgcolor.get_truecolor().hex
    states = [code(style) for style in (*palette.cells.values(), palette.faint)]
    assert min(contrast(state, GROUNDS[palette.name]) for state in states) >= 3
    assert min(contrast(code(palette.style(status)), under) for status in MAIN) >= 3


def test_every_byte_of_the_board_has_a_look_of_its_own() -> None:
    assert set(LOOKS) == set(STATUS_OF)
    assert set(SEVERITY) == set(CELL_OF) == set(Status)
    for field in ("glyph", "letter", "word"):
        assert len({getattr(seen, field) for seen in [*LOOKS.values(), UNKNOWN]}) == len(LOOKS) + 1
    assert len({look(status).block for status in Status}) == len(Status)
    assert all(chr(cell) == seen.letter for cell, seen in LOOKS.items())


def test_glyphs_are_one_cell_and_no_emoji() -> None:
    for seen in [*LOOKS.values(), UNKNOWN]:
        assert cell_len(seen.glyph) == cell_len(seen.block) == 1
        assert ord(seen.glyph) < 0x2800


def test_a_failure_is_loud_without_colour() -> None:
    for palette in (*PALETTES.values(), ANSI):
        assert palette.style(Status.FAILED).bold
        assert not any(palette.style(status).bold for status in Status if status is not Status.FAILED)


def test_an_unknown_byte_is_seen() -> None:
    assert look(0) is UNKNOWN
    assert DARK.style(0) == DARK.style(Cell.FAILED)


def test_sixteen_colours_are_names() -> None:
    for style in ANSI.cells.values():
        assert style.color is not None
        assert style.color.triplet is None


class Themed(App[None]):
    def on_mount(self) -> None:
        register(self)


@pytest.mark.parametrize(
    ("theme", "palette"),
    [
        ("wavedeck-dark", DARK),
        ("wavedeck-light", LIGHT),
        ("wavedeck-contrast", CONTRAST),
        ("textual-light", LIGHT),
        ("nord", DARK),
        ("ansi-dark", ANSI),
    ],
)
async def test_the_palette_follows_the_theme(theme: str, palette: Palette) -> None:
    app: App[Any] = Themed()
    async with app.run_test():
        assert app.theme == "wavedeck-dark"
        app.theme = theme
        assert palette_of(app) is palette


async def test_without_colour_failures_are_the_brightest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Themed()
    async with app.run_test():
        palette = palette_of(app)
        brightness = {status: contrast(code(palette.style(status)), GROUNDS[DARK.name]) for status in MAIN}
        assert brightness[Status.FAILED] > brightness[Status.RUNNING] > brightness[Status.FINISHED]
        assert brightness[Status.FINISHED] > brightness[Status.PENDING]
