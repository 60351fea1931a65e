"""The states of a cell, and the steps between them."""

from itertools import product

from engine.status import ENDED, LEGAL, MARK_OF, STATUS_OF, WROTE, Cell, Status, count_by_status, legal_pairs


def test_every_byte_means_one_of_the_six_words() -> None:
    assert STATUS_OF.keys() == set(Cell)
    assert set(STATUS_OF.values()) == set(Status)
    assert {STATUS_OF[c] for c in WROTE} == {Status.FINISHED}
    assert set(Cell) - ENDED == {Cell.PENDING, Cell.RUNNING}


def test_marks_tell_the_finished_apart() -> None:
    assert MARK_OF.keys() == WROTE - {Cell.FINISHED}
    assert len(set(MARK_OF.values())) == len(MARK_OF)


def test_an_ended_cell_stays_but_for_a_value_that_was_refused() -> None:
    from_ended = {(a, b) for a, b in LEGAL if a in ENDED}

    assert from_ended == {(wrote, to) for wrote in (Cell.FINISHED, Cell.FALLBACK) for to in (Cell.FAILED, Cell.REUSED)}


def test_every_end_can_be_reached_and_nothing_ends_as_what_it_is() -> None:
    assert {b for _, b in LEGAL} == set(Cell)
    assert not any(a == b for a, b in LEGAL)


def test_a_cell_ends_alike_whether_its_start_was_told_or_not() -> None:
    ends = {before: {b for a, b in LEGAL if a == before and b in ENDED} for before in (Cell.PENDING, Cell.RUNNING)}

    assert ends[Cell.PENDING] == ends[Cell.RUNNING] == ENDED


def test_what_the_server_reads_is_exactly_the_legal_steps() -> None:
    text = legal_pairs()

    for a, b in product(Cell, Cell):
        assert (f"{chr(a)}{chr(b)}" in text) == ((a, b) in LEGAL)


def test_counts_add_up_by_status() -> None:
    counts = count_by_status({Cell.FINISHED: 2, Cell.REUSED: 3, Cell.FALLBACK: 4, Cell.FAILED: 1})

    assert counts[Status.FINISHED] == 9
    assert counts[Status.FAILED] == 1
    assert counts[Status.PENDING] == 0
    assert counts.keys() == set(Status)
