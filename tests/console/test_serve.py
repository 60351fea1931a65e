"""`wavedeck serve` in a real browser, and what it refuses."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis import Redis
from servers import eventually, is_running
from stage import a_bad_wave

from console.web.server import COOKIE, ConsoleServer, is_loopback
from engine.fleet.server import free_port

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
ANSI = re.compile(rb"\x1b\[[0-9;:?]*[a-zA-Z]")


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """`wavedeck` with these words; stderr goes to `serve.err`."""
    return subprocess.Popen(
        [sys.executable, "-m", "console.cli", *words],
        stdout=subprocess.PIPE, stderr=(folder / "serve.err").open("w"), text=True,
        env={**os.environ, "WAVEDECK_HOME": str(folder), **environment},
    )  # fmt: skip


def children(pid: int) -> list[int]:
    """Processes that `pid` has started and that run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if is_running(int(child))]


@pytest.fixture
def left() -> Iterator[ExitStack]:
    """What is to be ended when a test is over, however it went."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def served(redis: Redis, redis_url: str, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A console served on loopback; its address, and the process."""
    a_bad_wave(redis)
    port = free_port()
    process = start(tmp_path, "--redis", redis_url, "serve", "--port", str(port))
    assert process.stdout is not None
    line = process.stdout.readline()
    assert f"wavedeck at http://127.0.0.1:{port}/" in line, line + (tmp_path / "serve.err").read_text()
    yield f"http://127.0.0.1:{port}/", process
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, (tmp_path / "serve.err").read_text()
    assert "Traceback" not in (tmp_path / "serve.err").read_text()


class Page:
    """A page of a Chromium, spoken to by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.output = b""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive(timeout=20)).data)
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(params["url"])
            case "Network.webSocketFrameReceived" if params["response"]["opcode"] == 2:
                self.output += base64.b64decode(params["response"]["payloadData"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(params))

    async def shows(self, *texts: str, timeout: float = 20) -> None:
        """Until the terminal was sent these texts since the last call."""
        async with asyncio.timeout(timeout):
            while not all(text.encode() in ANSI.sub(b"", self.output) for text in texts):
                await self.call("Runtime.evaluate", expression="1")
                await asyncio.sleep(0.05)
        self.output = b""

    async def press(self, key: str, code: str = "", text: str = "") -> None:
        await self.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            code=code,
            text=text or key,
            windowsVirtualKeyCode=13 if key == "Enter" else 0,
        )
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code)


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A Chromium that can reach nothing but this machine."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-background-networking",
         "--remote-debugging-port=0", f"--user-data-dir={folder}", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
         "--window-size=1480,900", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        port = eventually(
            lambda: (folder / "DevToolsActivePort").exists() and (folder / "DevToolsActivePort").read_text().split(), 40
        )[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                target = next(t for t in await answer.json() if t["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Network", "Runtime", "Page"):
                    await page.call(f"{domain}.enable")
                yield page
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; on Debian: apt-get install chromium")
async def test_a_browser_shows_it_and_keys_work_without_a_click(
    served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, _ = served
    async with browser(tmp_path / "chromium") as page:
        await page.call("Page.navigate", url=address)
        await page.shows("2013-07-01T14", "read-only")
        await page.press("Enter", "Enter", "\r")
        await page.shows("NoObservation")
        await page.press("?")
        await page.shows("esc closes", "refused: read-only")
        picture = base64.b64decode((await page.call("Page.captureScreenshot", format="png"))["data"])
        (tmp_path / "page.png").write_bytes(picture)
        assert picture.startswith(b"\x89PNG") and len(picture) > 20_000, "something is drawn"
        title = await page.call("Runtime.evaluate", expression="document.title + location.href")
        assert title["result"]["value"] == "wavedeck" + address
        outside = [
            url
            for url in page.requests
            if not url.split("://")[1].startswith(address.split("://")[1]) and not url.startswith("data:")
        ]
        assert outside == []
        assert len(page.requests) >= 4 and page.errors == []


async def test_a_visitor_who_leaves_ends_his_console(served: tuple[str, subprocess.Popen[str]]) -> None:
    address, process = served

    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{address}ws?width=100&height=30") as socket:
            first = await socket.receive(timeout=20)
            assert first.data
            assert len(children(process.pid)) == 1
        eventually(lambda: not children(process.pid), 15, what="the visitor's console has ended")


async def test_who_comes_too_late_is_told_so_and_let_in_when_somebody_leaves(
    redis: Redis, redis_url: str, tmp_path: Path, left: ExitStack
) -> None:
    # Given a console that one person may look at, and does
    port = free_port()
    process = start(tmp_path, "--redis", redis_url, "serve", "--port", str(port), "--visitors", "1")
    left.callback(process.wait, 20)
    left.callback(process.send_signal, signal.SIGINT)
    assert process.stdout is not None and "wavedeck at" in process.stdout.readline()
    address = f"http://127.0.0.1:{port}/"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{address}ws?width=100&height=30") as socket:
            assert (await socket.receive(timeout=20)).data
            # When another comes
            async with session.get(address) as answer:
                page = await answer.text()
            # Then that is said, and no second console was started
            assert answer.status == 503 and answer.headers["Retry-After"] == "5"
            assert "1 person looks at this console" in page and "--visitors 2" in page and 'http-equiv="refresh"' in page
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await session.ws_connect(f"{address}ws")
            async with session.get(f"{address}static/js/textual.js") as answer:
                assert answer.status == 200, "what the first one's page loads is served"
            assert len(children(process.pid)) == 1
        # And when the first has left, there is room
        for _ in range(300):
            async with session.get(address) as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.05)
        async with session.ws_connect(f"{address}ws?width=100&height=30") as socket:
            assert (await socket.receive(timeout=20)).data


async def test_a_pipe_or_a_socket_that_nobody_reads_any_more_does_not_end_the_server(
    served: tuple[str, subprocess.Popen[str]],
) -> None:
    address, process = served

    process.send_signal(signal.SIGPIPE)

    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200


async def test_other_sites_and_other_hosts_are_refused(served: tuple[str, subprocess.Popen[str]]) -> None:
    address, _ = served
    async with aiohttp.ClientSession() as session:
        for headers in ({"Host": "evil.example"}, {"Host": "evil.example:8000"}, {"Origin": "http://evil.example"}):
            for path in ("", "ws", "static/js/textual.js"):
                async with session.get(address + path, headers=headers) as answer:
                    assert answer.status == 403, (headers, path)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{address}ws", headers={"Origin": "http://evil.example"})
        async with session.get(address) as answer:
            assert answer.status == 200 and "googleapis" not in await answer.text()
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_beyond_this_machine_nothing_is_served_without_the_token() -> None:
    from aiohttp import web

    server = ConsoleServer(["true"], "0.0.0.0", 1, token="a-secret")  # noqa: S104, S106
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        base = f"http://127.0.0.1:{port}/"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            for path in ("", "?token=", "?token=wrong", "ws", "ws?token=wrong", "static/css/xterm.css", "?token=%FF"):
                async with session.get(base + path) as answer:
                    assert answer.status == 403, path
            async with session.get(base + "?token=a-secret") as answer:
                assert answer.status == 200
                assert answer.cookies[COOKIE]["httponly"] and answer.cookies[COOKIE]["samesite"] == "Strict"
            async with session.get(base + "static/css/xterm.css") as answer:
                assert answer.status == 200, "the cookie is enough now"
    finally:
        await runner.cleanup()
    assert server.address == "http://0.0.0.0:1/?token=a-secret"


def test_the_command_prints_a_token_where_others_can_reach_it(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, "--redis", redis_url, "serve", "--host", "0.0.0.0", "--port", str(port))  # noqa: S104
    try:
        line = str(process.stdout and process.stdout.readline())
        token = re.search(rf"http://0\.0\.0\.0:{port}/\?token=([\w-]{{32}}) ", line)
        assert token, line

        async def answers() -> list[int]:
            found = []
            async with aiohttp.ClientSession() as session:
                for query in ("", "?token=wrong", f"?token={token[1]}"):
                    async with session.get(f"http://127.0.0.1:{port}/{query}") as answer:
                        found.append(answer.status)
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    await session.ws_connect(f"http://127.0.0.1:{port}/ws")
            return found

        assert asyncio.run(answers()) == [403, 403, 200]
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_console_gets_what_was_asked_for_and_ends_with_the_server(
    redis: Redis, redis_url: str, tmp_path: Path, left: ExitStack
) -> None:
    a_bad_wave(redis)
    port, hostile = free_port(), "waves /$(touch pwned)'\"; touch pwned #"
    words = ["--slow-link", "serve", "--port", str(port), "--at", hostile]
    process = start(tmp_path, *words, WAVEDECK_REDIS_URL=redis_url)
    left.callback(process.kill)
    assert process.stdout is not None and process.stdout.readline()
    url = f"http://127.0.0.1:{port}/ws?width=100&height=30"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        shown = b""
        async with asyncio.timeout(30):
            while b"touch pwned" not in ANSI.sub(b"", shown):
                message = await socket.receive()
                assert message.data is not None, (tmp_path / "serve.err").read_text()
                shown += message.data if isinstance(message.data, bytes) else b""
        [console] = children(process.pid)
        command = Path(f"/proc/{console}/cmdline").read_bytes().decode().split("\0")[:-1]
        environment = dict(
            v.split("=", 1) for v in Path(f"/proc/{console}/environ").read_bytes().decode().split("\0") if "=" in v
        )

        process.terminate()
        assert process.wait(20) == 0
    assert command[-5:] == ["console.cli", "--read-only", "--slow-link", "--at", hostile]
    assert redis_url not in command, "it may hold a password, and every user of the machine can read it"
    assert environment["WAVEDECK_REDIS_URL"] == redis_url and environment["TEXTUAL_FPS"] == "10"
    eventually(lambda: not is_running(console), 15, what="the console has ended")
    assert "Traceback" not in (tmp_path / "serve.err").read_text()
    assert not Path("pwned").exists() and not (tmp_path / "pwned").exists()


def test_a_port_that_is_taken_is_a_sentence(redis_url: str, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, "--redis", redis_url, "serve", "--port", str(taken.getsockname()[1]))
        assert process.wait(30) == 1
    told = (tmp_path / "serve.err").read_text()
    assert told.startswith("wavedeck: cannot listen at 127.0.0.1:") and "Traceback" not in told


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("wavedeck.example", False),
    ],
)
def test_which_hosts_are_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
