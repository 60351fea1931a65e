"""What commands print of hostile strings: JSON that is JSON, and on a terminal nothing but text and our own colours. And what they do with
hostile arguments: a sentence."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from canaries import canaries
from hostile_stage import DATE, TEXTS, everything_hostile
from naughty import FEW, as_argument, is_text
from on_screen import printed
from redis import Redis

CALLS = Path(__file__).with_name("calls.py")
LOOKS = [
    "waves",
    "wave last",
    "failures last",
    "first-red last",
    "changes last",
    "profile last",
    "history shops",
    "incident last",
    "flows",
    "state shops",
    "state",
    "workers",
    "acts",
    "pipes",
]
LEVELS = ["pipes", "pipes main", "pipes main/sales", f"pipes main/sales {DATE} --limit 1000"]
SOME = [text for text in TEXTS if as_argument(text)][::75]
"""Strings whose entities are looked at one by one."""
SENTENCES = (0, 1, 2)


@dataclass(frozen=True)
class Said:
    """A call's exit status, and what it printed when that went to files."""

    words: Sequence[str]
    status: object
    out: bytes = b""
    err: bytes = b""


class Calls:
    """Calls `wavedeck` in a folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self._listed, self._ends = folder, folder / "calls", folder / "ends"
        self._environment = {
            **os.environ,
            "WAVEDECK_REDIS_URL": url,
            "WAVEDECK_HOME": str(folder),
            "WAVEDECK_FLOWS": "nothing_here",
            "TERM": "xterm-256color",
        }

    def _command(self, calls: Sequence[Sequence[str]]) -> list[str]:
        self._listed.write_text("".join(json.dumps(list(words)) + "\n" for words in calls))
        return [sys.executable, str(CALLS), str(self._listed), str(self._ends)]

    def to_files(self, calls: Sequence[Sequence[str]]) -> list[Said]:
        """Each call's status and output."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            subprocess.run(
                self._command(calls),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                check=False,
                timeout=100,
            )
        wrote, complained = (self.folder / "out").read_bytes(), (self.folder / "err").read_bytes()
        assert self._ends.exists(), complained[-2000:]
        found, o, e = [], 0, 0
        for words, (status, to, te) in zip(calls, json.loads(self._ends.read_text()), strict=True):
            found.append(Said(words, status, wrote[o:to], complained[e:te]))
            o, e = to, te
        return found

    def to_a_terminal(self, calls: Sequence[Sequence[str]]) -> tuple[list[Said], bytes]:
        """Each call's status, and all that came to the terminal."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        process = subprocess.Popen(
            self._command(calls), cwd=self.folder, env=self._environment, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        seen = bytearray()
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(master, 65536):
                seen += part
        os.close(master)
        process.wait(100)
        assert self._ends.exists(), bytes(seen[-2000:])
        return [
            Said(words, status) for words, (status, *_) in zip(calls, json.loads(self._ends.read_text()), strict=True)
        ], bytes(seen)


@pytest.fixture
def calls(redis: Redis, redis_url: str, tmp_path: Path) -> Calls:
    everything_hostile(redis)
    return Calls(tmp_path, redis_url)


def looks(redis: Redis) -> list[list[str]]:
    """Calls that look at the hostile wave in every way."""
    found = [line.split(" ") for line in (*LOOKS, *LEVELS)]
    for text in SOME:
        found += [[command, "last", "--", text] for command in ("entity", "why", "incident", "script", "diff")]
        found += [["pipe", "--", "main/sales", text, DATE]]
    return found


def test_on_a_terminal_there_is_nothing_that_it_obeys(calls: Calls, redis: Redis) -> None:
    wanted = looks(redis)
    as_json = [[words[0], "--json", *words[1:]] for words in wanted if words[0] in ("state", "acts", "entity", "pipe")]

    ends, seen = calls.to_a_terminal([*wanted, *as_json])

    failed = [end for end in ends if end.status not in SENTENCES]
    assert failed == []
    assert sum(end.status == 0 for end in ends) > len(ends) * 0.9
    assert printed(seen) == []
    text = seen.decode()
    for shown in ("[bold]x[/bold]", "\\x1b]0;title", "$(touch pwned-1)", "東京", "{x.__class__}"):
        assert shown in text, shown
    assert canaries(calls.folder) == []


def test_json_is_json_and_has_the_strings_as_they_are(calls: Calls, redis: Redis) -> None:
    wanted = looks(redis)

    ends = calls.to_files([[words[0], "--json", *words[1:]] for words in wanted])

    told: dict[str, Any] = {}
    for end in ends:
        assert end.status in SENTENCES, end
        if end.status == 0:
            assert end.err == b"" and end.out.decode().replace("\n", "").isprintable()
            told[" ".join(end.words)] = json.loads(end.out)
    assert {e for e, _, _ in told["state --json shops"]["entities"]} == set(TEXTS)
    assert set(told["state --json shops"]["partitions"]) == set(TEXTS)
    assert set(told[f"pipes --json main/sales {DATE} --limit 1000"]["items"]) >= set(TEXTS)
    people = {text for text in FEW if is_text(text)}
    assert {row["by"] for row in told["acts --json"]} <= people | {"ana@desk"} and len(told["acts --json"]) == 50
    assert {row["host"] for row in told["workers --json"]} <= people | {""}
    for text in SOME:
        entity = told[f"entity --json last -- {text}"]
        assert entity["entity"] == text and entity["partition"] == text
        pipe = told[f"pipe --json -- main/sales {text} {DATE}"]
        if isinstance(pipe["value"], dict) and "n" in pipe["value"]:
            shown = text if is_text(text) else ascii(text)
            assert pipe["value"] == {shown: [shown, {"text": shown}], "n": TEXTS.index(text)}
        else:
            assert pipe["bytes"] == len(text.encode("utf-8", "surrogatepass"))


ARGUMENTS: list[list[str]] = [
    ["wave", "{}"], ["wave", "last", "--at", "{}"], ["entity", "{}", "{}"], ["entity", "last", "{}"], ["why", "last", "{}"], ["diff", "last", "e", "--task", "{}"],
    ["script", "last", "{}"], ["script", "last", "--version={}", "%24"], ["failures", "{}"], ["first-red", "{}"], ["changes", "{}"], ["incident", "{}", "{}"],
    ["waves", "--version={}"], ["waves", "--flow={}"], ["flows", "--version={}"], ["state", "{}"], ["state", "--state", "{}"], ["workers", "--version={}"],
    ["acts", "--wave={}"], ["pipes", "{}"], ["pipes", "main/{}"], ["pipes", "main/sales", "{}"], ["pipes", "main/sales", DATE, "--after={}"],
    ["pipe", "{}", "{}", "{}"], ["pipe", "main/sales", "{}", DATE, "--versus={}"],
    ["trigger", "{}"], ["trigger", "shops", "--version={}"], ["trigger", "shops", "--date={}"], ["trigger", "shops", "--state={}"],
    ["trigger", "shops", "--config={}"], ["trigger", "shops", "--partition={}"], ["trigger", "shops", "--base={}"],
    ["init", "shops", "--date={}"], ["cancel", "{}"], ["rerun", "{}"], ["rerun", "last", "--entity={}"], ["rerun", "last", "--task={}"],
    ["rerun", "last", "--family={}"], ["rerun", "last", "--version={}"], ["--at={}"], ["{}"], ["--redis={}", "waves"], ["waves", "--{}"],
    ["waves", "--limit={}"],
]  # fmt: skip
"""Where a call takes something from outside; `{}` is the string."""


def test_a_hostile_argument_is_taken_for_data_or_refused_in_a_sentence(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    calls = Calls(tmp_path, redis_url)
    everything_hostile(redis)
    texts = [text for text in FEW if as_argument(text)][::3]
    wanted = [[word.replace("{}", text) for word in words] for n, words in enumerate(ARGUMENTS) for text in texts[n % 7 :: 7]]

    ends = calls.to_files(wanted)

    for end in ends:
        assert end.status in SENTENCES, end
        assert end.err.decode("utf-8", "strict").replace("\n", "").isprintable(), end
        assert b"Traceback (most" not in end.err, end
        if end.status:
            assert end.err.startswith(b"wavedeck: ") and len(end.err.splitlines()) == 1 and len(end.err) < 9000, end
    assert canaries(tmp_path) == []


def test_what_complains_on_a_terminal_is_clean(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    calls = Calls(tmp_path, redis_url)
    texts = [text for text in FEW if as_argument(text)][::2]

    _, seen = calls.to_a_terminal(
        [
            [word.replace("{}", text) for word in words]
            for text in texts
            for words in (["wave", "{}"], ["--{}"], ["trigger", "x", "--config={}"])
        ]
    )

    assert printed(seen) == []


@pytest.mark.parametrize("command", ["worker", "task"])
def test_processes_that_complain_for_themselves_are_clean_too(redis_url: str, tmp_path: Path, command: str) -> None:
    calls = [
        ["--\x1b]0;a\x07", "\x9b31m"],
        ["--version", "\x1b[31m\u202e"],
        ["--name", "\x1b[2J"],
        ["--run", "x", "\x1b[2J", "--after", "\udc9b"],
    ]
    for words in calls:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("wavedeck")), command, *words], cwd=tmp_path, check=False, timeout=60, capture_output=True,
            env={**os.environ, "WAVEDECK_REDIS_URL": redis_url, "WAVEDECK_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode in (1, 2) and done.stderr, done
        assert printed(done.stderr + done.stdout) == []


@pytest.mark.parametrize("words", [["worker", "--until-idle"], ["demo", "--headless"]])
def test_read_only_starts_nothing_that_writes(redis: Redis, redis_url: str, tmp_path: Path, words: list[str]) -> None:
    calls = Calls(tmp_path, redis_url)

    [end] = calls.to_files([["--read-only", *words]])

    assert end.status == 1 and end.err.startswith(b"wavedeck: read-only: ")
    assert list(redis.scan_iter()) == []
