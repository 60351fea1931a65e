"""Incident blocks: what is in them, that nothing from outside leaves its place in them, and the key on four screens."""

import json
import re
import shlex
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, error, shows, until
from test_failures_report import a_wave

from console.app import WavedeckApp
from console.cli import cli
from console.locator import Locator, parse
from console.reports.incident import incident
from console.reports.markdown import block, code, row
from engine.status import Cell

MORE_HOSTILE = [*HOSTILE, "`a``b", "a|b", "``` \n# not a title", "<script>x</script>", "'; rm -rf /; '", "-rf", "@channel #1"]


def test_a_wave(redis: Redis) -> None:
    a_wave(redis, 13, {1: "NoObservation"})
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})

    text = incident(redis, Locator("wave", wave=stage.wave.id))

    assert text.startswith("### `shops@main 2013-07-01T14`: 2 × `NoObservation: no weather for <key>`\n")
    assert f"`:wave shops@main 2013-07-01T14 {stage.wave.id}`" in text
    assert re.search(r"created \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)
    assert "version `main`, plan `" in text and "started by `ana@desk`" in text
    assert "15 Finished, 3 Failed, 6 Blocked" in text
    assert "served meanwhile: no cell ran with an older input" in text
    assert "1 served it (`w-07`), 0 of this version alive" in text
    assert "first red: `shop-1` at `weather`" in text
    assert re.search(r"\| 2 \| `weather` \| `NoObservation: .*known since 2013-07-01T13 \(1 wave\)", text)
    assert re.search(r"\| 1 \| `weather` \| `ReadTimeout: .*new since 2013-07-01T13", text)
    assert re.search(r"\| 3 \| `features` \| `no weather` .*by `weather` 3 \|", text)
    assert f"wavedeck script {stage.wave.id} shop-1 > s.sh; bash s.sh" in text
    # the place is one that the console takes
    place = next(line for line in text.split("\n") if "place" in line).split("`")[1]
    assert parse(place).wave == stage.wave.id


def test_what_is_served_meanwhile_and_at_most_five_families(redis: Redis) -> None:
    stage = Stage(redis, [f"shop-{n}" for n in range(9)]).claim()
    for number in range(7):
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=error(f"E{chr(65 + number)}", "no"))
    stage.run("features", Cell.FALLBACK, [7, 8], at=0.1, took=0.1)

    text = incident(redis, Locator("wave", wave=stage.wave.id))

    assert "2 cells ran with an older input (`features` 2)" in text
    assert text.count("| 1 | `sales` |") == 5
    assert "… and 2 more families" in text


def test_a_wave_in_which_all_is_well(redis: Redis) -> None:
    text = incident(redis, Locator("wave", wave=a_wave(redis, 14, {}).wave.id))
    assert text.startswith("### `shops@main 2013-07-01T14`: finished\n")
    assert "first red" not in text and "|" not in text and "rerun" not in text


def test_an_entity(redis: Redis) -> None:
    stage = Stage(redis).claim()
    stage.run("sales", at=0.5, took=0.25)
    stage.run("weather", at=0.5, took=0.25)
    note = error("ValueError", "horizon > history") | {
        "inputs": [{"name": "weather", "key": "main/weather south 2013-07-01T12", "age": 7200.0}]
    }
    stage.run("features", Cell.FAILED, [1], at=1.0, took=2.0, note=note)

    text = incident(redis, Locator("entity", wave=stage.wave.id, entity="south"))

    assert text.startswith("### `shops@main 2013-07-01T14` `south`: `features` Failed\n")
    assert f"`:entity shops@main 2013-07-01T14 {stage.wave.id} south features`" in text
    assert "worker `w-07`" in text
    assert "`sales` Finished, `weather` Finished, `features` Failed, `score` Pending" in text
    assert "`weather 2h00 old`" in text and "`sales`" in text
    assert "`ValueError: horizon > history` in `flows/collect.py:41 in weather`" in text
    assert '```\nTraceback (most recent call last):\n  File "flows/collect.py", line 41' in text
    assert f"wavedeck script {stage.wave.id} south > s.sh; bash s.sh" in text


def test_the_task_that_was_asked_for_goes_first(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    at = Locator("entity", wave=stage.wave.id, entity="south")
    assert "`south`: `weather` Failed" in incident(redis, at)
    assert "`south`: `score` Blocked" in incident(redis, Locator("entity", wave=stage.wave.id, entity="south", task="score"))
    assert "`north`: nothing failed" in incident(redis, Locator("entity", wave=stage.wave.id, entity="north"))


@pytest.mark.parametrize("key", MORE_HOSTILE, ids=range(len(MORE_HOSTILE)))
def test_nothing_from_outside_leaves_its_place(redis: Redis, key: str) -> None:
    stage = Stage(redis, [key, "good"], by=f"`x` {key[:50]}").claim("w|`07`")
    trace = f"Traceback\n```\n# {key}\n````\n\x1b[2J</details>"
    note: dict[str, Any] = {"error": {"type": f"E|`{key}", "message": f"| {key} `", "where": f"a|`b{key}", "traceback": trace}}
    stage.run("sales", Cell.FAILED, [0], at=0.1, took=0.1, note=note)
    stage.step("features", Cell.PENDING, Cell.BLOCKED, [0], note=note)

    for place in (Locator("wave", wave=stage.wave.id), Locator("entity", wave=stage.wave.id, entity=key)):
        text = incident(redis, place)
        assert text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
        prose, fenced = outline(text)
        assert [line for line in prose if line.startswith("#")] == [prose[0]]
        for line in prose:
            assert not line or line.startswith(("### ", "- ", "| ", "…")), line
            outside = outside_code(line)
            assert "<" not in outside and "`" not in outside and "@" not in outside, outside
            if line.startswith("| "):
                assert len(re.split(r"(?<!\\)\|", line)) == 8, line
        [command] = [line for line in fenced if "wavedeck script" in line]
        words = shlex.split(command.split(" > s.sh")[0])
        assert words[:3] == ["wavedeck", "script", stage.wave.id]
        from engine.keys import encode_entity

        assert words[-1] == encode_entity(key)


def outline(text: str) -> tuple[list[str], list[str]]:
    """Lines outside and inside fences, as Markdown has them."""
    prose: list[str] = []
    fenced: list[str] = []
    fence = ""
    for line in text.rstrip("\n").split("\n"):
        found = re.match(r" {0,3}(`{3,})(.*)$", line)
        if fence:
            if found and len(found[1]) >= len(fence) and not found[2].strip():
                fence = ""
            else:
                fenced.append(line)
        elif found and "`" not in found[2]:
            fence = found[1]
        else:
            prose.append(line)
    assert not fence
    return prose, fenced


def outside_code(line: str) -> str:
    """A line without its pieces of code, as Markdown reads them: a run of ticks until the next one as long."""
    out, at = "", 0
    while (found := re.compile("`+").search(line, at)) is not None:
        end = re.compile(rf"(?<!`){found[0]}(?!`)").search(line, found.end())
        assert end is not None, line
        out, at = out + line[at : found.start()], end.end()
    return out + line[at:]


def test_code_blocks_and_rows() -> None:
    assert code("a`b") == "``a`b``"
    assert code("`a`") == "`` `a` ``"
    assert code("") == "`  `"
    assert code("x" * 400) == f"`{'x' * 300}…`"
    assert list(block("a\n````\nb", "sh")) == ["`````sh", "a", "````", "b", "`````"]
    assert list(block("\n".join(map(str, range(50)))))[:3] == ["```", "…", "10"]
    assert row(["a", "`b|c`"]) == "| a | `b\\|c` |"


@pytest.mark.parametrize("view", ["waves", "wave last", "failures last", "changes last"])
async def test_one_key_copies_it(redis: Redis, redis_url: str, view: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator=view).run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14", "as of")
        await until(pilot, lambda: getattr(pilot.app.screen, "target", lambda: None)() is not None)
        await pilot.press("Y")
        await shows(pilot, "copied an incident block")
        assert pilot.app.clipboard.startswith("### `shops@main 2013-07-01T14`: 1 × `NoObservation")


async def test_on_an_entity_it_is_about_that(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator="entity last south").run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "Traceback")
        await pilot.press("Y")
        await shows(pilot, "copied an incident block")
        assert pilot.app.clipboard.startswith("### `shops@main 2013-07-01T14` `south`: `weather` Failed")


def test_the_twin(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    run = CliRunner()
    plain = run.invoke(cli, ["--redis", redis_url, "incident", "last"]).output
    assert plain.startswith("### `shops@main") and plain.endswith("```\n")
    entity = json.loads(run.invoke(cli, ["--redis", redis_url, "incident", "last", "south", "--json"]).output)
    assert entity["markdown"].startswith("### `shops@main 2013-07-01T14` `south`: ")
    assert run.invoke(cli, ["--redis", redis_url, "incident", "last", "nobody"]).exit_code == 1
