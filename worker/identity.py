"""What a worker is: its task, its image, what it may use. Asked once, when it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.agent import METADATA, ask
from worker import memory

PATIENCE = 1.0
"""Seconds that the metadata endpoint may be silent."""


@dataclass(frozen=True)
class Identity:
    """`task`: the ARN of the ECS task; `digest`: of the image; `cpus`: CPUs it may use; `limit`: bytes of memory. Empty or 0 where there
    is no such thing."""

    task: str = ""
    digest: str = ""
    image: str = ""
    zone: str = ""
    cpus: float = 0.0
    limit: int = 0


def identity(environment: Mapping[str, str] = os.environ, *, cgroup: memory.Cgroup | None = None) -> Identity:
    """What this process is. Where ECS does not answer, or is not, only the memory that its cgroup leaves it."""
    limit = (cgroup or memory.Cgroup()).limit
    uri = environment.get(METADATA, "")
    if not uri:
        return Identity(limit=limit)
    (_, container), (_, task) = ask(uri, patience=PATIENCE), ask(f"{uri}/task", patience=PATIENCE)
    of_container, of_task = _dict(_dict(container).get("Limits")), _dict(_dict(task).get("Limits"))
    limits = [limit, _number(of_container.get("Memory")) * 2**20, _number(of_task.get("Memory")) * 2**20]
    return Identity(
        task=_text(_dict(task).get("TaskARN")),
        digest=_text(_dict(container).get("ImageID")),
        image=_text(_dict(container).get("Image")),
        zone=_text(_dict(task).get("AvailabilityZone")),
        cpus=float(_number(of_task.get("CPU")) or _number(of_container.get("CPU")) / 1024),
        limit=int(min((size for size in limits if size), default=0)),
    )


def _dict(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _text(told: Any) -> str:
    return told[:500].encode("utf-8", "replace").decode() if isinstance(told, str) else ""


def _number(told: Any) -> float:
    return max(0.0, float(told)) if isinstance(told, int | float) else 0.0
