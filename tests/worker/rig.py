"""Real workers on small flows: what the tests of waves and of faults share."""

import contextlib
import importlib
import itertools
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from servers import eventually, is_running

from engine import Date, Flow
from engine.keys import encode_entity
from engine.launch import launch
from engine.payload import decode_json
from engine.plan import Plan
from engine.store.wave import Progress, Wave
from engine.store.waves import Waves

DATE = Date("2013-07-01T14")
_numbers = itertools.count(1)
_HEAD = "import os, sys, time\nfrom pathlib import Path\nfrom engine import Flow\n\nflow = Flow('shop', state='shops')\n\n"


@dataclass
class Rig:
    """A folder with a flow, a Redis, and the workers that a test started. `folder` is where workers run and may leave files."""

    redis: "Redis"
    url_for: Callable[..., str]
    folder: Path
    module: str = ""

    def __post_init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    # flows and waves

    def flow(self, text: str) -> Flow:
        """Writes a flow (`flow` is there already) as the one that workers serve, and imports it."""
        self.module = f"rigged_{os.getpid()}_{next(_numbers)}"
        (self.folder / f"{self.module}.py").write_text(_HEAD + textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        found = importlib.import_module(self.module).flow
        assert isinstance(found, Flow)
        return found

    def launch(self, flow: Flow | Plan, *entities: str, date: Date = DATE, trigger: str = "manual:1", **more: Any) -> Wave:
        """A wave over these entities, `e` when none is given."""
        launched = launch(
            self.redis,
            flow.plan if isinstance(flow, Flow) else flow,
            **{"version": "main", **more},
            date=date,
            trigger=trigger,
            by="tests",
            entities=entities or ["e"],
        )
        return launched.wave

    # workers

    def start(self, *options: str, **environment: str) -> "subprocess.Popen[str]":
        """Starts a worker. Its own log is in `folder/worker-N.log`."""
        version = options[options.index("--version") + 1] if "--version" in options else "main"
        log = self.folder / f"worker-{len(self._started)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", *options],
                cwd=self.folder,
                env={**os.environ, "WAVEDECK_REDIS_URL": self.url_for(version), "WAVEDECK_FLOWS": self.module, **environment},
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def environment(self) -> dict[str, str]:
        """What a command on this Redis and with this flow runs in."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        code = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {
            **os.environ, "PATH": path, "PYTHONPATH": code, "WAVEDECK_REDIS_URL": self.url_for("main"), "WAVEDECK_FLOWS": self.module,
        }  # fmt: skip

    def run(self, *options: str, slots: int = 1, timeout: float = 60, **environment: str) -> None:
        """Runs a worker until there is nothing left to do."""
        process = self.start("--until-idle", "--slots", str(slots), *options, **environment)
        assert process.wait(timeout) == 0, self.logs()

    def logs(self) -> str:
        """What the workers had to say."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def slots_of(self, process: "subprocess.Popen[str]") -> list[int]:
        """The processes of a worker's slots; its first child is the guardian, and who writes the ledger stands back."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(pid) for pid in children[1:] if not self._stands_back(int(pid))]

    @staticmethod
    def _stands_back(pid: int) -> bool:
        try:
            return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        except ProcessLookupError:
            return True

    def close(self) -> None:
        """Ends every worker that is still there, with all of its processes."""
        for process in self._started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
            eventually(lambda pid=process.pid: not self._kill_session(pid), 20, what="the worker's processes are gone")  # type: ignore[misc]

    def _kill_session(self, session: int) -> list[int]:
        alive = self.in_session(session)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return alive

    def in_session(self, session: int) -> list[int]:
        """The processes of a session that are alive."""
        alive = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, IndexError):
                fields = path.read_text().rpartition(")")[2].split()
                pid = int(path.parent.name)
                if int(fields[3]) == session and is_running(pid):
                    alive.append(pid)
        return alive

    # what became of it

    def progress(self, wave: Wave) -> Progress:
        """The wave now; its counters are right or this fails."""
        progress = Waves(self.redis).progress(wave)
        assert [sum(counts.values()) for counts in progress.counts] == [wave.n] * len(wave.tasks)
        return progress

    def ended(self, wave: Wave, timeout: float = 60) -> None:
        """Waits for a wave's end; its counters are right all the way."""
        eventually(lambda: not self.progress(wave).wave.running, timeout, what=f"wave {wave.id} ends; {self.logs()}")

    def row(self, wave: Wave, entity: str = "e") -> str:
        """An entity's cells in letters, in the order of the flow's tasks."""
        waves = Waves(self.redis)
        number = waves.number(wave, encode_entity(entity))
        assert number is not None
        return "".join(chr(waves.cell(wave, task, number)) for task in range(len(wave.tasks)))

    def rows(self, wave: Wave) -> dict[str, str]:
        """All entities' cells (entities in key form)."""
        waves = Waves(self.redis)
        board = waves.board(wave).decode()
        return {e: board[i :: wave.n] for i, (e, _) in enumerate(waves.members(wave))}

    def raw(self, task: str, entity: str = "e", *, version: str = "main", date: Date = DATE) -> bytes | None:
        """A pipe's bytes."""
        value: Any = self.redis.get(f"{version}/{task} {encode_entity(entity)} {date}")
        return None if value is None else bytes(value)

    def pipe(self, task: str, entity: str = "e", *, version: str = "main", date: Date = DATE) -> Any:
        """A pipe's value; None when it is not there."""
        value = self.raw(task, entity, version=version, date=date)
        return None if value is None else decode_json(value)

    def note(self, wave: Wave, task: str, entity: str = "e") -> dict[str, Any]:
        """What a cell has to say; fails when it has nothing."""
        note = Waves(self.redis).note(wave, *self._at(wave, task, entity))
        assert note is not None, f"{task} of {entity} has no note"
        return note

    def error(self, wave: Wave, task: str, entity: str = "e") -> str:
        """`Type: message` of a cell that failed or was blocked."""
        error = self.note(wave, task, entity)["error"]
        return f"{error['type']}: {error['message']}"

    def log(self, wave: Wave, task: str, entity: str = "e") -> str:
        """What a cell printed."""
        return Waves(self.redis).log(wave, *self._at(wave, task, entity))

    def _at(self, wave: Wave, task: str, entity: str) -> tuple[int, int]:
        number = Waves(self.redis).number(wave, encode_entity(entity))
        assert number is not None
        return wave.tasks.index(task), number

    # files, by which tasks of tests tell that they ran

    def runs(self, name: str = "runs") -> list[str]:
        """The lines that tasks have appended to a file."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def awaits(self, name: str, timeout: float = 30) -> None:
        """Waits until a task has made a file."""
        eventually((self.folder / name).exists, timeout, what=f"{name} is there; {self.logs()}")

    def touch(self, name: str) -> None:
        """Makes a file that a task waits for."""
        (self.folder / name).touch()


WAIT_FOR = """
def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.005)

def say(line, file="runs"):
    with open(file, "a") as f:
        f.write(line + "\\n")

"""
"""Functions for flows: wait for a file, append a line to one."""


def rigs(redis: "Redis", url_for: Callable[..., str], folder: Path) -> Iterator[Rig]:
    """A rig, closed afterwards. `url_for`: what the workers of a version connect to."""
    rig = Rig(redis, url_for, folder)
    sys.path.insert(0, str(folder))
    try:
        yield rig
    finally:
        rig.close()
        sys.path.remove(str(folder))


Check = Callable[[Rig], None]
Names = Sequence[str]
