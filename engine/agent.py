"""What Amazon ECS offers a task over HTTP: facts about it (the container metadata endpoint, version 4) and its agent."""

import json
import urllib.error
import urllib.request
from typing import Any

METADATA, AGENT = "ECS_CONTAINER_METADATA_URI_V4", "ECS_AGENT_URI"
"""Variables of a task's environment."""


def ask(url: str, body: Any = None, *, patience: float = 2.0) -> tuple[int, Any]:
    """Status and JSON (a dictionary) of a page; status 0 and the reason where there is none. With a `body` it is a PUT.

    Parameters:
        patience: seconds that it may be silent.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    try:
        if not url.startswith("http://"):
            return 0, f"{url!r} is no http address"
        request = urllib.request.Request(  # noqa: S310 it begins with http://
            url, data, {"Content-Type": "application/json"} if data else {}, method="PUT" if data else "GET"
        )
        with opener.open(request, timeout=patience) as response:
            return int(response.status), _json(response.read(1 << 20))
    except urllib.error.HTTPError as e:
        return e.code, _json(e.read(1 << 20)) or {}
    except (OSError, ValueError) as e:
        return 0, str(getattr(e, "reason", e))


def refusal(told: Any) -> str:
    """Why the agent did not do what it was asked, though it answered; "" when it did."""
    failure = told.get("failure") or told.get("error") if isinstance(told, dict) else None
    if isinstance(failure, dict):
        return str(failure.get("Reason") or failure.get("Code") or failure.get("Message") or failure)
    return str(failure or "")


def _json(body: bytes) -> Any:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
