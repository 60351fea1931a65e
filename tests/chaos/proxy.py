"""A small TCP proxy before a Redis: what a network does to connections, done on purpose."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Self

OPEN, REFUSE, BLACK_HOLE, LOSE_REPLIES, SLOW = "open", "refuse", "black hole", "lose replies", "slow link"


class Proxy:
    """Listens on a loopback port and passes everything on to the Unix socket at `path`. In a `with` block it is open.

    `mode` is one of: `OPEN`; `REFUSE` (connections are closed as they are made); `BLACK_HOLE` (they are accepted, and what they send is
    lost); `LOSE_REPLIES` (the server hears and does it, its replies are lost); `SLOW` (every chunk is late by `late` seconds).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.mode = OPEN
        self.late = 0.1
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._held: tuple[bytes, bytes] | None = None
        self.withheld = threading.Event()
        """Set when `hold_back` has held something back."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> int:
        """Breaks all connections, as a load balancer does; how many there were."""
        return int(self._do(self._cut()))

    def become(self, mode: str) -> None:
        """Another mode. Connections that a fault has corrupted are broken when it ends, as a router does that has forgotten them."""
        before, self.mode = self.mode, mode
        if mode == REFUSE or before in (BLACK_HOLE, LOSE_REPLIES):
            self.cut()

    def hold_back(self, mark: bytes, after: bytes) -> None:
        """Of the next chunk with `after` in it and then a command with `mark`, that command and all behind it never arrives."""
        self.withheld.clear()
        self._held = (mark, after)

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _close(self) -> None:
        self._server.close()
        while await self._cut():
            await asyncio.sleep(0.005)

    async def _cut(self) -> int:
        broken = list(self._connections)
        for pair in broken:
            for writer in pair:
                writer.transport.abort()
        return len(broken)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == REFUSE:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self._connections.add(pair)
        try:
            await asyncio.gather(self._pump(reader, back, (BLACK_HOLE,)), self._pump(there, writer, (BLACK_HOLE, LOSE_REPLIES)))
        finally:
            self._connections.discard(pair)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, lost_in: tuple[str, ...]) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                if self.mode == SLOW:
                    await asyncio.sleep(self.late)
                if self.mode not in lost_in:
                    sink.write(self._let_through(data))
                    await sink.drain()
        sink.transport.abort()

    def _let_through(self, data: bytes) -> bytes:
        if self._held is None:
            return data
        mark, after = self._held
        at = data.find(mark, data.find(after)) if after in data else -1
        if at < 0:
            return data
        self._held, self.mode = None, BLACK_HOLE
        self.withheld.set()
        return data[: data.rindex(b"\r\n*", 0, at) + 2]
