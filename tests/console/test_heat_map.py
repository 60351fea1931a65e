"""The heat map shows every entity of its order, on the terminal itself, and repaints the lines that changed."""

import itertools
import random
from array import array

import pytest
from drawn import DrawnApp, truth
from rich.color import Color
from rich.style import Style
from test_theme import SIGHTS, distance
from textual.widget import Widget

from console.theme import LOOKS, PALETTES, THEMES, look, on
from console.widgets.heat_map import HeatMap, tint
from engine.status import Cell

ALL = bytes(LOOKS)


def states_of(chance: random.Random, n: int) -> bytes:
    return bytes(chance.choices(ALL, k=n))


def drawn_states(heat: HeatMap) -> list[list[Color | None]]:
    """The colours of each row of entities, two rows a line."""
    rows: list[list[Color | None]] = []
    for y in range(heat.size.height):
        cells = [(segment.style, char) for segment in heat.render_line(y) for char in segment.text]
        rows.append([style.color if style and char == "▀" else None for style, char in cells])
        rows.append([style.bgcolor if style and char == "▀" else None for style, char in cells])
    return rows


async def test_two_entities_a_cell_in_their_colours() -> None:
    chance = random.Random(3)
    n = 5000
    states, order = states_of(chance, n), array("I", range(n))
    app = DrawnApp(heat := HeatMap())
    async with app.run_test(size=(101, 25)) as pilot:
        heat.update(states, order)
        app.screen.set_focus(None)  # the cursor has a colour of its own
        await pilot.pause()
        palette = on(PALETTES[app.theme], heat.visual_style.rich_style)
        assert heat.virtual_size.height == 25
        rows = drawn_states(heat)
        for row in range(50):
            wanted = [tint(palette, state) for state in states[row * 100 : row * 100 + 100]]
            assert rows[row][:100] == wanted, row


async def test_twenty_thousand_fit_on_two_hundred_by_fifty() -> None:
    app = DrawnApp(heat := HeatMap())
    async with app.run_test(size=(201, 50)) as pilot:
        heat.update(b"F" * 20_000, array("I", range(20_000)))
        await pilot.pause()
        assert heat.virtual_size.height == 50 == heat.size.height
        assert not heat.show_vertical_scrollbar


async def test_an_update_repaints_the_lines_that_changed_and_no_others() -> None:
    n = 40_000
    states, order = bytearray(b"F" * n), array("I", range(n))
    app = DrawnApp(heat := HeatMap())
    async with app.run_test(size=(101, 24)) as pilot:
        heat.update(bytes(states), order)
        await pilot.pause()
        heat.scroll_to(y=100, animate=False)
        await pilot.pause()
        drawn: list[int] = []
        draw = heat.render_line
        heat.render_line = lambda y: (drawn.append(y), draw(y))[1]  # type: ignore[func-returns-value,method-assign]
        states[(100 + 7) * 200 + 5] = Cell.FAILED
        states[5] = Cell.FAILED  # far above
        heat.update(bytes(states), order)
        await pilot.pause()
        assert drawn == [7]


async def test_no_stale_cell_after_any_sequence() -> None:
    chance = random.Random(11)
    n = 9000
    states, order = bytearray(states_of(chance, n)), array("I", range(n))
    app = DrawnApp(Widget(), heat := HeatMap())
    async with app.run_test(size=(80, 24)) as pilot:
        heat.focus()
        heat.update(bytes(states), order)
        for _ in range(40):
            match chance.randrange(4):
                case 0:
                    await pilot.press(chance.choice(["j", "k", "h", "l", "G", "home", "pagedown", "pageup"]))
                case 1:
                    heat.scroll_to(y=chance.randrange(60), animate=False)
                case 2:
                    order = array("I", chance.sample(range(n), chance.choice([n, 500, 1, 0])))
                    heat.update(bytes(states), order)
                case _:
                    for _ in range(chance.choice([1, 300])):
                        states[chance.randrange(n)] = chance.choice(ALL)
                    heat.update(bytes(states), order)
            await pilot.pause()
            assert app.shown(heat) == truth(heat)
            assert heat.entity == (order[heat.cursor] if order else None)


async def test_the_cursor_goes_around_and_stays_with_its_entity() -> None:
    told: list[int] = []

    class Listening(DrawnApp):
        def on_heat_map_entity_chosen(self, message: HeatMap.EntityChosen) -> None:
            told.append(message.index)

        def on_heat_map_mark(self, message: HeatMap.Mark) -> None:
            told.append(-message.index)

    n = 1000
    app = Listening(heat := HeatMap())
    async with app.run_test(size=(101, 24)) as pilot:
        heat.update(b"F" * n, array("I", range(n)))
        heat.focus()
        for key, place in [
            ("l", 1),
            ("right", 2),
            ("j", 102),
            ("h", 101),
            ("k", 1),
            ("k", 1),
            ("G", 999),
            ("j", 999),
            ("up", 899),
        ]:
            await pilot.press(key)
            assert heat.cursor == place, key
        await pilot.press("enter", "space")
        heat.update(b"F" * n, array("I", reversed(range(n))))
        assert heat.entity == 899
        heat.update(b"F" * n, array("I", range(10)))
        assert heat.entity == 9
        await pilot.press("home", "enter")
        await pilot.click(heat, offset=(4, 0))
        assert heat.cursor == 4
        heat.update(b"", array("I"))
        await pilot.press("j", "enter", "G", "space")
        assert heat.entity is None
    assert told == [899, -899, 0]


@pytest.mark.parametrize("how", ["no color", "ansi"])
async def test_without_colours_each_entity_is_a_glyph(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "no color":
        monkeypatch.setenv("NO_COLOR", "1")
    app = DrawnApp(heat := HeatMap())
    async with app.run_test(size=(41, 10)) as pilot:
        if how == "ansi":
            app.theme = "ansi-dark"
        states = states_of(random.Random(2), 100)
        heat.update(states, array("I", range(100)))
        await pilot.pause()
        lines = app.shown(heat)
        assert lines[0][:40] == "".join(look(state).glyph for state in states[:40])
        assert lines[2].rstrip() == "".join(look(state).glyph for state in states[80:])
        assert heat.virtual_size.height == 3


async def test_the_theme_changes_between_halves_and_glyphs() -> None:
    app = DrawnApp(heat := HeatMap())
    async with app.run_test(size=(41, 10)) as pilot:
        heat.update(b"X" * 160, array("I", range(160)))
        for theme, height, glyph in (("ansi-dark", 4, "✗"), ("wavedeck-light", 2, "▀")):
            app.theme = theme
            await pilot.pause()
            await pilot.pause()
            assert heat.virtual_size.height == height
            assert app.shown(heat)[0][:3] == glyph * 3
            assert app.shown(heat) == truth(heat)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_states_that_matter_can_be_told_apart_without_glyphs(theme: object) -> None:
    """Failed and blocked share a hue, and are never mixed."""
    palette = on(PALETTES[theme.name], Style(bgcolor=str(theme.background)))  # type: ignore[attr-defined]
    codes = {cell: tint(palette, cell).get_truecolor().hex for cell in (*LOOKS, 0)}
    main = (Cell.PENDING, Cell.RUNNING, Cell.FINISHED, Cell.FAILED, Cell.BLOCKED)
    for one, other in itertools.combinations(main, 2):
        for sight in SIGHTS:
            assert distance(codes[one], codes[other], sight) >= 15, (look(one).word, look(other).word, sight)
    assert min(distance(codes[cell], codes[0], "normal") for cell in LOOKS) >= 10, "and from where nobody is"
