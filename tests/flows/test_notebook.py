"""The notebook `flows/flights/compare_versions.ipynb` runs from top to bottom, and shows pictures worth looking at."""

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib.image
import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.timeout(600)

NOTEBOOK = Path(__file__).parents[2] / "flows/flights/compare_versions.ipynb"
MOST = 400_000
"""Bytes: it is read on the forge, pictures and all."""


def pictures(notebook: Any) -> list[bytes]:
    """The PNGs that its cells show."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return [base64.b64decode(out.data["image/png"]) for out in outputs if "image/png" in out.get("data", {})]


def text(notebook: Any) -> str:
    """What its cells print."""
    return "".join(out.text for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "stream")


def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """Given nothing but the package, when it runs in a kernel of its own, then no cell fails, it says how good both versions are, and each of its
    pictures has something in it."""
    notebook = nbformat.read(NOTEBOOK, 4)  # type: ignore[no-untyped-call]
    done = NotebookClient(
        notebook, timeout=400, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert " of median against " in text(done)
    assert " forecasts of 12 routes for " in text(done)
    shown = pictures(done)
    assert len(shown) >= 3
    for png in shown:
        pixels = matplotlib.image.imread(io.BytesIO(png))
        assert min(pixels.shape[:2]) > 200
        assert 0.005 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.9, "neither empty nor full"


def test_the_committed_one_has_been_run() -> None:
    """Given the file as it is committed, then its cells have run in order, without an error, its pictures are in it, and it is small."""
    notebook = nbformat.read(NOTEBOOK, 4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(out.output_type == "error" for cell in code for out in cell.outputs)
    assert len(pictures(notebook)) >= 3
    assert NOTEBOOK.stat().st_size < MOST
    assert "/tmp/" not in NOTEBOOK.read_text(), "no path of the machine that ran it"
