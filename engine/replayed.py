"""What a replay's process leaves of a cell that it ran once more, in `result.json`: the worker writes it, the console reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Given:
    """An input of the replay. `how`: recorded, missing (it was then), now (looked up now: nothing is recorded), history (its values
    at earlier dates, as they are now: `count`)."""

    name: str
    how: str
    key: str = ""
    bytes: int | None = None
    count: int = 0


@dataclass(frozen=True)
class Spent:
    """A function of a profile. Seconds: its own and with all it called."""

    function: str
    calls: int
    own: float
    whole: float


@dataclass
class Replayed:
    """What came of it. `outcome`: finished, failed or blocked. `code`: the fingerprint of the task's code as the wave had it and as it is
    here, "" where unknown. Seconds of wall clock and CPU; `peak`: bytes of the process, `grew`: by how many it grew meanwhile;
    `log`: what it printed; `seen`: entities it would have marked as active."""

    wave: str
    locator: str
    entity: str
    key: str
    task: str
    pipe: str
    codec: str
    status: str
    mark: str
    then_error: dict[str, str] | None
    then_seconds: float
    code_then: str
    code_here: str
    where: str
    config: dict[str, Any]
    keep: float
    inputs: list[Given] = field(default_factory=list)
    outcome: str = ""
    error: dict[str, str] | None = None
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    grew: int = 0
    log: str = ""
    seen: int = 0
    profile: list[Spent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
