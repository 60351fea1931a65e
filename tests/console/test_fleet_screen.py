"""The screen of fleets: what it says of both houses, what it asks of them and how often, and the acts."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_house import NEW, FakeHouse, a_service, a_worker, town
from played import NOON, PlayedApp, Stopped, drawn, failing, stop_clock, styles
from redis import Redis
from stage import HOSTILE, Stage
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.dialogs.deploy import DeployDialog
from console.dialogs.fleet import ScaleDialog, StopDialog
from console.locator import Locator, parse
from console.reports.fleet import look, rows, wave_cost
from console.screens import fleet as screen_module
from console.screens.fleet import FleetScreen
from console.screens.fleet_lists import FleetList, HandList
from engine.errors import Refused
from engine.fleet.house import House, Service, Spec
from engine.fleet.read_only import ReadOnlyHouse
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.ledger import Cost, Entry, Ledger
from engine.store.workers import SlotState, Worker, Workers

SIZES = ((80, 24), (120, 36), (200, 50))
PRICES = {"WAVEDECK_PRICE_VCPU_HOUR": "0.04", "WAVEDECK_PRICE_GB_HOUR": "0.0045"}


class Text(SingleFileSnapshotExtension):
    """A text file a snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    return stop_clock(monkeypatch)


def an_entry(number: int, cost: Cost, **more: Any) -> Entry:
    at = int(NOON * 1000) - 3_600_000 * number
    return Entry(
        f"w{number:012x}", "shops", "main", "2013-07-01T10", "t", "ana", at, at, at, 40, "", "", "", {}, {}, cost, **more
    )


def furnish(redis: Redis) -> None:
    """A wave of `main` with 16 entities left, and what its last waves cost; `feature/x` has two that nobody serves."""
    wave = failing(redis)
    Catalog(redis).publish("main", [Stage(redis, ["a"], version="other").plan])
    for number in range(3):
        Ledger(redis, "main").write(an_entry(number + 1, Cost(50.0, 3600.0 * (number + 1), 14400.0)))
    Stage(redis, ["a", "b"], version="feature/x", date="2013-07-01T14")
    assert wave.version == "main"


def the_app(redis: Redis, clock: Stopped, house: House, place: str = "fleet", **more: Any) -> PlayedApp:
    return PlayedApp(redis, clock, locator=place, house=lambda: house, **more)


async def play(app: PlayedApp, pilot: Pilot[None]) -> str:
    await app.play(pilot)
    return "\n".join(drawn(app))


# what it shows


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [(), ("j", "z", "tab", "j", "j", "j", "j")], ids=["versions", "worker"])
async def test_screen(
    redis: Redis,
    clock: Stopped,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
    size: tuple[int, int],
    keys: tuple[str, ...],
) -> None:
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    furnish(redis)
    app = the_app(redis, clock, town())
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        await pilot.press(*keys)
        await app.play(pilot)
        told = ["\n".join(line.rstrip() for line in drawn(app)), styles(app)]
    assert "\n\n".join(told) + "\n" == snapshot(extension_class=Text)


@pytest.mark.parametrize("dialog", ["S", "X", "D"])
async def test_dialogs(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, dialog: str
) -> None:
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    furnish(redis)
    app = the_app(redis, clock, town(), "fleet main")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        await pilot.press("tab", dialog)
        await app.play(pilot)
        if dialog == "S":
            await fill(pilot, "#count", "12")
            await app.play(pilot)
        told = "\n".join(line.rstrip() for line in drawn(app))
    assert told + "\n" == snapshot(extension_class=Text)


async def test_it_tells_versions_backlog_images_and_what_a_wave_costs(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(redis)
    app = the_app(redis, clock, town())
    async with app.run_test(size=(140, 40)) as pilot:
        text = await play(app, pilot)
        fleets = app.screen.query_one(FleetList)
        assert [row.service.version for row in fleets.rows] == ["feature/x", "main", "try"]
        assert [row.outstanding for row in fleets.rows] == [2, 40, 0]
        assert "feature/x: 2 units outstanding, and its fleet wants no worker" in text
        assert "house as of 14:06:31" in text

        # Prices are not configured, and that is said; the median of three waves
        await pilot.press("j")
        text = await play(app, pilot)
        assert "no price: set WAVEDECK_PRICE_VCPU_HOUR" in text and "7,200 vCPU-s, 14,400 GB-s (median of 3)" in text
        hands = app.screen.query_one(HandList)
        assert [w.state for w in hands.rows] == ["running"] * 3 + ["pending"] and "2 ended, z shows them" in text
        await pilot.press("z")
        assert "out of memory: it used more than its 4,096 MiB" in await play(app, pilot)

        # Workers of the image before are told from those of the new one
        main = fleets.rows[1]
        assert [main.odd(worker) for worker in hands.rows[:4]] == [True, True, False, False]

        # And enter leads to the version's workers, the key from there back
        await pilot.press("enter")
        await app.play(pilot)
        assert app.screen.place == Locator("workers", path="main")  # type: ignore[attr-defined]
        await pilot.press("6")
        await app.play(pilot)
        assert isinstance(app.screen, FleetScreen)


async def test_a_filter_finds_versions_by_what_became_of_their_workers(redis: Redis, clock: Stopped) -> None:
    app = the_app(redis, clock, town())
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        fleets = app.screen.query_one(FleetList)
        for typed, found in (("memory", ["main"]), ("failed", ["try"]), ("!main", ["feature/x", "try"])):
            await pilot.press("slash", *typed, "enter")
            assert [row.service.version for row in fleets.rows] == found
            await pilot.press("escape")
            await pilot.pause()


async def test_local_workers_have_no_page_and_nothing_to_deploy(redis: Redis, clock: Stopped) -> None:
    local = a_service("main", house="local", image="", cpu=0.0, memory=0, url="", least=0, most=100, detail="kept by process 7")
    worker = a_worker("main", 1, kind="local", image="", url="", protected=None, pid=70)
    app = the_app(redis, clock, FakeHouse("local", {"main": local}, [worker]))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "kept by process 7" in await play(app, pilot)
        await pilot.press("o")
        assert "local workers have no page" in notices(app)
        await pilot.press("D")
        text = await play(app, pilot)
        assert "local workers run the code of this machine" in text and app.screen.query_one("#yes", Button).disabled


async def test_a_place_without_a_fleet_says_what_makes_one(redis: Redis, clock: Stopped) -> None:
    app = the_app(redis, clock, FakeHouse())
    async with app.run_test(size=(110, 30)) as pilot:
        assert "no fleet: `wavedeck deploy` makes one on ECS" in await play(app, pilot)
        await pilot.press("S")
        assert "no version is under the cursor" in notices(app)
        app.go(parse("fleet nowhere"))
        text = await play(app, pilot)
        assert "absent" in text and "nothing is deployed" in text
        await pilot.press("S")
        text = await play(app, pilot)
        assert "nowhere has no workers to scale" in text and app.screen.query_one("#yes", Button).disabled


async def test_hostile_names_break_no_line(redis: Redis, clock: Stopped) -> None:
    services = {f"v{n}": a_service(f"v{n}", detail=text, image=text) for n, text in enumerate(HOSTILE)}
    workers = [a_worker("v0", n, name=text, reason=text) for n, text in enumerate(HOSTILE)]
    for size in ((80, 40), (160, 40)):
        app = the_app(redis, clock, FakeHouse("ecs", services, workers))
        async with app.run_test(size=size) as pilot:
            for keys in ((), ("tab",), ("X",)):
                await pilot.press(*keys)
                text = await play(app, pilot)
                assert "\x1b" not in text and "\u202e" not in text


# what it asks


async def test_a_house_that_refuses_takes_no_figures_away(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [1000.0]
    monkeypatch.setattr(screen_module, "time", SimpleNamespace(monotonic=lambda: ticks[0]))
    house = town()
    app = the_app(redis, clock, house)
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        assert house.asked == ["services", "workers", "workers", "workers"]

        # When it is looked at for less than a quarter of a minute, it is not asked again
        ticks[0] += 14.0
        app.screen.every_second()  # type: ignore[attr-defined]
        assert len(house.asked) == 4

        # When it then refuses, the figures stay, with their age and the sentence, which is told once
        house.refuses = "ECS is away; ask later"
        for _ in range(2):
            ticks[0] += 15.5
            clock.at += 15.5
            app.screen.every_second()  # type: ignore[attr-defined]
            text = await play(app, pilot)
        assert "ECS is away; ask later" in text and "house as of 14:06:31" in text and "rolling" in text
        assert notices(app).count("ECS is away") == 1 and len(house.asked) == 6

        # And when it answers again, the sentence goes
        house.refuses = ""
        ticks[0] += 16.0
        app.screen.every_second()  # type: ignore[attr-defined]
        text = await play(app, pilot)
        assert "house as of 14:07:02" in text and "ECS is away" not in text.split("house as of")[0].split("\n")[-1]

        # And nobody is asked while the news are stopped, or another screen is looked at
        asked = len(house.asked)
        await pilot.press("p")
        ticks[0] += 100
        app.screen.every_second()  # type: ignore[attr-defined]
        await pilot.press("p", "5")
        ticks[0] += 100
        await app.play(pilot)
        assert len(house.asked) == asked


async def test_one_version_that_is_not_told_takes_nothing_from_the_others(redis: Redis, clock: Stopped) -> None:
    house = town()
    house.throttles = "main"
    seen = {one.service.version: one for one in look(house)}
    assert seen["main"].error == "AWS was asked too often; ask later" and len(seen["try"].workers) == 1
    app = the_app(redis, clock, house, "fleet main")
    async with app.run_test(size=(110, 30)) as pilot:
        assert "AWS was asked too often; ask later" in await play(app, pilot)


# acts


def notices(app: PlayedApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def yes(app: PlayedApp) -> Button:
    return app.screen.query_one("#yes", Button)


async def fill(pilot: Pilot[None], field: str, text: str) -> None:
    pilot.app.screen.query_one(field, Input).value = text
    await pilot.pause()


async def test_scaling_says_what_it_does_and_no_is_the_default(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    furnish(redis)
    house = town()
    app = the_app(redis, clock, house, "fleet main")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        await pilot.press("S")
        assert isinstance(app.screen, ScaleDialog)
        text = await play(app, pilot)
        assert "4 workers are what it wants already" in text and yes(app).disabled

        await fill(pilot, "#count", "30")
        text = await play(app, pilot)
        assert "4 → 20" in text and "30 is outside its bounds: 0 to 20" in text and "16 workers of 1 vCPU" in text
        assert "40 units outstanding" in text and "1 of those alive is busy now" in text
        assert "0.237 → 1.19 an hour" in text
        await fill(pilot, "#count", "0")
        text = await play(app, pilot)
        assert "4 workers end: busy ones when they are done" in text and "they wait until there are workers again" in text

        await pilot.press("enter", "enter")  # from the field to No, and No
        await app.play(pilot)
        assert isinstance(app.screen, FleetScreen) and house.did == []

        await pilot.press("S")
        await app.play(pilot)
        await fill(pilot, "#count", "6")
        await pilot.press("enter", "right", "enter")
        text = await play(app, pilot)
        assert house.did == [("scale", "main", 6)] and "main will have 6 workers" in notices(app)
        assert "scaling" in text, "the house is looked at again at once"
    [act, *_] = Acts(redis).recent()
    assert (act.verb, act.version, act.origin, act.detail) == ("scale", "main", "console", "6 workers")


async def test_stopping_says_what_the_worker_runs(redis: Redis, clock: Stopped) -> None:
    house = town()
    name = house.workers[0].name
    busy = [SlotState(1, "w0123456789ab", "JFK-LAX", "weather", NOON - 5)]
    Workers(redis).beat(Worker("a", "main", "ip-10", 1, NOON - 60, NOON, busy, task=f"arn:aws:ecs:task/c/{name}"))
    app = the_app(redis, clock, house, "fleet main")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        await pilot.press("tab", "X")
        assert isinstance(app.screen, StopDialog)
        text = await play(app, pilot)
        assert "runs weather of JFK-LAX" in text and "it has told the house that it is busy" in text
        await pilot.press("right", "enter")
        await app.play(pilot)
    [(verb, version, worker, reason)] = house.did
    assert (verb, version, worker) == ("stop", "main", name) and str(reason).startswith("stopped in the console by ")
    assert Acts(redis).recent()[0].verb == "stop"


async def test_a_deploy_is_planned_before_it_is_done(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wavedeck.toml").write_text("[aws]\nmemory = 8192\n")
    house = town()
    app = the_app(redis, clock, house, "fleet try")
    async with app.run_test(size=(120, 30)) as pilot:
        await app.play(pilot)
        await pilot.press("D")
        assert isinstance(app.screen, DeployDialog)
        text = await play(app, pilot)
        assert "try: nothing to do; 2 as they are" in text and yes(app).disabled

        # When another image is typed, nothing can be done before its plan was shown
        await fill(pilot, "#image", NEW)
        assert yes(app).disabled
        await pilot.press("enter")
        text = await play(app, pilot)
        assert "try: this would be done: 1 altered, 1 as they are" in text and "~ service workers" in text
        assert house.did == [] and not yes(app).disabled

        await pilot.press("enter", "right", "enter")
        await app.play(pilot)
    assert house.did == [("deploy", "try", NEW, 8192)], "with the settings of the folder"
    assert (Acts(redis).recent()[0].verb, Acts(redis).recent()[0].detail) == ("deploy", NEW)


async def test_read_only_has_no_acts_and_the_house_refuses_them_as_well(redis: Redis, clock: Stopped) -> None:
    house = town()
    app = the_app(redis, clock, house, "fleet main", read_only=True)
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        await pilot.press("S", "D", "tab", "X")
        text = await play(app, pilot)
        assert isinstance(app.screen, FleetScreen) and "S scale" not in text and "read-only" in text

    locked = ReadOnlyHouse(house).fleet("main")
    deeds: list[Callable[[], object]] = [
        lambda: locked.scale(1),
        lambda: locked.stop(house.workers[0].name, "odd"),
        lambda: locked.deploy(Spec(NEW)),
        locked.undeploy,
    ]
    for deed in deeds:
        with pytest.raises(Refused, match="read-only"):
            deed()
    assert house.did == [] and locked.deploy(Spec(NEW), dry_run=True).dry_run


async def test_a_page_is_opened_where_there_is_a_browser_and_else_copied(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    app = the_app(redis, clock, town(), "fleet main")
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        await pilot.press("o")
        assert app.clipboard.endswith("clusters/main")
        await pilot.press("tab", "o")
        assert app.clipboard.endswith(f"{1:032x}") and "copied https://" in notices(app)

        opened: list[str] = []
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr("console.browser.webbrowser.open", lambda url: opened.append(url) or True)
        await pilot.press("o")
        for _ in range(200):
            if opened:
                break
            await pilot.pause(0.01)
        assert opened == [app.clipboard]


# what is found out


def test_a_wave_costs_what_the_last_whole_ones_did(monkeypatch: pytest.MonkeyPatch) -> None:
    waves = [
        an_entry(1, Cost(1.0, 9000.0, 1.0, price=9.0), cancelled="too late"),
        an_entry(2, Cost(1.0, 9000.0, 1.0), of="w000000000001"),
        an_entry(3, Cost(1.0)),
        *[an_entry(4 + n, Cost(1.0, 100.0 * (n + 1), 400.0, price=0.5 + n)) for n in range(7)],
    ]
    told = wave_cost("shops", waves)
    assert told is not None and (told.waves, told.vcpu, told.gb, told.price) == (5, 300.0, 400.0, 2.5)
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    told = wave_cost("shops", waves)
    assert told is not None and told.price == pytest.approx((300 * 0.04 + 400 * 0.0045) / 3600, abs=1e-6)
    assert wave_cost("shops", waves[:3]) is None


def test_what_a_fleet_costs_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    [row] = rows(look(FakeHouse("ecs", {"main": a_service("main")})), {})
    assert row.hourly is None
    for name, value in PRICES.items():
        monkeypatch.setenv(name, value)
    assert row.hourly == pytest.approx(3 * (0.04 + 4.294967296 * 0.0045), abs=1e-6)
    [unknown] = rows(look(FakeHouse("local", {"main": Service("main", "local", 1, 1, 0, 0, 9, "steady")})), {})
    assert unknown.hourly is None and not unknown.bad


def test_a_place_is_typed_as_it_is_told() -> None:
    for text in ("fleet", "fleet feature/x", "fleet main /memory !spot"):
        assert str(parse(text)) == text
    assert parse("fl").view == "fleet" and parse("fleet main").parent() == Locator()
