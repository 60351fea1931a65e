"""The matrix shows the board: after any scroll, sort, filter and update, cell by cell, on the terminal itself."""

import random
from array import array

import pytest
from drawn import DrawnApp, truth
from textual.pilot import Pilot
from textual.scrollbar import ScrollBar
from textual.widget import Widget

from console.theme import LOOKS, look
from console.widgets.legend import Legend
from console.widgets.matrix import PITCH, Entities, EntityMatrix, frame
from console.widgets.select import select
from engine.status import Cell

TASKS = ["departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error"]
HOSTILE = [
    "[red]z",
    "\x1b[2Jx",
    "two\nlines",
    "日本航空羽田国際空港特別便長い名前",
    "👩\u200d👩\u200d👧",
    "x" * 500,
    "evil\u202egpj",
]


def entities(n: int, tasks: list[str] = TASKS) -> Entities:
    names = [HOSTILE[e] if e < len(HOSTILE) else f"AA-{e:05}-JFK-LAX" for e in range(n)]
    return Entities(names, [("JFK", "LGA", "EWR")[e % 3] for e in range(n)], tasks)


def random_board(chance: random.Random, cells: int) -> bytes:
    return bytes(chance.choices(list(LOOKS), k=cells))


def assert_shows_the_board(app: DrawnApp, matrix: EntityMatrix, who: Entities, board: bytes) -> None:
    lines = app.shown(matrix)
    assert lines == truth(matrix)
    shape = matrix._frame
    start = 2 + shape.name + 1 + (shape.partition + 1 if shape.partition else 0)
    for y, line in enumerate(lines[1:]):
        row = matrix.scroll_offset.y + y
        if row >= len(matrix.order):
            continue
        entity = matrix.order[row]
        wanted = [look(board[task * who.n + entity]).glyph for task in range(shape.first, shape.last)]
        # Where a name is drawn with wide characters, cells and characters part; counted from the right they do not.
        cells = [
            app.cells[matrix.content_region.x + start + 1 + PITCH * i, matrix.content_region.y + 1 + y]
            for i in range(len(wanted))
        ]
        assert cells == wanted, line
        assert line.startswith("▸" if row == matrix.cursor else " ")


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@pytest.mark.parametrize("seed", range(2))
async def test_no_stale_cell_after_any_sequence(size: tuple[int, int], seed: int) -> None:
    chance = random.Random(seed)
    who = entities(400)
    board = random_board(chance, 400 * len(TASKS))
    matrix = EntityMatrix(why=lambda entity: f"why {board[who.n + entity]}")
    app = DrawnApp(Legend(), matrix, Legend())
    async with app.run_test(size=size) as pilot:
        matrix.set_entities(who, board)
        matrix.focus()
        for _ in range(30):
            for _ in range(chance.randint(1, 3)):
                board = await one_step(chance, pilot, matrix, who, board)
            await pilot.pause()
            assert_shows_the_board(app, matrix, who, board)


async def one_step(chance: random.Random, pilot: Pilot[None], matrix: EntityMatrix, who: Entities, board: bytes) -> bytes:
    match chance.randrange(8):
        case 0:
            matrix.scroll_to(y=chance.randrange(who.n), animate=False)
        case 1:
            query = chance.choice(["", "status:failed", "!status:failed", "AA-001", "zzz"])
            sort = chance.choice(["number", "failures", "name"])
            matrix.show(select(board, who.n, who.tasks, who.names, query, sort=sort), follow=chance.random() < 0.5)
        case 2:
            await pilot.press(chance.choice(["j", "k", "G", "home", "pagedown", "pageup", "right", "left"]))
        case 3:
            matrix.mark(chance.choice([None, *TASKS]))
        case 4:
            await pilot.resize_terminal(*chance.choice([(80, 24), (100, 30), (160, 45)]))
        case _:
            changed = bytearray(board)
            for _ in range(chance.choice([1, 5, 500])):
                changed[chance.randrange(len(changed))] = chance.choice(list(LOOKS))
            board = bytes(changed)
            matrix.update(board)
    return board


async def test_an_update_repaints_the_lines_that_changed_and_no_others() -> None:
    who = entities(1000)
    board = bytes([Cell.PENDING]) * (1000 * len(TASKS))
    matrix = EntityMatrix()
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        matrix.set_entities(who, board)
        await pilot.pause()
        drawn: list[int] = []
        draw = matrix.render_line
        matrix.render_line = lambda y: (drawn.append(y), draw(y))[1]  # type: ignore[method-assign]

        changed = bytearray(board)
        changed[3 * 1000 + 7] = Cell.FAILED  # entity 7, on line 8
        changed[2 * 1000 + 500] = Cell.FAILED  # far below
        matrix.update(bytes(changed))
        await pilot.pause()
        assert drawn == [8]


async def test_keys_move_and_choose() -> None:
    chosen: list[int] = []

    class Choosing(DrawnApp):
        def on_entity_matrix_entity_chosen(self, message: EntityMatrix.EntityChosen) -> None:
            chosen.append(message.index)

    who = entities(100)
    matrix = EntityMatrix()
    async with Choosing(matrix).run_test(size=(80, 24)) as pilot:
        matrix.set_entities(who, bytes([Cell.PENDING]) * 600, array("I", range(99, -1, -1)))
        matrix.focus()
        for key, row in [
            ("j", 1),
            ("down", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("G", 99),
            ("down", 99),
            ("home", 0),
            ("pagedown", 22),
        ]:
            await pilot.press(key)
            assert matrix.cursor == row, key
            assert matrix.scroll_offset.y <= row < matrix.scroll_offset.y + 23
        await pilot.press("enter")
    assert chosen == [99 - 22]


async def test_the_cursor_stays_with_its_entity_when_the_order_changes() -> None:
    who = entities(100)
    board = bytes([Cell.PENDING]) * 600
    matrix = EntityMatrix()
    async with DrawnApp(matrix).run_test(size=(80, 24)):
        matrix.set_entities(who, board)
        matrix.action_move(60)
        matrix.show(array("I", range(99, -1, -1)))
        assert (matrix.entity, matrix.cursor) == (60, 39)
        matrix.show(array("I", [1, 2, 3]))
        assert (matrix.entity, matrix.cursor) == (3, 2)
        matrix.show(array("I"))
        assert matrix.entity is None
        matrix.show(array("I", range(100)))
        assert matrix.cursor == 0


async def test_nothing_to_show_says_so() -> None:
    matrix = EntityMatrix(empty="no entity matches")
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "no entity matches" in app.shown(matrix)[1]
        await pilot.press("j", "G", "enter")


async def test_reasons_are_asked_for_visible_rows_only_and_are_harmless() -> None:
    asked: set[int] = set()

    def why(entity: int) -> str:
        asked.add(entity)
        return "[bold]boom\x1b[31m\n" + "x" * 300

    who = entities(5000)
    matrix = EntityMatrix(why=why)
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        matrix.set_entities(who, bytes([Cell.PENDING]) * (5000 * 6))
        await pilot.pause()
        assert asked == set(matrix.on_screen) == set(range(23))
        assert "[bold]boom\\x1b[31m\\n" in app.shown(matrix)[1]


async def test_more_tasks_than_fit_are_reached_sideways() -> None:
    tasks = [f"step_{number:02}" for number in range(40)]
    who = entities(50, tasks)
    board = random_board(random.Random(1), 50 * 40)
    matrix = EntityMatrix()
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        matrix.set_entities(who, board)
        matrix.focus()
        await pilot.pause()
        assert app.shown(matrix)[0].rstrip().endswith("›")
        await pilot.press(*["right"] * 40)
        await pilot.pause()
        assert "‹" in app.shown(matrix)[0]
        assert matrix._frame.last == 40
        assert_shows_the_board(app, matrix, who, board)


async def test_the_theme_repaints_everything() -> None:
    matrix = EntityMatrix()
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        matrix.set_entities(entities(100), bytes([Cell.FAILED]) * 600)
        await pilot.pause()
        dark = {str(segment.style) for segment in matrix.render_lines(matrix.size.region)[5]}
        app.theme = "wavedeck-light"
        await pilot.pause()
        light = {str(segment.style) for segment in matrix.render_lines(matrix.size.region)[5]}
        assert not dark & light


async def test_a_board_of_the_wrong_size_is_refused() -> None:
    matrix = EntityMatrix()
    async with DrawnApp(Widget(), matrix).run_test(size=(80, 24)):
        matrix.set_entities(entities(10), bytes([Cell.PENDING]) * 60)
        with pytest.raises(ValueError, match="59 cells are no board of 10 entities x 6 tasks"):
            matrix.update(b"P" * 59)


@pytest.mark.parametrize("width", [20, 40, 79, 159])
@pytest.mark.parametrize("tasks", [0, 1, 6, 10, 60])
def test_the_frame_fits(width: int, tasks: int) -> None:
    shape = frame(width, 500, 3, tasks, first=3)
    used = 2 + shape.name + 1 + (shape.partition + 1 if shape.partition else 0) + PITCH * (shape.last - shape.first)
    assert used <= width or shape.last - shape.first <= 1
    assert 0 <= shape.first <= shape.last <= tasks


async def test_the_scrollbar_is_textuals_own_and_takes_the_mouse() -> None:
    # Given
    who = entities(400)
    matrix = EntityMatrix()
    app = DrawnApp(matrix)
    async with app.run_test(size=(80, 24)) as pilot:
        matrix.set_entities(who, bytes([Cell.PENDING]) * 400 * len(TASKS))
        await pilot.pause()
        bar = matrix.vertical_scrollbar
        plain = ScrollBar.render(bar)
        drawn = list(app.console.render_lines(plain, app.console.options.update(width=1, height=bar.size.height)))

        # Then it looks as Textual draws it
        assert [[s.text for s in line] for line in drawn] == [[s.text for s in bar.render_line(y)] for y in range(24)]

        # When it is clicked below its thumb, and dragged
        await pilot.mouse_down(bar, offset=(0, 20))
        await pilot.mouse_up(bar, offset=(0, 20))
        await pilot.pause(0.3)
        below = matrix.scroll_offset.y
        assert below > 0
        await pilot.mouse_down(bar, offset=(0, 1))
        await pilot.hover(bar, offset=(0, 12))
        await pilot.mouse_up(bar, offset=(0, 12))
        await pilot.pause(0.3)

        # Then the entities follow
        assert matrix.scroll_offset.y > 100
