"""The driver of a console on a web page: Textual's own, but that keys work at once."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.drivers.web_driver import WebDriver

MOST = 1000
"""Columns, and rows, of the largest page."""


class PageDriver(WebDriver):
    """Textual's web driver begins as if the page were out of focus. When the page said that it has the focus before the app listened,
    the app would drop all keys until somebody clicks. Here it begins in focus; a page that loses it says so. And a page is as large as a
    screen can be: a visitor who says otherwise could have us draw until the memory is full."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._size is not None:
            self._size = _within(*self._size)

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        if packet_type == "resize":
            width, height = _within(payload.get("width"), payload.get("height"))
            payload = {**payload, "width": width, "height": height}
        super().on_meta(packet_type, payload)

    def start_application_mode(self) -> None:
        super().start_application_mode()
        self._app.call_later(self._app.post_message, events.AppFocus())  # right behind Textual's AppBlur


def _within(width: object, height: object) -> tuple[int, int]:
    """A size that can be drawn."""
    wide, high = (side if isinstance(side, int) else 80 for side in (width, height))
    return min(max(wide, 1), MOST), min(max(high, 1), MOST)
