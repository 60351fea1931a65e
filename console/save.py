"""`ctrl-s`: what the screen shows, as a picture and as text."""

from __future__ import annotations

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
    stem = f"wavedeck-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now()))}-{place.view}"
    files = [where / f"{stem}.svg", where / f"{stem}.txt"]
    files[0].write_text(screen_svg(app), encoding="utf-8")
    files[1].write_text(f":{place}\n{screen_text(app)}", encoding="utf-8")
    return files
