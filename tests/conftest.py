"""Every test runs on a real Redis: one private server for the run, emptied before each test that asks for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from houses import HOUSES, House, NoTlsError
from redis import Redis

# pytest puts `tests` on the path, where the folders `console` and `flows` would pass for the packages of those names.
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WAVEDECK_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(autouse=True)
def _errors_of_the_console_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    if "console.app" in sys.modules:
        monkeypatch.setattr(sys.modules["console.app"].WavedeckApp, "strict", True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--redis", choices=sorted(HOUSES), help="the kind of Redis to run all tests on (standalone)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `every_house` run on each kind of Redis, but with `--redis` on that one only."""
    if metafunc.definition.get_closest_marker("every_house") and "redis_house" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--redis")
        metafunc.parametrize("redis_house", [chosen] if chosen else list(HOUSES), indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    house = config.getoption("--redis") or "standalone"
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if item.get_closest_marker("one_server") and params.get("redis_house", house) != "standalone":
            item.add_marker(pytest.mark.skip("it is about one plain server"))


@pytest.fixture(scope="session")
def houses_of_run() -> Iterator[dict[str, House]]:
    """The houses that this test run has needed so far."""
    opened: dict[str, House] = {}
    yield opened
    for house in opened.values():
        house.close()


@pytest.fixture(scope="session")
def redis_house(request: pytest.FixtureRequest, houses_of_run: dict[str, House]) -> House:
    """The Redis of the test: one server, or what `--redis` or `every_house` say. Tests that hurt a server start their own."""
    name = getattr(request, "param", None) or request.config.getoption("--redis") or "standalone"
    if name not in houses_of_run:
        try:
            houses_of_run[name] = HOUSES[name]()
        except NoTlsError as e:
            pytest.skip(str(e))
        except RuntimeError as e:
            pytest.fail(str(e), pytrace=False)
    return houses_of_run[name]


@pytest.fixture(scope="session")
def redis_url(redis_house: House) -> str:
    """URL of that Redis; it may hold what an earlier test wrote."""
    return redis_house.url


@pytest.fixture(name="redis")
def redis_client(redis_house: House) -> Iterator[Redis]:
    """A client (bytes, not str) of an empty Redis."""
    with redis_house.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def home(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh `WAVEDECK_HOME`, with `WAVEDECK_REDIS_URL` set to the server of the test run."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("WAVEDECK_HOME", str(folder))
    monkeypatch.setenv("WAVEDECK_REDIS_URL", redis_url)
    return folder
