"""The driver of a console on a web page: Textual's own, but that keys work at once."""

from __future__ import annotations

from textual import events
from textual.drivers.web_driver import WebDriver


class PageDriver(WebDriver):
    """Textual's web driver begins as if the page were out of focus. When the page said that it has the focus before the app listened,
    the app would drop all keys until somebody clicks. Here it begins in focus; a page that loses it says so."""

    def start_application_mode(self) -> None:
        super().start_application_mode()
        self._app.call_later(self._app.post_message, events.AppFocus())  # right behind Textual's AppBlur
