"""Data directories and commands for the tests of the embedded Redis."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("worker", "store")]

Command = subprocess.Popen[str]

COMMAND = """
import sys
from engine.fleet.embedded import redis_server
with redis_server() as server:
    print(server.url, server.pid, server.kind, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh data directory with a short path, as WAVEDECK_HOME; WAVEDECK_REDIS_URL is not set."""
    folder = Path(tempfile.mkdtemp(prefix="wd-"))
    monkeypatch.setenv("WAVEDECK_HOME", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def command(data: Path) -> Iterator[Callable[[], Command]]:
    """Starts a command that uses the embedded Redis until its stdin closes; it prints URL, pid and kind of its server."""
    running: list[Command] = []

    def start() -> Command:
        running.append(
            subprocess.Popen([sys.executable, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for process in running:
        process.communicate(timeout=20)
