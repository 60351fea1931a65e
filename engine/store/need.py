"""What a wave will need in Redis, by what earlier waves of the flow needed, and whether there is room for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine import script
from engine.keys import Date, version_key
from engine.plan import Plan
from engine.status import OPEN, WROTE
from engine.store.connect import Client
from engine.store.room import Room, room, sized
from engine.store.wave import Progress
from engine.store.waves import Waves

PIPE = 1000
"""Bytes that a pipe is taken to need, key and all, of a task that no wave has written a pipe of."""
NOTE = 32
"""Bytes of notes and logs that a cell is taken to need on average where no wave has run."""
KEY = 72
"""Bytes that a key needs in Redis' tables beyond what MEMORY USAGE says of it: 56 to 85, measured on 1,000 to 140,000 keys that expire."""
SAMPLE, LAST, LOOKED_AT = 64, 3, 20
"""Entities of a wave that are looked at; waves that count; waves among which those are found."""


@dataclass(frozen=True)
class Sizes:
    """What is known of a flow's cells. `pipes`: task → bytes a pipe, `note`: bytes of notes and logs a cell, `basis`: from what, in words;
    `unknown`: tasks of which the stated default is taken."""

    pipes: Mapping[str, int]
    note: float
    basis: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """Bytes that a wave will need. `board`: all of it but pipes, notes and logs; `cells`: pipes that it will write."""

    board: int
    pipes: int
    notes: int
    cells: int
    basis: str

    @property
    def total(self) -> int:
        """All of it."""
        return self.board + self.pipes + self.notes


@dataclass(frozen=True)
class Fit:
    """A wave's need, the room there is, and what waves under way will still write into it."""

    need: Need
    room: Room | None
    promised: int = 0

    @property
    def words(self) -> str:
        """What it needs, and of how much: one clause."""
        free = self.room.free if self.room is not None else None
        left = f" of {sized(free)} free" if free is not None else ""
        return f"about {sized(self.need.total)}{left}"

    @property
    def details(self) -> str:
        """Of what that is the sum."""
        parts = [
            f"pipes {sized(self.need.pipes)}",
            f"board {sized(self.need.board)}",
            f"notes and logs {sized(self.need.notes)}",
        ]
        return f"{', '.join(parts)}; {self.need.basis}"

    @property
    def refusal(self) -> str:
        """Why the wave must not start, with the numbers; "" when it may."""
        there = self.room
        if there is None or there.free is None or there.policy != "noeviction" or self._all <= there.free:
            return ""
        return (
            f"Redis has no room for this wave: it needs about {sized(self.need.total)} ({self.details})"
            + (f", waves under way will write another {sized(self.promised)}" if self.promised else "")
            + f", and {sized(there.free)} of {sized(there.limit)} (maxmemory) are free; raise maxmemory, let pipes expire "
            "(the flow's `keep`), take fewer entities, or start it with --force"
        )

    @property
    def warning(self) -> str:
        """What may go wrong though the wave may start; "" when nothing is known that may."""
        there = self.room
        if there is None:
            return ""
        if there.free is not None and there.policy != "noeviction" and self._all > there.free:
            return (
                f"this wave needs about {sized(self.need.total)} and {sized(there.free)} of {sized(there.limit)} (maxmemory) are free: "
                f"Redis will delete pipes to make room ({there.policy})"
            )
        if not there.limit and there.machine and self._all > there.machine - there.used:
            return (
                f"this wave needs about {sized(self.need.total)}; Redis has no maxmemory, and uses {sized(there.used)} of the "
                f"{sized(there.machine)} of its machine"
            )
        return ""

    @property
    def _all(self) -> int:
        return self.need.total + self.promised


def fit(
    redis: Client,
    plan: Plan,
    *,
    version: str,
    date: Date,
    members: Sequence[tuple[str, str]],
    beside: str = "",
    begun: Sequence[str] | None = None,
) -> Fit:
    """What a wave of `plan` over `members` (entity, partition) will need, and whether there is room. Changes nothing.

    Parameters:
        beside: the id of a wave that is neither counted among those under way nor sampled: this one.
        begun: tasks that others wrote pipes of about this date; asked for when not given.
    """
    there = room(redis)
    sizes = sizes_of(redis, version, plan.flow, plan.names, beside)
    begun = _begun(redis, plan, version, date) if begun is None else begun
    shares = dict.fromkeys(plan.names, 1.0) | _missing(redis, begun, version, date, [entity for entity, _ in members])
    many = len(members)
    pipes = sum(sizes.pipes[task] * many * shares[task] for task in plan.names)
    need = Need(
        board=board_bytes(plan, members),
        pipes=round(pipes),
        notes=round(sizes.note * many * len(plan.tasks)),
        cells=round(sum(many * share for share in shares.values())),
        basis=sizes.basis,
    )
    under_way = _under_way(redis, beside) if there is not None and there.limit else ()
    return Fit(need, there, _promised(redis, under_way, {(version, plan.flow): sizes}))


def board_bytes(plan: Plan, members: Sequence[tuple[str, str]]) -> int:
    """What a wave needs beyond pipes, notes and logs: board, times, claims, members, leases, record, plan, script and index."""
    many, tasks = len(members), len(plan.tasks)
    names = sum(len(entity) + len(partition) + 4 for entity, partition in members)
    columns = sum(map(_allocated, (many * tasks, many * tasks * 8, many * 8)))
    texts = len(plan.to_json()) + len(script.body(plan))
    return columns + names + texts + 4000 + 1000 * tasks + 120 * min(many, 1000)


def _allocated(size: int) -> int:
    """What the allocator gives for `size` bytes: four sizes between two powers of two."""
    step = 1 << max(size.bit_length() - 3, 4)
    return -(-size // step) * step


def sizes_of(redis: Client, version: str, flow: str, tasks: Sequence[str], beside: str = "") -> Sizes:
    """How large a flow's pipes, notes and logs are, from a sample of the last waves of its version, else of any version; not of the
    wave with the id `beside`."""
    store = Waves(redis)
    found: dict[str, list[int]] = {task: [] for task in tasks}
    used: list[Progress] = []
    notes = cells = 0
    for wanted in (version, None):
        for progress in store.recent(LOOKED_AT, version=wanted, flow=flow):
            if len(used) >= LAST or not any(len(sizes) < SAMPLE // 2 for sizes in found.values()):
                break
            ended = sum(n for counts in progress.counts for cell, n in counts.items() if cell not in OPEN)
            if not ended or progress.wave.id == beside:
                continue
            used.append(progress)
            if (told := _told(redis, progress)) is not None:
                notes, cells = notes + told, cells + ended
            for task, sizes in _sample(redis, progress, tasks).items():
                found[task] += sizes
        if used:
            break
    unknown = tuple(task for task, sizes in found.items() if not sizes)
    pipes = {task: round(sum(sizes) / len(sizes)) if sizes else PIPE for task, sizes in found.items()}
    return Sizes(pipes, notes / cells if cells else NOTE, _basis(used, version, unknown), unknown)


def _basis(used: Sequence[Progress], version: str, unknown: Sequence[str]) -> str:
    if not used:
        return f"no wave of this flow has run: {PIPE:,} bytes a pipe are taken"
    first = used[0].wave
    of = "" if first.version == version else f" of {first.version}"
    told = f"the wave of {first.date}{of}" if len(used) == 1 else f"the last {len(used)} waves{of}"
    return f"as in {told}" + (f", {PIPE:,} bytes a pipe of {', '.join(unknown)}" if unknown else "")


def _told(redis: Client, progress: Progress) -> int | None:
    """Bytes of a wave's notes and logs; None where the server cannot say."""
    with redis.pipeline(transaction=False) as trip:
        for what in ("notes", "logs"):
            trip.memory_usage(progress.wave.key(what), samples=50)
        sizes = trip.execute(raise_on_error=False)
    return None if any(isinstance(size, Exception) for size in sizes) else sum(size or 0 for size in sizes)


def _sample(redis: Client, progress: Progress, tasks: Sequence[str]) -> dict[str, list[int]]:
    """Bytes of pipes that a wave has written, of entities all over it."""
    wave = progress.wave
    began = max(min(wave.next, wave.n), 1)
    numbers = [at * began // SAMPLE for at in range(SAMPLE)] if began > SAMPLE else range(began)
    wanted = [task for task in tasks if task in wave.tasks]
    with redis.pipeline(transaction=False) as trip:
        for number in numbers:
            trip.lindex(wave.key("members"), number)
        for task in wanted:
            for number in numbers:
                at = wave.tasks.index(task) * wave.n + number
                trip.getrange(wave.key("board"), at, at)
        replies = iter(trip.execute())
        entities = [(next(replies) or b"").decode().partition(" ")[0] for _ in numbers]
        keys = [
            (task, f"{wave.version}/{task} {entity} {wave.date}")
            for task in wanted
            for entity in entities
            if (cell := next(replies)) and cell[0] in WROTE
        ]
        for _, key in keys:
            trip.memory_usage(key)
            trip.strlen(key)
        replies = iter(trip.execute(raise_on_error=False) if keys else [])
    found: dict[str, list[int]] = {task: [] for task in wanted}
    for task, key in keys:
        usage, length = next(replies), next(replies)
        if isinstance(usage, int) and usage:
            found[task].append(usage + KEY)
        elif isinstance(usage, Exception) and isinstance(length, int) and length:
            found[task].append(_allocated(length) + len(key.encode()) + KEY + 64)
    return found


def _begun(redis: Client, plan: Plan, version: str, date: Date) -> list[str]:
    """Tasks that somebody has announced pipes of about `date`."""
    with redis.pipeline(transaction=False) as trip:
        for task in plan.names:
            trip.exists(version_key(version, f"at:{task}:{date}"))
        return [task for task, there in zip(plan.names, trip.execute(), strict=True) if there]


def _missing(redis: Client, tasks: Sequence[str], version: str, date: Date, entities: Sequence[str]) -> dict[str, float]:
    """Task → the share of these entities whose pipe about `date` is not there yet."""
    few = entities[:: max(len(entities) // SAMPLE, 1)]
    if not few:
        return {}
    with redis.pipeline(transaction=False) as trip:
        for task in tasks:
            for entity in few:
                trip.exists(f"{version}/{task} {entity} {date}")
        found = trip.execute()
    return {task: 1 - sum(found[at * len(few) : (at + 1) * len(few)]) / len(few) for at, task in enumerate(tasks)}


def _under_way(redis: Client, beside: str) -> list[Progress]:
    return [p for p in Waves(redis).recent(50) if p.wave.running and not p.wave.cancelled and p.wave.id != beside]


def _promised(redis: Client, waves: Iterable[Progress], known: dict[tuple[str, str], Sizes]) -> int:
    """Bytes that waves under way will still write, if every open cell of theirs writes its pipe."""
    total = 0.0
    for progress in waves:
        wave = progress.wave
        if (sizes := known.get((wave.version, wave.flow))) is None or not set(wave.tasks) <= sizes.pipes.keys():
            sizes = known[wave.version, wave.flow] = sizes_of(redis, wave.version, wave.flow, wave.tasks)
        for task, counts in zip(wave.tasks, progress.counts, strict=True):
            total += sum(n for cell, n in counts.items() if cell in OPEN) * (sizes.pipes[task] + sizes.note)
    return round(total)
