"""The list of workers: one row a worker, the odd one loud."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.style import Style

from console import moment
from console.pattern import has_words
from console.reports.crew import WorkerRow, holding
from console.reports.judge import percent
from console.screens.rows import Piece, RowList
from console.screens.words import age, ago, unix
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_count, short_seconds
from engine.status import Status

STATE = 8
SORTS: dict[str, Callable[[WorkerRow], tuple[Any, ...]]] = {
    "worst first": lambda row: (row.gone or not row.bad, not row.held, row.gone, row.name),
    "name": lambda row: (row.gone, row.name),
    "failure rate": lambda row: (row.gone, -(row.verdict.rate if row.verdict else 0.0), row.name),
    "pace": lambda row: (row.gone, -((row.verdict.slower or 0.0) if row.verdict else 0.0), row.name),
    "memory": lambda row: (row.gone, -row.memory, row.name),
    "served": lambda row: (row.gone, -row.served, row.name),
}
COLUMNS: tuple[tuple[str, int, int], ...] = (
    ("BUSY", 5, 0),
    ("FAIL", 5, 0),
    ("RUNS IN", 7, 0),
    ("SERVED", 6, 0),
    ("MEMORY", 7, 100),
    ("UP", 4, 100),
    ("PID", 7, 120),
)
"""Title, cells, and from which width on it is shown; right-aligned."""


def megabytes(size: int) -> str:
    """`512 MB`, `1.4 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def matches(row: WorkerRow, query: str) -> bool:
    """Whether a worker has all the query's words: regular expressions, `!` turns one round; `bad` too.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    runs = [word for slot in row.busy for word in (slot.task, slot.entity, slot.name) if word]
    verdict = row.verdict.words if row.verdict else ""
    text = " ".join(
        [row.name, row.host, row.version, row.image, row.state, str(row.pid), *runs, verdict, "bad" if row.bad else ""]
    )
    return has_words(text, query)


class WorkerList(RowList):
    """The workers. The cursor stays with its worker, once it has been moved."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[WorkerRow, ...] = ()
        self.sort = "worst first"
        self._empty, self._cells_of_name = "asking Redis …", 12
        self._version = self._image = 0

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> WorkerRow | None:
        """The worker under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def update(self, rows: Sequence[WorkerRow], empty: str) -> None:
        """Shows `rows`, sorted, or says `empty`."""
        before = self.chosen
        self.rows, self._empty = tuple(sorted(rows, key=SORTS[self.sort])), empty
        self._cells_of_name = _widest([row.name for row in self.rows], 6, 24)
        self._version = _widest([row.version for row in self.rows], 7, 16)
        self._image = _widest([row.image for row in self.rows], 0, 28)
        keys = [self.key(number) for number in range(len(self.rows))]
        if before is not None and self.cursor and (before.version, before.name) in keys:
            self.cursor = keys.index((before.version, before.name))
        self.changed()

    def key(self, number: int) -> Hashable:
        return self.rows[number].version, self.rows[number].name

    def empty(self) -> str:
        return self._empty

    def _shape(self, width: int) -> tuple[int, list[tuple[str, int]], int, int, int, int]:
        """Cells of the name, the columns, then of version, host and image (0: not shown), and of what it runs."""
        columns = [(title, cells) for title, cells, least in COLUMNS if width >= least]
        name = self._cells_of_name if width >= 100 else min(self._cells_of_name, 14)
        used = 2 + 2 + name + 1 + STATE + sum(cells + 1 for _, cells in columns)
        left = width - used - 2
        version = self._version if left - self._version - 2 >= 36 else 0
        left -= version + 2 if version else 0
        host = 16 if left - 18 >= 44 else 0
        left -= host + 2 if host else 0
        image = max(self._image, 5) if self._image and left - self._image - 2 >= 36 else 0
        left -= image + 2 if image else 0
        return name, columns, version, host, image, max(left, 0)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name, columns, version, host, image, runs = self._shape(width)
        yield f"    {fit('WORKER', name)} {fit('STATE', STATE)}", palette.muted
        for title, cells in columns:
            here = {"failure rate": "FAIL", "pace": "RUNS IN", "memory": "MEMORY", "served": "SERVED"}.get(self.sort) == title
            yield f" {title:>{cells}}", palette.lit if here else palette.muted
        for title, cells in (("VERSION", version), ("HOST", host), ("IMAGE", image)):
            if cells:
                yield f"  {fit(title, cells)}", palette.muted
        yield f"  {fit('RUNS NOW', runs)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, here, now = self.rows[number], number == self.cursor, moment.now()
        name, columns, version, host, image, runs = self._shape(width)
        odd, loud, busy = palette.style(Status.FAILED), row.bad or bool(row.held), row.state in ("busy", "draining")
        glyph = look(Status.FAILED if loud else Status.RUNNING).glyph if loud or busy else "–" if row.gone else "·"
        yield self.lead(number), palette.lit
        yield f"{glyph} ", odd if loud else palette.style(Status.RUNNING) if busy else palette.faint
        yield fit(row.name, name) + " ", odd if loud else palette.lit if here else palette.muted if row.gone else palette.text
        yield fit(row.state, STATE), palette.style(Status.RUNNING) if row.state == "draining" else palette.muted
        for title, cells in columns:
            yield f" {_say(row, title, now):>{cells}}", self._style(row, title, palette)
        for text, cells in ((row.version, version), (row.host, host), (row.image or "–", image)):
            if cells:
                yield f"  {fit(text, cells)}", palette.muted
        text, style = self._runs(row, palette, now, runs)
        yield f"  {fit(text, runs)}", style

    def _style(self, row: WorkerRow, title: str, palette: Palette) -> Style:
        told = row.verdict
        if told is not None and (
            (title == "FAIL" and told.failing and not told.partition) or (title == "RUNS IN" and told.slow)
        ):
            return palette.style(Status.FAILED)
        return palette.muted if row.gone or title in ("SERVED", "MEMORY", "UP", "PID") else palette.text

    def _runs(self, row: WorkerRow, palette: Palette, now: float, width: int) -> tuple[str, Style]:
        """What it runs; but first what is wrong with it."""
        if row.held:
            return holding(row, now, short=width < 52), palette.style(Status.FAILED)
        if row.bad and row.verdict is not None:
            fits = cell_len(row.verdict.words) + 2 <= width
            return f"{look(Status.FAILED).glyph} {row.verdict.words if fits else row.verdict.short}", palette.style(
                Status.FAILED
            )
        if row.gone:
            if row.beat is None:
                return "not heard of", palette.muted
            silent = now - (unix(row.beat) or now)
            return f"left {ago(silent)}" if row.state == "stopped" else f"dead for {age(max(silent, 1.0))}", palette.muted
        if not row.busy:
            return "", palette.muted
        slot = row.busy[0]
        ran = short_seconds(max(now - (unix(slot.since) or now), 0.0))
        more = f" +{len(row.busy) - 1}" if len(row.busy) > 1 else ""
        flow = f"{(slot.name or '').partition('@')[0]} " if width >= 50 else ""
        return f"{flow}{slot.task} of {slot.entity} {ran}{more}", palette.text


def _say(row: WorkerRow, title: str, now: float) -> str:
    told = row.verdict
    said = {
        "BUSY": f"{len(row.busy)}/{len(row.slots)}" if not row.gone else "–",
        "FAIL": percent(told.rate) if told is not None and told.entities else "–",
        "RUNS IN": short_seconds(told.median) if told is not None else "–",
        "SERVED": short_count(row.served),
        "MEMORY": megabytes(row.memory) if row.memory else "–",
        "UP": age(max(now - (unix(row.started) or now), 0.0)) if not row.gone else "–",
        "PID": str(row.pid or "–"),
    }
    return said[title]


def _widest(texts: Sequence[str], least: int, most: int) -> int:
    return min(max([least, *(cell_len(clean(text[:100])) for text in texts)]), most)
