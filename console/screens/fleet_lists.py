"""The lists of the fleets' screen: a row a version, and below a row a worker of the version under the cursor."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from rich.cells import cell_len
from rich.style import Style

from console.moment import now
from console.pattern import has_words
from console.reports.fleet import FleetRow, digest, money
from console.screens.rows import Piece, RowList
from console.screens.words import age
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_count
from engine.fleet.house import FleetWorker
from engine.status import Status

STATE = 8
WIDE = 110
"""Cells from which on a worker's whole name and its kind are shown."""
MOVING = ("scaling", "rolling", "leaving")


class FleetList(RowList):
    """The versions. The cursor stays with its version, once it has been moved."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[FleetRow, ...] = ()
        self._empty = "asking where workers run …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> FleetRow | None:
        """The version under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def key(self, number: int) -> Hashable:
        return self.rows[number].service.version

    def update(self, rows: Sequence[FleetRow], empty: str) -> None:
        """Shows `rows`, or says `empty`."""
        before = self.key(self.cursor) if self.rows and self.cursor else None
        self.rows, self._empty = tuple(rows), empty
        keys = [self.key(number) for number in range(self.count)]
        if before in keys:
            self.cursor = keys.index(before)
        self.styles.height = 1 + min(max(self.count, 1), max(self.app.size.height // 3, 3))
        self.changed()

    def empty(self) -> str:
        return self._empty

    def _shape(self, width: int) -> tuple[int, bool, int]:
        """Cells of the version, whether house and bounds are shown, and cells of what a wave costs."""
        wide = width >= 100
        used = 4 + STATE + 1 + 3 * 5 + 10 + 14 + (17 if wide else 0)
        longest = max([7, *(cell_len(clean(row.service.version[:100])) for row in self.rows)])
        name = min(longest, max(width - used - 14, 12))
        return name, wide, max(width - used - name - 3, 0)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name, wide, cost = self._shape(width)
        yield f"    {fit('VERSION', name)} {fit('STATE', STATE)}", palette.muted
        yield f"{'WANT':>5}{'RUN':>5}{'PEND':>5}", palette.muted
        yield f" {'HOUSE':<6}{'BOUNDS':>10}" if wide else "", palette.muted
        yield f"{'BACKLOG':>10}  {fit('IMAGE', 12)}  {fit('A WAVE', cost)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, (name, wide, cost) = self.rows[number], self._shape(width)
        s = row.service
        failed, running = palette.style(Status.FAILED), palette.style(Status.RUNNING)
        yield self.lead(number), palette.lit
        glyph = look(Status.FAILED).glyph if row.bad else look(Status.RUNNING).glyph if s.running else "·"
        yield f"{glyph} ", failed if row.bad else running if s.running else palette.faint
        yield f"{fit(s.version, name)} ", palette.lit if number == self.cursor else palette.text
        yield fit(s.state, STATE), failed if s.state == "failed" else running if s.state in MOVING else palette.muted
        yield f"{s.desired:>5}", palette.text
        yield f"{s.running:>5}", palette.text if s.running == s.desired else palette.lit
        yield f"{s.pending or '–':>5}", running if s.pending else palette.faint
        if wide:
            yield f" {s.house:<6}{f'{s.least}–{s.most}':>10}", palette.muted
        known = row.around is not None
        yield f"{short_count(row.outstanding) if known else '?':>10}", failed if row.idle_house else palette.text
        yield f"  {fit(digest(s.image) or '–', 12)}  ", palette.muted
        yield fit(_cost(row), cost), palette.muted


def _cost(row: FleetRow) -> str:
    """What a wave of the version costs; of several flows the dearest."""
    known = row.around.costs if row.around else ()
    if not known:
        return "–"
    dearest = max(known, key=lambda cost: (cost.price or 0.0, cost.vcpu))
    told = money(dearest.price) if dearest.price is not None else f"{short_count(round(dearest.vcpu))} vCPU-s"
    return f"{told} {dearest.flow}" if len(known) > 1 else told


class HandList(RowList):
    """The workers of one version. The cursor stays with its worker, once it has been moved."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[FleetWorker, ...] = ()
        self._of: FleetRow | None = None
        self._empty = ""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> FleetWorker | None:
        """The worker under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def key(self, number: int) -> Hashable:
        return self.rows[number].version, self.rows[number].name

    def update(self, of: FleetRow | None, rows: Sequence[FleetWorker], empty: str) -> None:
        """Shows `rows`, workers of `of`, or says `empty`."""
        before = self.key(self.cursor) if self.rows and self.cursor else None
        same = self._of is not None and of is not None and self._of.service.version == of.service.version
        self.rows, self._of, self._empty = tuple(rows), of, empty
        keys = [self.key(number) for number in range(self.count)]
        self.cursor = keys.index(before) if before in keys else min(self.cursor, max(self.count - 1, 0)) if same else 0
        self.changed()

    def empty(self) -> str:
        return self._empty

    def _cells(self, width: int) -> int:
        longest = max([6, *(cell_len(clean(row.name[:100])) for row in self.rows)])
        return min(longest, 32 if width >= WIDE else 12)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield f"    {fit('WORKER', self._cells(width))} {fit('STATE', STATE)}", palette.muted
        yield f" {fit('KIND', 9)}" if width >= WIDE else "", palette.muted
        yield f"{'FOR':>5}", palette.muted
        yield f"  {fit('BUSY', 4)}  {fit('IMAGE', 12)}{'EXIT':>6}  WHY", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        worker, cells = self.rows[number], self._cells(width)
        ended, bad = worker.state == "stopped", bool(worker.exit)
        failed, running = palette.style(Status.FAILED), palette.style(Status.RUNNING)
        yield self.lead(number), palette.lit
        glyph = look(Status.FAILED).glyph if bad else "–" if ended else look(Status.RUNNING).glyph
        yield f"{glyph} ", failed if bad else palette.faint if ended else running
        yield f"{fit(worker.name, cells)} ", palette.lit if number == self.cursor else palette.muted if ended else palette.text
        yield fit(worker.state, STATE), running if worker.state in ("pending", "stopping") else palette.muted
        yield f" {fit(worker.kind, 9)}" if width >= WIDE else "", palette.muted
        yield f"{_since(worker):>5}", palette.muted
        yield f"  {fit({True: 'yes', False: 'no', None: '–'}[worker.protected], 4)}  ", palette.muted
        yield fit(digest(worker.image) or "–", 12), self._image(worker, palette)
        yield f"{'–' if worker.exit is None else worker.exit:>6}", failed if bad else palette.faint
        yield f"  {fit(worker.reason, max(width - cells - (56 if width >= WIDE else 46), 4))}", palette.text

    def _image(self, worker: FleetWorker, palette: Palette) -> Style:
        odd = self._of is not None and worker.state != "stopped" and self._of.odd(worker)
        return palette.style(Status.RUNNING) if odd else palette.muted


def _since(worker: FleetWorker) -> str:
    began = worker.started or worker.created
    return age(max((worker.stopped or now()) - began, 0.0)) if began else "–"


def matches(row: FleetRow, query: str) -> bool:
    """Whether a version, or a worker of it, has all the query's words: regular expressions; `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    s = row.service
    workers = [word for w in row.seen.workers for word in (w.name, w.state, w.kind, w.reason)]
    return has_words(" ".join([s.version, s.house, s.state, s.image, s.detail, *workers]), query)
