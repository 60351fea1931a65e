"""The console with a stop-watch at every frame: `python -m benchmarks.probe FILE ARGUMENT …` writes each frame's CPU to FILE as it ends.

A frame is all that Textual does from deciding to paint until the terminal's writer has the bytes. A line: when it ended (monotonic
seconds), milliseconds of CPU of the drawing thread, milliseconds of time, and how many characters went out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

FRAMES: list[tuple[float, float, float, int]] = []


def install() -> None:
    """Puts stop-watches into Textual."""
    from textual.app import App
    from textual.drivers.linux_driver import LinuxDriver
    from textual.screen import Screen

    written = [0]
    write = LinuxDriver.write

    def counted(driver: LinuxDriver, data: str) -> None:
        written[0] += len(data)
        write(driver, data)

    LinuxDriver.write = counted  # type: ignore[method-assign]
    depth = [0]

    def timed(kind: type[Any], name: str) -> None:
        method = getattr(kind, name)

        def measured(self: Any, *args: Any, **more: Any) -> Any:
            before, cpu, at = written[0], time.thread_time(), time.monotonic()
            depth[0] += 1
            try:
                return method(self, *args, **more)
            finally:
                depth[0] -= 1
                if not depth[0] and written[0] > before:
                    now = time.monotonic()
                    FRAMES.append((now, (time.thread_time() - cpu) * 1000, (now - at) * 1000, written[0] - before))

        setattr(kind, name, measured)

    timed(Screen, "_on_timer_update")
    timed(Screen, "_refresh_layout")
    timed(App, "_display")


def main() -> None:
    """Runs `wavedeck ARGUMENT …`."""
    file = Path(sys.argv[1])
    sys.argv[:2] = ["wavedeck"]
    from console.commands.common import prepare

    prepare()
    install()
    from console.cli import main as console

    try:
        console()
    finally:
        file.write_text("\n".join(" ".join(map(str, frame)) for frame in FRAMES))


if __name__ == "__main__":
    main()
