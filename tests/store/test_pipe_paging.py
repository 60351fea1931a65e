"""The pipes of a name and date, by pages: each once, whoever wrote or found it, and a page of a million costs a page."""

import random
import time
from collections.abc import Sequence

import pytest
from boards import DATE, B, C, F, O, P, R, U, X, draft, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from engine.errors import BadKey
from engine.keys import Date, PipeKey
from engine.store import making
from engine.store.listing import Entry, Listing
from engine.store.pipes import Count, Pipes
from engine.store.wave import Wave

SOON = int(time.time()) + 86400
TASKS = ("other", "a", "b")


def a_wave(
    redis: "Redis", members: Sequence[str], cells: Sequence[int], *, trigger: str = "manual:1", created: int = 1
) -> Wave:
    """A wave whose task `a` is as far as `cells` say; none of its pipes is there, as the listing never looks at them."""
    chain = plan(*TASKS)
    wave = draft(chain, len(members), trigger=trigger, created=created, expire=SOON)
    assert making.make(redis, wave, chain, [(m, f"p{i % 3}") for i, m in enumerate(members)]).created
    redis.setrange(wave.key("board"), wave.n, bytes(cells))
    redis.hset(wave.key("counts"), mapping={f"1{chr(c)}": list(cells).count(c) for c in (P, R, F, U, O, X, B, C)})
    return wave


def stray(redis: "Redis", entity: str, by: str = "ada") -> None:
    Pipes(redis).index_stray(PipeKey("main", "a", entity, DATE), SOON, by)


def pages(redis: "Redis", limit: int) -> list[Entry]:
    found: list[Entry] = []
    after = ""
    while True:
        page, after = Pipes(redis).page("main", "a", DATE, after, limit)
        assert len(page) <= limit and (len(page) == limit or not after)
        found += page
        if not after:
            return found


def names(found: Sequence[Entry]) -> list[str]:
    return [e.entity for e in found]


def test_pages_are_the_entries_in_their_order(redis: "Redis") -> None:
    wave = a_wave(redis, [f"e{i}" for i in range(10)], [F, X, O, P, F, U, B, R, C, F])

    for limit in (1, 2, 3, 100):
        assert names(pages(redis, limit)) == ["e0", "e2", "e4", "e5", "e9"]
    assert Listing(redis, "main", "a", DATE).rows(1, 3) == [Entry("e2", wave.id), Entry("e4", wave.id)]
    assert [(e.partition, e.number) for e in Listing(redis, "main", "a", DATE).rows(1, 3)] == [("p2", 2), ("p1", 4)]
    assert names(list(Pipes(redis).entries("main", "a", DATE, limit=2))) == ["e0", "e2"]


def test_an_older_wave_s_own_come_first_and_a_re_run_adds_what_it_has_not(redis: "Redis") -> None:
    first = a_wave(redis, ["n", "s", "e", "w"], [F, X, F, X], trigger="1", created=10)
    second = a_wave(redis, ["w", "s", "n"], [F, X, U], trigger="2", created=20)

    assert pages(redis, 2) == [Entry("n", first.id), Entry("e", first.id), Entry("w", second.id)]


def test_who_wrote_is_told_and_not_who_found_it_there(redis: "Redis") -> None:
    first = a_wave(redis, ["a", "b", "c", "d"], [U, U, U, F], trigger="1", created=10)
    second = a_wave(redis, ["d", "b", "a"], [U, F, U], trigger="2", created=20)
    stray(redis, "c", "bob")
    stray(redis, "d", "carl")

    assert pages(redis, 10) == [Entry("a", first.id), Entry("b", second.id), Entry("c", "bob"), Entry("d", first.id)]


def test_what_was_written_outside_waves_comes_last_by_name(redis: "Redis") -> None:
    wave = a_wave(redis, ["b", "a"], [F, X])
    for entity in ("z", "a", "b", "m"):
        stray(redis, entity)

    for limit in (1, 2, 9):
        assert pages(redis, limit) == [Entry("b", wave.id), Entry("a", "ada"), Entry("m", "ada"), Entry("z", "ada")]


def test_strays_without_any_wave(redis: "Redis") -> None:
    for i in range(7):
        stray(redis, f"s{i}")

    assert names(pages(redis, 3)) == [f"s{i}" for i in range(7)]


def test_a_page_s_end_stays_where_it_is_while_more_is_written_before_it(redis: "Redis") -> None:
    wave = a_wave(redis, [f"e{i}" for i in range(6)], [P, F, F, P, F, F])
    page, after = Pipes(redis).page("main", "a", DATE, "", 2)
    redis.setrange(wave.key("board"), wave.n, bytes([F] * 6))
    redis.hset(wave.key("counts"), mapping={"1F": 6, "1P": 0})

    rest, end = Pipes(redis).page("main", "a", DATE, after, 10)

    assert (names(page), names(rest), end) == (["e1", "e2"], ["e4", "e5"], "")


@pytest.mark.parametrize("mark", ["x", "w000000000000:3", "5", "e5:1"])
def test_a_mark_from_elsewhere_is_refused(redis: "Redis", mark: str) -> None:
    a_wave(redis, ["a"], [F])

    with pytest.raises(BadKey, match="is not where a page"):
        Pipes(redis).page("main", "a", DATE, mark)


def test_a_wave_that_is_gone_is_passed_over(redis: "Redis") -> None:
    gone = a_wave(redis, ["a"], [F], trigger="1")
    kept = a_wave(redis, ["b"], [F], trigger="2")
    redis.delete(gone.key("wave"))

    assert pages(redis, 5) == [Entry("b", kept.id)]


CELLS = st.sampled_from([P, F, F, U, O, X])
MEMBERS = st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.integers(1, 4), st.integers(1, 9))
def test_whatever_waves_there_are_each_pipe_is_told_once(redis: "Redis", data: st.DataObject, waves: int, limit: int) -> None:
    redis.flushall()
    wrote: dict[str, str] = {}
    listed: list[str] = []
    for number in range(waves):
        members = [f"e{i}" for i in data.draw(MEMBERS)]
        cells = data.draw(st.lists(CELLS, min_size=len(members), max_size=len(members)))
        wave = a_wave(redis, members, cells, trigger=str(number), created=number + 1)
        for member, cell in zip(members, cells, strict=True):
            if cell in (F, U, O) and member not in listed:
                listed.append(member)
            if cell in (F, O):
                wrote.setdefault(member, wave.id)
    strays = [f"e{i}" for i in data.draw(st.lists(st.integers(30, 50), unique=True, max_size=5))]
    for entity in strays:
        stray(redis, entity)

    found = pages(redis, limit)

    assert names(found) == listed + sorted(set(strays) - set(listed))
    assert all(e.writer == wrote[e.entity] for e in found if e.entity in wrote and e.entity not in strays)


# counting


def test_counts_of_many_dates_come_from_the_counters(redis: "Redis") -> None:
    first = a_wave(redis, ["a", "b", "c"], [F, U, X], trigger="1", created=1)
    assert Pipes(redis).counts("main", "a", [DATE, Date("2013-07-02T00")]) == [Count(2, True, (first.id,)), Count(0, True)]

    second = a_wave(redis, ["a", "b", "c"], [U, U, F], trigger="2", created=2)
    stray(redis, "z")

    [count] = Pipes(redis).counts("main", "a", [DATE])
    assert (count.n, count.exact, count.outside) == (4, False, 1)
    assert count.waves == tuple(sorted([first.id, second.id]))


def test_many_strays_do_not_hide_the_waves(redis: "Redis") -> None:
    wave = a_wave(redis, ["a"], [F])
    with redis.pipeline(transaction=False) as trip:
        trip.hset(f"wd:{{main}}:at:a:{DATE}", mapping={f"e:s{i:05}": "ada" for i in range(3000)})
        trip.execute()

    [count] = Pipes(redis).counts("main", "a", [DATE])

    assert (count.n, count.waves, count.outside) == (3001, (wave.id,), 3000)
    assert len(pages(redis, 700)) == 3001


# what it costs


def sent(redis: "Redis") -> dict[str, int]:
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in redis.info("commandstats").items()}


@pytest.mark.one_server
@pytest.mark.parametrize("cells", ["all written", "some failed"])
def test_a_page_costs_the_same_of_a_hundred_thousand_as_of_a_thousand(redis: "Redis", cells: str) -> None:
    costs = []
    for n in (1000, 100_000):
        redis.flushall()
        row = [F] * n if cells == "all written" else [X if i % 50 == 0 else F for i in range(n)]
        a_wave(redis, [f"e{i}" for i in range(n)], row)
        redis.config_resetstat()
        page, after = Pipes(redis).page("main", "a", DATE, "", 100)
        assert len(page) == 100 and after
        costs.append(sent(redis))
    assert costs[0] == costs[1]
    assert "scan" not in costs[1] and "keys" not in costs[1] and costs[1]["lrange"] == 1


@pytest.mark.one_server
def test_a_re_run_of_a_part_is_found_at_the_same_places_or_by_one_pass(redis: "Redis") -> None:
    everybody = [f"e{i}" for i in range(50_000)]
    a_wave(redis, everybody, [X if i % 100 == 0 else F for i in range(50_000)], trigger="1", created=1)
    again = a_wave(redis, everybody[::100], [F] * 500, trigger="2", created=2)
    same = a_wave(redis, everybody, [U] * 50_000, trigger="3", created=3)

    redis.config_resetstat()
    listing = Listing(redis, "main", "a", DATE)
    assert listing.known == 49_500 and not listing.complete
    first = listing.rows(0, 3)
    calls = sent(redis)["lrange"]
    listing.all()

    assert calls == 1 and names(first) == ["e1", "e2", "e3"]
    assert listing.known == 50_000 and listing.rows(49_500, 49_502) == [Entry("e0", again.id), Entry("e100", again.id)]
    assert same.id not in {e.writer for e in listing.rows(0, 50_000)}


def test_rows_anywhere_in_the_middle(redis: "Redis") -> None:
    everybody = [f"e{i}" for i in range(30_000)]
    holes = set(random.Random(1).sample(range(30_000), 9000))
    a_wave(redis, everybody, [X if i in holes else F for i in range(30_000)])
    expected = [e for i, e in enumerate(everybody) if i not in holes]
    listing = Listing(redis, "main", "a", DATE)

    assert listing.complete and listing.known == 21_000
    for first in (0, 777, 20_990):
        assert names(listing.rows(first, first + 40)) == expected[first : first + 40]
        assert [name for name, _ in listing.names(first, first + 40)] == expected[first : first + 40]
    assert listing.rows(21_000, 21_010) == []
    assert listing.row_of(listing.mark(12_345)) == 12_345
