"""Pages in a browser, where there is one: a terminal on a server has none, or one that would draw over the console."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.app import WavedeckApp


def has_browser() -> bool:
    """Whether this process can open a window for its person."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_page(app: WavedeckApp, url: str) -> None:
    """Opens a page; where that cannot be, its address is copied and said."""
    if not url.startswith("https://"):
        app.tell(f"not a page to open: {url}", bad=True)
    elif app.is_web:
        app.open_url(url)
    elif has_browser():
        threading.Thread(target=_open, args=(app, url), name="browser", daemon=True).start()
    else:
        app.copy(url, url)


def _open(app: WavedeckApp, url: str) -> None:
    if not webbrowser.open(url):
        with contextlib.suppress(RuntimeError):  # the console has ended meanwhile
            app.call_from_thread(app.copy, url, url)
