"""Which failures are the same."""

import pytest

from engine.signature import signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("horizon 48 > history 12", "horizon 24 > history 6.5"),
        ("no weather at 2013-07-01T14", "no weather at 2013-07-02 03:12:07.5"),
        ("no file 'a/b.csv'", "no file 'c.csv'"),
        ("object at 0x7f12ab", "object at 0x1"),
        ("request 0123456789abcdef failed", "request fedcba9876543210 failed"),
        ("no weather for JFK-LAX", "no weather for B6-1234-JFK-LAX"),
        ("too late\nby 1 s, said the first", "too late\nby one hour"),
    ],
)
def test_what_differs_from_entity_to_entity_is_blanked(one: str, other: str) -> None:
    assert signature(one) == signature(other)


def test_what_does_not_differ_stays() -> None:
    assert signature("horizon 48 > history 12") == "horizon <n> > history <n>"
    assert signature("isn't there, it's out of order") == "isn't there, it's out of order"
    assert signature("no weather") != signature("no sales")


def test_the_entity_and_its_partition_are_blanked_wherever_they_are_words() -> None:
    assert signature("no rain in north, or north_east", ["north", "-"]) == "no rain in <key>, or north_east"
    assert signature("JFK to LAX: closed", ["B6-12-JFK-LAX", "JFK"]) == "<key> to <key>: closed"
    assert signature("a b c", ["a"]) == "a b c"  # one letter says nothing
    assert signature("no weather", ["weather-station"]) == "no weather"


def test_a_hostile_name_blanks_itself_and_nothing_else() -> None:
    assert signature("bad .*: no", [".*"]) == "bad <key>: no"
    assert signature("x" * 10_000) == "x" * 200
    assert signature("", ["", "東京-店"]) == ""
