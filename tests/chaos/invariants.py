"""The six invariants, as checks over what was seen. Pure: snapshots and journals in, sentences of what was wrong out.

I1  the counters sum to N × T at every read, and are a recount of the board
I2  a visible pipe value never changes, and a cell that says so has one
I3  every cell ends, or is cancelled by the deadline
I4  a stale token changes nothing
I5  after `cancel` has returned no task starts
I6  no task that finished runs again, and one whose pipe was written and whose worker was then lost is Finished
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.subject import Line

from engine.status import ENDED, LEGAL, WROTE, Cell
from engine.store.wave import Wave

TITLES = {
    "I1": "the counters sum to N × T at every read",
    "I2": "a visible pipe value never changes",
    "I3": "every cell ends, or is cancelled by the deadline",
    "I4": "a stale token changes nothing",
    "I5": "after `cancel` has returned no task starts",
    "I6": "no task that finished runs again",
}
_REACH: dict[int, set[int]] = {}


@dataclass(frozen=True)
class Snapshot:
    """A wave in one moment. `asked`, `at`: Unix seconds before it was asked for and when it was here; pipes by (task, entity)."""

    wave: Wave
    asked: float
    at: float
    board: bytes
    counts: tuple[Mapping[int, int], ...]
    claims: bytes
    leases: Mapping[int, float]
    returned: int
    pipes: Mapping[tuple[int, int], bytes]

    def cell(self, task: int, entity: int) -> int:
        """A cell's byte."""
        return self.board[task * self.wave.n + entity]


@dataclass
class Cancel:
    """A wave that was cancelled; when `cancel` returned (Unix seconds)."""

    wave: str
    returned: float


@dataclass
class Invariants:
    """Takes snapshots in order and, at the end, the journal. `wrong` says which invariant did not hold, and where."""

    wrong: list[str] = field(default_factory=list)
    reads: int = 0
    last: dict[str, Snapshot] = field(default_factory=dict)
    cancels: dict[str, Cancel] = field(default_factory=dict)
    visible: dict[str, dict[tuple[int, int], tuple[bytes, float]]] = field(default_factory=lambda: defaultdict(dict))
    """The pipes of each wave: their value, and when it was first seen."""
    ended: dict[str, dict[tuple[int, int], float]] = field(default_factory=lambda: defaultdict(dict))
    """The cells of each wave that have ended, and when that was first seen."""

    def see(self, now: Snapshot) -> None:
        """Holds a snapshot against I1, I2, I5, and the legal steps."""
        self.reads += 1
        before = self.last.get(now.wave.id)
        self._counters(now)
        self._pipes(now)
        self._steps(before, now)
        self.last[now.wave.id] = now

    def _say(self, invariant: str, text: str) -> None:
        if len(self.wrong) < 50:
            self.wrong.append(f"{invariant}: {text}")

    def _counters(self, now: Snapshot) -> None:
        n = now.wave.n
        if sum(sum(c.values()) for c in now.counts) != now.wave.cells:
            self._say("I1", f"wave {now.wave.id}: the counters are {[dict(c) for c in now.counts]}, its cells {now.wave.cells}")
        for task, counts in enumerate(now.counts):
            recount = Counter(now.board[task * n : (task + 1) * n])
            if dict(recount) != {cell: many for cell, many in counts.items() if many}:
                self._say("I1", f"wave {now.wave.id}, task {task}: counted {dict(counts)}, on the board {dict(recount)}")

    def _pipes(self, now: Snapshot) -> None:
        known = self.visible[now.wave.id]
        for place, value in now.pipes.items():
            first, _ = known.setdefault(place, (value, now.at))
            if value != first:
                self._say("I2", f"{self._name(now, *place)}: its pipe was {first!r} and is {value!r}")
        for place, (value, _) in known.items():
            if place not in now.pipes:
                self._say("I2", f"{self._name(now, *place)}: its pipe was {value!r} and is gone")
        for task in range(len(now.wave.tasks)):
            for entity in range(now.wave.n):
                if now.cell(task, entity) in WROTE and (task, entity) not in now.pipes:
                    self._say("I2", f"{self._name(now, task, entity)}: it is Finished and has no pipe")

    def _steps(self, before: Snapshot | None, now: Snapshot) -> None:
        """A cell may have taken several steps since, each of which must be legal; and none to Running after `cancel`."""
        cancel = self.cancels.get(now.wave.id)
        late = before is not None and cancel is not None and before.asked > cancel.returned
        old = before.board if before is not None else bytes([Cell.PENDING]) * now.wave.cells
        for at, (was, is_) in enumerate(zip(old, now.board, strict=True)):
            task, entity = divmod(at, now.wave.n)
            if is_ != was and is_ not in _reachable(was):
                self._say("I6", f"{self._name(now, task, entity)}: it was {chr(was)} and is {chr(is_)}")
            if late and is_ != was and is_ == Cell.RUNNING:
                self._say("I5", f"{self._name(now, task, entity)}: Running after the wave was cancelled")
            if is_ in ENDED:
                self.ended[now.wave.id].setdefault((task, entity), now.at)

    def settle(self, journal: Sequence[Line]) -> None:
        """At the end, when nothing is at fault any more: I3, I5 and I6."""
        said: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
        for line in journal:
            said[line.date, line.task, line.entity].append(line)
        for wave, last in self.last.items():
            self._ended(last)
            self._started_late(last, said)
            for place in last.pipes:
                cell = last.cell(*place)
                if cell not in WROTE | {Cell.CANCELLED}:
                    self._say("I6", f"{self._name(last, *place)}: its pipe is there and it is {chr(cell)}")
            assert wave == last.wave.id

    def _ended(self, last: Snapshot) -> None:
        open_ = [at for at, cell in enumerate(last.board) if cell not in ENDED]
        if open_ or not last.wave.ended or last.wave.left or last.leases or last.returned:
            self._say(
                "I3",
                f"wave {last.wave.id}: {len(open_)} cells are open, left {last.wave.left}, ended {last.wave.ended}, "
                f"{len(last.leases)} leases, {last.returned} given back",
            )

    def _started_late(self, last: Snapshot, said: Mapping[tuple[str, str, str], Sequence[Line]]) -> None:
        """Starts after a cell's pipe was seen, after it was seen ended, or after `cancel` had returned."""
        members = {(task, entity) for task in range(len(last.wave.tasks)) for entity in range(last.wave.n)}
        cancel = self.cancels.get(last.wave.id)
        for task, entity in sorted(members):
            lines = said.get((str(last.wave.date), last.wave.tasks[task], f"e{entity}"), ())
            for line in [line for line in lines if line.what == "start"]:
                _, seen = self.visible[last.wave.id].get((task, entity), (b"", float("inf")))
                over = self.ended[last.wave.id].get((task, entity), float("inf"))
                if cancel is not None and line.at > cancel.returned:
                    late = (line.at - cancel.returned) * 1000
                    self._say(
                        "I5",
                        f"{self._name(last, task, entity)}: it started {late:.1f} ms after `cancel` had returned; {_told(lines, line)}",
                    )
                elif line.at > min(seen, over):
                    what = "its pipe was seen" if seen <= over else "it was seen ended"
                    late = (line.at - min(seen, over)) * 1000
                    end = chr(last.cell(task, entity))
                    self._say(
                        "I6",
                        f"{self._name(last, task, entity)}, {end}: it started again {late:.1f} ms after {what}; {_told(lines, line)}",
                    )

    def stale(self, told: str, before: Sequence[object], after: Sequence[object]) -> None:
        """I4: what a stale token was used for, and all of the wave in the moments before and after."""
        if list(before) != list(after):
            changed = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
            self._say("I4", f"{told}: {changed[0][0]!r:.300} became {changed[0][1]!r:.300}")

    @staticmethod
    def _name(now: Snapshot, task: int, entity: int) -> str:
        return f"{now.wave.date} {now.wave.tasks[task]} e{entity}"


def _told(lines: Sequence[Line], now: Line) -> str:
    """What a cell's executions said, in ms before and after one line."""
    return ", ".join(f"{line.what} by {line.pid} at {(line.at - now.at) * 1000:+.0f}" for line in lines)


def _reachable(cell: int) -> set[int]:
    """What a cell may become in any number of legal steps."""
    if cell not in _REACH:
        found: set[int] = set()
        todo = [cell]
        while todo:
            here = todo.pop()
            for step in {int(b) for a, b in LEGAL if a == here} - found:
                found.add(step)
                todo.append(step)
        _REACH[cell] = found
    return _REACH[cell]


def executions(journal: Sequence[Line]) -> Counter[tuple[str, str, str]]:
    """How often each cell's user code ran to its end."""
    return Counter((line.date, line.task, line.entity) for line in journal if line.what == "finish")
