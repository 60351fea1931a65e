"""States: who is active, by partition, on the data's own clock."""

import pytest
from redis import Redis

from engine.errors import BadKey
from engine.keys import Date, encode_entity
from engine.store.states import Member, States

pytestmark = pytest.mark.every_house

HOUR = 3600.0
DATE = Date("2013-07-01T14")
NOW = DATE.start.timestamp()


def test_who_was_seen_is_a_member(redis: "Redis") -> None:
    # Given
    states = States(redis)

    # When
    count = states.seen("routes", [("JFK-LAX", "JFK"), ("EWR-SFO", "EWR"), ("JFK-BOS", "JFK")], NOW)

    # Then
    assert count == 3
    assert states.names() == ["routes"]
    assert states.members("routes") == [
        Member("EWR-SFO", "EWR", NOW),
        Member("JFK-BOS", "JFK", NOW),
        Member("JFK-LAX", "JFK", NOW),
    ]


def test_a_state_nobody_saw_is_empty(redis: "Redis") -> None:
    assert States(redis).members("routes") == []
    assert States(redis).members("routes", date=DATE, active=HOUR) == []
    assert States(redis).seen("routes", [], NOW) == 0
    assert States(redis).names() == []


def test_being_seen_earlier_changes_nothing_and_later_prolongs(redis: "Redis") -> None:
    states = States(redis)
    states.seen("s", [("e", "p")], NOW)

    states.seen("s", [("e", "p")], NOW - 10 * HOUR)
    assert states.members("s")[0].seen == NOW

    states.seen("s", [("e", "p")], NOW + HOUR)
    assert states.members("s")[0].seen == NOW + HOUR


@pytest.mark.parametrize(("ago", "there"), [(-1.0, False), (-0.9, True), (0.0, True), (5.9, True), (6.1, False), (48.0, False)])
def test_membership_at_a_date_is_who_was_seen_lately(redis: "Redis", ago: float, there: bool) -> None:
    """`ago`: hours before the date's start; the date lasts an hour."""
    states = States(redis)

    states.seen("s", [("e", "p")], NOW - ago * HOUR)

    assert bool(states.members("s", date=DATE, active=6 * HOUR)) is there


def test_who_moved_is_where_it_was_seen_last(redis: "Redis") -> None:
    states = States(redis)

    states.seen("s", [("e", "a")], NOW)
    states.seen("s", [("e", "b")], NOW + HOUR)
    states.seen("s", [("e", "a")], NOW - HOUR)

    assert states.members("s") == [Member("e", "b", NOW + HOUR)]


def test_a_mover_is_in_one_partition_at_each_date(redis: "Redis") -> None:
    states = States(redis)
    states.seen("s", [("e", "a")], NOW)
    states.seen("s", [("e", "b")], NOW + 24 * HOUR)

    assert states.members("s", date=DATE, active=HOUR) == [Member("e", "a", NOW)]
    assert states.members("s", date=DATE.shift(24), active=HOUR) == [Member("e", "b", NOW + 24 * HOUR)]


def test_hostile_names_are_kept_apart_and_come_back(redis: "Redis") -> None:
    names = ["$(touch pwned)", "a b", "a%20b", "{x}", "two\nlines", "字" * 500, "\ud800", "🚀"]
    states = States(redis)

    states.seen("s", [(name, name) for name in names], NOW)

    members = {m.entity: m.partition for m in states.members("s")}
    assert members == {encode_entity(name): encode_entity(name) for name in names}


@pytest.mark.parametrize(
    ("pair", "part"), [(("", "p"), "entity key"), (("e", ""), "partition"), (("e\0", "p"), "NUL"), (("e", "\0"), "NUL")]
)
def test_what_cannot_be_a_key_is_refused_and_nothing_is_written(redis: "Redis", pair: tuple[str, str], part: str) -> None:
    with pytest.raises(BadKey, match=part):
        States(redis).seen("s", [("good", "p"), pair], NOW)

    assert States(redis).members("s") == []


def test_a_state_has_a_legal_name(redis: "Redis") -> None:
    with pytest.raises(BadKey, match="state"):
        States(redis).seen("my state", [("e", "p")], NOW)


def test_many_at_once(redis: "Redis") -> None:
    states = States(redis)

    states.seen("s", [(f"e{i:05}", f"p{i % 3}") for i in range(12_075)], NOW)

    assert len(states.members("s")) == 12_075


def test_every_key_of_a_state_expires(redis: "Redis") -> None:
    States(redis).seen("s", [("e", "p")], NOW)

    assert all(redis.ttl(key) > 86400 for key in redis.scan_iter())
