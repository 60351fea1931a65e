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


class ShellDiedError(WavedeckError):
    """The bash of a slot ended, or said what it never should."""


class Shell:
    """A bash that waits for scripts. Not for several threads."""

    def __init__(self) -> None:
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
        """The block of `task` lines that `body`'s `flow` prints after each header.

        Raises:
            ShellDiedError: bash ended, or printed something else; it must not be used again.
        """
        script = body + "".join(f"{h}\nflow\nOUT+=$'\\x1e'\n" for h in headers)
        chunk = script.encode("utf-8", "surrogateescape")
        try:
            self._write(b"%08d" % len(chunk) + chunk)
            reply = self._take(int(self._take(8)))
        except (OSError, ValueError) as e:
            raise ShellDiedError(f"the slot's bash does not answer: {e}") from None
        blocks = reply.decode().split("\x1e")[:-1]  # a character that no key, name or duration holds
        if len(blocks) != len(headers):
            raise ShellDiedError(f"the slot's bash evaluated {len(blocks)} of {len(headers)} scripts")
        return blocks

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._send, view) :]

    def _take(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._read, size)
            if not part:
                raise OSError("it ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Ends the bash."""
        for fd in (self._send, self._read):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._process.kill()
        self._process.wait()
