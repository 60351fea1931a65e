import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from stage import until
from textual.app import App, ComposeResult

from console.screens.text_pane import Text, TextLine, TextPane, _rows, line, marked, matches, pattern_of, plain
from console.screens.words import age, duration, many, rate
from console.theme import register
from console.widgets.text import clean


@given(st.lists(st.text(max_size=120), max_size=4), st.integers(8, 60))
def test_wrapped_rows_fit_and_lose_no_character(parts: list[str], width: int) -> None:
    rows = _rows(line(*parts), width)
    assert all(sum(cell_len(part.text) for part in row) <= width for row in rows)
    shown = "".join(part.text for row in rows for part in row)
    assert len(shown.replace(" ", "")) >= sum(
        len(part.replace(" ", "")) for part in parts if part.isascii() and part.isprintable()
    )


def test_what_follows_a_short_lead_hangs_below_itself() -> None:
    rows = _rows(line(Text("why: "), "one two three four"), 14)
    assert ["".join(p.text for p in row) for row in rows] == ["why: one two ", "     three ", "     four"]


def test_logs_keep_their_lines_and_lose_colours_and_overwritten_text() -> None:
    shown = ["".join(part.text for part in one) for one in plain("a\tb\n\x1b[1;31mred\x1b[0m\n10%\r99%\r100%\r\nend")]
    assert shown == ["a   b", "red", "100%", "end"]


def test_amounts_and_ages_in_few_cells() -> None:
    assert [age(s) for s in (0, 41, 60, 7200, 86400, 10 * 86400)] == ["now", "41s", "1m", "2h", "24h", "10d"]
    assert [duration(s) for s in (7, 72, 3729)] == ["0:07", "1:12", "1:02:09"]
    assert [rate(r) for r in (0, 4.24, 812, 12_400)] == ["–", "4.2/s", "812/s", "12.4k/s"]
    assert [many(n, "worker") for n in (0, 1, 1204)] == ["no workers", "1 worker", "1,204 workers"]


def test_the_first_screen_loads_neither_redis_nor_networkx() -> None:
    code = "import console.app, sys; print([m for m in ('redis', 'networkx', 'boto3', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class PaneApp(App[None]):
    """A pane alone."""

    def __init__(self, follow: bool = True) -> None:
        super().__init__()
        self.pane = TextPane(follow=follow)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        register(self)
        self.pane.focus()


def numbered(count: int) -> list[TextLine]:
    return [line(f"line {n}") for n in range(count)]


def shown(app: PaneApp) -> list[str]:
    return [strip.text[:-1].strip() for strip in app.screen._compositor.render_strips()]  # without the scrollbar


@given(
    st.text("ab[]\n\x1b é ", max_size=40), st.sampled_from(["a", "ab", "b+", "[", "é", "(a)(b)?", "x1b"]), st.integers(8, 20)
)
def test_a_search_sets_matches_apart_and_changes_no_row(text: str, query: str, width: int) -> None:
    one, pattern = line(Text("> ", "muted"), text), pattern_of(query)
    rows, spans = _rows(one, width), matches(one, pattern)
    found = marked(rows, spans, 7)
    assert ["".join(p.text for p in row) for row in found] == ["".join(p.text for p in row) for row in rows]
    parts = [part for row in found for part in row]
    assert sorted({part.hit for part in parts} - {-1}) == list(range(7, 7 + len(spans)))
    whole = "".join(clean(part.text) for part in one)
    for number, (start, stop) in enumerate(spans, 7):
        assert "".join(part.text for part in parts if part.hit == number) == whole[start:stop]


def test_capitals_matter_only_where_there_are_some_and_half_an_expression_is_text() -> None:
    found = {query: pattern_of(query) for query in ("error", "Error", "a(")}
    assert found["error"] and found["error"].search("ERROR") and found["Error"] and not found["Error"].search("ERROR")
    assert found["a("] and found["a("].search("call a(b)") and pattern_of("") is None


async def test_a_log_is_followed_until_one_scrolls_up_and_again_at_its_end() -> None:
    app = PaneApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.pane.put(numbered(50), top=True)
        await until(pilot, lambda: shown(app)[-1] == "line 49")
        assert app.pane.state == "following"
        app.pane.put(numbered(60))
        await until(pilot, lambda: shown(app)[-1] == "line 59")
        await pilot.press("k")
        await until(pilot, lambda: shown(app)[-1] == "line 58")
        assert app.pane.state == "not following, G does"
        app.pane.put(numbered(80))
        await pilot.pause()
        assert shown(app)[-1] == "line 58" and not app.pane.following
        await pilot.press("G")
        await until(pilot, lambda: shown(app)[-1] == "line 79" and app.pane.state == "following")
        app.pane.put(numbered(81))
        await until(pilot, lambda: shown(app)[-1] == "line 80")


async def test_what_does_not_follow_stays_where_it_is() -> None:
    app = PaneApp(follow=False)
    async with app.run_test(size=(40, 10)) as pilot:
        app.pane.put(numbered(50), top=True)
        await until(pilot, lambda: shown(app)[0] == "line 0")
        app.pane.put(numbered(60))
        await pilot.pause()
        assert shown(app)[0] == "line 0" and app.pane.state == ""


async def test_matches_are_counted_and_gone_through_and_the_one_one_is_at_is_turned_round() -> None:
    app = PaneApp(follow=False)
    async with app.run_test(size=(40, 10)) as pilot:
        app.pane.put(numbered(50), top=True)
        app.pane.search("line 1")
        await until(pilot, lambda: app.pane.state == "1 of 11" and "line 1" in shown(app))
        for _ in range(3):
            app.pane.step(1)
        assert app.pane.state == "4 of 11" and app.pane.chosen == "line 12"
        await until(pilot, lambda: "line 12" in shown(app))
        row = next(strip for strip in app.screen._compositor.render_strips() if strip.text[:-1].strip() == "line 12")
        here = [segment.text for segment in row if segment.style and segment.style.reverse]
        assert here == ["line 1"]
        other = next(strip for strip in app.screen._compositor.render_strips() if strip.text[:-1].strip() == "line 13")
        assert [s.text for s in other if s.style and s.style.underline and not s.style.reverse] == ["line 1"]
        app.pane.step(-4)
        assert app.pane.state == "11 of 11", "before the first is the last"
        app.pane.search("nowhere")
        assert app.pane.state == "nothing is like nowhere" and app.pane.chosen == ""
        app.pane.search("")
        assert app.pane.state == "" and app.pane.hits == 0


async def test_a_search_does_not_move_what_hangs() -> None:
    app = PaneApp(follow=False)
    async with app.run_test(size=(20, 10)) as pilot:
        app.pane.put([line(Text("why: "), "one two three four five")], top=True)
        await until(pilot, lambda: shown(app)[0].startswith("why:"))
        before = [strip.text for strip in app.screen._compositor.render_strips()]
        app.pane.search("two")
        await until(pilot, lambda: app.pane.hits == 1)
        assert [strip.text for strip in app.screen._compositor.render_strips()] == before
