"""`wavedeck task`: one task of one entity as a process of its own, as a script runs it outside a worker.

It waits until the tasks it names have ended or its timeout has passed, runs with what there is, writes its pipe and reports. A task
that others may wait for is a FIFO of its name in the run's folder: its process holds the writing end as long as it
lives (`engine/run.sh`), so the end of that file is the end of the task, and nobody polls.

It needs no worker and changes no wave's board: it only writes pipes, each once.
"""

import argparse
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadKey, WavedeckError
from engine.fleet.embedded import redis_server
from engine.flow import Flow
from engine.keys import Date, PipeKey, check_entity, check_version, decode_entity
from engine.load import find_flow, load_flows
from engine.plain import plain
from engine.plan import Plan, TaskPlan
from engine.script import Line, parse_words
from engine.status import MARK_OF, STATUS_OF, Cell
from engine.store.catalog import Catalog, resolve_config
from engine.store.connect import Client, connect
from engine.store.pipes import Pipes, expiry
from engine.store.room import unless_full
from engine.store.states import States
from engine.store.waves import Waves
from worker.failure import LimitExceededError, describe, reason
from worker.inputs import Found, Sources
from worker.outbox import why_blocked
from worker.task import GRACE, Run, Seen, Task


@dataclass(frozen=True)
class Entity:
    """What a script's header says. `key` is in key form."""

    flow: str
    version: str
    base: str
    date: Date
    wave: str
    key: str

    @classmethod
    def from_environment(cls) -> "Entity":
        """The header of the script that runs this process.

        Raises:
            BadKey: it is not complete, or a part is illegal.
        """
        names = ("FLOW", "VERSION", "BASE", "DATE", "WAVE", "KEY")
        values = {n: os.environ.get(f"WAVEDECK_{n}") for n in names}
        if missing := [f"WAVEDECK_{n}" for n, v in values.items() if v is None]:
            raise BadKey(f"{', '.join(missing)} not set: `wavedeck task` is a line of a script that `wavedeck script` prints")
        flow, version, base, date, wave, key = (v or "" for v in values.values())
        return cls(flow, check_version(version), base and check_version(base), Date(date), wave, check_entity(key))


@dataclass(frozen=True)
class End:
    """How a task ended. `why`: the error's fields, empty when there is none."""

    cell: Cell
    why: dict[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the line; 0 when its pipe is there, 1 when it failed or was blocked, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="wavedeck task", description="Runs one task of a compiled script.")
    parser.add_argument("--run", type=Path, required=True, help="the folder of this run of the script")
    parser.add_argument("line", nargs=argparse.REMAINDER, help="the words of the script's line")
    args = parser.parse_args(argv)
    try:
        line, entity = parse_words(list(args.line)), Entity.from_environment()
        began = time.monotonic()
        with redis_server(start=False) as server:
            end = _Process(connect(server.url), entity, line, args.run).end()
    except WavedeckError as e:
        print(f"wavedeck task: {plain(str(e))}", file=sys.stderr)  # noqa: T201
        return 2
    why = [end.why["traceback"].rstrip("\n") or f"{end.why['type']}: {end.why['message']}"] if end.why else []
    _say("←", line.task, entity, f"{time.monotonic() - began:.2f} s", _word(end), then=why)
    return 0 if not end.why else 1


class _Process:
    def __init__(self, redis: Client, entity: Entity, line: Line, run: Path) -> None:
        self._redis, self._entity, self._line, self._folder = redis, entity, line, run
        self._flow: Flow = find_flow(load_flows(), entity.flow)
        wave = Waves(redis).find(entity.wave) if entity.wave else None
        self._plan: Plan = Waves(redis).plan(wave) if wave else self._flow.plan
        self._task: TaskPlan = self._plan.tasks[self._plan.index[line.task]]
        stored = Catalog(redis).config(entity.version, entity.flow)
        config = wave.config if wave else resolve_config(self._plan, stored)
        self._seen = Seen()
        run_of = Run(entity.flow, entity.version, entity.date, entity.wave, config)
        self._runner = Task(self._task, self._plan, self._flow, run_of, self._seen)
        self._key = PipeKey(entity.version, line.task, entity.key, entity.date)

    def end(self) -> End:
        """Waits, runs, writes."""
        if Pipes(self._redis).get(self._key) is not None:
            return End(Cell.REUSED, {})
        late = wait_for(self._folder, self._line.after, self._line.timeout)
        if late:
            _say("·", self._line.task, self._entity, f"runs without waiting any longer for {', '.join(late)}")
        sources = Sources(self._task, self._entity.version, self._entity.base, self._entity.date, self._plan.outside)
        [found] = sources.find([(self._entity.key, {})], Pipes(self._redis).get_many)
        if found.missing:
            return End(Cell.BLOCKED, reason("Blocked", why_blocked(self._task, found.missing, self._entity.date)))
        _say("→", self._line.task, self._entity)
        try:
            self._write(self._compute(found))
        except BaseException as e:
            return End(Cell.FAILED, describe(e))
        return End(Cell.FALLBACK if found.fallback else Cell.FINISHED, {})

    def _compute(self, found: Found) -> bytes:
        limit = self._line.limit

        def over(*_: Any) -> None:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(124))
            signal.setitimer(signal.ITIMER_REAL, GRACE)
            raise LimitExceededError(f"killed: it ran over its limit of {limit:g} s")

        signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            return self._runner.run(self._entity.key, found.values)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _write(self, value: bytes) -> None:
        entity = self._entity
        writer = f"a script on {socket.gethostname()} (process {os.getpid()})"
        Pipes(self._redis).put(self._key, value, expiry(entity.date, self._plan.keep), writer)
        with unless_full():
            if pairs := self._seen.take():
                States(self._redis).seen(self._plan.state, pairs, entity.date.start.timestamp())
            Catalog(self._redis).touch(entity.version)


def wait_for(folder: Path, tasks: Sequence[str], timeout: float) -> list[str]:
    """Returns when all `tasks` of the run have ended or `timeout` seconds have passed; those that have not ended."""
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for task in tasks:
            fd = os.open(folder / task, os.O_RDONLY | os.O_NONBLOCK)
            if _is_over(fd):  # select would not say so of an end that came before we looked
                os.close(fd)
            else:
                selector.register(fd, selectors.EVENT_READ, task)
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if _is_over(key.fd):
                    selector.unregister(key.fd)
                    os.close(key.fd)
        late = [str(key.data) for key in selector.get_map().values()]
        for key in list(selector.get_map().values()):
            os.close(key.fd)
    return late


def _is_over(fd: int) -> bool:
    try:
        return not os.read(fd, 1)
    except BlockingIOError:
        return False


def _word(end: End) -> str:
    mark = MARK_OF.get(end.cell)
    return f"{STATUS_OF[end.cell]} ({mark})" if mark else STATUS_OF[end.cell]


def _say(arrow: str, task: str, entity: Entity, *more: str, then: Sequence[str] = ()) -> None:
    """A line to stderr, and what follows it, in one write: the tasks of a script all talk at once."""
    name = plain(decode_entity(entity.key)).replace("\n", "\\n").replace("\t", "\\t")[:80]
    line = " ".join([f"{time.strftime('%H:%M:%S')} {arrow} {task:<20} {name}", *more])
    os.write(2, "".join(f"{plain(text)}\n" for text in (line, *then)).encode())


if __name__ == "__main__":
    sys.exit(main())
