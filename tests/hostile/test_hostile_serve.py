"""The console on a web page: what a visitor sends is data, and what he saves is his, not the server's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import pytest
from canaries import canaries
from hostile_stage import TEXTS, a_hostile_wave
from naughty import FEW, as_argument, is_text
from redis import Redis
from yarl import URL

from console.web.server import ConsoleServer, is_loopback
from engine.fleet.server import free_port

KEY = re.compile(r'\["deliver_file_start", "(\w+)"\]')
ANSI = re.compile(rb"\x1b\[[0-9;:?]*[a-zA-Z]")


@pytest.fixture
def page(redis: Redis, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a console served from an empty folder, which saves into another."""
    a_hostile_wave(redis, TEXTS[::10])
    for folder in ("there", "saved"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config.toml").write_text(f"save = {str(tmp_path / 'saved')!r}")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "console.cli", "serve", "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path / "there",
        env={**os.environ, "WAVEDECK_HOME": str(tmp_path / "home"), "WAVEDECK_REDIS_URL": redis_url, "WAVEDECK_CONFIG": str(tmp_path / "config.toml")},
    )  # fmt: skip
    assert process.stdout is not None and "wavedeck at" in process.stdout.readline()
    yield f"http://127.0.0.1:{port}/"
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in complained, complained


async def hear(socket: aiohttp.ClientWebSocketResponse, text: str) -> str:
    """What has come when all of `text` has, colours and the like left out."""
    told = b""
    async with asyncio.timeout(40):
        while text.encode() not in ANSI.sub(b"", told):
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            told += message.data.encode() if isinstance(message.data, str) else message.data
    return ANSI.sub(b"", told).decode("utf-8", "replace")


async def test_a_visitor_who_saves_gets_a_download_and_the_server_keeps_nothing(page: str, tmp_path: Path) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{page}ws?width=100&height=30", max_msg_size=0) as socket,
    ):
        await hear(socket, "2013-07-01T14")

        await socket.send_json(["stdin", "\x13"])

        said = await hear(socket, "deliver_file_start")
        async with session.get(f"{page}download/{KEY.findall(said)[-1]}") as answer:
            assert answer.status == 200 and "attachment; filename=wavedeck-" in answer.headers["Content-Disposition"]
            picture = (await answer.read()).decode()
        assert "2013-07-01T14" in picture
        ElementTree.fromstring(picture)  # noqa: S314 our own
        await hear(socket, "way to your browser")
    assert [path for folder in ("there", "saved") for path in (tmp_path / folder).iterdir()] == []


async def test_a_page_of_any_size_and_any_keys_are_survived(page: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{page}ws?width=999999999&height=-5", max_msg_size=0) as socket,
    ):
        await hear(socket, "pending")
        for size in ((10**9, 10**9), (-1, 0), (80, 24)):
            await socket.send_json(["resize", {"width": size[0], "height": size[1]}])
        for text in (text for text in FEW[::6] if is_text(text) and "\x1b" not in text):
            await socket.send_json(["stdin", f"\x1b[200~{text}\x1b[201~"])
        await socket.send_json(["resize", {"width": 110, "height": 30}])
        await hear(socket, "as of")


async def test_whatever_is_asked_for_is_an_answer_and_never_a_file_of_the_machine(page: str) -> None:
    async with aiohttp.ClientSession() as session:
        for text in filter(is_text, FEW):
            for url in (
                URL(page) / "static" / text if "/" not in text and text not in (".", "..") else URL(page),
                URL(page).with_query(token=text, fontsize=text),
            ):
                async with session.get(url, allow_redirects=False) as answer:
                    assert answer.status in (200, 400, 403, 404), (answer.status, url)
                    assert "root:" not in (await answer.text("utf-8", "replace"))
        for path in (
            "static/../../../../etc/passwd",
            "static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "static/..%2f..%2fetc%2fpasswd",
            "download/../../etc/passwd",
        ):
            async with session.get(URL(page + path, encoded=True)) as answer:
                assert answer.status in (403, 404), path


def test_the_token_is_compared_as_it_is() -> None:
    from aiohttp.test_utils import make_mocked_request

    server = ConsoleServer(["true"], "0.0.0.0", 8000, token="secret")  # noqa: S104, S106
    for text in (*FEW, "", "secre", "secret "):
        url = URL("/").with_query(token=text.encode("utf-8", "replace").decode())
        assert server.refusal(make_mocked_request("GET", str(url), headers={"Host": "box:8000"})) is not None, ascii(text)
    assert server.refusal(make_mocked_request("GET", "/?token=secret", headers={"Host": "box:8000"})) is None
    assert [text for text in FEW if is_loopback(text)] == []


def test_the_words_of_the_console_that_is_served_are_words_to_the_shell(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if as_argument(text)]
    told = ConsoleServer([sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *texts], "127.0.0.1", 8000)

    done = subprocess.run(
        ["sh", "-c", told.command.encode("utf-8", "surrogateescape")],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert json.loads(done.stdout) == texts, done.stderr
    assert canaries(tmp_path) == []
