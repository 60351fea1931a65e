"""Leaving, from wherever one is."""

import pytest

from console.app import WavedeckApp


@pytest.mark.parametrize("keys", [["q"], ["ctrl+q"], ["T", "ctrl+q"], ["question_mark", "escape", "q"]])
async def test_it_can_be_left_from_everywhere(redis_url: str, keys: list[str]) -> None:
    app = WavedeckApp(redis_url)
    async with app.run_test(size=(100, 30)) as pilot:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    assert app.return_code == 0
    assert not app.is_running
    assert app._exit


async def test_a_letter_typed_in_a_form_does_not_leave(redis_url: str) -> None:
    app = WavedeckApp(redis_url)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("T", "q")
        await pilot.pause()

        assert not app._exit
