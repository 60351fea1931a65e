"""A warm bash: one process that evaluates the scripts of many entities.

`task` keeps its line; a chunk's lines leave in one write. Entities of one flow print equal blocks, so a block is looked
up, not parsed. Chunks go in with their length before them: `read -N` then takes them in large reads, where a plain `read`
on a pipe takes a byte a system call.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence

from engine.errors import WavedeckError

_LOOP = r"""
set -f
readonly FROM=$1 TO=$2
task() { OUT+="$*"$'\n'; }
while IFS= read -r -N 8 -u "$FROM" SIZE && IFS= read -r -N "$((10#$SIZE))" -u "$FROM" CHUNK; do
  OUT=
  eval "$CHUNK"
  printf '%08d%s' "${#OUT}" "$OUT" >&"$TO"
done
"""


_SIZE = 8
"""Digits before each chunk that say how long it is."""
_MOST = 1 << 18


class ShellDiedError(WavedeckError):
    """The bash of a slot ended, or said what it never should."""


class Shell:
    """A bash that waits for scripts. Not for several threads."""

    def __init__(self) -> None:
        self._body = ""
        self._awaited = 0
        into, self._send = os.pipe()
        self._read, back = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-c", _LOOP, "bash", str(into), str(back)],
            stdin=subprocess.DEVNULL,
            pass_fds=(into, back),
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )
        os.close(into)
        os.close(back)

    def evaluate(self, body: str, headers: Sequence[str]) -> list[str]:
        """The block of `task` lines that `body`'s `flow` prints after each header. Bash keeps the body until another one comes.

        Raises:
            ShellDiedError: bash ended, or printed something else; it must not be used again.
        """
        self.post(body, headers)
        return self.collect()

    def post(self, body: str, headers: Sequence[str]) -> None:
        """Gives bash the scripts to evaluate; `collect` gives what they print. An answer that nobody collected is dropped.

        Raises:
            ShellDiedError: as `evaluate`.
        """
        if self._awaited:
            self.collect()
        script = "".join([body if body != self._body else "", *[f"{h}\nflow\nOUT+=$'\\x1e'\n" for h in headers]])
        chunk = script.encode("utf-8", "surrogateescape")
        try:
            self._write(b"%08d" % len(chunk) + chunk)
        except OSError as e:
            raise ShellDiedError(f"the slot's bash does not answer: {e}") from None
        self._body, self._awaited = body, len(headers)

    def collect(self) -> list[str]:
        """The blocks of what was posted last.

        Raises:
            ShellDiedError: as `evaluate`.
        """
        awaited, self._awaited = self._awaited, 0
        try:
            reply = self._take()
        except (OSError, ValueError) as e:
            raise ShellDiedError(f"the slot's bash does not answer: {e}") from None
        blocks = reply.decode().split("\x1e")[:-1]  # a character that no key, name or duration holds
        if len(blocks) != awaited:
            raise ShellDiedError(f"the slot's bash evaluated {len(blocks)} of {awaited} scripts")
        return blocks

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._send, view) :]

    def _take(self) -> bytes:
        reply = self._some()
        while len(reply) < _SIZE or len(reply) < _SIZE + int(reply[:_SIZE]):
            reply += self._some()
        return reply[_SIZE:]

    def _some(self) -> bytes:
        part = os.read(self._read, _MOST)
        if not part:
            raise OSError("it ended")
        return part

    def close(self) -> None:
        """Ends the bash."""
        for fd in (self._send, self._read):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._process.kill()
        self._process.wait()
