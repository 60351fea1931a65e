import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.locator import VIEWS, BadLocator, Locator, parse

KEYS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30) | st.sampled_from(["vs", "/x", "w0123456789ab"])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("waves", Locator()),
        (":waves /failed !main", Locator(filter="failed !main")),
        (":wave flights@main 2013-07-01T14 failures", Locator("failures", name="flights@main 2013-07-01T14")),
        ("wave flights@main 2013-07-01T14", Locator("wave", name="flights@main 2013-07-01T14")),
        ("w last", Locator("wave", name="last")),
        ("wave w0123456789ab", Locator("wave", wave="w0123456789ab")),
        (
            "entity flights@feature/x 2013-07-01T14 w0123456789ab JFK-LAX weather",
            Locator("entity", "w0123456789ab", "flights@feature/x 2013-07-01T14", "JFK-LAX", "weather"),
        ),
        ("e last a%20b", Locator("entity", name="last", entity="a b")),
        ("pipes", Locator("pipes")),
        (
            "pipes main/forecast 2013-07-01T14 JFK-LAX vs fix-1",
            Locator("pipes", path="main/forecast", date="2013-07-01T14", entity="JFK-LAX", other="fix-1"),
        ),
        ("state routes", Locator("state", path="routes")),
        ("work", Locator("workers")),
        ("compare main/forecast vs x", Locator("compare", path="main/forecast", other="x")),
        (
            "compare feature/a/forecast 2013-07-01..2013-07-02T03 vs main truth x/seen",
            Locator("compare", path="feature/a/forecast", date="2013-07-01..2013-07-02T03", other="main", task="x/seen"),
        ),
        ("acts /cancel", Locator("acts", filter="cancel")),
    ],
)
def test_lines_lead_to_places(text: str, place: Locator) -> None:
    assert parse(text) == place
    assert parse(str(place)) == place


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "where to"),
        ("nowhere", "is no place"),
        ("x", "is no place"),
        ("wave", "which wave"),
        ("entity last", "which one"),
        ("waves today", "takes no 'today'"),
        ("pipes a b c d", "VERSION/NAME"),
        ("pipes a vs", "one version"),
        ("entity last %FF%FE", "no entity's key"),
        ("wave last failures now", "takes no 'now'"),
    ],
)
def test_lines_that_lead_nowhere_say_why(text: str, told: str) -> None:
    with pytest.raises(BadLocator, match=told):
        parse(text)


@given(entity=KEYS, query=st.text("abc:/! .*", max_size=12))
def test_any_entity_can_be_sent_as_a_line(entity: str, query: str) -> None:
    place = Locator("entity", "w0123456789ab", "shops@main 2013-07-01T14", entity, "sales", filter=query.strip())
    assert "\n" not in str(place)
    assert parse(str(place)) == place


def test_every_place_has_a_way_home() -> None:
    deep = parse("pipes main/forecast 2013-07-01T14 JFK-LAX vs fix-1")
    way = []
    while deep := deep.parent():  # type: ignore[assignment]
        way.append(str(deep))
    assert way == ["pipes main/forecast 2013-07-01T14", "pipes main/forecast", "pipes main", "pipes", "waves"]
    for view in VIEWS:
        place = Locator(view, wave="w0123456789ab", entity="e")
        steps = 0
        while place.parent() is not None:
            place, steps = place.parent() or place, steps + 1
        assert place.view == "waves" and steps <= 5
