"""Which house: what is asked for, else what the environment or the settings mean."""

import os
from collections.abc import Mapping
from typing import Any

from engine.errors import Refused
from engine.fleet.house import House

HOUSE = "WAVEDECK_FLEET"
"""`local` or `ecs`; tasks on ECS have it."""


def open_house(
    url: str = "", *, name: str = "", aws: Mapping[str, Any] | None = None, keep: bool = False, slots: int | None = None
) -> House:
    """The house to ask: `name`, else `WAVEDECK_FLEET`, else ECS where there is an `[aws]` table, else this machine's.

    Parameters:
        url: the Redis of local workers that are started.
        aws: the `[aws]` table (`engine.fleet.ecs.settings`).
        keep: whether this process may keep local workers (`engine.fleet.local_house`).
        slots: of each local worker.

    Raises:
        Refused: there is no such house, or the table is wrong.
    """
    wanted = name or os.environ.get(HOUSE, "") or ("ecs" if aws else "local")
    if wanted == "local":
        from engine.fleet.local_house import LocalHouse

        return LocalHouse(url, keep=keep, slots=slots)
    if wanted == "ecs":
        from engine.fleet.ecs.house import EcsHouse
        from engine.fleet.ecs.settings import read

        return EcsHouse(read(aws or {})[0])
    raise Refused(f"there is no house {wanted[:40]!r} (WAVEDECK_FLEET); it can be local or ecs")
