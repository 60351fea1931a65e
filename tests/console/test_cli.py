"""The `wavedeck` command: exit statuses, sentences, JSON. Each call is a process of its own, as a user's is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redis import Redis

FLOW = """
from engine import Flow

flow = Flow("shop", every="1h", state="shops")

@flow.source
def shops(date):
    for number in range(6):
        yield f"s{number}", "north" if number % 2 else "south"

@flow.task(config={"times": 2})
def sales(entity, config):
    if entity == "s3":
        raise ValueError("the till of s3 isn't there, it's out of order")
    return len(entity) * config["times"]

@flow.task
def forecast(sales):
    return [sales] * 3
"""
DATE = "2026-01-02T03"
HOSTILE = ["$(touch pwned)", "a\"b'c", "x;y", "[red]z", "new\nline", "x" * 500, "東京 都市", "🚀🔥", "\x1b[31mred", "-rf"]


class Shell:
    """Runs `wavedeck` in a folder with a flow."""

    def __init__(self, folder: Path, url: str) -> None:
        (folder / "shop.py").write_text(FLOW, encoding="utf-8")
        self.folder = folder
        self.environment = {**os.environ, "WAVEDECK_REDIS_URL": url, "WAVEDECK_FLOWS": "shop"}

    def run(self, *words: str | bytes, **environment: str) -> subprocess.CompletedProcess[str]:
        """One call; its output is text."""
        command = [str(Path(sys.executable).with_name("wavedeck")), *words]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *words: str) -> Any:
        """What a call that must succeed prints."""
        done = self.run(words[0], "--json", *words[1:])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def says(self, *words: str | bytes, status: int) -> str:
        """The one sentence of a call that must fail so."""
        done = self.run(*words)
        assert done.returncode == status, (done.stdout, done.stderr)
        assert done.stderr.startswith("wavedeck")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def shell(tmp_path: Path, redis: "Redis", redis_url: str) -> Shell:
    return Shell(tmp_path, redis_url)


def test_a_wave_from_trigger_to_every_view_of_it(shell: Shell) -> None:
    # Given a wave that a worker ended
    new = shell.json("trigger", "shop", "--date", DATE, "--config", "sales.times=3")
    assert (new["new"], new["entities"], new["tasks"], new["phase"]) == (True, 6, 2, "queued")
    assert new["bytes_a_cell"] > 0
    assert shell.run("worker", "--until-idle", "--slots", "1").returncode == 0

    # Then every twin shows it
    [row] = shell.json("waves")
    assert (row["id"], row["flow"], row["version"], row["date"], row["left"]) == (new["id"], "shop", "main", DATE, 0)
    wave = shell.json("wave", new["id"])
    assert wave["counts"]["sales"]["Finished"] == 5
    assert wave["counts"]["forecast"]["Blocked"] == 1
    assert wave["config"] == {"sales": {"times": 3}}
    families = shell.json("failures", "last")
    assert [(f["status"], f["count"], f["examples"]) for f in families] == [("Failed", 1, ["s3"]), ("Blocked", 1, ["s3"])]
    entity = shell.json("entity", new["id"][:6], "s3")
    assert entity["tasks"][0]["error"]["message"] == "the till of s3 isn't there, it's out of order"
    assert shell.json("flows")[0]["tasks"] == ["sales", "forecast"]
    assert shell.json("state", "shop")["partitions"] == {"north": 3, "south": 3}
    assert shell.json("workers") == []
    assert shell.json("pipes")["items"] == ["main"]
    assert shell.json("pipes", "main")["items"] == ["forecast", "sales"]
    assert shell.json("pipes", "main/sales")["items"] == [DATE]
    assert shell.json("pipes", "main/sales", DATE)["items"] == ["s1", "s5", "s0", "s2", "s4"]
    assert shell.json("pipe", "main/sales", "s0", DATE)["value"] == 6
    assert "task forecast --after sales" in shell.json("script", "last", "s0")["script"]
    for twin in (["waves"], ["wave", "last"], ["failures", "last"], ["entity", "last", "s3"], ["flows"], ["state", "shop"]):
        assert shell.run(*twin).stdout


def test_the_same_firing_twice_is_one_wave(shell: Shell) -> None:
    first, again = shell.json("init", "shop", "--date", DATE), shell.json("init", "shop", "--date", DATE)

    assert (first["new"], again["new"]) == (True, False)
    assert first["id"] == again["id"]


def test_cancel(shell: Shell) -> None:
    wave = shell.json("trigger", "shop", "--date", DATE)["id"]

    assert shell.json("cancel", wave) == {"id": wave, "cancelled_cells": 12, "held_entities": 0}

    assert "has ended already" in shell.says("cancel", wave, status=1)


def test_hostile_entities_go_through_unharmed(shell: Shell) -> None:
    options = [word for key in HOSTILE for word in ("--entity", key)]
    shell.json("trigger", "shop", "--date", DATE, *options)
    assert shell.run("worker", "--until-idle").returncode == 0

    assert sorted(shell.json("pipes", "main/sales", DATE)["items"]) == sorted(HOSTILE)
    for key in HOSTILE:
        detail = shell.json("entity", "last", "--", key)
        assert (detail["entity"], {t["status"] for t in detail["tasks"]}) == (key, {"Finished"})
        shown = shell.run("entity", "last", "--", key).stdout
        assert "\x1b" not in shown
        assert "[red]z" in shown or key != "[red]z"
    assert not list(shell.folder.rglob("*pwned*"))


def test_a_key_that_is_not_utf8_is_shown_in_json_all_the_same(shell: Shell) -> None:
    done = shell.run("trigger", "shop", "--date", DATE, "--entity", b"x\xff")
    assert done.returncode == 0, done.stderr

    assert shell.json("pipes")["level"] == "versions"
    assert shell.json("entity", "last", os.fsdecode(b"x\xff"))["entity"] == os.fsdecode(b"x\xff")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["wave", "nope"], 1, "no wave 'nope'"),
        (["trigger", "nope"], 1, "there are: shop"),
        (["trigger", "shop", "--date", "tomorrow"], 2, "neither YYYY-MM-DD nor"),
        (["trigger", "shop", "--date", "2026-02-31"], 2, "does not exist"),
        (["trigger", "shop", "--version", "a{b}"], 2, "holds '{'"),
        (["trigger", "shop", "--config", "nonsense"], 2, "not key=value"),
        (["trigger", "shop", "--config", "sales.no=1"], 2, "there are: sales.times"),
        (["trigger", "shop", "--partition", "west"], 1, "it has: north, south"),
        (["trigger"], 2, "Missing argument"),
        (["waves", "--limit", "0"], 2, "--limit"),
        (["waves", "--version", "a{b}"], 2, "holds '{'"),
        (["wave", b"x\xff"], 1, "no wave"),
        (["pipe", "nope", "s0", DATE], 2, "is not VERSION/NAME"),
        (["pipe", "main/nope", "s0", DATE], 1, "no pipe"),
        (["pipes", "nope/nope"], 1, "no pipes at"),
        (["state", "nope"], 1, "no state 'nope'"),
        (["worker", "--slots", "0"], 2, "at least 1"),
        (["worker", "--lease", "0"], 2, "at least 1 second"),
        (["worker", "--bogus"], 2, "--bogus"),
        (["bogus"], 2, "No such command"),
        ([], 2, "needs a terminal"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(shell: Shell, words: list[str | bytes], status: int, told: str) -> None:
    assert told in shell.says(*words, status=status)


def test_whoever_reads_what_is_printed_may_leave(shell: Shell) -> None:
    for words in (("--help",), ("waves",), ("waves", "--json")):
        reads, writes = os.pipe()
        os.close(reads)

        with os.fdopen(writes, "wb") as nobody:
            done = subprocess.run(
                [sys.executable, "-m", "console.cli", *words],
                cwd=shell.folder,
                env=shell.environment,
                stdout=nobody,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )

        assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "nonsense", "unix:///nowhere/redis.sock"])
def test_a_redis_that_is_not_there(shell: Shell, url: str) -> None:
    shell.environment["WAVEDECK_REDIS_URL"] = url

    assert "edis" in shell.says("waves", status=1)


def test_without_a_redis_it_says_how_to_get_one(shell: Shell, home: Path) -> None:
    del shell.environment["WAVEDECK_REDIS_URL"]
    shell.environment["WAVEDECK_HOME"] = str(home)

    assert "wavedeck redis" in shell.says("waves", status=1)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("@flow.task\ndef a(b): pass\n@flow.task\ndef b(a): pass", "it needs itself: a → b → a"),
        ("@flow.task\ndef a(nobody): pass", "input 'nobody'"),
        ("@flow.task(timeout='soon')\ndef a(): pass", "'soon' is not a duration"),
        ("@flow.task\ndef a(): pass\n@flow.task\ndef a(): pass", "the name is taken"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "it exits (3)"),
    ],
)
def test_a_wrong_flow_is_refused_with_its_file(shell: Shell, code: str, told: str) -> None:
    text = f"from engine import Flow\nflow = Flow('bad')\n{code}\n"
    (shell.folder / "bad.py").write_text(text, encoding="utf-8")
    shell.environment["WAVEDECK_FLOWS"] = "bad"

    said = shell.says("trigger", "bad", status=1)

    assert told in said
    assert "bad" in said


def test_a_flow_that_was_broken_after_it_was_published_is_refused(shell: Shell) -> None:
    shell.json("trigger", "shop", "--date", DATE)
    (shell.folder / "shop.py").write_text(FLOW + "\n@flow.task\ndef loop(loop): pass\n", encoding="utf-8")

    assert "it needs itself" in shell.says("trigger", "shop", status=1)
