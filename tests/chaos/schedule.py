"""What happens to a round of chaos, drawn before it begins: a pure function of a seed and the round's number."""

from dataclasses import dataclass
from random import Random

LENGTH = 2.6
"""Seconds over which faults are spread."""
LEASE = 1.0
"""Seconds of a claim's lease in a round."""

FAULTS = {
    "kill worker": 5,
    "kill slot": 3,
    "kill watcher": 3,
    "stall worker": 5,
    "stall watcher": 3,
    "stall slot": 2,
    "restart Redis": 4,
    "pause Redis": 2,
    "flush scripts": 2,
    "cut connections": 3,
    "refuse connections": 2,
    "black hole": 2,
    "lose replies": 3,
    "slow link": 2,
    "cancel": 3,
    "deadline": 2,
    "drain": 2,
    "drain at once": 1,
}
"""Every fault, and how often it is drawn compared with the others."""
LASTING = {
    "stall worker": (LEASE * 1.3, LEASE * 2.2),
    "stall watcher": (LEASE * 1.3, LEASE * 2.2),
    "stall slot": (0.2, LEASE * 2),
    "restart Redis": (0.0, 0.6),
    "pause Redis": (0.2, LEASE * 1.5),
    "refuse connections": (0.2, LEASE * 1.5),
    "black hole": (0.2, LEASE * 1.5),
    "lose replies": (0.05, 0.4),
    "slow link": (0.3, 1.0),
}
"""Seconds, from and to, that a fault lasts; the others are over at once."""


@dataclass(frozen=True)
class Wave:
    """A wave that is started `at` seconds after the round's beginning. `deadline`: seconds from then; 0 for none."""

    at: float
    entities: int
    deadline: float = 0.0


@dataclass(frozen=True)
class Fault:
    """A fault. `target`: whom it is done to, counted among those that there are then."""

    at: float
    kind: str
    target: int
    seconds: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.2f} s" if self.seconds else ""
        return f"{self.at:.2f} s  {self.kind} #{self.target}{lasts}"


@dataclass(frozen=True)
class Schedule:
    """A round: how many workers begin it, its waves, its faults in order."""

    workers: int
    waves: tuple[Wave, ...]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        waves = [
            f"{w.at:.2f} s  wave of {w.entities} entities" + (f", due in {w.deadline:.2f} s" if w.deadline else "")
            for w in self.waves
        ]
        return "\n".join([f"{self.workers} workers", *waves, *map(str, self.faults)])


def draw(seed: int, number: int, kinds: dict[str, int] | None = None) -> Schedule:
    """The schedule of a round. `kinds`: weights of the faults to draw from; all of them when not given."""
    random = Random(f"{seed}:{number}")
    weights = kinds or FAULTS
    drawn = random.choices(list(weights), list(weights.values()), k=random.randint(3, 7))
    faults = []
    for kind in drawn:
        low, high = LASTING.get(kind, (0.0, 0.0))
        at, seconds = random.uniform(0.15, LENGTH), random.uniform(low, high)
        faults.append(Fault(round(at, 3), kind, random.randrange(100), round(seconds, 3)))
    waves = [Wave(0.0, random.randint(12, 30))]
    waves += [Wave(round(random.uniform(0.0, LENGTH / 2), 3), random.randint(4, 20)) for _ in range(random.randint(0, 2))]
    # A deadline belongs to a wave from its start, so this fault is one more wave.
    waves += [Wave(f.at / 2, 16, random.uniform(0.1, 0.6)) for f in faults if f.kind == "deadline"]
    return Schedule(
        random.randint(2, 3),
        tuple(sorted(waves, key=lambda w: w.at)),
        tuple(sorted((f for f in faults if f.kind != "deadline"), key=lambda f: f.at)),
    )
