"""Any version has names that AWS allows, and no two share one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadKey, Refused
from engine.fleet.ecs.names import from_tag, names, tags, to_tag
from engine.fleet.names import slug
from engine.keys import check_version


def is_version(text: str) -> bool:
    try:
        check_version(text)
    except BadKey:
        return False
    return True


versions = st.text(min_size=1, max_size=60).filter(is_version) | st.from_regex(
    r"[A-Za-z0-9._#-]{1,80}(/[A-Za-z0-9._#-]{1,80})?", fullmatch=True
).filter(is_version)


@given(versions)
def test_every_version_has_legal_names(version: str) -> None:
    of = names(version)

    for name, most in ((of.cluster, 64), (of.worker_family, 255), (of.init_family, 255)):
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert len(name) <= most  # a schedule group has 64 at most, and is called as the cluster
    assert re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", of.log_group)


@given(versions)
def test_a_version_stands_in_its_tag(version: str) -> None:
    value = to_tag(version)

    assert re.fullmatch(r"[A-Za-z0-9 +=._:/@-]*", value)
    assert from_tag(value) == version


@pytest.mark.parametrize(
    ("one", "other"), [("a/b", "a-b"), ("feature/x", "Feature/x"), ("x" * 100 + "1", "x" * 100 + "2"), ("é", "è")]
)
def test_what_reads_the_same_is_told_apart(one: str, other: str) -> None:
    assert slug(one) != slug(other)
    assert len({*map(len, map(slug, (one, other)))}) == 1


def test_the_readable_part_is_readable() -> None:
    assert slug("feature/x") == "feature-x-217d2bf5"
    assert slug("東京") == slug("東京").strip("-")
    assert len(slug("x" * 200)) == 41


def test_a_name_that_no_tag_holds_is_refused() -> None:
    with pytest.raises(Refused, match="900 characters of a tag, which holds 256"):
        tags("東" * 100)
