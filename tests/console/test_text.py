"""Names are what somebody else wrote: shown as text, whatever they hold."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.widgets.text import clean, fit, short_count, short_names, short_seconds

HOSTILE = [
    "[red]z",
    "[/]",
    "$(touch pwned)",
    "a\"b'c",
    "x;y",
    "\x1b[31mred\x1b[0m",
    "\x9b2J",
    "two\nlines\r\n",
    "tab\tbell\x07null\x00",
    "evil\u202egpj.exe",
    "\u2066isolate\u2069",
    "zero\u200bwidth\u200d\ufeff",
    "soft\u00adhyphen",
    "lone\ud800surrogate",
    "hangul\u3164filler",
    "z\u0301\u0302\u0303\u0304\u0305\u0306algo",
    "\u0301leading",
    "日本航空",
    "👩\u200d👩\u200d👧 ❤\ufe0f 🇩🇪 👍🏽",
    "\U000e0041tag",
    "x" * 500,
    "",
]
texts = st.text(max_size=40) | st.text(st.characters(categories=["Cc", "Cf", "Mn", "Zs", "So", "Lo"]), max_size=20)


def assert_harmless(shown: str) -> None:
    assert shown.isprintable()
    shown.encode()
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert all(cell_len(char) > 0 for char in shown if unicodedata.category(char) not in {"Mn", "Me", "Mc"})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_one_harmless_line(name: str) -> None:
    assert_harmless(clean(name))
    assert cell_len(fit(name, 16)) == 16


@given(texts)
@example("\u0301\u0301")
def test_any_text_becomes_harmless_and_stays_so(name: str) -> None:
    assert_harmless(clean(name))
    assert clean(clean(name)) == clean(name)


@given(texts, st.integers(0, 60))
@example("日" * 9, 8)
@example("e\u0301" * 9, 8)
def test_text_is_fitted_to_cells(name: str, width: int) -> None:
    shown = fit(name, width)
    assert cell_len(shown) == width
    if width:
        assert_harmless(shown)


def test_what_is_harmless_is_left_alone() -> None:
    for name in ("B6-1234-JFK-LAX", "[red]z", "日本航空", "Zoë", "naïve", "👩", "हिन्दी", "\\x1b"):
        assert clean(name) == name


def test_letters_in_parts_are_put_together() -> None:
    assert clean("e\u0301") == "é"
    assert clean("\u1112\u1161\u11ab") == "한"
    assert clean("\u1161") == "\\u1161"


def test_what_is_not_is_spelled_out() -> None:
    assert clean("a\nb\x1b[31m\u202ec") == "a\\nb\\x1b[31m\\u202ec"


def test_a_cut_is_told() -> None:
    assert fit("abcdefgh", 5) == "abcd…"
    assert fit("abcde", 5) == "abcde"
    assert fit("日本航空", 6) == "日本… "
    assert fit("ab", 5) == "ab   "


@given(st.integers(0, 10**12))
def test_counts_are_short_and_never_too_large(number: int) -> None:
    shown = short_count(number)
    assert len(shown) <= 5
    unit = {"k": 1000, "M": 10**6, "G": 10**9}.get(shown[-1], 1)
    assert float(shown.rstrip("kMG")) * unit <= number + 1e-3


def test_counts_read_as_people_say_them() -> None:
    assert [short_count(n) for n in (0, 999, 1000, 12_075, 868_000, 1_240_000)] == [
        "0",
        "999",
        "1.0k",
        "12.0k",
        "868k",
        "1.2M",
    ]


def test_seconds() -> None:
    values = (None, 0.012, 0.0996, 0.4, 59.94, 59.96, 245.0, 11_100.0, 400_000.0)
    assert [short_seconds(value) for value in values] == [
        "–",
        "12 ms",
        "0.1 s",
        "0.4 s",
        "59.9 s",
        "1:00",
        "4:05",
        "3h05",
        "4d",
    ]


def test_headers_of_the_flight_flow() -> None:
    tasks = ["departures", "weather", "delay_features", "delay_forecast", "seasonal_baseline", "forecast_error"]
    assert short_names(tasks) == ("dep", "wea", "fea", "for", "bas", "err")


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), max_size=80, unique=True))
def test_headers_are_short_and_no_two_alike(tasks: list[str]) -> None:
    headers = short_names(tasks)
    assert len(set(headers)) == len(tasks)
    assert all(0 < len(header) <= 3 for header in headers)
