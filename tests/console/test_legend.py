"""The legend explains every glyph that can be seen, as far as the width goes."""

import pytest
from drawn import DrawnApp

from console.theme import LOOKS
from console.widgets.legend import Legend, legend
from engine.status import Cell


@pytest.mark.parametrize("width", [30, 60, 80, 81, 160])
def test_it_fits(width: int) -> None:
    assert sum(len(text) + 1 for _, text in legend(width)) <= width


def test_at_eighty_columns_all_six_statuses_are_named() -> None:
    words = {LOOKS[cell].word for cell, _ in legend(79)}
    assert {"pending", "running", "finished", "failed", "blocked"} <= words


def test_with_room_everything_is_named() -> None:
    assert {cell for cell, _ in legend(120)} == set(Cell)


async def test_on_screen() -> None:
    app = DrawnApp(widget := Legend())
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        assert app.shown(widget)[0].strip().startswith("○ pending ◐ running ● finished ◉ reused ↺ covered ✗ failed")
