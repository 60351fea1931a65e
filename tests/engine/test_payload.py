"""Values as bytes: readable JSON, equal for equal values; or bytes as they are."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadValue
from engine.keys import Date
from engine.payload import decode_json, decoder, encode_bytes, encode_json, encoder, max_value

text = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)


@given(plain)
def test_json_reads_back(value: Any) -> None:
    assert decode_json(encode_json(value)) == value


@given(st.dictionaries(text, st.integers(0, 9), min_size=2))
def test_equal_values_are_equal_bytes_whatever_the_order_of_keys(value: dict[str, int]) -> None:
    turned = dict(reversed(list(value.items())))

    assert encode_json(turned) == encode_json(value)


def test_json_is_what_a_person_reads() -> None:
    assert encode_json({"b": [1, 2.5, None], "a": "späť 🚀"}) == '{"a":"späť 🚀","b":[1,2.5,null]}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_json_has_no_number_for_is_null(value: float) -> None:
    assert encode_json([value]) == b"[null]"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.int64(3), b"3"),
        (np.float32(0.5), b"0.5"),
        (np.bool_(True), b"true"),
        (np.arange(3), b"[0,1,2]"),
        (np.array([[1.0, np.nan]]), b"[[1.0,null]]"),
        (pd.Series([1, 2]), b"[1,2]"),
        (pd.Timestamp("2013-07-01T14:00Z"), b'"2013-07-01T14:00:00+00:00"'),
        (datetime(2013, 7, 1, 14, tzinfo=UTC), b'"2013-07-01T14:00:00Z"'),
        (Date("2013-07-01T14"), b'"2013-07-01T14"'),
        ({Date("2013-07-01T14"): [Date("2013-07-01")]}, b'{"2013-07-01T14":["2013-07-01"]}'),
        ({np.str_("a"): np.str_("b")}, b'{"a":"b"}'),
        ((1, 2), b"[1,2]"),
    ],
)
def test_what_tasks_and_scientific_code_return_is_json(value: Any, written: bytes) -> None:
    assert encode_json({"x": value}) == b'{"x":' + written + b"}"


def _endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), print, "\ud800", {1: object()}, int, _endless(), lambda: 1])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(BadValue, match="JSON"):
        encode_json(value)


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b"1 2", b'"\xff"', b"NaN", b"[" * 10_000])
def test_bytes_that_are_not_json_are_refused(data: bytes) -> None:
    with pytest.raises(BadValue, match="JSON"):
        decode_json(data)


@pytest.mark.parametrize("value", [b"\0\xff", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_are_kept_as_they_are(value: Any) -> None:
    assert encode_bytes(value) == bytes(value)
    assert decoder("bytes")(encoder("bytes")(value)) == bytes(value)


@pytest.mark.parametrize("value", ["text", None, 3, [1]])
def test_a_task_that_declares_bytes_must_return_them(value: Any) -> None:
    with pytest.raises(BadValue, match=type(value).__name__):
        encoder("bytes")(value)


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets how large a pipe may be."""

    def told(text: str) -> None:
        monkeypatch.setenv("WAVEDECK_MAX_VALUE", text)
        max_value.cache_clear()

    max_value.cache_clear()
    yield told
    max_value.cache_clear()


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_are_no_json_and_the_way_out_is_told(value: Any) -> None:
    with pytest.raises(BadValue, match=r"are not JSON: declare codec='bytes'"):
        encode_json(value)


def test_numbers_of_any_length_are_json_and_read_back_to_the_digit() -> None:
    for number in (2**63, -(2**64) - 1, 10**400):
        assert decode_json(encode_json([number])) == [number]


def test_a_set_is_a_sorted_list() -> None:
    assert encode_json({"c", "a", "b"}) == b'["a","b","c"]'


def test_a_pipe_has_an_end(limit: Callable[[str], None]) -> None:
    assert max_value() == 64 * 1024 * 1024
    limit("10")

    for codec, value, size in (
        ("json", "x" * 20, 22),
        ("bytes", b"x" * 20, 20),
        ("bytes", memoryview(bytes(24)).cast("I"), 24),
    ):
        with pytest.raises(BadValue, match=rf"the value has {size} bytes; a pipe may hold 10 \(WAVEDECK_MAX_VALUE\)"):
            encoder(codec)(value)  # type: ignore[arg-type]
    assert encode_json("x" * 8) == b'"xxxxxxxx"'


def test_how_much_a_pipe_may_hold_is_told_as_people_write_it(limit: Callable[[str], None]) -> None:
    for text, size in (("5000000", 5_000_000), ("100 MB", 100_000_000), ("1KiB", 1024), ("512MiB", 512 << 20), ("7kB", 7000)):
        limit(text)
        assert max_value() == size
    for text in ("much", "0", "-1", "1GB", "513MiB", "1e6", "9" * 30):
        limit(text)
        with pytest.raises(BadValue, match=r"WAVEDECK_MAX_VALUE .* is no size between 1 byte and 512MiB"):
            max_value()
