"""Every screen of the console with hostile strings in every place: no crash, no markup, no control, no line that is out of place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from canaries import canaries
from hostile_stage import DATE, TEXTS, a_hostile_wave, everything_hostile, versions
from naughty import FAMILIES, FEW, MEGABYTE, is_text
from on_screen import odd, wrong_lines
from redis import Redis
from rich.cells import cell_len
from stage import Stage, picture, shows, until
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from console.app import WavedeckApp
from console.locator import Locator
from console.screens.prompts import FilterBar
from console.screens.state_lists import MemberList, PartitionList
from console.settings import Settings
from console.widgets.text import clean, dotted
from engine.store.waves import Waves

TALL, SMALL = (150, 120), (80, 24)
SEVERAL = [text for family in FAMILIES.values() for text in family[:: max(len(family) // 2, 1)] if text in TEXTS][2::11]
"""Entities that are opened one by one."""


@pytest.fixture(autouse=True)
def _no_screen_relies_on_the_last_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaked(text: str) -> str:
        raise AssertionError(f"a screen draws {text!a} as it is")

    monkeypatch.setattr("console.widgets.paint.clean", leaked)


def check(pilot: Pilot[Any], where: str) -> str:
    """What the screen shows; every line of it is as wide as the screen, and clean."""
    shown = picture(pilot.app)
    assert wrong_lines(shown.split("\n"), pilot.app.size.width) == [], where
    return shown


async def pages(pilot: Pilot[Any], where: str, most: int = 12) -> str:
    """All pages of the list that has the focus, checked."""
    rows, told = pilot.app.focused, check(pilot, where)
    for _ in range(most):
        cursor = getattr(rows, "cursor", None)
        await pilot.press("pagedown")
        await pilot.pause()
        if cursor is None or getattr(rows, "cursor", None) == cursor:
            break
        told += check(pilot, where)
    return told + check(pilot, where)


def missing(told: str, texts: list[str], width: int = 9) -> list[str]:
    """Of which texts the beginning is nowhere, as far as it fits."""
    words = told.replace("…", "")
    return [ascii(text) for text in texts if clean(text)[:width].strip() and clean(text)[:width].rstrip() not in words]


async def test_every_screen_shows_every_string_as_text(redis: Redis, redis_url: str) -> None:
    stage = everything_hostile(redis)
    wave = f"{stage.wave.id} {stage.wave.locator}"
    places = {
        "waves": "shops", "state": "FLOWS", f"wave {wave}": "WHY", f"failures {wave}": "COUNT", f"changes {wave}": "NOW", f"profile {wave}": "entities", "history": "TOOK", "state shops": f"· {len(TEXTS)} entities",
 "workers": "w0", "acts": "WHAT", "pipes": "main", "pipes main": "sales", f"pipes main/sales {DATE}": "touch pwned-1",
    }  # fmt: skip
    whole = (f"wave {wave}", "state shops", f"pipes main/sales {DATE}")
    ended = [
        progress.wave.id for progress in Waves(redis).recent(200) if progress.wave.cancelled and odd(progress.wave.cancelled)
    ]
    places |= {f"wave {wave_id}": "cancelled" for wave_id in ended[:6]}
    told: dict[str, str] = {}
    async with WavedeckApp(redis_url).run_test(size=TALL) as pilot:
        await shows(pilot, "shops")
        for place, text in places.items():
            pilot.app.obey(place)  # type: ignore[attr-defined]
            await until(pilot, lambda text=text: text in picture(pilot.app) and "asking" not in picture(pilot.app), place)  # type: ignore[misc]
            if place == "state shops":
                await until(pilot, lambda: isinstance(pilot.app.focused, PartitionList))
                await pilot.press("tab")
                await until(pilot, lambda: isinstance(pilot.app.focused, MemberList))
            told[place] = await pages(pilot, place)
            for _ in range(3):  # what was asked for when it came into sight is there when one comes again
                if place in whole and missing(told[place], TEXTS):
                    await pilot.press("home")
                    told[place] += await pages(pilot, place)
    for place in whole:
        assert missing(told[place], TEXTS) == [], place
    people = [text for text in FEW if is_text(text) and len(text) < 500]
    assert missing(told["waves"], people[20:], 3) == [], "the newest waves"
    assert missing(told["acts"], people, 3) == []
    assert missing(told["workers"], people[:40], 3) == []
    assert missing(told["pipes"], versions(), 3) == []


@pytest.mark.parametrize("size", [SMALL, TALL])
async def test_an_entity_is_shown_with_its_errors_logs_and_inputs(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = a_hostile_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await shows(pilot, "shops")
        for text in SEVERAL[: 3 if size == SMALL else None]:
            place = Locator("entity", wave=stage.wave.id, name=stage.wave.locator, entity=text)
            pilot.app.obey(str(place))  # type: ignore[attr-defined]
            await shows(pilot, "STATUS", clean(text)[:8].rstrip())
            shown = await pages(pilot, ascii(text), 2)
            if TEXTS.index(text) % 6:
                assert "Traceback" in shown or size == SMALL
            for key in ("i", "l", "x") if size == TALL else ():
                await pilot.press(key)
                await pilot.pause()
                check(pilot, f"{text!a} {key}")


async def test_values_are_shown_in_every_way(redis: Redis, redis_url: str) -> None:
    a_hostile_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=TALL) as pilot:
        await shows(pilot, "shops")
        for text in SEVERAL:
            pilot.app.obey(str(Locator("pipes", path="main/sales", date=DATE, entity=text)))  # type: ignore[attr-defined]
            await shows(pilot, clean(text)[:8].rstrip(), "bytes")
            check(pilot, ascii(text))
            await pilot.press("m")
            await pilot.pause()
            check(pilot, f"{text!a}, raw")


async def test_a_megabyte_is_shown(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north"]).claim()
    stage.run("sales", log=MEGABYTE[:65536])
    redis.set(f"main/sales north {DATE}", json.dumps({MEGABYTE[:999]: [MEGABYTE]}, ensure_ascii=False).encode(), ex=3600)
    async with WavedeckApp(redis_url).run_test(size=TALL) as pilot:
        for place in (f"entity {stage.wave.id} north sales", f"pipes main/sales {DATE} north"):
            pilot.app.obey(place)  # type: ignore[attr-defined]
            await shows(pilot, "north", "\\u202e", timeout=30)
            check(pilot, place)


async def test_what_is_copied_told_watched_and_saved(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """`c`, `C`, `Y`, `w` and ctrl-s on hostile entities: the clipboard has the text as it is, the screen and its pictures do not."""
    stage = a_hostile_wave(redis)
    app = WavedeckApp(redis_url, settings=Settings(save=str(tmp_path / "saved")))
    (tmp_path / "saved").mkdir()
    async with app.run_test(size=TALL) as pilot:
        await shows(pilot, "shops")
        for text in SEVERAL:
            place = Locator("entity", wave=stage.wave.id, name=stage.wave.locator, entity=text)
            app.obey(str(place))
            await shows(pilot, "STATUS", clean(text)[:8].rstrip())
            app.copy_to_clipboard("")
            await pilot.press("C")
            await until(pilot, lambda: app.clipboard, "the place is copied")
            assert app.clipboard == f":{app.deck_screen.place}" and parse_back(app.clipboard) == text  # type: ignore[union-attr]
            app.copy_to_clipboard("")
            await pilot.press("Y")
            await until(pilot, lambda: "###" in app.clipboard, "the incident is there")
            assert odd(app.clipboard) == []
            await pilot.press("c", "w", "ctrl+s")
            await until(pilot, lambda: list((tmp_path / "saved").iterdir()), "it is saved")
            check(pilot, f"notices of {text!a}")
            app.clear_notifications()
    files = sorted((tmp_path / "saved").iterdir())
    assert {file.suffix for file in files} == {".svg", ".txt"} and all(
        re.fullmatch(r"wavedeck-\d{8}-\d{6}-entity\.(svg|txt)", f.name) for f in files
    )
    for file in files:
        saved = file.read_text("utf-8")
        if file.suffix == ".svg":
            ElementTree.fromstring(saved)  # noqa: S314 our own
            assert "http://evil.example" not in re.findall(r'(?:href|src)="([^"]*)"', saved)
        else:
            assert odd(saved.partition("\n")[2]) == []
    assert canaries(tmp_path) == []


def parse_back(line: str) -> str:
    from console.locator import parse

    return parse(line).entity


PASTED = "\x1b]52;c;cm0=\x07\x9b31m\u202egnp a\u200bb\u0301c👩\u200d👩 東京[bold]x[/] $(touch pwned-1)a\tb(a|aa)+$\ud800"


async def test_whatever_is_pasted_or_typed_is_shown_as_text(redis: Redis, redis_url: str) -> None:
    stage = a_hostile_wave(redis, TEXTS[:40])
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=TALL) as pilot:
        await shows(pilot, "WHY")
        for opener, field in (("slash", "FilterInput"), ("colon", "CommandInput")):
            await pilot.press(opener)
            await until(pilot, lambda: isinstance(pilot.app.focused, Input))
            pilot.app.focused.post_message(events.Paste(PASTED))  # type: ignore[union-attr]
            await until(pilot, lambda: isinstance(pilot.app.focused, Input) and pilot.app.focused.value == PASTED, field)
            assert dotted(PASTED)[:40] in check(pilot, field)
            for key in ("left", "home", "end", "backspace", "enter", "escape"):
                await pilot.press(key)
                await pilot.pause()
                check(pilot, f"{field} {key}")


async def test_any_filter_of_any_list_filters_or_says_why_not(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.pattern.BUDGET", 0.1)
    stage = everything_hostile(redis)
    wave = f"{stage.wave.id} {stage.wave.locator}"
    places = [
        "waves",
        f"wave {wave}",
        f"failures {wave}",
        f"changes {wave}",
        "history",
        "state",
        "state shops",
        "workers",
        "acts",
        "pipes",
        f"pipes main/sales {DATE}",
    ]
    texts = [text for text in FEW if is_text(text)]
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        await shows(pilot, "shops")
        for number, place in enumerate(places):
            pilot.app.obey(place)  # type: ignore[attr-defined]
            await until(pilot, lambda: pilot.app.screen.query(FilterBar))
            for text in [*texts[number::20], *FAMILIES["patterns"][number % 5 :: 5]]:
                pilot.app.screen.set_filter(text)  # type: ignore[attr-defined]
                await pilot.pause()
                check(pilot, f"{place} /{ascii(text)[:60]}")
            pilot.app.screen.set_filter("")  # type: ignore[attr-defined]


async def test_dialogs_about_hostile_waves(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))
    stage = a_hostile_wave(redis, TEXTS[::5], by="\x1b[31mред\u202e[red]", trigger="manual:[/]")
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=TALL) as pilot:
        await shows(pilot, "WHY")
        for key, text in (("X", "cancel"), ("R", "re-run"), ("T", "start a wave")):
            await pilot.press(key)
            await until(pilot, lambda: len(pilot.app.screen_stack) == 3, f"the dialog of {key}")
            await shows(pilot, *([text] if key == "T" else []))
            await until(pilot, lambda: "asking Redis" not in picture(pilot.app))
            check(pilot, f"dialog {key}")
            for field in pilot.app.screen.query(Input) if key == "T" else ():
                field.value = PASTED
                await pilot.pause()
                check(pilot, str(field.id))
                field.value = {"flow": "shops", "version": "main", "date": DATE}.get(field.id or "", "")
            await pilot.press("escape")
            await until(pilot, lambda: len(pilot.app.screen_stack) == 2)


async def test_help_and_the_palette_over_a_hostile_screen(redis: Redis, redis_url: str) -> None:
    stage = a_hostile_wave(redis, TEXTS[::5])
    async with WavedeckApp(redis_url, locator=stage.wave.id).run_test(size=TALL) as pilot:
        await shows(pilot, "WHY")
        for key in ("question_mark", "m", "g", "f", "space", "comma"):
            await pilot.press(key)
            await pilot.pause()
            check(pilot, key)
            if key == "question_mark":
                await pilot.press("escape")


def test_a_line_is_as_wide_as_it_says_whatever_is_in_it() -> None:
    from console.widgets.text import fit

    for text in TEXTS:
        for width in (1, 2, 7, 20, 80):
            assert cell_len(fit(text, width)) == width and odd(fit(text, width)) == []
        assert clean(clean(text)) == clean(text) and odd(clean(text)) == []
        assert len(dotted(text)) == len(text) and odd(dotted(text)) == []
