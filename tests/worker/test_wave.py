"""Whole waves: real workers, small flows, and what stands on the board and in the pipes afterwards."""

import pytest
from rig import DATE, WAIT_FOR, Rig
from servers import eventually


def test_a_chain_hands_its_values_on(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def one(entity, date):
            return {"entity": entity, "date": str(date)}

        @flow.task
        def two(one):
            return [one, 2]

        @flow.task
        def three(two):
            return len(two)
    """)
    wave = rig.launch(flow, "x", "y")

    rig.run()

    assert rig.rows(wave) == {"x": "FFF", "y": "FFF"}
    assert rig.pipe("two", "y") == [{"entity": "y", "date": "2013-07-01T14"}, 2]
    assert rig.pipe("three", "y") == 2


@pytest.mark.every_house
def test_a_diamond_joins_its_branches_and_takes_its_config(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def top(entity):
            return len(entity)

        @flow.task
        def left(top, config):
            return top * 10

        @flow.task(config={"by": 3})
        def right(top, config):
            return top * config["by"]

        @flow.task
        def bottom(left, right):
            return [left, right]
    """)
    wave = rig.launch(flow, "a", "bb", "ccc", config={"right.by": 5})

    rig.run(slots=2)

    assert rig.rows(wave) == dict.fromkeys(["a", "bb", "ccc"], "FFFF")
    assert [rig.pipe("bottom", e) for e in ("a", "bb", "ccc")] == [[10, 5], [20, 10], [30, 15]]


def test_what_needs_a_failed_task_is_blocked_and_its_branch_only(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def good():
            return 1

        @flow.task
        def bad(good):
            print("here it comes")
            raise ValueError("no such \\ud800 thing")

        @flow.task
        def after(bad):
            raise AssertionError("this never runs")

        @flow.task
        def last(after, good):
            raise AssertionError("this never runs")

        @flow.task
        def beside(good, bad=7, *, after=8):
            return [good, bad, after]
    """)
    wave = rig.launch(flow)

    rig.run()

    assert dict(zip(wave.tasks, rig.row(wave), strict=True)) == {
        "good": "F", "bad": "X", "after": "B", "last": "B", "beside": "O",
    }  # fmt: skip
    assert rig.pipe("beside") == [1, 7, 8]
    assert rig.error(wave, "bad") == "ValueError: no such \\ud800 thing"
    assert rig.error(wave, "after").startswith("Blocked: ")
    assert "bad" in rig.error(wave, "after")
    note = rig.note(wave, "bad")["error"]
    assert note["where"].endswith("in bad")
    assert 'raise ValueError("no such' in note["traceback"]
    assert "worker/" not in note["traceback"]
    assert rig.log(wave, "bad") == "here it comes\n"
    assert rig.note(wave, "beside")["inputs"] == [{"name": "bad", "missing": True}, {"name": "after", "missing": True}]


@pytest.mark.parametrize("slots", [1, 2])
def test_a_task_whose_wait_is_over_runs_with_what_there_is_while_the_slow_one_goes_on(rig: Rig, slots: int) -> None:
    # Given a task that goes on until the test lets it end
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def quick():
    return 1

@flow.task
def slow(entity):
    if entity == "e":
        wait_for("gate-is-open")
    return 2

@flow.task(timeout="200ms")
def patient(quick, slow=None):
    return [quick, slow]

@flow.task(timeout="100ms")
def strict(slow):
    return slow

@flow.task
def last(patient, slow):
    return [patient, slow]
"""
    )
    wave = rig.launch(flow, "a", "b", "e", "c", "d")

    # When
    worker = rig.start("--until-idle", "--slots", str(slots))
    eventually(lambda: rig.row(wave) == "FROBP", 30, what="those whose wait is over have ended, one way or the other")
    rig.touch("gate-is-open")
    assert worker.wait(30) == 0

    # Then
    assert rig.row(wave) == "FFOBF"
    assert rig.pipe("patient") == [1, None]
    assert rig.pipe("last") == [[1, None], 2]
    assert rig.note(wave, "patient")["inputs"] == [{"name": "slow", "missing": True, "timed_out": True}]
    rows = rig.rows(wave)
    assert [rows[e] for e in "abcd"] == ["FFFFF"] * 4
    assert rig.pipe("last", "d") == [[1, 2], 2]


def test_a_task_does_not_wait_for_a_neighbour_s_branch(rig: Rig) -> None:
    """A task waits for its own inputs and for nothing else, however its script lists them."""
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def slow():
    wait_for("other-branch-done")
    return 1

@flow.task
def quick():
    return 2

@flow.task
def after_quick(quick):
    Path("other-branch-done").touch()
    return 3
"""
    )
    wave = rig.launch(flow)

    worker = rig.start("--until-idle", "--slots", "2")
    try:
        rig.awaits("other-branch-done", 10)
    finally:
        rig.touch("other-branch-done")
    assert worker.wait(30) == 0
    assert set(rig.row(wave)) == {"F"}


def test_what_a_task_marks_as_seen_is_in_the_state(rig: Rig) -> None:
    from engine.store.states import States

    flow = rig.flow("""
        @flow.task
        def collect(entity, state):
            if entity == "bad":
                state.seen("", "north")
            state.seen(entity + " 2", "north")
            return 1

        @flow.task
        def after(collect):
            return 2
    """)
    wave = rig.launch(flow, "a", "bad", "c")

    rig.run()

    assert rig.rows(wave) == {"a": "FF", "bad": "XB", "c": "FF"}
    assert rig.error(wave, "collect", "bad").startswith("BadKey: ")
    assert [(m.entity, m.partition, m.seen) for m in States(rig.redis).members("shops")] == [
        ("a%202", "north", DATE.start.timestamp()),
        ("c%202", "north", DATE.start.timestamp()),
    ]


HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "a\"b'c",
    "x;y",
    "[red]z",
    "two\nlines",
    "-rf",
    "k" * 500,
    "字" * 500,
    "🚀👩‍👩‍👧",
    "\u202egnp",
    "%41 {}",
]


def test_hostile_entities_go_all_the_way_as_data(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def python(entity):
            print(entity)
            return entity

        flow.command("shell", ["sh", "-c", 'printf %s "$WAVEDECK_ENTITY"'], needs=["python"], codec="bytes")
    """)
    wave = rig.launch(flow, *HOSTILE, version="feature/$(touch_pwned)")

    rig.run("--version", "feature/$(touch_pwned)", slots=2)

    assert set(rig.rows(wave).values()) == {"FF"}
    for entity in HOSTILE:
        assert rig.pipe("python", entity, version=wave.version) == entity
        assert rig.raw("shell", entity, version=wave.version) == entity.encode()
        assert rig.log(wave, "python", entity) == entity + "\n"
    assert not list(rig.folder.rglob("*pwned*"))


@pytest.mark.every_house
def test_every_cell_of_a_thousand_entities_ends_exactly_once(rig: Rig) -> None:
    flow = rig.flow("""
        def ran(name, entity):
            os.write(log, f"{name} {entity}\\n".encode())

        log = os.open(Path(__file__).with_name("runs"), os.O_APPEND | os.O_CREAT | os.O_WRONLY)

        @flow.task
        def a(entity):
            ran("a", entity)
            return int(entity)

        @flow.task
        def b(a, entity):
            ran("b", entity)
            if a % 10 == 3:
                raise ValueError(a)
            return a

        @flow.task
        def c(b, entity):
            ran("c", entity)
            return b
    """)
    entities = [str(i) for i in range(1000)]
    wave = rig.launch(flow, *entities)

    rig.run(slots=2)

    rows = rig.rows(wave)
    assert [rows[e] for e in entities] == ["FXB" if e.endswith("3") else "FFF" for e in entities]
    progress = rig.progress(wave)
    assert progress.counts == ({ord("F"): 1000}, {ord("F"): 900, ord("X"): 100}, {ord("F"): 900, ord("B"): 100})
    assert (progress.wave.left, progress.wave.running) == (0, False)
    expected = [f"{t} {e}" for t in "abc" for e in entities if not (t == "c" and e.endswith("3"))]
    assert sorted(rig.runs()) == sorted(expected)
    assert all(rig.pipe("c", e) == int(e) for e in entities if not e.endswith("3"))
