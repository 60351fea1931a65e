"""A comparison as tables of text: what a terminal prints and what a Markdown report holds are the same tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.reports.compare import Report, counts, headline, number, percent, share, signed, when
from console.reports.markdown import code, row
from console.widgets.text import short_seconds
from engine.compare.figures import Compared, Numbers, Spread, Test, Truth
from engine.compare.paired import BY_HOUR, FEWEST, p_text

SHOWN = 12
"""Paths, and waves, of a table; `--json` has all."""


@dataclass(frozen=True)
class Block:
    """A table under a title, and sentences below it. Headings that end in `>` are of numbers; the first `codes` columns hold text from outside."""

    title: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    codes: int = 0


def blocks(report: Report) -> Iterator[Block]:
    """What there is to say, in order."""
    found = report.found
    yield Block("Pipes", ("", "PIPES>", ""), tuple((what, f"{n:,}", which) for what, n, which in counts(found)))
    if found.truth is not None:
        yield from _truth(found, found.truth)
    yield from _numbers(found)
    if report.paths:
        yield _paths(report)
    yield _runs(found)


def _truth(found: Compared, truth: Truth) -> Iterator[Block]:
    a, b = truth.a, truth.b
    told = [("mean absolute error", a.mae, b.mae), ("root mean square error", a.rmse, b.rmse)]
    rows = [(name, number(x), number(y), signed(y - x), percent((y - x) / x if x else None)) for name, x, y in told]
    rows.append(("bias (forecast − truth)", signed(a.bias), signed(b.bias), signed(b.bias - a.bias), ""))
    nearer = (
        f"{found.b} was nearer in {truth.nearer_b:,} of {truth.pairs:,} pairs of entity and hour ({share(truth.nearer_b, truth.pairs)}), "
        f"{found.a} in {truth.nearer_a:,}."
    )
    of = f"{truth.points:,} forecasts of {truth.entities:,} entities for {truth.hours:,} hours, against {truth.pipe}."
    heads = ("", f"{found.a}>", f"{found.b}>", "DIFFERENCE>", "CHANGE>")
    yield Block("Against what really happened", heads, tuple(rows), (of, nearer))
    yield Block(
        "Paired tests", ("TEST", "OVER", "DIFFERENCE>", "95 % INTERVAL>", "P>"), tuple(map(_test, truth.tests)), _caveats(truth)
    )
    if len(truth.by_lead) > 1:
        yield _by_lead(found, truth)
    for title, gains in ((f"Where {found.b} is worse", truth.lost), (f"Where {found.b} is better", truth.won)):
        told_rows = tuple((g.entity, f"{g.points:,}", number(g.a), number(g.b), signed(g.b - g.a)) for g in gains)
        if told_rows:
            yield Block(
                title, ("ENTITY", "FORECASTS>", f"{found.a} MAE>", f"{found.b} MAE>", "DIFFERENCE>"), told_rows, codes=1
            )


def _test(test: Test) -> tuple[str, ...]:
    over = f"{test.n:,} {test.unit}{' (an even sample)' if test.sampled else ''}"
    interval = f"{signed(test.low)} to {signed(test.high)}" if test.low is not None else "–"
    return test.name, over, signed(test.difference), interval, p_text(test.p) if test.p is not None else f"– {test.why}"


def _caveats(truth: Truth) -> tuple[str, ...]:
    first = truth.tests[0]
    said = [
        "The first test is the one to go by: it takes the errors of an hour together, and lets those of neighbouring hours go together. The second "
        "takes each pair for a witness of its own, though one storm delays many entities for hours, so its p is too small; it knows nothing of "
        "how large errors are, so no single day decides it."
    ]
    if first.name == BY_HOUR and first.n < FEWEST:
        said.append(f"{first.n:,} hours are few: from {FEWEST} on a verdict is given.")
    return tuple(said)


def _by_lead(found: Compared, truth: Truth) -> Block:
    rows = [
        (
            lead.what,
            f"{lead.points:,}",
            number(lead.a.mae),
            number(lead.b.mae),
            signed(lead.b.mae - lead.a.mae),
        )
        for lead in truth.by_lead
    ]
    heads = ("HOURS AHEAD>", "FORECASTS>", f"{found.a} MAE>", f"{found.b} MAE>", "DIFFERENCE>")
    return Block("By horizon", heads, tuple(rows))


def _numbers(found: Compared) -> Iterator[Block]:
    changed = [n for n in found.numbers if n.equal < n.points]
    same = [n.curve or "the value" for n in found.numbers if n.equal == n.points]
    rows: list[tuple[str, ...]] = []
    for one in changed:
        rows += [
            _spread(one, "difference", one.difference, relative=False),
            _spread(one, "relative", one.relative, relative=True),
        ]
    notes = [f"Equal everywhere: {', '.join(same)}."] if same else []
    if any(n.difference is not None and n.difference.sampled for n in found.numbers):
        notes.append("Quantiles are of an even sample of 100,000 numbers; means, least and most are of all.")
    heads = ("NUMBERS", "", "POINTS>", "EQUAL>", "MEAN>", "LEAST>", "P05>", "P25>", "P50>", "P75>", "P95>", "MOST>")
    if rows or notes:
        yield Block(f"Numbers: {found.b} − {found.a}", heads if rows else (), tuple(rows), tuple(notes), codes=1)
    if found.worst:
        told = tuple(
            (
                w.entity,
                f"{w.points:,}",
                number(w.mean),
                number(w.largest),
                w.at if w.at == w.date else f"{w.at} of {w.date}",
                number(w.a),
                number(w.b),
            )
            for w in found.worst
        )
        names = ("ENTITY", "POINTS>", "MEAN>", "LARGEST>", "AT", f"{found.a}>", f"{found.b}>")
        yield Block("Furthest apart", names, told, codes=1)


def _spread(one: Numbers, what: str, spread: Spread | None, *, relative: bool) -> tuple[str, ...]:
    def shown(value: float) -> str:
        return percent(value) if relative else signed(value)

    head = (one.curve or "the value") if what == "difference" else "", what
    if spread is None:
        return (*head, "", "", *["–"] * 8)
    q = spread.quantiles
    values = (spread.mean, spread.least, q["p05"], q["p25"], q["p50"], q["p75"], q["p95"], spread.most)
    amounts = (f"{one.points:,}", f"{one.equal:,}") if what == "difference" else (f"{spread.n:,}", "")
    return (*head, *amounts, *map(shown, values))


def _paths(report: Report) -> Block:
    rows = tuple(
        (
            p.path,
            f"{p.before} → {p.now}",
            f"{p.entity} {p.date}",
            f"{p.pipes:,}",
            f"{p.changed:,}",
            f"{p.added:,}",
            f"{p.removed:,}",
            signed(p.mean),
        )
        for p in report.paths[:SHOWN]
    )
    notes = [f"Of {report.paths_of:,} different pipes; * stands for any date or place in a list."]
    if report.more or len(report.paths) > SHOWN:
        notes.append(
            "There are more; --json has more of them." if not report.more else "There are more than could be gone through."
        )
    heads = ("PATH", "FOR EXAMPLE", "OF", "PIPES>", "CHANGED>", "ADDED>", "REMOVED>", "MEAN>")
    return Block("Where values differ", heads, rows, tuple(notes), codes=3)


def _runs(found: Compared) -> Block:
    rows = tuple(
        (
            r.version,
            f"{r.cells:,}",
            short_seconds(r.mean),
            short_seconds(r.p50),
            short_seconds(r.p95),
            short_seconds(r.most),
            short_seconds(r.total),
        )
        for r in found.runs
    )
    heads = ("VERSION", "CELLS>", "MEAN>", "P50>", "P95>", "LONGEST>", "TOGETHER>")
    notes = (
        ["Memory: not recorded by the workers."]
        if rows
        else [f"No wave of either version has a record of running {found.pipe}."]
    )
    return Block(f"Run time of {found.pipe}", heads if rows else (), rows, tuple(notes), codes=1)


def title(found: Compared) -> str:
    """What is compared."""
    return f"{found.pipe}: {found.a} and {found.b}, {when(found)}"


def markdown(report: Report) -> str:
    """The report as a file that reads well."""
    found = report.found
    lines = [f"# {code(found.pipe)}: {code(found.a)} and {code(found.b)}", "", f"**{_plain(headline(found))}**", ""]
    lines += [f"{when(found)}; {found.entities:,} entities.", ""]
    for block in blocks(report):
        lines += [f"## {_plain(block.title)}", ""]
        if block.rows:
            lines += [row([_plain(head.rstrip(">")) for head in block.heads])]
            lines += [row(["---:" if head.endswith(">") else "---" for head in block.heads])]
            lines += [row(_cells(block, cells)) for cells in block.rows]
            lines.append("")
        for note in block.notes:
            lines += [_plain(note), ""]
    return "\n".join(lines).rstrip() + "\n"


def _cells(block: Block, cells: Sequence[str]) -> list[str]:
    return [code(cell) if n < block.codes and cell else _plain(cell) for n, cell in enumerate(cells)]


def _plain(text: str) -> str:
    """Text in Markdown that means nothing in Markdown."""
    from console.widgets.text import clean

    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~" else c for c in clean(text))
