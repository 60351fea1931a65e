"""A cell of a wave once more, here: what came of it against what is stored. Field names are stable; `--json` prints them.

The code runs in a process of its own (`worker.replay`), which can only read Redis.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from console.reports.differences import Difference, first
from console.widgets.text import clean, short_seconds
from engine.errors import BadValue, Refused, WavedeckError
from engine.payload import decode_json
from engine.replayed import Given, Replayed, Spent
from engine.store.connect import Client
from engine.store.pipes import Pipes
from engine.store.room import sized

_FRAME = re.compile(r'^ *File "([^"]*)", line (\d+), in (.*)$', re.MULTILINE)


@dataclass(frozen=True)
class Replay:
    """What came of it.

    `verdict`: identical (byte for byte), equal (the same value, other bytes), different, unstored (nothing is stored to compare with),
    same failure, other failure, fails now, works now, blocked. `outcome`: finished, failed or blocked; `status` and `mark` what the cell
    is on the board, `error` and `then_error` why. `code`: same, other or unknown, of the task's code here against the wave's.
    `seconds` and `cpu` are without loading, `then_seconds` the wave's; `peak`: bytes of the process, `grew`: by how many it grew.
    `written`: the key that was written, when that was asked for. `notes`: what is to be known.
    """

    wave: str
    locator: str
    entity: str
    task: str
    pipe: str
    status: str
    mark: str
    outcome: str
    verdict: str
    code: str
    code_then: str
    code_here: str
    where: str
    config: dict[str, Any]
    inputs: list[Given]
    bytes: int | None
    stored_bytes: int | None
    differences: list[Difference]
    more: bool
    error: dict[str, str] | None
    then_error: dict[str, str] | None
    seconds: float
    then_seconds: float
    cpu: float
    peak: int
    grew: int
    log: str
    seen: int
    profile: list[Spent]
    notes: list[str]
    written: str = ""


@dataclass(frozen=True)
class Ran:
    """A replay and the value it gave, which may be large."""

    replay: Replay
    value: bytes | None
    key: str
    codec: str
    keep: float


def replay(
    redis: Client, url: str, wave: str, entity: str, task: str, *, version: str = "", local: bool = False, profile: bool = False,
    debug: bool = False,
) -> Ran:  # fmt: skip
    """Runs it.

    Parameters:
        url: of the Redis that `redis` is a client of.
        version: that version's config, and its code, which must be what is here.
        local: what is here is meant, whatever the wave ran.
        debug: stop at an error, on this process's terminal.

    Raises:
        WavedeckError: it could not be run; the text is the process's.
    """
    with tempfile.TemporaryDirectory(prefix="wavedeck-replay-") as folder:
        options = [
            *(["--version", version] if version else []),
            *(["--local"] if local else []),
            *(["--profile"] if profile else []),
        ]
        options += ["--pdb"] if debug else []
        command = [sys.executable, "-P", "-m", "worker.replay", "--out", folder, *options, "--", wave, entity, task]
        environment = {**dict.fromkeys(_THREADS, "1"), **os.environ, "WAVEDECK_REDIS_URL": url}
        done = subprocess.run(
            command, env=environment, check=False, stderr=None if debug else subprocess.PIPE,
            stdout=None if debug else subprocess.DEVNULL, stdin=None if debug else subprocess.DEVNULL,
        )  # fmt: skip
        result = Path(folder) / "result.json"
        if done.returncode or not result.exists():
            said = (done.stderr or b"").decode("utf-8", "replace").strip()
            raise _why(said, done.returncode)
        told = msgspec.json.decode(result.read_bytes(), type=Replayed)
        value = Path(folder) / "value"
        found = value.read_bytes() if value.exists() else None
    return Ran(_compared(redis, told, found, local=local or bool(version)), found, told.key, told.codec, told.keep)


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""As a worker sets them: sums over several threads differ in their last bits."""


def _why(said: str, status: int) -> WavedeckError:
    last = said.rpartition("\n")[2]
    if last.startswith("wavedeck: "):
        return Refused(last.removeprefix("wavedeck: "))
    ended = f"exited with {status}" if status >= 0 else f"was killed by signal {-status}"
    return Refused(f"the replay's process {ended}" + (f": {last}" if last else ""))


def _compared(redis: Client, told: Replayed, value: bytes | None, *, local: bool) -> Replay:
    stored = Pipes(redis).get(told.pipe)
    code = "unknown" if not (told.code_then and told.code_here) else "same" if told.code_then == told.code_here else "other"
    differences: list[Difference] = []
    more = False
    verdict = _verdict(told, value, stored)
    if verdict == "different" and told.codec == "json" and value is not None and stored is not None:
        try:
            differences, more = first(decode_json(stored), decode_json(value))
        except BadValue:
            pass
        else:
            verdict = verdict if differences else "equal"
    notes = []
    if code == "other":
        notes.append(f"the code of {told.task} here is another than the wave ran" + (", as was asked for" if local else ""))
    if code == "unknown":
        notes.append(f"which code of {told.task} the wave ran is not recorded")
    if any(i.how == "now" for i in told.inputs):
        notes.append("what the cell ran with is not recorded: its inputs are what a worker would find now")
    if any(i.how == "history" for i in told.inputs):
        notes.append("a history is what is there now; values that came since the wave are in it")
    if told.seen:
        notes.append(f"it would have marked {told.seen:,} entities as active; it did not")
    return Replay(
        **{name: getattr(told, name) for name in _SAME}, verdict=verdict, code=code,
        bytes=None if value is None else len(value), stored_bytes=None if stored is None else len(stored),
        differences=differences, more=more, notes=notes,
    )  # fmt: skip


_SAME = (
    "wave", "locator", "entity", "task", "pipe", "status", "mark", "outcome", "code_then", "code_here", "where", "config", "error",
    "then_error", "seconds", "then_seconds", "cpu", "peak", "grew", "log", "seen", "inputs", "profile",
)  # fmt: skip


def _verdict(told: Replayed, value: bytes | None, stored: bytes | None) -> str:
    if told.outcome == "blocked":
        return "blocked"
    if told.outcome == "failed":
        if not told.then_error or told.status != "Failed":
            return "fails now"
        return "same failure" if same_failure(told.error or {}, told.then_error) else "other failure"
    if told.status == "Failed":
        return "works now"
    return "unstored" if stored is None else "identical" if value == stored else "different"


def same_failure(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether two errors are the same: type, message, and the frames of their tracebacks (the file's name, line, function)."""
    return (one["type"], one["message"]) == (other["type"], other["message"]) and frames(one) == frames(other)


def frames(error: dict[str, str]) -> list[tuple[str, str, str]]:
    """The frames of an error's traceback: file (its last part), line, function."""
    return [(file.rpartition("/")[2], line, name) for file, line, name in _FRAME.findall(error["traceback"])]


WORDS = {
    "identical": "the same value, byte for byte",
    "equal": "the same value in other bytes",
    "different": "another value than the stored one",
    "unstored": "it finished; nothing is stored to compare with",
    "same failure": "it fails as it did then, with the same traceback",
    "other failure": "it fails, and otherwise than then",
    "fails now": "it fails now; it did not then",
    "works now": "it finishes now; it failed then",
    "blocked": "a required input is missing, so nothing ran",
}


def lines(r: Replay) -> Iterator[str]:
    """It for a person. Clean: nothing in a line is obeyed by a terminal."""
    for line in _lines(r):
        yield from (clean(part) for part in line.split("\n"))


def _lines(r: Replay) -> Iterator[str]:
    yield f"{r.task} of {r.entity}, {r.locator} (wave {r.wave})"
    yield f"{WORDS[r.verdict]}"
    then = f" (then {short_seconds(r.then_seconds)})" if r.then_seconds else ""
    if r.outcome != "blocked":
        yield f"took {short_seconds(r.seconds)}{then}, {short_seconds(r.cpu)} of CPU; {sized(r.peak)} at most, {sized(max(r.grew, 0))} more than before"
    code = {
        "same": f"the wave's ({r.code_here})",
        "other": f"{r.code_here}, the wave's was {r.code_then}",
        "unknown": r.code_here,
    }
    yield f"code {code[r.code]}, {r.where}"
    for i in r.inputs:
        yield f"  {i.name:<20} " + _given(i)
    for note in r.notes:
        yield f"note: {note}"
    if r.bytes is not None:
        yield f"value {sized(r.bytes)}" + (f", stored {sized(r.stored_bytes)}" if r.stored_bytes is not None else "")
    yield from (f"  {d.words}" for d in r.differences)
    if r.more:
        yield f"  … and more than {len(r.differences)} others"
    if r.error is not None:
        yield ""
        yield r.error["traceback"].rstrip("\n") or f"{r.error['type']}: {r.error['message']}"
    if r.then_error is not None and r.verdict in ("other failure", "works now"):
        yield ""
        yield "then:"
        yield r.then_error["traceback"].rstrip("\n") or f"{r.then_error['type']}: {r.then_error['message']}"
    if r.log:
        yield ""
        yield "it printed:"
        yield r.log.rstrip("\n")
    if r.profile:
        yield ""
        yield "   calls      own    whole  function"
        yield from (f"{p.calls:>8,} {p.own:>8.3f} {p.whole:>8.3f}  {p.function}" for p in r.profile)
    if r.written:
        yield f"wrote {r.written}"


def _given(i: Given) -> str:
    if i.how == "missing":
        return "missing"
    if i.how == "history":
        return f"{i.count} earlier values, {sized(i.bytes or 0)}"
    return f"{i.key}  {sized(i.bytes or 0)}" + ("" if i.how == "recorded" else ", found now")
