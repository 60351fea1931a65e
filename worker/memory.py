"""How much memory this container may use, and whether the kernel has killed for it. Control groups, version 2 or 1."""

from dataclasses import dataclass
from pathlib import Path

ENOUGH = 1 << 50
"""Bytes from which on a limit is none."""
NEAR = 0.9
"""The share of the limit from which on a process that was killed is taken to have been killed for memory."""


@dataclass(frozen=True)
class Cgroup:
    """The control group of the container, where its file system shows it."""

    folder: Path = Path("/sys/fs/cgroup")

    @property
    def limit(self) -> int:
        """Bytes; 0 for none, or where that cannot be read."""
        limit = self._number("memory.max") or self._number("memory/memory.limit_in_bytes")
        return limit if limit < ENOUGH else 0

    @property
    def used(self) -> int:
        """Bytes; 0 where that cannot be read."""
        return self._number("memory.current") or self._number("memory/memory.usage_in_bytes")

    @property
    def killed(self) -> int:
        """How many processes were killed since the group was made, for want of memory."""
        for name in ("memory.events", "memory/memory.oom_control"):
            for line in self._read(name).splitlines():
                word, _, many = line.partition(" ")
                if word == "oom_kill" and many.isdigit():
                    return int(many)
        return 0

    def _number(self, name: str) -> int:
        text = self._read(name).strip()
        return int(text) if text.isdigit() else 0

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("ascii")
        except (OSError, ValueError):
            return ""


class Pressure:
    """Remembers how full the memory was, to tell afterwards why a process was killed."""

    def __init__(self, limit: int, cgroup: Cgroup | None = None) -> None:
        self._cgroup = cgroup or Cgroup()
        self._limit = limit
        self._killed = self._cgroup.killed
        self._used = 0

    def note(self, used: int) -> None:
        """All of the worker's processes use so many bytes now; what the control group says goes first, for they share pages."""
        self._used = self._cgroup.used or used

    def why_killed(self) -> tuple[bool, str]:
        """Whether it is known that a process, which nobody here has killed, was killed for memory; and that, or what speaks for it, in
        words; "" when nothing does."""
        killed = self._cgroup.killed
        grew, self._killed = killed > self._killed, killed
        limit = f"{self._limit / 2**20:,.0f} MiB" if self._limit else ""
        if grew:
            return True, "out of memory: the worker may use " + (limit or "no more")
        if self._limit and self._used >= NEAR * self._limit:
            return False, f"out of memory? {self._used / 2**20:,.0f} MiB of {limit} were in use"
        return False, ""
