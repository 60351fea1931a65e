"""What a slot tells its watcher through shared memory: which cell each of its lanes runs, and what it holds.

Written without a system call, and readable after the slot was killed. A lane is a thread that runs tasks; lane 0 is the
slot's main thread. Numbers here are the machine's; nothing of this leaves it.
"""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

LANES = 40
_CELL = struct.Struct("@fIIIqd")  # limit (s), job, task, entity, where its log begins, since
_SINCE = struct.Struct("@d")  # 0 when idle; the machine's own format is written at once, another byte by byte
_SINCE_AT = _CELL.size - _SINCE.size
_LANE = _CELL.size
_GROUPS_AT = 64 + LANES * _LANE
_HELD_AT = _GROUPS_AT + LANES * 4
_HELD_MAX = 1 << 18
SIZE = _HELD_AT + 4 + _HELD_MAX


@dataclass(frozen=True, slots=True)
class RunningCell:
    """A cell that a lane runs. `since`: monotonic seconds; `limit`: seconds; `log`: where its output begins in the slot's file."""

    lane: int
    job: int
    task: int
    entity: int
    since: float
    limit: float
    log: int


@dataclass(frozen=True)
class HeldBatch:
    """Entities of one wave that a slot holds: (first, how many, claim records)."""

    job: int
    wave: str
    version: str
    holds: list[tuple[int, int, bytes]]
    epoch: float = 0.0
    """When the wave was created, on this machine's monotonic clock."""


class Board:
    """The shared page of one slot."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, SIZE)

    def enter(self, lane: int, job: int, task: int, entity: int, since: float, limit: float, log: int) -> None:
        """The lane runs a cell from now on."""
        # `since` comes last: until then the lane reads as idle.
        _CELL.pack_into(self._page, 64 + lane * _LANE, limit, job, task, entity, log, since)

    def leave(self, lane: int) -> None:
        """The lane is idle."""
        _SINCE.pack_into(self._page, 64 + lane * _LANE + _SINCE_AT, 0.0)

    def group(self, lane: int, pid: int) -> None:
        """The process group of the command that the lane runs; 0 for none."""
        struct.pack_into("<I", self._page, _GROUPS_AT + lane * 4, pid)

    def groups(self) -> list[int]:
        """Process groups of commands that run."""
        return [pid for pid in struct.unpack_from(f"<{LANES}I", self._page, _GROUPS_AT) if pid]

    def running(self) -> list[RunningCell]:
        """The cells that are run now."""
        found = []
        for lane in range(LANES):
            at = 64 + lane * _LANE
            [before] = _SINCE.unpack_from(self._page, at + _SINCE_AT)
            limit, job, task, entity, log, since = _CELL.unpack_from(self._page, at)
            if since and before == since:  # else it has come or left meanwhile
                found.append(RunningCell(lane, job, task, entity, since, limit, log))
        return found

    def hold(self, batches: Sequence[HeldBatch]) -> None:
        """What the slot holds from now on. A slot killed in the middle of this leaves nothing readable: its leases run out."""
        data = msgspec.msgpack.encode(list(batches))
        self._page[_HELD_AT : _HELD_AT + 4] = b"\0\0\0\0"
        if len(data) <= _HELD_MAX:
            self._page[_HELD_AT + 4 : _HELD_AT + 4 + len(data)] = data
            self._page[_HELD_AT : _HELD_AT + 4] = len(data).to_bytes(4, "little")

    def held(self) -> list[HeldBatch]:
        """What the slot holds."""
        size = int.from_bytes(self._page[_HELD_AT : _HELD_AT + 4], "little")
        data = self._page[_HELD_AT + 4 : _HELD_AT + 4 + size]
        try:
            return msgspec.msgpack.decode(data, type=list[HeldBatch]) if size else []
        except msgspec.MsgspecError:
            return []

    @property
    def holds(self) -> bool:
        """Whether the slot holds anything."""
        return int.from_bytes(self._page[_HELD_AT : _HELD_AT + 4], "little") > 1  # an empty list is one byte

    @property
    def busy_since(self) -> float:
        """When the slot last took up work (monotonic), 0 when it is idle."""
        return float(struct.unpack_from("<d", self._page, 0)[0])

    @property
    def served(self) -> int:
        """Entities that the slot has ended."""
        return int(struct.unpack_from("<Q", self._page, 8)[0])

    def mark(self, busy_since: float, served: int) -> None:
        """Idle or busy, and how much was done."""
        struct.pack_into("<dQ", self._page, 0, busy_since, served)

    def clear(self) -> None:
        """As new."""
        for lane in range(LANES):
            self.leave(lane)
            self.group(lane, 0)
        self.hold([])
        self.mark(0.0, 0)
