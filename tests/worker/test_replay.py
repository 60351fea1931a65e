"""Replaying a cell: the same value or the same traceback as the wave's, and nothing in Redis changed."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rig import DATE, Rig

from engine.keys import encode_entity
from engine.store.wave import Wave

FLOW = """
    import hashlib

    class NoStock(Exception):
        pass

    @flow.task
    def stock(entity, state):
        state.seen(entity, "north")
        print(f"counting {entity}")
        return {"of": entity, "rows": [n / 7 for n in range(5)]}

    def look(stock):
        if stock["of"] == "bad":
            raise NoStock("nothing is left of bad")
        return sum(stock["rows"])

    @flow.task(config={"times": 2}, lookback="2h")
    def forecast(stock, config, date):
        return {"at": date, "value": look(stock) * config["times"], "seed": hashlib.sha256(b"x").hexdigest()}

    flow.command("upper", [sys.executable, "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().upper())"], needs=["stock"], codec="bytes")
    flow.command("breaks", ["sh", "-c", "echo broken >&2; exit 3"], needs=["stock"])

    @flow.task
    def late(forecast, breaks=None):
        return [forecast, breaks]
"""


def digest(rig: Rig) -> dict[bytes, str]:
    """Every key's value, as DUMP has it, TTLs aside. But of hashes their fields in order: a large one is moved to another table of
    Redis bit by bit, by reads as well, and is dumped otherwise after each."""
    found = {}
    for key in rig.redis.scan_iter():
        hashed = rig.redis.type(key) == b"hash"
        value = repr(sorted(rig.redis.hgetall(key).items())).encode() if hashed else rig.redis.dump(key)
        found[key] = hashlib.sha256(value or b"").hexdigest()
    return found


def call(rig: Rig, *words: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("wavedeck")), *words]
    return subprocess.run(
        command, cwd=rig.folder, env=rig.environment(), capture_output=True, text=True, timeout=60, check=False, input=text
    )


def replay(rig: Rig, wave: Wave, entity: str, task: str, *more: str) -> dict[str, Any]:
    done = call(rig, "replay", "--json", *more, wave.id, entity, task)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def wave(rig: Rig) -> Wave:
    flow = rig.flow(FLOW)
    wave = rig.launch(flow, "good one", "bad", config={"forecast.times": 3})
    rig.run()
    assert rig.rows(wave) == {"good%20one": "FFFXO", "bad": "FXFXB"}, rig.logs()
    return wave


def test_a_finished_cell_gives_the_byte_identical_pipe_and_redis_is_as_it_was(rig: Rig, wave: Wave) -> None:
    before = digest(rig)

    for task in ("stock", "forecast", "upper", "late"):
        found = replay(rig, wave, "good one", task)
        assert (found["outcome"], found["verdict"], found["code"]) == ("finished", "identical", "same"), found
        assert found["bytes"] == found["stored_bytes"] == len(rig.raw(task, "good one") or b"")
        assert found["peak"] > 1 << 20

    assert digest(rig) == before


def test_a_failed_cell_gives_the_same_traceback_and_redis_is_as_it_was(rig: Rig, wave: Wave) -> None:
    before = digest(rig)
    then = rig.note(wave, "forecast", "bad")["error"]

    found = replay(rig, wave, "bad", "forecast")

    assert (found["outcome"], found["verdict"]) == ("failed", "same failure")
    assert found["error"] == found["then_error"] == then
    assert "look(stock)" in found["error"]["traceback"]
    assert found["bytes"] is None
    assert digest(rig) == before


def test_a_command_that_failed_fails_so_again(rig: Rig, wave: Wave) -> None:
    found = replay(rig, wave, "bad", "breaks")

    assert (found["verdict"], found["error"]["message"]) == ("same failure", "sh exited with status 3")
    assert found["log"] == "broken\n"


def test_it_says_what_it_was_given_what_it_printed_and_whom_it_would_have_marked(rig: Rig, wave: Wave) -> None:
    rig.redis.delete("wd:state:{shops}:in:north")

    stock, late = replay(rig, wave, "good one", "stock"), replay(rig, wave, "good one", "late")

    assert (stock["log"], stock["seen"]) == ("counting good one\n", 1)
    assert not rig.redis.exists("wd:state:{shops}:in:north")
    assert [(i["name"], i["how"], i["key"]) for i in late["inputs"]] == [
        ("forecast", "recorded", f"main/forecast good%20one {DATE}"),
        ("breaks", "missing", ""),
    ]


def test_the_inputs_are_those_that_were_recorded_not_those_that_have_come_since(rig: Rig) -> None:
    flow = rig.flow(FLOW)
    older = DATE.shift(-1)
    rig.redis.set(f"main/stock e {older}", json.dumps({"of": "older", "rows": [1.0]}))
    (rig.folder / f"{rig.module}.py").write_text(
        (rig.folder / f"{rig.module}.py").read_text().replace('print(f"counting', 'raise OSError("away")\n    print(f"counting')
    )
    wave = rig.launch(flow, "e")
    rig.run()
    assert rig.row(wave)[:2] == "XO"
    rig.redis.set(f"main/stock e {DATE}", json.dumps({"of": "came late", "rows": [5.0]}))

    found = replay(rig, wave, "e", "forecast")

    assert found["verdict"] == "identical"
    assert found["inputs"][0]["key"] == f"main/stock e {older}"


def test_other_code_is_said_and_its_value_is_compared_path_by_path(rig: Rig, wave: Wave) -> None:
    path = rig.folder / f"{rig.module}.py"
    path.write_text(path.read_text().replace('"value": look(stock)', '"value": 2 * look(stock)'))

    found = replay(rig, wave, "good one", "forecast")
    told = call(rig, "replay", wave.id, "good one", "forecast").stdout

    assert (found["verdict"], found["code"]) == ("different", "other")
    [difference] = found["differences"]
    assert (difference["path"], difference["relative"]) == (["value"], 1.0)
    assert "another value than the stored one" in told
    assert "the code of forecast here is another than the wave ran" in told
    assert "  value  " in told
    assert "(+100.0%)" in told


def test_a_version_is_replayed_where_its_code_is(rig: Rig, wave: Wave) -> None:
    path = rig.folder / f"{rig.module}.py"
    text = path.read_text()
    other = text.replace('{"times": 2}', '{"times": 5}').replace("* config", "+ config")
    path.write_text(other + "# of another length: by that and by the second Python knows code that it has compiled before\n")
    assert rig.start("--until-idle", "--version", "fix").wait(60) == 0
    as_fix = replay(rig, wave, "good one", "forecast", "--version", "fix")
    path.write_text(text)

    refused = call(rig, "replay", "--version", "fix", wave.id, "good one", "forecast")
    local = replay(rig, wave, "good one", "forecast", "--version", "fix", "--local")

    assert (as_fix["config"], as_fix["verdict"], as_fix["code"]) == ({"times": 3}, "different", "other"), (
        "the wave's own override"
    )
    assert refused.returncode == 1
    assert "check fix out and replay there" in refused.stderr
    assert local["verdict"] == "identical"


def test_nothing_is_written_unless_told_and_then_once(rig: Rig, wave: Wave) -> None:
    written = replay(rig, wave, "good one", "forecast", "--write", "kept")
    again = replay(rig, wave, "good one", "forecast", "--write", "kept")
    rig.redis.set(f"other/forecast good%20one {DATE}", "1")
    conflict = call(rig, "replay", "--write", "other", wave.id, "good one", "forecast")
    nothing = call(rig, "replay", "--write", "kept", wave.id, "bad", "forecast")
    read_only = call(rig, "--read-only", "replay", "--write", "more", wave.id, "good one", "forecast")

    assert written["written"] == again["written"] == f"kept/forecast good%20one {DATE}"
    assert rig.raw("forecast", "good one", version="kept") == rig.raw("forecast", "good one")
    assert rig.redis.ttl(written["written"]) > 3600
    assert (conflict.returncode, "was written by" in conflict.stderr) == (1, True), conflict.stderr
    assert (nothing.returncode, "there is no value to write" in nothing.stderr) == (1, True)
    assert read_only.returncode == 1
    assert not rig.redis.exists(f"more/forecast good%20one {DATE}")
    assert call(rig, "--read-only", "replay", wave.id, "good one", "forecast").returncode == 0, "it only reads"


def test_a_profile_says_which_functions_took_the_time(rig: Rig, wave: Wave) -> None:
    found = replay(rig, wave, "good one", "forecast", "--profile")

    assert found["verdict"] == "identical"
    names = [spent["function"].rpartition(" ")[2] for spent in found["profile"]]
    assert {"forecast", "look"} <= set(names)
    assert "calls" in call(rig, "replay", "--profile", wave.id, "good one", "forecast").stdout


def test_the_debugger_stops_where_it_failed(rig: Rig, wave: Wave) -> None:
    done = call(rig, "replay", "--pdb", wave.id, "bad", "forecast", text="p stock['of']\nw\nq\n")

    assert done.returncode == 0, done.stderr
    assert "'bad'" in done.stdout
    assert "(Pdb)" in done.stdout
    assert "replay.py" not in done.stdout.split("(Pdb)")[0]


def test_what_was_blocked_says_so_again(rig: Rig, wave: Wave) -> None:
    found = replay(rig, wave, "bad", "late")

    assert (found["outcome"], found["verdict"]) == ("blocked", "blocked")
    assert found["error"] == found["then_error"]


def test_what_has_not_run_takes_what_a_worker_would_find(rig: Rig) -> None:
    flow = rig.flow(FLOW)
    wave = rig.launch(flow, "e")
    rig.redis.set(f"main/stock e {DATE}", json.dumps({"of": "e", "rows": [1.0]}))

    found = replay(rig, wave, "e", "forecast")

    assert (found["status"], found["verdict"], found["inputs"][0]["how"]) == ("Pending", "unstored", "now")
    assert "not recorded" in found["notes"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("good one", "forcast"), "has no task 'forcast'; there are: stock, forecast"),
        (("nobody", "forecast"), "has no entity 'nobody'"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(rig: Rig, wave: Wave, words: tuple[str, str], said: str) -> None:
    done = call(rig, "replay", wave.id, *words)

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_an_input_that_has_expired_is_named(rig: Rig, wave: Wave) -> None:
    rig.redis.delete(f"main/stock {encode_entity('good one')} {DATE}")

    done = call(rig, "replay", wave.id, "good one", "forecast")

    assert done.returncode == 1
    assert f"its input 'main/stock good%20one {DATE}' is not there any more" in done.stderr


def test_a_task_that_ends_its_process_is_told_of(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def dies(entity):
            if os.path.exists("die"):
                os._exit(7)
            return 1
        """)
    wave = rig.launch(flow, "e")
    rig.run()
    rig.touch("die")

    done = call(rig, "replay", wave.id, "e", "dies")

    assert (done.returncode, done.stderr) == (1, "wavedeck: the replay's process exited with 7\n")
