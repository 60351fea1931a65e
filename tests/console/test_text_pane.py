import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.screens.text_pane import Text, _rows, line, plain
from console.screens.words import age, duration, many, rate


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
