"""Every name, key, date, duration and line of a place: taken as it is, or refused with a sentence that names it."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from naughty import FAMILIES, LONG, MEGABYTE, NUL, STRINGS, is_text

from console.locator import BadLocator, Locator, parse
from console.settings import BadSettings, load
from console.start import parse_config
from engine import durations
from engine.errors import BadFlow, BadKey, BadValue
from engine.flow import Flow
from engine.keys import (
    MAX_ENTITY,
    Date,
    PipeKey,
    check_entity,
    check_name,
    check_text,
    check_version,
    decode_entity,
    encode_entity,
    state_key,
    version_key,
)
from engine.payload import decode_json, encode_json

EVERY = (*STRINGS, *LONG, MEGABYTE, *NUL)


def test_there_are_enough_and_each_is_there_once() -> None:
    assert len(STRINGS) >= 250 and len(FAMILIES) >= 20
    assert len(set(STRINGS)) == len(STRINGS)


def test_an_entity_comes_back_from_its_key_as_it_was_or_is_refused() -> None:
    refused = []
    for raw in EVERY:
        try:
            key = encode_entity(raw)
        except BadKey as e:
            refused.append(raw)
            assert len(str(e)) < 200 and str(e).isprintable(), ascii(str(e))
            continue
        assert decode_entity(key) == raw
        assert check_entity(key) == key and not set(key) & set(" {}\n\r\t\0")
        whole = PipeKey("main", "sales", key, Date("2013-07-01T14"))
        assert PipeKey.parse(str(whole)) == whole

    assert all("\0" in raw or len(raw) * 3 > MAX_ENTITY for raw in refused)
    assert set(NUL) < set(refused) and MEGABYTE in refused


def test_no_two_entities_have_one_key() -> None:
    keys = [encode_entity(raw) for raw in STRINGS]

    assert len(set(keys)) == len(STRINGS)


def test_what_is_taken_for_a_key_form_is_one() -> None:
    for text in EVERY:
        try:
            assert encode_entity(decode_entity(check_entity(text))) == text
        except BadKey as e:
            assert str(e).startswith("entity key ")


@pytest.mark.parametrize("check", [check_version, check_name])
def test_a_name_is_taken_as_it_is_or_refused(check: Callable[[str], str]) -> None:
    taken = []
    for text in EVERY:
        try:
            assert check(text) == text
        except BadKey as e:
            assert str(e).isprintable(), ascii(str(e))
        else:
            taken.append(text)

    assert taken
    for text in taken:
        assert not {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"} & {unicodedata.category(c) for c in text}
        assert not set(text) & set(" {}*?[\\") and not text.startswith(("/", "-"))
        assert " " not in version_key(text, "waves") and state_key("s", f"in:{encode_entity(text)}").count("}") == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_date_and_a_duration_are_one_or_none(family: str) -> None:
    for text in FAMILIES[family]:
        try:
            assert Date(text) == text and Date(text).start.year
        except BadKey as e:
            assert str(e).startswith("date ")
        try:
            assert 0 <= durations.seconds(text) < float("inf")
        except ValueError as e:
            assert len(str(e)) < 1000


def test_who_and_why_are_kept_as_they_are_or_refused() -> None:
    for text in EVERY:
        try:
            assert check_text(text, "reason") == text and text.encode().decode() == text
        except BadKey as e:
            assert str(e).startswith("reason ")
            assert len(text) > 1000 or not is_text(text)


def test_a_flow_of_a_hostile_name_config_or_command_is_refused_when_it_is_written() -> None:
    for text in EVERY:
        for write in (
            Flow,
            lambda text: Flow("f").command(text, ["true"]),
            lambda text: Flow("f").command("c", [text]),
            lambda text: Flow("f").command("c", ["true"], config={"k": text}),
            lambda text: Flow("f").command("c", ["true"], config={text: 1}),
            lambda text: Flow("f", every=text),
        ):
            try:
                flow = write(text) or Flow("f")
            except BadFlow as e:
                assert "test_hostile_keys.py:" in str(e), "it says where"
            else:
                assert isinstance(flow, Flow)


def test_a_command_and_its_config_are_published_as_they_were_written() -> None:
    for text in filter(is_text, (*STRINGS, *LONG)):
        flow = Flow("f")
        flow.command("c", ["printf", text], config={"k": text, text: [text]})
        plan = flow.plan.from_json(flow.plan.to_json())
        assert plan.tasks[0].command == ("printf", text) and plan.tasks[0].config == {"k": text, text: [text]}
        assert flow.argv(plan.tasks[0]) == ["printf", text]


def test_a_value_comes_back_as_it_was_or_is_refused() -> None:
    for text in EVERY:
        for value in (text, {text: text}, [[text]]):
            try:
                assert decode_json(encode_json(value)) == value
            except BadValue as e:
                assert not is_text(text) and str(e).isprintable()
        try:
            value = decode_json(text.encode("utf-8", "surrogatepass"))
        except BadValue:
            continue
        assert decode_json(encode_json(value)) == value


def test_an_override_of_config_is_the_value_after_the_first_equals() -> None:
    for text in EVERY:
        [(name, value)] = parse_config([f"task.key={text}"]).items()
        assert name == "task.key"
        assert value == text or encode_json(value) is not None
        try:
            assert len(parse_config([text])) == 1 and "=" in text
        except BadKey as e:
            assert "is not key=value" in str(e)


def test_a_place_comes_back_from_its_line() -> None:
    for raw in filter(lambda raw: len(raw) < 1000, EVERY):
        if "\0" in raw:
            continue
        place = Locator("entity", wave="w0123456789ab", name="flights@main 2013-07-01T14", entity=raw, task="weather")
        assert not {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"} & {unicodedata.category(c) for c in str(place) if c != " "}, ascii(
            str(place)
        )
        assert parse(str(place)) == place
        for other in (
            Locator("state", path="shops", entity=raw),
            Locator("pipes", path="main/sales", date="2013-07-01", entity=raw),
        ):
            assert parse(str(other)) == other


def test_whatever_is_typed_after_a_colon_is_a_place_or_a_sentence() -> None:
    for text in EVERY:
        for line in (
            text,
            f":{text}",
            f"wave {text}",
            f"entity last {text} {text}",
            f"pipes {text} {text} {text} vs {text}",
            f"waves /{text}",
        ):
            try:
                place = parse(line)
            except BadLocator as e:
                assert str(e).isprintable()
                continue
            assert parse(str(place)) == place, ascii(line)


def test_settings_are_read_as_data(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for text in filter(is_text, (*STRINGS, *NUL)):
        quoted = "".join(f"\\U{ord(c):08x}" for c in text)
        for line in (
            f'save = "{quoted}"',
            f'theme = "{quoted}"',
            f'[keys]\n"wave.cancel" = "{quoted}"',
            f'glyphs = "{quoted}"',
            f'"{quoted}" = 1',
            text,
        ):
            file.write_bytes(line.encode())
            try:
                settings = load(file)
            except BadSettings as e:
                assert str(e).startswith(str(file))
                continue
            assert (
                text in (settings.save, settings.theme, settings.keys.get("wave.cancel"), settings.glyphs)
                or settings == type(settings)()
            )
