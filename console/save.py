"""`ctrl-s`: what the screen shows, as a picture and as text."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

from textual.app import App

from console.locator import Locator
from console.moment import now

FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""A picture that asks nobody for a font."""


def screen_text(app: App[Any]) -> str:
    """The screen on top as lines of text, without spaces at their ends."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips()) + "\n"


def screen_svg(app: App[Any]) -> str:
    """The screen on top as SVG."""
    return FONT.sub("", app.export_screenshot(title="wavedeck"))


def save(app: App[Any], place: Locator, folder: str) -> list[Path]:
    """Writes `wavedeck-DATE-TIME-VIEW.svg` and `.txt` into `folder`, or where the console was started; the files.

    Raises:
        OSError: they cannot be written.
    """
    where = Path(folder).expanduser() if folder else Path.cwd()
    files = [where / f"{_stem(place)}.svg", where / f"{_stem(place)}.txt"]
    files[0].write_text(screen_svg(app), encoding="utf-8")
    files[1].write_text(f":{place}\n{screen_text(app)}", encoding="utf-8")
    return files


def hand_over(app: App[Any], place: Locator) -> str:
    """Gives the picture to the browser in which the console is seen, as a download; its name. Nothing is written here."""
    name = f"{_stem(place)}.svg"
    app.deliver_binary(io.BytesIO(screen_svg(app).encode()), save_filename=name, mime_type="image/svg+xml")
    return name


def _stem(place: Locator) -> str:
    return f"wavedeck-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now()))}-{place.view}"
