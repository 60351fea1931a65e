"""Where workers run: versions, what was asked for and what runs, what is outstanding, what a wave costs; and acts on all of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.browser import show_page
from console.feed import Refusal
from console.locator import Locator
from console.moment import now
from console.pattern import BadPattern
from console.reports.fleet import Around, FleetRow, Seen, money, rows
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.fleet_lists import FleetList, HandList, matches
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextLine, TextPane, line
from console.screens.words import ago, clock, many
from console.sources.fleet import AroundNews, FleetSource
from console.theme import look
from console.widgets.text import clean, short_count
from engine.status import Status

if TYPE_CHECKING:
    from engine.fleet.house import FleetWorker
    from engine.store.connect import Client

EVERY = {"ecs": 15.0, "local": 2.0}
"""Seconds between two looks at a house, by its kind."""
SHARE, LONGEST, SOON = 20, 120.0, 3.0
"""Looking may take one part in so many of the time; the most between two looks; and the least, whoever asks."""
MANY = "no fleet: `wavedeck deploy` makes one on ECS, `wavedeck fleet scale 2` here"


class FleetScreen(DeckScreen):
    """The versions, below them the workers of the one under the cursor, and what is known of what the cursor is on. The path of the
    place is a version, or empty for all. The house is asked by errands while somebody looks: it is slow, may refuse, and costs."""

    scope = "fleet"
    CSS_PATH = "fleet.tcss"
    AUTO_FOCUS = "FleetList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("fleet")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = FleetSource()
        self._seen: tuple[Seen, ...] | None = None
        self._around: Mapping[str, Around] = {}
        self._house_at, self._trouble = 0.0, ""
        self._asking, self._began, self._due = "", 0.0, 0.0
        self._unfolded = False

    def compose(self) -> ComposeResult:
        yield Header(self._crumbs())
        yield FilterBar("words of version, state, image, worker, why it ended … · !not")
        yield FleetList(id="fleets").set_class(True, "panel")
        yield Rule(id="rule")
        yield HandList(id="hands").set_class(True, "panel")
        yield Rule(id="below")
        yield TextPane(id="about").set_class(True, "panel")
        yield self.foot()

    def _crumbs(self) -> list[str]:
        return ["waves", "fleet", *([self.place.path] if self.place.path else [])]

    def source(self) -> FleetSource:
        return self._source

    def on_mount(self) -> None:
        self._ask_house()

    def moved(self, place: Locator) -> bool:
        if place.path != self.place.path:
            self._seen, self._house_at = None, 0.0
        self.place = replace(place, filter=self.place.filter)
        self._ask_house()
        self._list()
        return True

    # news

    def _ask_house(self) -> None:
        """Looks at the house, unless that is under way."""
        if self._asking == f"house {self.place.path}":
            return
        self._asking, self._began = f"house {self.place.path}", time.monotonic()
        version, deck = self.place.path, self.deck

        def question(redis: Client) -> object:  # noqa: ARG001
            from console.reports.fleet import look as look_at

            return look_at(deck.house(), version)

        self.deck.errand(self, self._asking, question)

    def answered(self, name: str, value: Any) -> None:
        if name != self._asking:
            return
        self._seen, self._house_at, self._trouble = value, now(), ""
        self._settle()
        self._source.versions = tuple(one.service.version for one in value)
        self.feed.wake()
        self._list()

    def on_refusal(self, message: Refusal) -> None:
        """A house that goes on refusing is told of once; what it said last stays in sight."""
        if not message.name.startswith("house"):
            return
        if message.name != self._asking or self._trouble == message.reason:
            message.prevent_default()
        if message.name == self._asking:
            self._trouble = message.reason
            self._settle()
            self._list()

    def _settle(self) -> None:
        """When to look again."""
        took = time.monotonic() - self._began
        every = EVERY.get(self.deck.house_name, max(EVERY.values()))
        self._asking, self._due = "", time.monotonic() + min(max(every, SHARE * took), LONGEST)

    def show(self, body: object) -> None:
        assert isinstance(body, AroundNews)  # noqa: S101
        self._around = body.around
        self._list()

    def every_second(self) -> None:
        if not self.paused and time.monotonic() >= self._due:
            self._ask_house()
        self.query_one(HandList).repaint_rows()
        self._tell(top=False)

    def refresh_now(self) -> None:
        super().refresh_now()
        if time.monotonic() - self._began >= SOON:
            self._ask_house()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def action_dead(self) -> None:
        self._unfolded = not self._unfolded
        self._list()

    def _list(self) -> None:
        known = rows(self._seen or (), self._around)
        try:
            found = [row for row in known if matches(row, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        self.query_one(FleetList).update(found, self._empty())
        total = sum(row.service.running for row in known), sum(row.service.desired for row in known)
        facts = [
            f"{short_count(sum(row.outstanding for row in known))} outstanding",
            f"{total[0]:,} of {many(total[1], 'worker')} run",
        ]
        self.query_one(Header).tell(self._crumbs(), [*facts, many(len(known), "version")] if known else ())
        self._hands()

    def _empty(self) -> str:
        if self._seen is None:
            return f"the house does not tell: {self._trouble}" if self._trouble else "asking where workers run …"
        return "no version matches; esc clears the filter" if self.place.filter else MANY

    @on(RowList.Moved)
    def _moved(self) -> None:
        if not self.query_one(HandList).has_focus:
            self._hands()
        self._tell(top=True)

    def _hands(self) -> None:
        row = self.query_one(FleetList).chosen
        every = row.seen.workers if row else ()
        shown = [worker for worker in every if self._unfolded or worker.state != "stopped"]
        gone = len(every) - len(shown)
        none = (
            ""
            if row is None
            else row.seen.error or (f"no worker runs; z shows {gone} that ended" if gone else "no worker runs")
        )
        self.query_one(HandList).update(row, sorted(shown, key=lambda w: (w.state == "stopped", -w.stopped, w.created)), none)
        self._tell(top=False)

    def on_descendant_focus(self) -> None:
        if self._seen is not None:
            self._tell(top=True)

    def _tell(self, *, top: bool) -> None:
        row, worker = self.query_one(FleetList).chosen, self._worker()
        known = rows(self._seen or (), self._around)
        bad = [one.bad for one in ((row,) if row and row.bad else known) if one.bad]
        at = f"house as of {clock(self._house_at)}" if self._house_at else "asking the house"
        if self._trouble:
            old = f"{at}: " if self._house_at else ""
            self.query_one("#rule", Rule).tell(f"{old}{self._trouble}", bad=True)
        elif bad:
            self.query_one("#rule", Rule).tell(f"✗ {bad[0]}", at, bad=True)
        else:
            self.query_one("#rule", Rule).tell(f"workers of {row.service.version}" if row else "no version", at)
        gone = sum(w.state == "stopped" for w in row.seen.workers) if row else 0
        folded = f"{gone} ended, z {'folds them away' if self._unfolded else 'shows them'}" if gone else ""
        self.query_one("#below", Rule).tell(worker.name if worker else row.service.version if row else "", folded)
        told = about_worker(worker, row) if worker and row else about(row) if row else ()
        self.query_one("#about", TextPane).put(told, top=top)

    def _worker(self) -> FleetWorker | None:
        """The worker under the cursor, while that is among the workers."""
        hands = self.query_one(HandList)
        return hands.chosen if hands.has_focus else None

    # going and doing

    @on(RowList.Chosen)
    def _open(self) -> None:
        if (row := self.query_one(FleetList).chosen) is not None:
            self.deck.go(Locator("workers", path=row.service.version))

    def _version(self) -> FleetRow | None:
        row = self.query_one(FleetList).chosen
        if row is None:
            self.say("no version is under the cursor")
        return row

    def action_scale_fleet(self) -> None:
        if (row := self._version()) is not None:
            from console.dialogs.fleet import ScaleDialog

            self.app.push_screen(ScaleDialog(row), self._done)

    def action_stop_worker(self) -> None:
        worker = self.query_one(HandList).chosen
        if worker is None or worker.state == "stopped":
            self.say("no worker to stop is under the cursor; tab goes to the workers")
            return
        from console.dialogs.fleet import StopDialog

        self.app.push_screen(StopDialog(worker), self._done)

    def action_deploy_fleet(self) -> None:
        from console.dialogs.deploy import DeployDialog

        row = self.query_one(FleetList).chosen
        version = row.service.version if row else self.place.path or "main"
        self.app.push_screen(DeployDialog(version, row.service.image if row else ""), self._done)

    def _done(self, told: str | None) -> None:
        if told is not None:
            self.say(told)
            self._ask_house()

    def action_open_page(self) -> None:
        row, worker = self.query_one(FleetList).chosen, self._worker()
        url = (worker.url if worker else "") or (row.service.url if row else "")
        if url:
            show_page(self.deck, url)
        else:
            self.say("local workers have no page in the AWS console" if row else "no version is under the cursor")

    def copied(self) -> str:
        row, worker = self.query_one(FleetList).chosen, self._worker()
        if worker is not None:
            why = f": {worker.reason}" if worker.reason else ""
            return clean(f"{worker.name} ({worker.version}) {worker.state} {worker.image}{why}")
        if row is None:
            return ""
        s = row.service
        return clean(
            f"{s.version} on {s.house}: {s.state}, {s.desired} wanted, {s.running} run, {s.pending} pending, {row.outstanding:,} units outstanding {s.image}"
        )


def about(row: FleetRow) -> Iterator[TextLine]:
    """All that is known of a version's fleet."""
    s = row.service
    if row.bad:
        yield line(Text(f"{look(Status.FAILED).glyph} {row.bad}", Status.FAILED))
    elif s.detail:
        yield line(Text("said ", "muted"), s.detail)
    if row.around is not None:
        b = row.around.backlog
        told = f" pending + {b.running:,} running in {many(b.waves, 'open wave')}" if b.outstanding else ""
        yield line(
            Text("backlog ", "muted"),
            Text(f"{b.outstanding:,}", "lit"),
            Text(f" = {b.pending:,}{told}" if told else " units", "muted"),
        )
    size = f"{s.cpu:g} vCPU, {s.memory / 1e9:.1f} GB each" if s.cpu else ""
    cost = f"{money(row.hourly)} an hour now" if row.hourly else ""
    yield line(
        Text("workers ", "muted"),
        f"{s.least} to {s.most}",
        Text(f" · {' · '.join(filter(None, [size, cost]))}" if size else "", "muted"),
    )
    if s.image:
        yield line(Text("image ", "muted"), s.image)
    for one in row.around.costs if row.around else ():
        price = money(one.price) if one.price is not None else "no price: set WAVEDECK_PRICE_VCPU_HOUR, _GB_HOUR"
        yield line(
            Text(f"a wave of {one.flow} ", "muted"), Text(price, "lit" if one.price is not None else "muted"),
            Text(f" · {one.vcpu:,.0f} vCPU-s, {one.gb:,.0f} GB-s (median of {one.waves})", "muted"),
        )  # fmt: skip
    if row.around is not None and not row.around.costs:
        yield line(Text("what a wave costs is not known: the ledger has none of this version", "muted"))
    if s.url:
        yield line(Text("page ", "muted"), s.url)


def about_worker(worker: FleetWorker, row: FleetRow) -> Iterator[TextLine]:
    """All that its house knows of a worker."""
    if worker.reason:
        yield line(
            Text(
                f"{look(Status.FAILED).glyph if worker.exit else '–'} {worker.reason}", Status.FAILED if worker.exit else "lit"
            )
        )
    began, ended = worker.started or worker.created, worker.stopped
    told = [
        worker.kind,
        worker.state,
        f"began {ago(max(now() - began, 0.0))}" if began else "",
        f"ended {ago(max(now() - ended, 0.0))}" if ended else "",
    ]
    told += [f"pid {worker.pid}"] if worker.pid else []
    yield line(Text(", ".join(filter(None, told)), "muted"))
    if worker.image:
        odd = "  new workers start from another" if row.odd(worker) and worker.state != "stopped" else ""
        yield line(Text("image ", "muted"), worker.image, Text(odd, Status.RUNNING))
    if worker.url:
        yield line(Text("page ", "muted"), worker.url)
