"""The last resort for an embedded Redis: fakeredis' TCP server, as a program: `python fake_redis.py PORT`, on 127.0.0.1.

Slow (a tenth of a real server's speed), in memory only, without a password, and without INFO, CONFIG, OBJECT, MEMORY, SHUTDOWN and
read-only EVAL. A Lua script that sets a global breaks every script after it. Four faults of its TCP side are mended here, because
Wavedeck meets them in its first minute: an error reply ended the connection (and with it the rest of a pipeline), a reply larger
than the socket's buffer was cut off, a value of many lines took minutes to arrive, and replies waited 40 ms for Nagle's algorithm.
"""

import select
import socket
import sys
from io import BufferedIOBase
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from redis import RedisError

CHUNK = 32 * 1024
"""Bytes handed to fakeredis' parser at a time: it copies the rest of a chunk at every field, and the whole of a value at every chunk."""


class _Stream(BufferedIOBase):
    """A non-blocking socket as the handler's input and output. Input comes as it is there, not by the line; output goes out whole."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def readline(self, _: int | None = -1) -> bytes:
        """What has come, `CHUNK` bytes at most; empty when nothing has, or nothing will."""
        try:
            return self._connection.recv(CHUNK)
        except BlockingIOError:
            return b""

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except BlockingIOError:
                select.select([], [self._connection], [])
        return len(data)


class _Handler(TCPFakeRequestHandler):  # type: ignore[misc]  # fakeredis is skipped by the type checker
    disable_nagle_algorithm = True
    rfile: Any

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = self.wfile = self.writer.writer = _Stream(self.connection)
        connection = self.current_client
        read = connection.read_response

        def read_reply(**options: Any) -> Any:
            try:
                return read(**options)
            except RedisError as e:  # a reply like any other; on the wire it is one line
                return type(e)(" ".join(str(e).split()))

        connection.read_response = read_reply


def serve(port: int) -> None:
    """Serve on 127.0.0.1:`port` until the process is killed. Keeps nothing.

    Raises:
        OSError: the port is taken.
    """
    server = TcpFakeServer(("127.0.0.1", port))
    server.RequestHandlerClass = _Handler
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
