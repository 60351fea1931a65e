"""`python -m worker.replay`: one cell of a wave once more, here, with the inputs that it had. It only reads Redis.

What came of it is left in a folder: `result.json`, and `value` when there is one. `wavedeck replay` compares and shows it.
"""

import argparse
import contextlib
import cProfile
import os
import pdb
import pstats
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from engine.errors import NotFound, Refused, WavedeckError
from engine.flow import Flow
from engine.keys import PipeKey, decode_entity, encode_entity
from engine.load import find_flow, load_flows
from engine.plain import plain, quoted
from engine.plan import Plan, TaskPlan
from engine.replayed import Given, Replayed, Spent
from engine.rerun import overrides
from engine.status import MARK_OF, STATUS_OF, Cell
from engine.store.catalog import Catalog, resolve_config
from engine.store.connect import Client, connect
from engine.store.pipes import Pipes
from engine.store.wave import Wave, span
from engine.store.waves import Waves
from worker.failure import LimitExceededError, describe, reason, short
from worker.inputs import Sources
from worker.outbox import why_blocked
from worker.output import KEPT
from worker.processes import die_with
from worker.task import Run, Seen, Task

RECORDED = frozenset({Cell.FINISHED, Cell.FALLBACK, Cell.FAILED, Cell.BLOCKED})
"""Cells of which it is recorded what they ran with."""
SHOWN = 30
"""Functions of a profile."""


def main(argv: Sequence[str] | None = None) -> int:
    """Replays; 0 when it could be, whatever came of it, 1 when not."""
    parser = argparse.ArgumentParser(prog="wavedeck replay")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--pdb", action="store_true")
    parser.add_argument("names", nargs=3)
    args = parser.parse_args(argv)
    die_with(os.getppid())  # who asked has gone: nobody reads what comes of it
    try:
        redis = connect(os.environ["WAVEDECK_REDIS_URL"], read_only=True)
        cell = _Cell(redis, *args.names, version=args.version, local=args.local)
        value = cell.run(profile=args.profile, debug=args.pdb)
    except WavedeckError as e:
        print(f"wavedeck: {plain(str(e))}", file=sys.stderr)  # noqa: T201
        return 1
    if value is not None:
        (args.out / "value").write_bytes(value)
    (args.out / "result.json").write_bytes(msgspec.json.encode(cell.told))
    return 0


class _Cell:
    def __init__(self, redis: Client, wave: str, entity: str, task: str, *, version: str, local: bool) -> None:
        store = Waves(redis)
        self._redis = redis
        self._wave: Wave = store.get(wave)
        w = self._wave
        self._key = encode_entity(entity)
        number = store.number(w, self._key)
        if number is None:
            raise NotFound(f"wave {w.id} ({w.locator}) has no entity {quoted(entity)}")
        if task not in w.tasks:
            raise NotFound(f"wave {w.id} ({w.locator}) has no task {quoted(task)}; there are: {', '.join(w.tasks)}")
        at = w.tasks.index(task)
        self._flow: Flow = find_flow(load_flows(), w.flow)
        self._before, self._plan = store.plan(w), self._flow.plan
        if task not in self._plan.index:
            raise NotFound(
                f"the code here ({self._flow.where}) has no task {quoted(task)}; its flow has: {', '.join(self._plan.names)}"
            )
        self._task: TaskPlan = self._plan.tasks[self._plan.index[task]]
        self._cell = store.cell(w, at, number)
        self._note = store.note(w, at, number) or {}
        ran = self._before.tasks[at]
        times: bytes = redis.getrange(w.key("times"), (at * w.n + number) * 8, (at * w.n + number) * 8 + 7)
        self.told = Replayed(
            wave=w.id, locator=w.locator, entity=decode_entity(self._key), key=self._key, task=task,
            pipe=str(PipeKey(w.version, task, self._key, w.date)), codec=self._task.codec,
            status=STATUS_OF[self._cell].value, mark=MARK_OF.get(self._cell, ""),
            then_error=self._note.get("error"), then_seconds=span(times, 0)[1], code_then=ran.code, code_here=self._task.code,
            where=self._task.where, config=self._config(version, local=local), keep=self._plan.keep,
        )  # fmt: skip

    def _config(self, version: str, *, local: bool) -> dict[str, Any]:
        """The task's config: the wave's; of another version what a re-run of the wave with it would have."""
        if not version or version == self._wave.version:
            return dict(self._wave.config.get(self._task.name, {}))
        catalog = Catalog(self._redis)
        theirs = catalog.plan(version, self._wave.flow)
        if self._task.name not in theirs.index:
            raise NotFound(f"version {version!r} has no task {self._task.name!r}; it has: {', '.join(theirs.names)}")
        published = theirs.tasks[theirs.index[self._task.name]]
        if not local and (not published.code or published.code != self._task.code):
            raise Refused(
                f"the code of {self._task.name} here ({self._task.where}) is {self._task.code or 'unknown'}, that of version "
                f"{version!r} {published.code or 'unknown'}: check {version} out and replay there, or take what is here (--local)"
            )
        known = overrides(self._wave, self._before, theirs, whole=False)
        return resolve_config(theirs, catalog.config(version, self._wave.flow), known).get(self._task.name, {})

    # inputs

    def _inputs(self) -> tuple[dict[str, Any], list[str]]:
        """What it takes, and what of it that is required is nowhere."""
        w, told = self._wave, {str(i["name"]): i for i in self._note.get("inputs", [])}
        recorded = self._cell in RECORDED and (self._cell != Cell.FAILED or "inputs" in self._note)
        had = {i.name for i in self._before.tasks[self._before.index[self._task.name]].edges} if recorded else set()
        given: dict[str, Any] = {}
        missing = []
        for i in self._task.edges:
            if i.name not in had:
                continue
            if told.get(i.name, {}).get("missing"):
                self.told.inputs.append(Given(i.name, "missing"))
                missing += [i.name] if i.required else []
                continue
            key = str(told.get(i.name, {}).get("key") or PipeKey(w.version, i.name, self._key, w.date))
            value = Pipes(self._redis).get(key)
            if value is None:
                if self._cell == Cell.BLOCKED:  # there was time to be missing another
                    continue
                raise Refused(f"its input {plain(key)!r} is not there any more: it has expired or was deleted")
            given[i.name] = value
            self.told.inputs.append(Given(i.name, "recorded", key, len(value)))
        rest = replace(self._task, inputs=tuple(i for i in self._task.inputs if i.history or i.name not in had))
        [found] = Sources(rest, w.version, w.base, w.date, self._before.outside).find(
            [(self._key, {})], Pipes(self._redis).get_many
        )
        keys = {n["name"]: n.get("key", "") for n in found.notes}
        for i in rest.inputs:
            if i.history:
                past = found.values[i.name]
                self.told.inputs.append(Given(i.name, "history", bytes=sum(map(len, past.values())), count=len(past)))
            elif i.name in found.values:
                own = str(PipeKey(w.version, i.name, self._key, w.date))
                self.told.inputs.append(Given(i.name, "now", keys.get(i.name) or own, len(found.values[i.name])))
            else:
                self.told.inputs.append(Given(i.name, "missing"))
        return given | found.values, missing + found.missing

    # running

    def run(self, *, profile: bool, debug: bool) -> bytes | None:
        """Its value; None when there is none. `told` says the rest."""
        told = self.told
        values, missing = self._inputs()
        if missing:
            told.outcome = "blocked"
            told.error = reason("Blocked", why_blocked(self._task, missing, self._wave.date))
            return None
        seen = Seen()
        w = self._wave
        run = Run(w.flow, w.version, w.date, w.id, {self._task.name: told.config})
        task = Task(self._task, _whole(self._plan, self._before), self._flow, run, seen)
        profiler = cProfile.Profile() if profile else None
        with _captured(keep=not debug) as printed:
            for warm in self._flow.warmers:
                warm()
            printed.clear()
            before, cpu, began = _peak(), _cpu(), time.monotonic()
            error: BaseException | None = None
            value = None
            try:
                with _limit(0.0 if debug else self._task.limit):
                    call: Callable[..., bytes] = profiler.runcall if profiler else _call
                    value = call(task.run, self._key, values)
            except BaseException as e:  # whatever user code raises is the cell's failure
                error = e
            told.seconds, told.cpu = time.monotonic() - began, _cpu() - cpu
            told.peak, told.grew = _peak(), _peak() - before
        told.log = printed.text()
        told.seen = len(seen.take())
        if profiler:
            told.profile = list(_spent(profiler))
        told.outcome = "failed" if error is not None else "finished"
        if error is not None:
            told.error = describe(error)
            if debug:
                print(told.error["traceback"])  # noqa: T201
                pdb.post_mortem(_users(error.__traceback__))
        return value


def _whole(plan: Plan, before: Plan) -> Plan:
    """The plan that is here, knowing of what it has not."""
    return replace(plan, outside={**before.outside, **{t.name: t.codec for t in before.tasks if t.name not in plan.index}})


def _call(function: Callable[..., bytes], *args: Any) -> bytes:
    return function(*args)


def _users(tb: TracebackType | None) -> TracebackType | None:
    """A traceback from its first frame on that is not ours."""
    first = tb
    ours = str(Path(__file__).resolve().parent)
    while first is not None and first.tb_frame.f_code.co_filename.startswith(ours):
        first = first.tb_next
    return first or tb


class _Printed:
    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 closed with the process
        self.fd = self._file.fileno()

    def clear(self) -> None:
        _flush()
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def text(self) -> str:
        size = os.fstat(self.fd).st_size
        return os.pread(self.fd, KEPT, max(size - KEPT, 0)).decode("utf-8", "replace")


@contextlib.contextmanager
def _captured(*, keep: bool) -> Iterator[_Printed]:
    """What is printed meanwhile, by whatever process, is kept and not shown; or shown where a person debugs."""
    printed = _Printed()
    if not keep:
        yield printed
        return
    _flush()
    was = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(printed.fd, number)
    try:
        yield printed
    finally:
        _flush()
        for number, old in zip((1, 2), was, strict=True):
            os.dup2(old, number)
            os.close(old)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError):
            stream.flush()


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def over(*_: Any) -> None:
        raise LimitExceededError(f"killed: it ran over its limit of {seconds:g} s")

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _spent(profiler: cProfile.Profile) -> Iterator[Spent]:
    ours = str(Path(__file__).resolve().parent)
    rows = sorted(pstats.Stats(profiler).stats.items(), key=lambda row: -row[1][3])  # type: ignore[attr-defined]
    for (file, line, name), (_, calls, own, whole, _) in [r for r in rows if not r[0][0].startswith(ours)][:SHOWN]:
        yield Spent(f"{short(file)}:{line} {name}" if line else name, calls, own, whole)


if __name__ == "__main__":
    sys.exit(main())
