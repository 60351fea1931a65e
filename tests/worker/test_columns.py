"""A task of all entities of a batch at once, and what leaves the column."""

from hypothesis import given
from hypothesis import strategies as st
from rig import Rig

from engine.status import Cell
from engine.store.claims import Moves
from worker.outbox import with_results
from worker.results import Ended, Result, Stretch, spelled_out, value_levels

ENTITIES = [f"e{i:03}" for i in range(200)]
FLOW = """
@flow.task
def a(entity):
    return entity

@flow.task
def b(a, entity):
    if entity == "e123":
        raise KeyError(entity)
    if entity.endswith("7"):
        print("seven", entity)
    return a + "!"

@flow.task
def c(b):
    return b + "!"
"""


def test_a_cell_that_fails_or_prints_is_told_by_itself_and_the_others_go_on(rig: Rig) -> None:
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)

    rig.run()

    rows = rig.rows(wave)
    assert rows.pop("e123") == "FXB"
    assert set(rows.values()) == {"FFF"}
    assert rig.error(wave, "b", "e123") == "KeyError: 'e123'"
    assert {e for e in ENTITIES if rig.log(wave, "b", e)} == {e for e in ENTITIES if e.endswith("7")}
    assert rig.log(wave, "b", "e177") == "seven e177\n"
    assert all(rig.pipe("c", e) == e + "!!" for e in ENTITIES if e != "e123")
    assert rig.raw("c", "e123") is None


def test_a_cell_before_which_redis_is_asked_again_leaves_the_column(rig: Rig) -> None:
    """After one that took longer than an answer of Redis is good for. Nobody else comes to serve what it forgot."""
    slow = "    if entity.endswith('50'):\n        time.sleep(0.06)\n    return a"
    wave = rig.launch(rig.flow("import time\n" + FLOW.replace("    return a", slow).replace("e123", "-")), *ENTITIES)

    rig.run("--lease", "2")

    assert set(rig.rows(wave).values()) == {"FFF"}
    assert all(rig.pipe("c", e) == e + "!!" for e in ENTITIES)
    records = rig.redis.get(wave.key("claims"))
    assert {int.from_bytes(records[8 * e : 8 * e + 4], "little") for e in range(wave.n)} == {1}, "claimed once"


def a_stretch(first: int, many: int, task: int = 2) -> Stretch:
    stretch = Stretch(task, first, Cell.PENDING, epoch=100.0)
    for i in range(many):
        stretch.add(f"e{first + i}", b"%d" % i, 101.5 + i, 101.75 + i)
    return stretch


def test_a_stretch_is_its_cells() -> None:
    [one, two] = a_stretch(7, 2).results()

    assert one == Result(2, 7, "e7", Cell.FINISHED, b"0", start=1.5, seconds=0.25, before=Cell.PENDING)
    assert two == Result(2, 8, "e8", Cell.FINISHED, b"1", start=2.5, seconds=0.25, before=Cell.PENDING)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.booleans()), max_size=6))
def test_the_board_is_told_the_same_of_stretches_as_of_their_cells(parts: list[tuple[int, int, bool]]) -> None:
    ended: list[Ended] = []
    for place, (task, many, failed) in enumerate(parts):
        ended.append(a_stretch(10 * place, many, task))
        if failed:
            ended.append(Result(task, 10 * place + many, "x", Cell.FAILED, note={"error": "it"}, before=Cell.PENDING))

    whole, apart = with_results(Moves([]), ended), with_results(Moves([]), spelled_out(ended))

    def cells(moves: Moves) -> set[tuple[int, int, int, int, bytes]]:
        return {
            (s.task, s.before, s.after, s.first + i, s.times[8 * i : 8 * i + 8]) for s in moves.steps for i in range(s.many)
        }

    assert cells(whole) == cells(apart)
    assert whole.notes == apart.notes
    assert value_levels(ended, [0, 1, 1]) == value_levels(spelled_out(ended), [0, 1, 1])
