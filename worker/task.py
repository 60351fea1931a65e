"""Running one task of one entity: a Python function in this process, or a command of any language as a subprocess."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import BadValue
from engine.flow import Flow
from engine.keys import Date, decode_entity, encode_entity
from engine.payload import decode_json, decoder, encode_json, encoder, max_value
from engine.plan import Plan, TaskPlan
from worker.failure import CommandFailedError, LimitExceededError
from worker.output import KEPT
from worker.processes import kill_group
from worker.talk import TooMuchError, talk

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a command over its limit."""

Call = Callable[[str, Sequence[bytes]], bytes]
"""A task's function: of an entity (in key form) and its inputs as they are stored, its value as it is stored."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a task is run for. Config: of the whole wave, by task."""

    flow: str
    version: str
    date: Date
    wave: str
    config: Mapping[str, Mapping[str, Any]]


class Seen:
    """A task's parameter `state`: what it marks as seen is written with the task's output."""

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def seen(self, entity: str, partition: str) -> None:
        """Marks an entity as active at the wave's date.

        Raises:
            BadKey: a name cannot be a key.
        """
        for name in (entity, partition):
            encode_entity(name)
        with self._lock:
            self._pairs.append((entity, partition))

    def take(self) -> list[tuple[str, str]]:
        """What was marked since the last call."""
        if not self._pairs:
            return []
        with self._lock:
            pairs, self._pairs = self._pairs, []
        return pairs


def _ignore(_: int) -> None:
    """Nobody wants to know."""


class Task:
    """A task of a wave, ready to run for one entity after the other.

    Raises:
        BadValue: from `run`, when the value cannot be written; and whatever the user's code raises.
    """

    def __init__(self, task: TaskPlan, plan: Plan, flow: Flow | None, run: Run, seen: Seen) -> None:
        self.plan = task
        self.config = dict(run.config.get(task.name, {}))
        self._run = run
        self._encode = encoder(task.codec)
        self._decode: dict[str, Callable[[bytes], Any]] = {i.name: decoder(plan.codec_of(i.name)) for i in task.inputs}
        self._history = {i.name for i in task.inputs if i.history}
        self._argv = flow.argv(task) if flow is not None else list(task.command)
        self._function = flow.functions.get(task.name) if flow is not None else None
        self._seen = seen
        self._takes = [(name, self._reserved(name)) for name in task.reserved]
        self.is_plain = self._function is not None and not task.command and not self._history
        """Whether it is a function whose inputs are one value each."""
        self.grace = GRACE * 3 if task.command else 0.0
        """Seconds beyond its limit in which a command is ended from here."""

    def run(self, entity: str, inputs: Mapping[str, Any], on_group: Callable[[int], None] = _ignore) -> bytes:
        """The value of one entity (in key form), encoded.

        Parameters:
            inputs: for each input that is there its bytes; for a history input bytes by date.
            on_group: called with a command's process group when it starts, and with 0 when it has ended.
        """
        if self._history:
            values = {name: self._value(name, stored) for name, stored in inputs.items()}
        else:
            decode = self._decode
            values = {name: decode[name](stored) for name, stored in inputs.items()}
        encode: Callable[[Any], bytes] = self._encode
        value: Any
        if self.plan.command:
            value, encode = self._command(entity, values, on_group), self._read
        else:
            if self._function is None:
                raise LookupError(f"this worker's code of version {self._run.version!r} has no task {self.plan.name!r}")
            for name, of in self._takes:
                values[name] = of(entity)
            value = self._function(**values)
        try:
            return encode(value)
        except BadValue as e:
            raise self._bad(entity, str(e)) from None

    def of_rows(self, names: Sequence[str]) -> Call:
        """`run` of a task that `is_plain`, for many entities: of an entity and the bytes of these inputs, which are all that it has."""
        function, encode, takes = self._function, self._encode, self._takes
        if function is None:
            raise LookupError(self.plan.name)
        decoders = [(name, self._decode[name]) for name in names]

        def run(entity: str, row: Sequence[bytes]) -> bytes:
            values = {name: decode(stored) for (name, decode), stored in zip(decoders, row, strict=True)} if row else {}
            for name, of in takes:
                values[name] = of(entity)
            value = function(**values)
            try:
                return encode(value)
            except BadValue as e:
                raise self._bad(entity, str(e)) from None

        return run

    def _bad(self, entity: str, why: str) -> BadValue:
        return BadValue(f"{self.plan.name} of {decode_entity(entity)}: {why}")

    def _read(self, out: bytes) -> bytes:
        """The value that a command printed."""
        if self.plan.codec == "bytes":
            return self._encode(out)
        try:
            value = decode_json(out)
        except BadValue as e:
            raise BadValue(f"{self._argv[0]} printed no JSON on stdout ({e}): {out[:200]!r}") from None
        return self._encode(value)

    def _value(self, name: str, stored: Any) -> Any:
        decode = self._decode[name]
        if name in self._history:
            return {date: decode(value) for date, value in stored.items()}
        return decode(stored)

    def _reserved(self, name: str) -> Callable[[str], Any]:
        """What gives a parameter that is no input, for an entity."""
        if name == "entity":
            return decode_entity
        if name == "date":
            return lambda _: self._run.date
        return (lambda _: dict(self.config)) if name == "config" else (lambda _: self._seen)

    def _command(self, entity: str, values: dict[str, Any], on_group: Callable[[int], None]) -> bytes:
        environment = os.environb | {
            b"WAVEDECK_ENTITY": decode_entity(entity).encode("utf-8", "surrogatepass"),
            b"WAVEDECK_KEY": entity.encode(),
            b"WAVEDECK_FLOW": self._run.flow.encode(),
            b"WAVEDECK_TASK": self.plan.name.encode(),
            b"WAVEDECK_VERSION": self._run.version.encode(),
            b"WAVEDECK_DATE": self._run.date.encode(),
            b"WAVEDECK_WAVE": self._run.wave.encode(),
            b"WAVEDECK_CONFIG": encode_json(self.config),
        }
        own_thread = threading.current_thread() is threading.main_thread()
        with subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if own_thread else subprocess.PIPE,
            env=environment,
            process_group=0,
        ) as process:
            on_group(process.pid)
            try:
                out, log = talk(process, encode_json(values), seconds=self.plan.limit, most=max_value(), kept=KEPT)
            except subprocess.TimeoutExpired:
                end_group(process, GRACE)
                raise LimitExceededError(f"killed: it ran over its limit of {self.plan.limit:g} s") from None
            except TooMuchError as e:
                why = f"killed: {self._argv[0]} printed {e} on stdout, the most that a pipe may hold (WAVEDECK_MAX_VALUE)"
                raise self._bad(entity, why) from None
            finally:
                kill_group(process.pid)
                on_group(0)
        if log:
            print(log.decode("utf-8", "backslashreplace"), end="")  # noqa: T201 the task's own log
        if process.returncode:
            raise CommandFailedError(f"{self._argv[0]} {ending(process.returncode)}")
        return out


def ending(status: int) -> str:
    """How a process ended, in words. `status`: as subprocess gives it, negative for a signal."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")


def end_group(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """SIGTERM to a command's process group, and SIGKILL when it has not ended after `grace` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        kill_group(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
            return
