"""The console on a web page: textual-serve, closed to everybody who was not given the address.

textual-serve runs a console for each visitor and has no login. Here only this machine can reach it unless somebody says otherwise, and
then only with the token in the address; a page of another site can neither read nor drive it (Host and Origin are checked on this
machine too); the page loads nothing from anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from textual_serve import server as textual_serve_server
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from engine.fleet import tether

COOKIE = "wavedeck-token"
DRIVER = "console.web.driver:PageDriver"
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; img-src 'self' data:; frame-ancestors 'none'",
}

ENDS = 2.0
"""Seconds that a console may take to end, once its visitor has gone."""
VISITORS = 16
"""Consoles at once, unless told otherwise: each takes some 70 MB, and a few hundredths of a CPU while a large wave moves."""
FULL = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>wavedeck: full</title></head>
<body style="background:#14161a;color:#d9dce1;font:16px monospace;padding:2em"><p>wavedeck: {why}.</p>
<p>This page looks again every five seconds. Whoever serves it lets in more with <code>wavedeck serve --visitors {more}</code>;
in a terminal <code>wavedeck</code> opens the same console.</p></body></html>
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Console(AppService):
    """A visitor's console, which is gone when it has been stopped: what ends later finds no loop that would hear of it."""

    async def stop(self) -> None:
        await super().stop()
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), ENDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


textual_serve_server.AppService = _Console  # type: ignore[attr-defined] # it has no other place for one


class ConsoleServer(Server):
    """Serves the console that `command` (a list of words) starts, one for each visitor.

    Parameters:
        token: what a visitor must bring, in the address or in the cookie that the first visit sets; none is wanted when empty.
        visitors: how many there may be at once; who comes later is told so, and let in when somebody leaves.
        environment: variables of the console, beside this process's.
    """

    def __init__(
        self,
        command: Sequence[str],
        host: str,
        port: int,
        token: str = "",
        environment: Mapping[str, str] | None = None,
        visitors: int = VISITORS,
    ) -> None:
        variables = {"TEXTUAL_DRIVER": DRIVER, **(environment or {})}  # here, for textual-serve sets its own
        words = ["env", *(f"{name}={value}" for name, value in variables.items())]
        words += [sys.executable, "-I", "-S", tether.__file__, str(int(signal.SIGTERM)), str(os.getpid()), *command]
        super().__init__(
            f"exec {shlex.join(words)}",
            host=host,
            port=port,
            title="wavedeck",
            templates_path=Path(__file__).parent / "templates",
        )
        self.token, self.visitors, self._here = token, visitors, 0

    @property
    def address(self) -> str:
        """Where a visitor goes."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: the command that serves does."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @aiohttp_jinja2.template("app_index.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """The page, with addresses of the host that the visitor asked."""
        return {"font_size": to_int(request.query.get("fontsize", "16"), 16), "name": self.title}

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A visitor's console, as long as he stays."""
        self._here += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._here -= 1

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (reason := self.refusal(request)) is not None:
            return web.Response(status=403, text=f"wavedeck: {reason}\n", headers=HEADERS)
        if self._here >= self.visitors and request.path in ("/", "/ws"):
            why = f"{self._here} {'person looks' if self._here == 1 else 'people look'} at this console, and that is as many as may"
            page = FULL.format(why=why, more=self.visitors * 2)
            return web.Response(status=503, text=page, content_type="text/html", headers={**HEADERS, "Retry-After": "5"})
        try:
            response = await handler(request)
        except (OSError, ValueError):  # a name that no file can have
            return web.Response(status=404, text="wavedeck: there is no such thing\n", headers=HEADERS)
        if not response.prepared:
            response.headers.update(HEADERS)
            if self.token and request.query.get("token"):
                response.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict", path="/")
        return response

    def refusal(self, request: web.Request) -> str | None:
        """Why a request is not served, or None."""
        host = request.host
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if is_loopback(self.host) and not is_loopback(name):
            return "the host in the address is not this machine's"
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "another site may not drive the console"
        if self.token:
            given = request.query.get("token") or request.cookies.get(COOKIE, "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
                return "the address lacks its token; the command that serves printed it"
        return None


async def _run(server: ConsoleServer, ready: Callable[[], None]) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    runner = web.AppRunner(await server._make_app(), shutdown_timeout=2.0, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, server.host, server.port).start()
        ready()
        await ended.wait()
    finally:
        await runner.cleanup()


def serve(
    command: Sequence[str],
    host: str,
    port: int,
    say: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    visitors: int = VISITORS,
) -> None:
    """Serves until SIGINT or SIGTERM; `say` is told the address once it can be visited. `environment`: variables of the console;
    `visitors`: how many there may be at once.

    Raises:
        OSError: the port is taken, or the host is none of this machine's.
    """
    token = "" if is_loopback(host) else secrets.token_urlsafe(24)
    server = ConsoleServer(command, host, port, token, environment, visitors)
    asyncio.run(_run(server, lambda: say(server.address)))
