"""What was filled in last time, for each flow and version; kept in the user's data directory. Never an error: what cannot be read is
not remembered, what cannot be written is forgotten."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.dialogs.consequences import Order

MOST = 100
KEPT = ("base", "partitions", "entities", "config")


def _file() -> Path:
    if home := os.environ.get("WAVEDECK_HOME"):
        return Path(home) / "triggered.json"
    from platformdirs import user_data_path

    return user_data_path("wavedeck") / "triggered.json"


def _read() -> dict[str, dict[str, str]]:
    """Flow@version → fields, the last one started at the end."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        told = json.loads(_file().read_text("utf-8"))
        if isinstance(told, dict):
            return {k: v for k, v in told.items() if isinstance(v, dict) and all(isinstance(x, str) for x in v.values())}
    return {}


def remembered(flow: str, version: str) -> dict[str, str]:
    """Field → what was in it when this flow of this version was last started from here; without a flow the version's last one."""
    every = _read()
    if not flow:
        flow = next((key.removesuffix(f"@{version}") for key in reversed(every) if key.endswith(f"@{version}")), "")
    known = every.get(f"{flow}@{version}", {})
    return ({"flow": flow} if known else {}) | {name: known[name] for name in KEPT if known.get(name)}


def remember(order: Order) -> None:
    """Keeps what was filled in."""
    name = f"{order.flow}@{order.version}"
    known = {key: fields for key, fields in _read().items() if key != name}
    known[name] = {field: getattr(order, field) for field in KEPT}
    with contextlib.suppress(OSError, UnicodeError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(dict(list(known.items())[-MOST:])), encoding="utf-8")
        draft.chmod(0o600)  # config may hold what is nobody's business
        draft.replace(file)
