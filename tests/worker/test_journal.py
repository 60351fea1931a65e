"""What a worker says as JSON: one bounded line each, with what it is about, whoever printed it."""

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import Rig

from engine.fleet.house import LogLine
from engine.fleet.lines import read_line
from worker.journal import LONGEST, MOST, Journal, printed

FIELDS = ["time", "level", "worker", "version", "wave", "entity", "task", "message"]


def lines(data: str | bytes) -> list[dict[str, Any]]:
    """Every line read as JSON: a line that is none fails."""
    return [json.loads(line) for line in data.splitlines()]


def told(journal: Journal, *of_cell: Any) -> list[dict[str, Any]]:
    """What a journal writes about a cell."""
    read, write = os.pipe()
    journal.fd = write
    journal.cell(*of_cell)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        return lines(pipe.read())


def test_a_line_has_all_fields_and_its_time_in_utc() -> None:
    [line] = lines(Journal("w-1", "fix/a").line("INFO", "hello", at=0.25, wave="w0", task="sales"))
    assert list(line) == FIELDS
    assert line | {"time": ""} == {
        "time": "", "level": "INFO", "worker": "w-1", "version": "fix/a", "wave": "w0", "entity": "", "task": "sales", "message": "hello",
    }  # fmt: skip
    assert line["time"] == "1970-01-01T00:00:00.250Z"


@given(st.text(max_size=9000), st.text(max_size=5000), st.text(max_size=200))
def test_no_line_is_longer_than_a_pipe_takes_at_once_and_none_holds_what_a_terminal_obeys(
    message: str, entity: str, version: str
) -> None:
    line = Journal("w", version).line("INFO", message, entity=entity)
    assert len(line) <= MOST
    assert line.count(b"\n") == 1
    read = json.loads(line)
    assert all(c.isprintable() or c in "\n\t" for value in read.values() for c in value)


def test_the_console_reads_what_a_worker_writes() -> None:
    line = Journal("w-1", "main").line("ERROR", "no till", at=1.5, wave="w0", entity="shop%20a", task="sales")
    read = read_line("w-1", line.decode())
    assert read == LogLine(1.5, "w-1", "no till", wave="w0", entity="shop%20a", task="sales", level="ERROR")


def test_a_long_message_keeps_its_beginning_and_more_of_its_end() -> None:
    [line] = lines(Journal("w", "v").line("ERROR", "begin" + "x" * 100_000 + "end"))
    assert line["message"].startswith("begin")
    assert line["message"].endswith("end")
    assert "characters …" in line["message"]


def test_a_line_of_wide_characters_and_the_longest_names_is_bounded_too() -> None:
    line = Journal("w" * 100, "ü" * 200).line("INFO", "🙂" * 5000, wave="w0123456789ab", entity="🙂" * 4096, task="t" * 100)
    assert len(line) <= MOST
    assert json.loads(line)["entity"] == "🙂" * LONGEST


def test_what_a_cell_prints_goes_out_line_by_line_and_its_failure_after_it() -> None:
    printed = b"one\r\n\n\x1b[31mtwo \xff\nthree"
    error = {"type": "ValueError", "message": "no till", "where": "shop.py:3 in sales"}
    found = told(Journal("w", "main"), "w0", "sales", "shop%20a", printed, error)
    assert [(line["level"], line["message"]) for line in found] == [
        ("INFO", "one"),
        ("INFO", "\\x1b[31mtwo \\xff"),
        ("INFO", "three"),
        ("ERROR", "ValueError: no till (shop.py:3 in sales)"),
    ]
    assert {(line["wave"], line["entity"], line["task"]) for line in found} == {("w0", "shop%20a", "sales")}


def test_lines_are_written_together_as_far_as_a_pipe_takes_them_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda _, data: written.append(data) or len(data))
    Journal("w", "main").cell("w0", "t", "e", b"line\n" * 1000)
    assert sum(part.count(b"\n") for part in written) == 1000
    assert max(map(len, written)) <= MOST
    assert len(written) < 100
    assert all(part.endswith(b"\n") for part in written)


def test_a_log_that_nobody_takes_fails_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    Journal("w", "main", write).cell("w0", "t", "e", b"lost")


def test_every_line_of_a_worker_is_json_and_tells_what_it_is_about(rig: Rig) -> None:
    # Given a flow that prints when it is imported, in its tasks, in threads and in a command, and fails once
    flow = rig.flow("""
    import logging
    import faulthandler
    print("imported")
    print("warned", file=sys.stderr)
    sys.stdout.reconfigure(line_buffering=True)
    sys.stdout.buffer.write(b"bytes\\n")
    faulthandler.enable()

    @flow.task
    def first(entity):
        print("from python", entity)
        os.write(2, b"from C\\n")
        logging.getLogger("theirs").warning("from a library")
        if entity == "bad":
            raise ValueError("no till")
        return 1

    @flow.task(waits=True)
    def waiting(first):
        print("from a thread")
        return 1

    flow.command("shell", ["sh", "-c", "echo from sh >&2; cat"], needs=["first"])
    """)
    wave = rig.launch(flow, "good", "bad", "also")

    # When a worker that is to speak JSON serves a wave
    rig.run(WAVEDECK_LOG_FORMAT="json")

    # Then every line of it is JSON with all fields, and says what it is about
    found = lines(rig.logs())
    assert all(list(line) == FIELDS for line in found)
    assert {line["version"] for line in found} == {"main"}
    assert len({line["worker"] for line in found}) == 1
    about = {(line["message"], line["level"], line["wave"], line["entity"], line["task"]) for line in found}
    assert ("imported", "INFO", "", "", "") in about
    assert ("warned", "WARNING", "", "", "") in about
    assert ("bytes", "INFO", "", "", "") in about
    assert ("from python good", "INFO", wave.id, "good", "first") in about
    assert ("from C", "INFO", wave.id, "good", "first") in about
    assert ("from a library", "INFO", wave.id, "bad", "first") in about
    assert ("from a thread", "INFO", wave.id, "also", "waiting") in about
    assert ("from sh", "INFO", wave.id, "good", "shell") in about
    [failed] = [line for line in found if line["level"] == "ERROR"]
    assert failed["message"].startswith("ValueError: no till (")
    assert (failed["wave"], failed["entity"], failed["task"]) == (wave.id, "bad", "first")
    # And the tail that is kept is what it was
    assert rig.log(wave, "first", "good") == "from python good\nfrom C\nfrom a library\n"


def test_a_cell_that_its_watcher_ends_is_told_by_the_watcher(rig: Rig) -> None:
    flow = rig.flow("""
    @flow.task(limit="300ms")
    def slow(entity):
        print("last words")
        time.sleep(60)

    @flow.task
    def dies(entity):
        print("before the end")
        os._exit(3)
    """)
    wave = rig.launch(flow)
    rig.run(WAVEDECK_LOG_FORMAT="json")
    of = {(line["task"], line["level"], line["message"]) for line in lines(rig.logs()) if line["entity"] == "e"}
    assert ("slow", "INFO", "last words") in of
    assert ("slow", "ERROR", "LimitExceeded: killed: it ran over its limit of 0.3 s") in of
    assert ("dies", "INFO", "before the end") in of
    assert ("dies", "ERROR", "Crashed: its process exited with status 3") in of
    assert {line["wave"] for line in lines(rig.logs()) if line["entity"]} == {wave.id}


def test_a_worker_that_cannot_begin_says_so_in_json_too(rig: Rig) -> None:
    (rig.folder / "broken.py").write_text("print('so far')\nraise RuntimeError('half written')\n")
    rig.module = "broken"
    assert rig.start(WAVEDECK_LOG_FORMAT="json").wait(30) == 1
    found = lines(rig.logs())
    assert [line["message"] for line in found if line["level"] == "INFO"] == ["so far"]
    assert "half written" in next(line["message"] for line in found if line["level"] == "ERROR")


def test_without_being_asked_a_worker_speaks_to_a_person_and_a_format_that_is_none_is_refused(rig: Rig) -> None:
    flow = rig.flow("@flow.task\ndef a(entity):\n    print('quiet')\n    return 1\n")
    rig.launch(flow)
    rig.run()
    assert " INFO worker " in rig.logs()
    assert "quiet" not in rig.logs()
    assert rig.start(WAVEDECK_LOG_FORMAT="yaml").wait(30) == 1
    assert "WAVEDECK_LOG_FORMAT is 'yaml'; it can be text or json" in rig.logs()


def test_what_is_printed_without_an_end_is_not_lost_and_not_held_for_ever() -> None:
    read, write = os.pipe()
    out = printed(Journal("w", "v", write), "INFO", 1)
    print("half", end="", file=out)
    print(" a line\nnext", end="", file=out)
    out.flush()
    out.write("x" * (MOST + 1))
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found = [line["message"] for line in lines(pipe.read())]
    assert found[:2] == ["half a line", "next"]
    assert len(found) == 3
