"""The bytes that the console really sends to a terminal: with hostile strings everywhere no kind of sequence that it does not send without."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from canaries import canaries
from hostile_stage import a_hostile_wave, a_plan
from naughty import FAMILIES
from on_screen import kinds, odd
from redis import Redis
from rich.cells import cell_len
from stage import Stage

from benchmarks.terminal import Terminal
from console.widgets.text import clean
from engine.cancel import cancel
from engine.keys import encode_entity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the terminal of the benchmarks is for Linux")

ENTITY = "\x1b]52;c;cm0=\x07\x9b31m\u202e[red]$(touch pwned-1)\x1b]0;t\x07"
TEXTS = [
    ENTITY,
    *FAMILIES["terminal"],
    *FAMILIES["control"],
    *FAMILIES["bidi"],
    *FAMILIES["surrogates"],
    *FAMILIES["markup"][:12],
]

PASTED = "\u202e\x9b31m[red]\u200b$(touch pwned-2)"


def tour(url: str, stage: Stage, watched: Stage, entity: str, pasted: str, folder: Path) -> bytes:
    """All that a console sends while somebody opens, copies, watches, filters and searches; and its end."""
    raw = bytearray()
    place = f"entity {stage.wave.id} {encode_entity(entity)}"
    with Terminal(
        [sys.executable, "-P", "-m", "console.cli", "--redis", url, "--at", place],
        cwd=folder,
        env={"WAVEDECK_HOME": str(folder), "WAVEDECK_CONFIG": str(folder / "none")},
    ) as terminal:
        draw = terminal.grid.feed

        def feed(data: bytes) -> None:
            raw.extend(data)
            draw(data)

        terminal.grid.feed = feed  # type: ignore[method-assign]
        terminal.until(lambda grid: "STATUS" in grid.text and clean(entity)[:12] in grid.text and "sales" in grid.text)
        for key, text in (("C", "copied"), ("Y", "copied an incident"), ("l", "log")):
            terminal.press(key.encode())
            terminal.until(lambda grid, text=text: text in grid.text, what=key)  # type: ignore[misc]
        for opener, sign in ((b"/", " / "), (b":", " : ")):
            terminal.press(opener)
            terminal.until(lambda grid, sign=sign: sign in grid.text, what=sign)  # type: ignore[misc]
            terminal.watch(0.3)
            terminal.press(b"\x1b[200~" + pasted.encode() + b"\x1b[201~")
            terminal.watch(0.5)
            terminal.press(b"\x1b")
            terminal.watch(0.5)
        terminal.press(b":")
        terminal.until(lambda grid: " : " in grid.line(grid.height - 1), what="the command line")
        terminal.watch(0.3)
        terminal.press(f"entity {watched.wave.id} {encode_entity(entity)}\r".encode())
        terminal.until(
            lambda grid: "2013-07-01T15" in grid.line(0) and "pending" in grid.line(3), what="the entity of another wave"
        )
        terminal.press(b"w")
        terminal.until(lambda grid: "watching" in grid.text, what="it is watched")
        terminal.watch(1.5)
        cancel(watched.redis, watched.wave, by=pasted, reason=pasted)
        terminal.until(lambda grid: "(was " in grid.text, what="it rings")
        terminal.press(b"\x1b")
        terminal.until(lambda grid: "ENTITY" in grid.text and "cancelled" in grid.line(1), what="the wave is cancelled")
        terminal.watch(0.5)
        for line in range(terminal.grid.height):
            assert cell_len(terminal.grid.line(line)) == terminal.grid.width
        terminal.press(b"q")
        with contextlib.suppress(EOFError):
            terminal.watch(5)
    return bytes(raw)


def test_the_console_sends_a_terminal_nothing_but_its_own_sequences(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    # Given what it sends where nothing is hostile
    peaceful = tour(redis_url, plain_wave(redis, ["north", "south"]), queued(redis, "north"), "north", "north", tmp_path)
    own = kinds(peaceful)
    assert {"clipboard", "CSI m", "CSI H", "title []"} <= own
    controls = {ascii(chr(code)) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F))}
    assert own & controls == {ascii("\x07")}, "the bell of what is watched"

    # When every place is hostile
    redis.flushall()
    raw = tour(redis_url, a_hostile_wave(redis, TEXTS), queued(redis, ENTITY), ENTITY, PASTED, tmp_path)

    # Then there is no other kind of sequence, no control character, a title is text, and no string came through as it is
    assert kinds(raw) - own == set()
    sent = [text for text in (*TEXTS, PASTED) if odd(text) and bytes_of(text) in raw and bytes_of(text) not in peaceful]
    assert sent == []
    assert canaries(tmp_path) == []


def plain_wave(redis: Redis, entities: Sequence[str]) -> Stage:
    stage = Stage(redis, entities, plan=a_plan("text")).claim()
    stage.run("sales", at=0.5, took=0.25, log="fetched all")
    return stage


def queued(redis: Redis, entity: str) -> Stage:
    """A wave that nobody has begun."""
    return Stage(redis, [entity], plan=a_plan("text"), date="2013-07-01T15")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
