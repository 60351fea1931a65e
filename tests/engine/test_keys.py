"""Every legal key parses back to what made it; an illegal one is refused by the name of its part."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadKey
from engine.keys import (
    MAX_ENTITY,
    MAX_VERSION,
    STATES,
    VERSIONS,
    Date,
    PipeKey,
    check_entity,
    check_name,
    check_version,
    decode_entity,
    encode_entity,
    state_key,
    version_key,
    wave_key,
)

HOSTILE = [
    "$(touch pwned)",
    "a\"b'c",
    "x;y",
    "`id`",
    "[red]z",
    "two\nlines",
    "tab\there",
    "k" * 500,
    "字" * 500,
    "広告-キャンペーン",
    "🚀👩‍👩‍👧",
    "\u202egnp.exe",  # written right to left
    "\ud800",  # half a surrogate pair, as an undecodable argument gives
    "\ud83d\ude00",  # two of them
    "100%",
    "%41",
    "{tag}",
    " ",
    "\x7f\x1b[2J",
    "e\u0301",
    "..",
    "-",
]

legal_word = st.from_regex(r"[A-Za-z0-9_.\-#@=+äЖ字]{1,20}", fullmatch=True).filter(
    lambda w: ".." not in w and not w.startswith("-")
)
versions = st.lists(legal_word, min_size=1, max_size=4).map("/".join)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}", fullmatch=True)
entities = st.text(min_size=1, max_size=500).filter(lambda t: "\0" not in t)
any_text = st.text(st.characters(), min_size=1, max_size=60).filter(lambda t: "\0" not in t)
moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 29))
dates = st.builds(lambda m, hourly: Date.of(m.replace(tzinfo=UTC), hourly=hourly), moments, st.booleans())


@given(versions, names, entities, dates)
def test_a_legal_key_parses_back_to_what_made_it(version: str, pipe: str, entity: str, date: Date) -> None:
    key = PipeKey.make(version, pipe, entity, date)

    assert str(key) == f"{version}/{pipe} {encode_entity(entity)} {date}"
    assert PipeKey.parse(str(key)) == key
    assert decode_entity(PipeKey.parse(str(key)).entity) == entity


@given(any_text)
def test_decoding_an_entity_is_the_inverse_of_encoding_it(raw: str) -> None:
    encoded = encode_entity(raw)

    assert decode_entity(encoded) == raw
    assert check_entity(encoded) == encoded
    assert not set(encoded) & set(" \t\r\n{}")
    assert not {unicodedata.category(c) for c in encoded} & {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}
    encoded.encode("utf-8")


@pytest.mark.parametrize("raw", HOSTILE)
def test_hostile_entities_survive(raw: str) -> None:
    key = PipeKey.make("main", "weather", raw, "2013-07-01T14")

    assert decode_entity(PipeKey.parse(str(key)).entity) == raw


@given(any_text, any_text)
def test_different_entities_never_share_a_key(one: str, other: str) -> None:
    assert (encode_entity(one) == encode_entity(other)) == (one == other)


@pytest.mark.parametrize("readable", ["JFK-LAX", "$(touch", "a\"b'c", "x;y", "広告", "🚀", "[red]z", "a/b"])
def test_what_a_key_can_hold_stays_readable(readable: str) -> None:
    assert encode_entity(readable) == readable


def test_a_key_does_not_depend_on_which_python_makes_it() -> None:
    """Python 3.11 does not know this sign of Unicode 15, Python 3.12 does; a console and a worker must agree on the key."""
    assert encode_entity("\U0001fae8") == "\U0001fae8"


@given(versions, names, entities, dates, names)
def test_no_pipe_is_ever_an_internal_key(version: str, pipe: str, entity: str, date: Date, wave: str) -> None:
    key = str(PipeKey.make(version, pipe, entity, date))
    partition = encode_entity(entity)
    internal = [
        VERSIONS,
        STATES,
        state_key(pipe, f"in:{partition}"),
        version_key(version, f"at:{pipe}:{date}"),
        wave_key(version, wave, "board"),
    ]

    assert not key.startswith("wd:")
    for other in internal:
        assert " " not in other
        with pytest.raises(BadKey):
            PipeKey.parse(other)


@pytest.mark.parametrize(
    "version",
    [
        "",
        "a b",
        "a{b}",
        "a\nb",
        "a\u200bb",
        "a*",
        "a?",
        "a[",
        "a\\",
        "a^",
        "a~",
        "a:b",
        "/a",
        "a/",
        "a//b",
        "a..b",
        "-a",
        "\ud800",
    ],
)
def test_an_illegal_version_is_named(version: str) -> None:
    with pytest.raises(BadKey, match="version"):
        PipeKey.make(version, "p", "e", "2013-07-01")


def test_a_version_has_an_end() -> None:
    assert check_version("v" * MAX_VERSION)
    with pytest.raises(BadKey, match=f"longer than {MAX_VERSION}"):
        check_version("v" * (MAX_VERSION + 1))


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "a:b", "ä", "a\n", "a" * 101, ".a", "-a", "a$b"])
def test_an_illegal_pipe_name_is_named(name: str) -> None:
    with pytest.raises(BadKey, match="pipe name"):
        PipeKey.make("main", name, "e", "2013-07-01")
    with pytest.raises(BadKey, match="flow"):
        check_name(name, "flow")


@pytest.mark.parametrize("entity", ["", "a\0b", "x" * (MAX_ENTITY + 1), "\n" * MAX_ENTITY])
def test_an_illegal_entity_is_named(entity: str) -> None:
    with pytest.raises(BadKey, match="entity key"):
        PipeKey.make("main", "p", entity, "2013-07-01")


@pytest.mark.parametrize(
    "encoded", ["", "%", "%4", "%zz", "%41", "%0a", "a%20b ", "{", "%FF", "%00", "\u200b", "\ud800", "\ud800%20"]
)
def test_only_what_encoding_makes_is_an_entity_in_key_form(encoded: str) -> None:
    with pytest.raises(BadKey, match="entity key"):
        check_entity(encoded)


@pytest.mark.parametrize(
    "date",
    ["", "2013", "2013-7-1", "2013-02-30", "2013-13-01", "2013-07-01T24", "2013-07-01 14", "2013-07-01T1", "2013-07-01T14:00",
     "٢٠١٣-07-01", "2013-07-01\n", "0000-01-01"],
)  # fmt: skip
def test_an_illegal_date_is_named(date: str) -> None:
    with pytest.raises(BadKey, match="date"):
        PipeKey.make("main", "p", "e", date)


@pytest.mark.parametrize("key", ["", "main/p", "main/p e", "p e 2013-07-01", "main/p e 2013-07-01 x", "main/p  2013-07-01"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(BadKey):
        PipeKey.parse(key)


@given(st.text(st.characters(), max_size=80))
def test_parsing_anything_gives_a_key_or_bad_key(text: str) -> None:
    try:
        key = PipeKey.parse(text)
    except BadKey:
        return
    assert str(key) == text


@given(st.text(st.sampled_from("%aF0 \ud800\udfff/2013-T é"), max_size=40))
def test_parsing_half_right_keys_gives_a_key_or_bad_key(text: str) -> None:
    try:
        key = PipeKey.parse(f"main/p {text} 2013-07-01")
    except BadKey:
        return
    assert str(key) == f"main/p {text} 2013-07-01"


@given(dates, st.integers(-20, 20))
def test_dates_shift_by_their_own_step_and_back(date: Date, steps: int) -> None:
    shifted = date.shift(steps)

    assert shifted.start - date.start == steps * date.step
    assert shifted.shift(-steps) == date
    assert (shifted > date) == (steps > 0)  # as text too
    assert shifted.hourly == date.hourly


@given(dates, st.floats(0, 5 * 86400))
def test_back_gives_every_earlier_date_that_is_not_too_old(date: Date, seconds: float) -> None:
    earlier = list(date.back(seconds))

    ages = [(date.start - d.start).total_seconds() for d in earlier]
    assert ages == sorted(ages)
    assert len(set(ages)) == len(ages) == int(seconds // date.step.total_seconds())
    assert all(0 < age <= seconds for age in ages)


def test_a_date_is_utc_whatever_the_zone_of_the_moment() -> None:
    moment = datetime(2013, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert Date.of(moment) == "2013-06-30T23"
    assert Date.of(moment, hourly=False) == "2013-06-30"
    assert Date("2013-06-30T23").step == timedelta(hours=1)
    assert Date("2013-06-30").step == timedelta(days=1)
    assert list(Date("2013-03-01").back(2 * 86400)) == ["2013-02-28", "2013-02-27"]
