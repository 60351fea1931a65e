"""`wavedeck schedule …`, `init --scheduled` and `trigger --workers`, each call a process as a user's is."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from servers import eventually

from engine.store.schedules import Schedules
from engine.store.waves import Waves

FLOW = """
from engine import Flow

flow = Flow("shop", every="1h", state="shops")

@flow.source
def shops(date):
    for number in range(6):
        yield f"s{number}", "north"

@flow.task
def sales(entity):
    return len(entity)
"""


class Shell:
    def __init__(self, folder: Path, url: str) -> None:
        (folder / "shop.py").write_text(FLOW, encoding="utf-8")
        self.folder = folder
        self.environment = {
            **os.environ, "WAVEDECK_REDIS_URL": url, "WAVEDECK_FLOWS": "shop", "WAVEDECK_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])),
        }  # fmt: skip

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [str(Path(sys.executable).with_name("wavedeck")), *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*words)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(redis: "Redis", redis_url: str, tmp_path: Path) -> Iterator[Shell]:
    return Shell(tmp_path, redis_url)  # type: ignore[return-value]


def moment(text: str | None) -> float:
    assert text is not None
    return datetime.fromisoformat(text).timestamp()


def test_a_schedule_from_its_first_day_to_its_last(shell: Shell, redis: "Redis") -> None:
    # Given nothing
    assert shell.run("schedule", "list").stdout.startswith("no schedule; ")

    # When it is set
    told = shell.json("schedule", "set", "shop", "--overlap", "skip", "--workers", "1..4", "--deadline", "30m")
    assert (told["when"], told["overlap"], told["workers"], told["deadline"], told["house"]) == (
        "every 1h", "skip", "1..4", "30m", "local",
    )  # fmt: skip
    assert 0 <= moment(told["next"]) - time.time() <= 3600 and moment(told["next"]) % 3600 == 0

    # Then it is listed, pauses, goes on, and goes
    assert [row["flow"] for row in shell.json("schedule", "list")] == ["shop"]
    paused = shell.json("schedule", "pause", "shop")
    assert (paused["paused"], paused["next"]) == (True, None)
    assert "pauses" in shell.run("schedule", "list").stdout
    before = Schedules(redis).get("main", "shop").since
    assert shell.json("schedule", "resume", "shop")["paused"] is False
    assert Schedules(redis).get("main", "shop").since > before
    assert shell.run("schedule", "remove", "shop").stdout == "shop@main has no schedule any more\n"
    assert shell.json("schedule", "list") == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("schedule", "set", "shop", "--every", "10m"), 1, "is about one hour, so its schedule is every hour or every few, not every 10m"),
        (("schedule", "set", "shop", "--every", "soon"), 2, "'soon' is not a duration"),
        (("schedule", "set", "shop", "--cron", "banana"), 1, "has not five fields"),
        (("schedule", "set", "nosuch", "--every", "1h"), 1, "no flow 'nosuch'"),
        (("schedule", "set", "shop", "--workers", "lots"), 1, "must be auto, a number, or a range"),
        (("schedule", "pause", "shop"), 1, "has no schedule; `wavedeck schedule set` makes one"),
        (("--read-only", "schedule", "set", "shop"), 1, "read-only"),
        (("init", "shop", "--scheduled", "yesterday"), 2, "is no moment such as"),
        (("init", "shop", "--scheduled", "2026-01-01T00:00:00Z", "--date", "2026-01-01T00"), 2, "goes by the schedule's spec"),
        (("trigger", "shop", "--workers", "5..2"), 1, "must be auto, a number, or a range"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_in_a_sentence(shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = shell.run(*words)

    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr and len(done.stderr.splitlines()) <= 4


def test_run_now_starts_this_hour_s_wave_once_even_when_it_pauses(shell: Shell, redis: "Redis") -> None:
    shell.run("schedule", "set", "shop")
    shell.run("schedule", "pause", "shop")

    first, second = shell.json("schedule", "run-now", "shop"), shell.json("schedule", "run-now", "shop")

    assert (first["outcome"], second["outcome"]) == ("started", "there")
    [progress] = Waves(redis).recent()
    assert progress.wave.id == first["wave"] == second["wave"]
    assert progress.wave.trigger == f"schedule:{progress.wave.date}"


def test_init_goes_by_the_moment_that_eventbridge_tells(shell: Shell, redis: "Redis") -> None:
    # Given a firing that was planned for this hour
    due = datetime.fromtimestamp(time.time() // 3600 * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # When it comes twice, and once for an hour that is long over
    first = shell.json("init", "shop", "--scheduled", due)
    again = shell.run("init", "shop", "--scheduled", due)
    late = shell.run("init", "shop", "--scheduled", "2026-01-02T03:00:00Z")

    # Then there is one wave, about that hour; what is late is left out, and nobody is to try again
    assert (first["date"], first["new"]) == (due[:13], True)
    assert (again.returncode, "there already" in again.stdout) == (0, True)
    assert late.returncode == 0
    assert late.stdout.startswith("shop@main 2026-01-02T03  missed: it came ")
    assert len(Waves(redis).recent()) == 1


def test_a_served_schedule_fires_keeps_workers_and_lets_them_go(shell: Shell, redis: "Redis") -> None:
    # Given a schedule with workers, due since the hour began
    shell.run("schedule", "set", "shop", "--workers", "0..1")
    spec = Schedules(redis).get("main", "shop")
    redis.hset("wd:{main}:schedules", "shop", json.dumps({**_fields(spec), "since": time.time() // 3600 * 3600 - 1}))

    # When it is served
    server = shell.start("schedule", "serve", "--slots", "1")
    try:
        wave = eventually(lambda: [p.wave for p in Waves(redis).recent() if p.wave.ended], 60, what="its wave has run")[0]
        eventually(lambda: redis.hget("wd:{main}:wanted", "workers") == b"0", 60, what="its workers were let go")
    finally:
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=60)

    # Then it says all of that
    assert server.returncode == 0, err
    assert f"started: wave {wave.id}" in out
    assert "1 worker × 1 slot (1 to come)" in out
    assert "nothing is left to do, 0 workers stay" in out
    assert wave.workers == 1


def _fields(spec: Any) -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(spec)
    return fields


def test_a_wave_with_workers_of_its_own_is_seen_out(shell: Shell, redis: "Redis") -> None:
    done = shell.run("trigger", "shop", "--workers", "2")

    assert done.returncode == 0, done.stderr
    [progress] = Waves(redis).recent()
    assert progress.wave.ended and progress.wave.workers == 1
    assert "1 worker × " in done.stderr and "no run times are known" in done.stderr
    assert "foreseen" in done.stderr.splitlines()[-1]
