"""Which house is asked."""

import pytest

from engine.errors import Refused
from engine.fleet.choose import open_house


@pytest.mark.parametrize(
    ("name", "environment", "aws", "house"),
    [
        ("", "", None, "local"),
        ("", "", {}, "local"),
        ("", "", {"region": "eu-central-1"}, "ecs"),
        ("", "ecs", None, "ecs"),
        ("", "local", {"region": "eu-central-1"}, "local"),
        ("local", "ecs", {"region": "eu-central-1"}, "local"),
        ("ecs", "", None, "ecs"),
    ],
)
def test_it_is_what_is_asked_for_else_what_the_environment_or_the_settings_mean(
    monkeypatch: pytest.MonkeyPatch, name: str, environment: str, aws: dict[str, str] | None, house: str
) -> None:
    monkeypatch.setenv("WAVEDECK_FLEET", environment)

    assert open_house(name=name, aws=aws).name == house


def test_another_house_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEDECK_FLEET", "kubernetes")

    with pytest.raises(Refused, match=r"no house 'kubernetes' .* local or ecs"):
        open_house()
