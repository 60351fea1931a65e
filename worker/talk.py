"""Talking to a command: its input in, its output out, and no more of that than may be kept."""

import os
import selectors
import subprocess
import time
from typing import IO, Any

CHUNK = 1 << 16


class TooMuchError(Exception):
    """A command printed more than it may."""


def talk(process: "subprocess.Popen[bytes]", given: bytes, *, seconds: float, most: int, kept: int) -> tuple[bytes, bytes]:
    """Writes `given` to a command's stdin and reads until it has closed its outputs and ended: its stdout, and of stderr, where that is
    a pipe, the last `kept` bytes. A command that does not read its input is none the worse for it.

    Raises:
        subprocess.TimeoutExpired: it has not ended after so many seconds.
        TooMuchError: it prints more than `most` bytes on stdout; what it has printed is not kept.
    """
    until = time.monotonic() + seconds
    out, log = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        rest = _open(selector, process, given)
        while selector.get_map():
            ready = selector.select(max(until - time.monotonic(), 0))
            if not ready and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(process.args, seconds)
            for key, _ in ready:
                if process.stdin is not None and key.fileobj is process.stdin:
                    rest = _feed(selector, process.stdin, rest)
                elif not (part := os.read(key.fd, CHUNK)):
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    out += part
                    if len(out) > most:
                        raise TooMuchError(f"more than {most:,} bytes")
                else:
                    log += part
                    del log[:-kept]
    process.wait(max(until - time.monotonic(), 0))
    return bytes(out), bytes(log)


def _open(selector: selectors.BaseSelector, process: "subprocess.Popen[bytes]", given: bytes) -> memoryview:
    """Registers what is to be written and read. What is left to write."""
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            selector.register(stream, selectors.EVENT_READ)
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
    return memoryview(given)


def _feed(selector: selectors.BaseSelector, stdin: IO[Any], rest: memoryview) -> memoryview:
    """Writes a part. What is left; when nothing is, or nobody reads it, the command's input is closed."""
    try:
        rest = rest[os.write(stdin.fileno(), rest[:CHUNK]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        rest = rest[:0]
    if not rest:
        selector.unregister(stdin)
        stdin.close()
    return rest
