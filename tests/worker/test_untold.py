"""Rounds so brief that Redis is told of them when they have ended, and batches that overlap."""

import pytest
from redis import Redis
from rig import DATE, WAIT_FOR, Rig
from servers import eventually

from engine.cancel import cancel

ENTITIES = [f"e{i:03}" for i in range(300)]
CHAIN = (
    WAIT_FOR
    + """
def now_and_then(name, entity):
    say(f"{name} {entity}")
    if entity == os.environ.get("SLOW") and name == os.environ.get("IN"):
        Path("begun").touch()
        wait_for("gate")

@flow.task
def a(entity):
    now_and_then("a", entity)
    return entity

@flow.task
def b(a, entity):
    now_and_then("b", entity)
    return a + "!"

@flow.task
def c(b, entity):
    now_and_then("c", entity)
    return b + "!"
"""
)


def calls(redis: Redis, command: str) -> int:
    return int(redis.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))


def test_an_entity_of_three_rounds_takes_two_scripts(rig: Rig) -> None:
    """One claims it, one ends it; told round by round it would be four, or more."""
    wave = rig.launch(rig.flow(CHAIN), *ENTITIES)
    before = calls(rig.redis, "evalsha")

    rig.run("--batch", "1")

    assert set(rig.rows(wave).values()) == {"FFF"}
    assert all(rig.pipe("c", e) == e + "!!" for e in ENTITIES)
    assert calls(rig.redis, "evalsha") - before < 3.3 * len(ENTITIES)


def test_starts_and_durations_are_kept_all_the_same(rig: Rig) -> None:
    wave = rig.launch(rig.flow(CHAIN), *ENTITIES)

    rig.run()

    times = rig.redis.get(wave.key("times"))
    starts = [[int.from_bytes(times[8 * (t * wave.n + e) :][:4], "little") for t in range(3)] for e in range(wave.n)]
    assert all(0 < a <= b <= c for a, b, c in starts)


@pytest.mark.parametrize(("task", "row"), [("a", "RPP"), ("b", "FRP"), ("c", "FFR")])
def test_a_cell_that_takes_longer_than_was_thought_is_told_of_while_it_runs(rig: Rig, task: str, row: str) -> None:
    wave = rig.launch(rig.flow(CHAIN), *ENTITIES)
    rig.start("--slots", "1", "--until-idle", SLOW="e150", IN=task)
    rig.awaits("begun")

    eventually(lambda: rig.rows(wave)["e150"] == row, 10, what="its start is on the board")

    rig.touch("gate")
    rig.ended(wave)
    assert set(rig.rows(wave).values()) == {"FFF"}


def test_what_was_claimed_ahead_goes_to_others_when_a_cell_is_slow(rig: Rig) -> None:
    wave = rig.launch(rig.flow(CHAIN), *ENTITIES)
    rig.start("--slots", "1", SLOW="e150", IN="b")
    rig.awaits("begun")

    rig.start("--slots", "1")

    eventually(lambda: rig.progress(wave).wave.left == 1, 30, what=f"the other serves all but one; {rig.logs()}")
    rig.touch("gate")
    rig.ended(wave)
    assert [rig.runs().count(f"c {entity}") for entity in ENTITIES] == [1] * len(ENTITIES)


@pytest.mark.parametrize("slow", ["", "b"])
def test_nothing_is_written_that_was_made_of_a_value_that_was_refused(rig: Rig, slow: str) -> None:
    """Somebody else writes the pipe while its task runs. What dependants get is what is there."""
    flow = rig.flow(
        CHAIN.replace(
            '    now_and_then("a", entity)\n',
            '    if entity == "e150":\n        connect(os.environ["WAVEDECK_REDIS_URL"]).set(f"main/a {entity} '
            + str(DATE)
            + '", b\'"theirs"\')\n'
            '    now_and_then("a", entity)\n',
        ).replace("def now_and_then", "from engine.store.connect import connect\n\ndef now_and_then")
    )
    wave = rig.launch(flow, *ENTITIES)
    worker = rig.start("--slots", "1", "--until-idle", SLOW="e150", IN=slow)
    if slow:
        rig.awaits("begun")
        eventually(lambda: rig.rows(wave)["e150"][0] == "X", 10, what="it is known that the value was refused")
        rig.touch("gate")

    assert worker.wait(60) == 0, rig.logs()

    assert rig.rows(wave)["e150"] == "XFF"
    assert rig.error(wave, "a", "e150").startswith("PipeConflict")
    assert [rig.pipe(task, "e150") for task in "abc"] == ["theirs", "theirs!", "theirs!!"]
    assert {row for entity, row in rig.rows(wave).items() if entity != "e150"} == {"FFF"}
    assert rig.pipe("c", "e151") == "e151!!"


def test_a_crash_in_a_cell_that_nobody_was_told_of_fails_that_cell(rig: Rig) -> None:
    flow = rig.flow(CHAIN.replace('    now_and_then("b", entity)\n', '    if entity == "e150":\n        os.abort()\n'))
    wave = rig.launch(flow, *ENTITIES)

    rig.run(slots=1)

    rows = rig.rows(wave)
    assert rows.pop("e150") == "FXB"
    assert rig.error(wave, "b", "e150").startswith("Crashed: ")
    assert rig.logs().count("cells failed by it") == 1
    assert set("".join(rows.values())) <= set("FU")


def test_a_cancelled_wave_keeps_what_was_computed_and_starts_nothing_more(rig: Rig) -> None:
    wave = rig.launch(rig.flow(CHAIN), *ENTITIES)
    rig.start("--slots", "1", "--until-idle", SLOW="e150", IN="b")
    rig.awaits("begun")

    cancel(rig.redis, wave, by="tests")
    ran = len(rig.runs())

    rig.ended(wave)
    assert len(rig.runs()) == ran
    assert set("".join(rig.rows(wave).values())) <= set("FUC")
    for entity, row in rig.rows(wave).items():
        assert [rig.raw(task, entity) is not None for task in "abc"] == [cell != "C" for cell in row], (entity, row)
