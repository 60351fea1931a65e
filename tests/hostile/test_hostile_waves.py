"""A wave over every string, run by a real worker: as entity, partition, config, value, error and log. What is read is what was written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from canaries import canaries
from naughty import FEW, LONG, MEGABYTE, STRINGS, is_text
from redis import Redis
from rig import DATE, Rig
from servers import eventually

from engine import script
from engine.flow import Flow
from engine.keys import PipeKey, decode_entity, encode_entity
from engine.launch import launch
from engine.payload import decode_json
from engine.plan import Plan, TaskPlan
from engine.store.catalog import Catalog
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves
from worker.shell import Shell

FLOW = """
@flow.task(config={"text": ""})
def said(entity, config):
    print(entity)
    os.write(2, entity.encode("utf-8", "surrogatepass") + b"\\n")
    return {"entity": [ord(c) for c in entity], "config": config["text"]}

@flow.task
def value(entity):
    return {entity: entity}

@flow.task
def after(value):
    return value

@flow.task
def large(entity):
    return entity * 2000

@flow.task
def broken(entity):
    print(entity)
    raise ValueError(entity)

@flow.task
def marks(entity, state):
    state.seen(entity, entity)
    return 1
"""
COMMANDS = """
@flow.task
def value(entity):
    return entity

flow.command("raw", ["sh", "-c", 'printf %s "$WAVEDECK_ENTITY"'], needs=["value"], codec="bytes")
flow.command("taken", ["cat"], needs=["value"], codec="bytes")
flow.command("settings", ["sh", "-c", 'printf %s "$WAVEDECK_CONFIG"'], needs=["value"], config={"text": ""})
flow.command("dies", ["sh", "-c", 'printf %s "$WAVEDECK_ENTITY" >&2; exit 3'], needs=["value"])
"""
MOST = 4096
SHORT = [text for text in (*STRINGS, *LONG) if len(encode_entity(text) if len(text) < 2000 else "x" * 5000) <= MOST]


def start(rig: Rig, flow: Flow, entities: list[str], **more: Any) -> Wave:
    """A wave over the entities, each in a partition of its own name."""
    return launch(
        rig.redis, flow.plan, version="main", date=DATE, trigger="manual:1", by="tests",
        source=lambda _: [(entity, entity) for entity in entities], **more,
    ).wave  # fmt: skip


def in_order(rig: Rig, wave: Wave) -> dict[str, int]:
    """Entity as users write it → its number."""
    return {decode_entity(entity): number for number, (entity, _) in enumerate(Waves(rig.redis).members(wave))}


def values(rig: Rig, task: str) -> dict[str, bytes]:
    """Entity → the bytes of its pipe."""
    keys = [key.decode() for key in rig.redis.scan_iter(match=f"main/{task} *", count=5000)]
    found = zip(keys, rig.redis.mget(keys) if keys else [], strict=True)
    return {decode_entity(PipeKey.parse(key).entity): value for key, value in found if value is not None}


def cut(text: str) -> str:
    """As the message of an error is kept."""
    return text[:2000].encode("utf-8", "backslashreplace").decode()


def test_a_wave_over_every_string(rig: Rig) -> None:
    # Given a wave whose entities, partitions and config are hostile
    config = "\n".join(filter(is_text, STRINGS))
    wave = start(rig, rig.flow(FLOW), SHORT, config={"said.text": config})
    assert len(SHORT) > 550

    # When a worker has run it
    rig.run(slots=2)

    # Then every entity and partition is there, as it was
    store = Waves(rig.redis)
    numbers = in_order(rig, wave)
    assert set(numbers) == set(SHORT) and len(numbers) == len(SHORT)
    assert all(entity == partition for entity, partition in store.members(wave))
    assert {(decode_entity(m.entity), decode_entity(m.partition)) for m in States(rig.redis).members("shops")} == {
        (s, s) for s in SHORT
    }

    # and every value is what was returned, or was refused with a sentence
    said = {entity: decode_json(value) for entity, value in values(rig, "said").items()}
    assert {entity: "".join(map(chr, v["entity"])) for entity, v in said.items()} == {s: s for s in SHORT}
    assert {v["config"] for v in said.values()} == {config}
    told, after = values(rig, "value"), values(rig, "after")
    assert {entity: decode_json(v) for entity, v in told.items()} == {s: {s: s} for s in SHORT if is_text(s)}
    assert after == told
    assert {e: decode_json(v) for e, v in values(rig, "large").items()} == {s: s * 2000 for s in SHORT if is_text(s)}
    notes = store.notes(wave)
    index = rig.progress(wave).wave.tasks.index
    for text in SHORT:
        n = numbers[text]
        if not is_text(text):
            assert notes[index("value"), n]["error"]["type"] == "BadValue"
            assert notes[index("after"), n]["error"]["type"] == "Blocked"
        error = notes[index("broken"), n]["error"]
        assert (error["type"], error["message"]) == ("ValueError", cut(text)), ascii(text)
        assert "in broken" in error["where"]

    # and what was printed is the cell's log, byte for byte as far as it is text
    for text in SHORT:
        log = store.log(wave, index("said"), numbers[text])
        again = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        assert log == f"{text.encode('utf-8', 'backslashreplace').decode()}\n{again}\n", ascii(text)

    # and Redis holds nothing but pipes and what is ours
    for key in rig.redis.scan_iter(count=5000):
        if not key.startswith(b"wd:"):
            PipeKey.parse(key.decode())
        else:
            assert b" " not in key and b"\n" not in key


def test_commands_get_and_give_every_string_as_it_is(rig: Rig) -> None:
    texts = [text for text in FEW if is_text(text)]
    config = "".join(texts)
    wave = start(rig, rig.flow(COMMANDS), texts, config={"settings.text": config})

    rig.run(slots=2)

    assert values(rig, "raw") == {text: text.encode() for text in texts}
    assert {e: json.loads(v) for e, v in values(rig, "taken").items()} == {text: {"value": text} for text in texts}
    assert {e: decode_json(v) for e, v in values(rig, "settings").items()} == {text: {"text": config} for text in texts}
    store, numbers = Waves(rig.redis), in_order(rig, wave)
    dies = wave.tasks.index("dies")
    for text in texts:
        error = store.note(wave, dies, numbers[text])
        assert error is not None and error["error"]["message"] == "sh exited with status 3"
        assert store.log(wave, dies, numbers[text]) == text


def test_a_megabyte_of_it(rig: Rig) -> None:
    flow = rig.flow(f"""
        TEXT = {MEGABYTE[: len(MEGABYTE) // 40_000]!r} * 40_000

        @flow.task
        def value(entity):
            print(TEXT)
            return TEXT

        @flow.task
        def after(value):
            raise ValueError(value)
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FX" and rig.pipe("value") == MEGABYTE
    assert rig.note(wave, "after")["error"]["message"] == MEGABYTE[:2000]
    assert MEGABYTE.endswith(rig.log(wave, "value").rstrip("\n")[-60_000:])


def test_the_config_of_a_version_is_what_was_set(rig: Rig) -> None:
    flow = rig.flow('@flow.task(config={"text": ""})\ndef said(config):\n    return config["text"]\n')
    texts = [*filter(is_text, STRINGS), *LONG]
    Catalog(rig.redis).set_config("main", "shop", {"said.text": texts})

    wave = rig.launch(flow)
    rig.run()

    assert wave.config == {"said": {"text": texts}} and rig.pipe("said") == texts


def test_the_warm_bash_takes_every_key_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = [encode_entity(text) for text in SHORT]
    shell = Shell()
    try:
        blocks = shell.evaluate('flow() { task "$WAVEDECK_KEY"; }\n', [script.header(key) for key in keys])
    finally:
        shell.close()

    assert blocks == [f"{key}\n" for key in keys]
    assert canaries(tmp_path) == []


def test_a_script_outside_a_worker_takes_every_string_for_data(tmp_path: Path) -> None:
    """Its `wavedeck` is one that tells what it was called with."""
    (tmp_path / "wavedeck").write_text('#!/bin/sh\nprintf "%s\\0" "$WAVEDECK_KEY" "$WAVEDECK_VERSION" "$WAVEDECK_BASE" "$@"\n')
    (tmp_path / "wavedeck").chmod(0o755)
    body = script.body(Plan("shop", (TaskPlan("sales"),)))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    for text in FEW:
        key = encode_entity(text)
        whole = script.script(
            flow="shop", version=text, base=text, date=DATE, wave="w0123456789ab", entity=key, body=body, fixed=True
        )
        assert "\n# shop@" in whole and whole.split("\n")[1].isprintable()
        if not is_text(text):
            continue  # no version is like that
        done = subprocess.run(
            ["bash"], input=whole.encode(), cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=30
        )
        assert done.returncode == 0, (ascii(text), done.stderr)
        assert done.stdout.decode().split("\0")[:3] == [key, text, text]
    assert canaries(tmp_path) == []


def test_the_script_of_a_hostile_entity_really_runs(rig: Rig, redis: "Redis") -> None:
    """From the command that prints it to its pipe; on a terminal its words hold nothing that a terminal obeys."""
    bin = Path(sys.executable).parent
    flow = rig.flow(
        "@flow.task\ndef value(entity):\n    print(entity)\n    return entity\n\n@flow.task\ndef broken(value):\n    raise ValueError(value)\n"
    )
    texts = ["-rf $(touch pwned-1)", "\x1b]0;a\x07\x9b31m\u202e'\"`touch pwned-2`\n[red]{x} %s ../../東京 👩\u200d👩"]
    wave = start(rig, flow, texts)
    environment = {
        **os.environ,
        "WAVEDECK_REDIS_URL": rig.url_for("main"),
        "WAVEDECK_FLOWS": rig.module,
        "PATH": f"{bin}:{os.environ['PATH']}",
    }
    for text in texts:
        command = [str(bin / "wavedeck"), "script", wave.id, "--", encode_entity(text)]
        printed = subprocess.run(command, cwd=rig.folder, env=environment, capture_output=True, check=True, timeout=60).stdout
        assert printed.decode().replace("\n", "").isprintable()
        done = subprocess.run(
            ["bash"], input=printed, cwd=rig.folder, env=environment, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 1, done.stderr
        said = done.stderr.decode().replace("\n", "").replace("\t", "")
        assert said.isprintable() and "ValueError" in said, ascii(said)
        assert rig.pipe("value", text) == text
    eventually(lambda: len(values(rig, "value")) == len(texts))
