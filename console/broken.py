"""An error of the console's own: it is kept and told, and ends nothing."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from pathlib import Path

from console.moment import now

LARGEST = 1 << 20
"""Bytes of the file after which it begins anew."""
QUIET = 10.0
"""Seconds in which the same error is told once."""

_told: dict[str, float] = {}


def error_file() -> Path:
    """Where errors are kept."""
    if home := os.environ.get("WAVEDECK_HOME"):
        return Path(home) / "console-errors.log"
    from platformdirs import user_log_path

    return user_log_path("wavedeck") / "console-errors.log"


def keep(error: BaseException) -> str | None:
    """Writes an error with its traceback to `error_file`, and says what to tell a person; None when that was told just now."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "?"
    name = f"{type(error).__name__} at {where}"
    at = now()
    if at - _told.get(name, -QUIET) < QUIET:
        return None
    _told[name] = at
    file = error_file()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = "w" if file.exists() and file.stat().st_size > LARGEST else "a"
        with file.open(mode, encoding="utf-8", errors="backslashreplace") as log:
            log.write(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime(at)))
            log.writelines(traceback.format_exception(error))
    return f"the console broke: {name}: {error}"[:300] + f"; the traceback is in {file}"
