"""What `make bench` prints of what it measured. Nothing is measured here."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.wave.jobs import FULL, OURS, QUICK, SINGLE, Job, bound, critical, jobs, listed, wanted
from benchmarks.wave.peers import ARMS
from benchmarks.wave.run import Failed, Run
from benchmarks.wave.table import Book, over, render, targets
from benchmarks.wave.turns import Turn
from benchmarks.wave.work import SHAPES, compute, skewed

WAVE = Job("wave", OURS, 100)
RUN = Run(
    entities=100, tasks=6, enqueue=0.1, drain=0.5, client=0.1, workers=0.4, redis=0.1, latencies=[3.0, 1.0, 2.0], served=[1.0],
    wakeups=[0.5], memory=60.0, processes=6, redis_mb=2.0, holds=15.0, left=14.0,
)  # fmt: skip


def a_run(**more: Any) -> Run:
    """`RUN`, but for some of it."""
    return Run(**{**{name: getattr(RUN, name) for name in RUN.__struct_fields__}, **more})


def told(book: Book, words: str) -> list[str]:
    """The lines of the table of targets that begin so."""
    return [str(target) for target in targets(book) if target.what.startswith(words)]


def test_ratios_are_taken_within_rounds_and_only_of_what_both_have() -> None:
    assert over([10.0, None, 30.0, 40.0], [5.0, 5.0, None, 10.0]) == [2.0, 4.0]


def test_a_target_stands_beside_its_measurement_and_says_whether_it_is_met() -> None:
    # Given two rounds in which ours was 60 and 20 times as fast as the only peer with dependencies
    peer = replace(WAVE, arm="huey chords")
    book = Book([{WAVE: RUN, peer: a_run(drain=30.0)}, {WAVE: RUN, peer: a_run(drain=10.0)}])

    # Then the median of the ratios is what counts
    assert told(book, "1. tasks/s, full") == [
        "| 1. tasks/s, full batches : fastest peer with dependencies | **40.0 ×** | 20.0–60.0 | ≥ 40 × | yes |"
    ]
    assert told(book, "5. wake-up") == ["| 5. wake-up by a dependency | **0.50 ms** | 0.50–0.50 | ≤ 2 ms | yes |"]


def test_a_target_that_is_missed_says_so() -> None:
    book = Book([{WAVE: a_run(holds=31.0)}])

    assert told(book, "6. Redis beyond the pipes, at most")[0].endswith("| ≤ 30 bytes a cell | **no** |")


def test_the_fastest_peer_of_each_round_is_compared_with() -> None:
    fat = [replace(WAVE, arm=name) for name in ("huey fat", "saq fat")]
    book = Book([{WAVE: RUN, fat[0]: a_run(drain=5.0), fat[1]: a_run(drain=10.0)}, {WAVE: RUN, fat[1]: a_run(drain=10.0)}])

    assert told(book, "1. tasks/s, full batches : fastest fat")[0].startswith(
        "| 1. tasks/s, full batches : fastest fat peer | **15.0 ×** | 10.0–20.0"
    )


def test_what_was_not_measured_is_not_printed() -> None:
    book = Book([{WAVE: RUN, Job("wave", SINGLE, 10): Failed("RuntimeError: 3 of 10 values are missing")}])

    page = render(book)

    assert "| Wavedeck | 100 | 1,000 | **1,200** | 1,200–1,200 |" in page
    assert "nan" not in page and "None" not in page
    assert not any(line.startswith("| Wavedeck, entity by entity") for line in page.splitlines())
    assert (
        "Failed: wave: Wavedeck, entity by entity, diamond, 10 entities, 2 workers: RuntimeError: 3 of 10 values are missing"
        in page
    )


def test_the_overhead_of_a_run_is_the_median_of_its_turns() -> None:
    # Given two rounds of three turns, in one of which somebody else used the machine while the wave ran
    job = Job("learning", OURS, 30, "learning", 1, turns=3)
    quiet = a_run(turns=[Turn(1.02, 1.01, 1.0, 1.03, 1.0)] * 3)
    busy = a_run(turns=[Turn(1.04, 1.01, 1.0, 1.05, 1.0), Turn(3.0, 2.5, 1.0, 1.05, 1.0), Turn(1.04, 1.01, 1.0, 1.05, 1.0)])
    book = Book([{job: quiet}, {job: busy}])

    # Then that one counts for nothing
    assert told(book, "8. scikit-learn: beside") == [
        "| 8. scikit-learn: beside calling it in a loop | **3.0 %** | 2.0–4.0 | ≤ 5 % | yes |"
    ]
    assert told(book, "8. scikit-learn: CPU")[0].startswith(
        "| 8. scikit-learn: CPU, Redis included, beside the loop's | **4.0 %**"
    )


def test_a_book_of_nothing_is_an_empty_page() -> None:
    assert render(Book([{}])) == ""


def test_the_bound_is_the_longest_path_or_all_the_work_shared_out() -> None:
    # Given an entity alone, however many slots there are
    assert bound(1, 1000) == critical(0)
    # And many on one slot
    assert bound(50, 1) == pytest.approx(sum(skewed(task, number) for task in range(6) for number in range(50)))
    # Then list scheduling is as long on one slot or on one for each, and no shorter in between
    assert listed(50, 1) == pytest.approx(bound(50, 1))
    assert bound(50, 4) < listed(50, 4) < bound(50, 4) + listed(50, 50)
    # And every task sleeps as long as it must
    assert all(0.05 <= skewed(task, number) <= 0.5 for task in range(6) for number in range(1000))


@pytest.mark.parametrize("name", ["diamond", "fan-in", "deep", "wide"])
def test_tasks_come_to_what_is_checked(name: str) -> None:
    shape = SHAPES[name]
    values: list[Any] = []
    for task, needs in enumerate(shape.needs):
        values.append(compute(shape, task, 7, [values[need] for need in needs]))

    assert [value["value"] for value in values] == [shape.result(task, 7) for task in range(len(values))]
    assert sorted(task for level in shape.levels for task in level) == list(range(len(values)))


def test_every_row_is_asked_for_by_its_name_or_group() -> None:
    everything = jobs(QUICK)

    assert {job.arm for job in everything if job.group == "wave"} == {arm.name for arm in ARMS if arm.kind != "more"}
    assert wanted(everything, "") == everything
    assert {job.group for job in wanted(everything, "makespan, enqueue")} == {"makespan", "enqueue"}
    assert {job.arm for job in wanted(everything, "saq fat")} == {"saq fat"}
    assert max(job.entities for job in jobs(FULL) if job.group == "enqueue") == 100_000
