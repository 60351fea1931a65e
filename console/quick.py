"""Whether a Redis listens, found out without redis-py: to import that takes as long as half of Textual, and the first frame waits for it.

Only what is plainly right is said here. For all else, such as TLS, a wrong password or a server that is still loading, the answer is
no, and the slower way finds out more and has the words for it.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

WITHIN = 0.5
"""Seconds that a server may take."""


def listening() -> str | None:
    """The URL of the Redis that a command would use, `WAVEDECK_REDIS_URL` or the embedded one, if it plainly answers."""
    url = os.environ.get("WAVEDECK_REDIS_URL")
    try:
        url = url or _embedded()
        return url if url and _answers(url) else None
    except (OSError, ValueError, UnicodeError, KeyError):
        return None


def _embedded() -> str | None:
    """The one that another command of this user keeps: `engine.fleet.embedded` says how it is known."""
    if home := os.environ.get("WAVEDECK_HOME"):
        folder = Path(home)
    else:
        from platformdirs import user_data_dir

        folder = Path(user_data_dir("wavedeck"))
    with (folder / "redis.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # so somebody owns it
            import json

            url = str(json.loads((folder / "redis.json").read_bytes())["url"])
            return url if url.startswith("unix://") else None  # a port may have gone to another server
    return None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    if parts.query or parts.scheme not in ("redis", "unix"):
        return False
    place: str | tuple[str, int] = (
        unquote(parts.path) if parts.scheme == "unix" else (parts.hostname or "localhost", parts.port or 6379)
    )
    family = socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET
    with socket.socket(family) as link:
        link.settimeout(WITHIN)
        link.connect(place)
        if parts.password is not None:
            user = [unquote(parts.username)] if parts.username else []
            link.sendall(_command("AUTH", *user, unquote(parts.password)))
            if not link.recv(64).startswith(b"+OK"):
                return False
        link.sendall(_command("PING"))
        return link.recv(64).startswith(b"+PONG")


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
