"""The catalog: versions, what they have published, and the layers of a task's config."""

import time
from dataclasses import replace

import pytest
from boards import plan
from redis import Redis

from engine.errors import BadKey, NotFound
from engine.keys import VERSIONS
from engine.plan import Plan, TaskPlan
from engine.store.catalog import LIFE, Catalog, resolve_config

pytestmark = pytest.mark.every_house

CONFIGURED = Plan("shop", (TaskPlan("a", config={"k": 1, "only": "a"}), TaskPlan("b.2", config={"k": 2}), TaskPlan("c")))


def test_what_is_published_can_be_read_by_who_has_not_its_code(redis: "Redis") -> None:
    catalog = Catalog(redis)

    catalog.publish("feature/x", [CONFIGURED, plan("a", flow="other")])

    assert catalog.flows("feature/x") == {"other": plan("a", flow="other"), "shop": CONFIGURED}
    assert catalog.plan("feature/x", "shop") == CONFIGURED
    assert catalog.flows("main") == {}
    with pytest.raises(NotFound, match="'main' has published no flow 'shop'"):
        catalog.plan("main", "shop")


def test_publishing_again_replaces(redis: "Redis") -> None:
    catalog = Catalog(redis)
    catalog.publish("main", [CONFIGURED])

    catalog.publish("main", [replace(CONFIGURED, doc="new")])

    assert catalog.plan("main", "shop").doc == "new"


def test_versions_are_listed_the_last_active_first_and_forgotten_in_the_end(redis: "Redis") -> None:
    catalog = Catalog(redis)
    for version in ("old", "main", "fix/1"):
        catalog.touch(version)
    redis.zadd(VERSIONS, {"old": time.time() - LIFE - 60, "main": time.time() - 60})

    assert catalog.versions() == ["fix/1", "main", "old"]

    catalog.touch("fix/1")
    assert catalog.versions() == ["fix/1", "main"]


def test_an_illegal_version_is_refused(redis: "Redis") -> None:
    with pytest.raises(BadKey, match="version"):
        Catalog(redis).publish("my version", [CONFIGURED])
    with pytest.raises(BadKey, match="version"):
        Catalog(redis).set_config("{x}", "shop", {"k": 1})


def test_every_key_of_the_catalog_expires(redis: "Redis") -> None:
    catalog = Catalog(redis)
    catalog.publish("main", [CONFIGURED])
    catalog.set_config("main", "shop", {"k": 1})

    assert all(redis.ttl(key) > 0 for key in redis.scan_iter())


def test_a_task_s_config_is_its_defaults_with_each_layer_over_them(redis: "Redis") -> None:
    catalog = Catalog(redis)
    catalog.set_config("main", "shop", {"k": 10, "a.only": {"deep": [1, None]}})

    resolved = resolve_config(CONFIGURED, catalog.config("main", "shop"), {"b.2.k": 20})

    assert resolved == {"a": {"k": 10, "only": {"deep": [1, None]}}, "b.2": {"k": 20}}
    assert CONFIGURED.tasks[0].config == {"k": 1, "only": "a"}


def test_a_version_s_config_is_its_own(redis: "Redis") -> None:
    catalog = Catalog(redis)
    catalog.set_config("main", "shop", {"k": 10})

    assert catalog.config("main", "other") == {}
    assert catalog.config("fix", "shop") == {}


def test_of_two_layers_the_last_wins_and_the_more_general_may_be_it() -> None:
    assert resolve_config(CONFIGURED, {"a.k": 5}, {"k": 6})["a"]["k"] == 6
    assert resolve_config(CONFIGURED, {"k": 6}, {"a.k": 5}) == {"a": {"k": 5, "only": "a"}, "b.2": {"k": 6}}


@pytest.mark.parametrize("name", ["nothing", "a.nothing", "c.k", "z.k", "", "a."])
def test_config_that_no_task_has_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(BadKey, match=r"a\.k, a\.only, b\.2\.k"):
        resolve_config(CONFIGURED, {name: 1})


def test_config_of_a_flow_that_has_none() -> None:
    with pytest.raises(BadKey, match="there are: none"):
        resolve_config(plan("a"), {"k": 1})
    assert resolve_config(plan("a")) == {}
