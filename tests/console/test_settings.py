from pathlib import Path

import pytest
from redis import Redis
from stage import Stage, picture, shows, until

from console.actions import available, textual_keymap
from console.app import WavedeckApp
from console.keys import ACTIONS, SCREENS
from console.settings import BadSettings, Settings, load


def write(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml") == Settings()


def test_a_file_says_theme_glyphs_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'theme = "wavedeck-light"\nglyphs = "ascii"\nbell = false\n[keys]\n"wave.cancel" = "ctrl+x"\n'
    monkeypatch.setenv("WAVEDECK_CONFIG", str(write(tmp_path, text)))
    assert load() == Settings(theme="wavedeck-light", glyphs="ascii", bell=False, keys={"wave.cancel": "ctrl+x"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("theme = ", "config.toml"),
        ("colour = 1", "nothing is called 'colour'"),
        ("bell = 'no'", "which is no bool"),
        ("glyphs = 'emoji'", "unicode or ascii"),
        ("[keys]\n'wave.fly' = 'x'", "no action 'wave.fly'"),
        ("[keys]\n'wave.cancel' = 3", "is no text"),
        ("[keys]\n'wave.cancel' = 'ctrl+d'", "may not be on a key that scrolls"),
        ("[keys]\n'wave.cancel' = 'T'", "'T' is"),
        ("[keys]\n'help' = 'c'", "'c' is"),
    ],
)
def test_what_nobody_understands_is_refused_with_the_file(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadSettings, match=r"config\.toml") as refused:
        load(write(tmp_path, text))
    assert told in str(refused.value)


def test_a_remapped_key_works_and_is_shown_everywhere() -> None:
    keys = {"wave.cancel": "ctrl+x"}
    assert textual_keymap(keys) == {"waves.wave.cancel": "ctrl+x", "wave.wave.cancel": "ctrl+x"}
    assert [a.shown for a in available("wave", keymap=keys) if a.id == "wave.cancel"] == ["ctrl-x"]


async def test_remapped_keys_in_the_console(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    settings = Settings(keys={"wave.trigger": "f2", "help": "f1"})
    async with WavedeckApp(redis_url, settings=settings).run_test(size=(120, 30)) as pilot:
        shown = await shows(pilot, "2013-07-01T14")
        assert "f2 trigger" in shown and "f1 help" in shown
        await pilot.press("T")
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("f2")
        await shows(pilot, "start a wave")
        await pilot.press("escape", "f1")
        await until(pilot, lambda: "f2" in picture(pilot.app) and "Start a wave" in picture(pilot.app))


def test_the_ascii_switch_leaves_nothing_else(tmp_path: Path) -> None:
    """In a process of its own: the glyphs are chosen when the console is imported."""
    import os
    import subprocess
    import sys

    program = (
        "from console.theme import LOOKS, ASCII\n"
        "from console.widgets.rail import layout\n"
        "from console.widgets.paint import strip_of\n"
        "from rich.style import Style\n"
        "drawn = ''.join(layout('abcd', [('a','b'),('a','c'),('b','d'),('c','d')]).lines)\n"
        "drawn += ''.join(look.glyph + look.block for look in LOOKS.values()) + '▸ … · × – → ↑'\n"
        "text = strip_of([(drawn, Style())], len(drawn), Style()).text\n"
        "print(ascii(text) == repr(text), len({look.glyph for look in LOOKS.values()}))\n"
    )
    environment = {**os.environ, "WAVEDECK_GLYPHS": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "8"], done.stdout


def test_every_action_has_a_key_that_no_other_has_on_its_screen() -> None:
    for screen in SCREENS:
        keys = [key for a in available(screen) for key in a.key.split(",") if key]
        for widget in ("list", "grid", "pane", "rail"):
            moving = [key for a in ACTIONS if widget in a.home for key in a.key.split(",") if key]
            both = set(keys) & set(moving) - {"g"}
            assert not both, f"{screen}/{widget}: {both}"
        assert "g" not in keys or screen == "wave"
