"""The server scripts: their text, and how they are called when the server may have forgotten them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

from engine.store.connect import Client

Arg = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """A script of `lua/`, with `common.lua` before it."""

    name: str
    text: str
    sha: str

    def command(self, keys: Iterable[str], args: Iterable[Arg]) -> tuple[Arg, ...]:
        """The EVALSHA command that calls it; `NoScriptError` comes back when the server does not hold it (`load`)."""
        keys = tuple(keys)
        return ("EVALSHA", self.sha, len(keys), *keys, *args)

    def load(self, redis: Client) -> None:
        """Gives the server the text."""
        redis.execute_command("SCRIPT LOAD", self.text)

    def __call__(self, redis: Client, keys: Iterable[str], args: Iterable[Arg]) -> Any:
        """Calls it, and gives the server the text first when it has none."""
        command = self.command(keys, args)
        try:
            return redis.execute_command(*command)
        except NoScriptError:
            self.load(redis)
            return redis.execute_command(*command)


def _read(name: str) -> Script:
    lua = Path(__file__).parent / "lua"
    text = (lua / "common.lua").read_text("utf-8") + (lua / f"{name}.lua").read_text("utf-8")
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


CLAIM = _read("claim")
MOVE = _read("move")
RELEASE = _read("release")
RENEW = _read("renew")
CANCEL = _read("cancel")
BEAT = _read("beat")
ACT = _read("act")
UNLOCK = _read("unlock")
MAKE = _read("make")
