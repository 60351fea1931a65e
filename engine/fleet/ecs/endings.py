"""Why a task ended, out of the four places in which ECS says it. Pure."""

from collections.abc import Mapping
from typing import Any

SPOT = "Spot took it back"
MEMORY = "it ran out of memory"
_CODES = {
    "SpotInterruption": SPOT,
    "TerminationNotice": SPOT,
    "UserInitiated": "it was stopped",
    "ServiceSchedulerInitiated": "its service stopped it",
}


def ending(task: Mapping[str, Any]) -> tuple[int | None, str]:
    """The exit status of a task's first container, and why it ended or is about to, in a sentence; empty while it just runs."""
    container = (task.get("containers") or [{}])[0]
    status = container.get("exitCode")
    code, said = str(task.get("stopCode") or ""), " ".join(str(task.get("stoppedReason") or "").split())
    told = " ".join(str(container.get("reason") or "").split())
    if not (code or said or told or status is not None):
        return None, ""
    if "OutOfMemory" in told or (status == 137 and "OutOfMemory" in said):
        return status, f"{MEMORY} ({told or said})"
    if "spot" in f"{code} {said}".lower():
        return status, f"{SPOT} ({said})" if said else SPOT
    words = [word for word in (_CODES.get(code, ""), said, told) if word]
    if status == 137 and not any("137" in word for word in words):
        words.append("killed (137): it did not end in time, or ran out of memory")
    elif status and not told:
        words.append(f"it ended with {status}; its log says why")
    return status, ": ".join(dict.fromkeys(words))
