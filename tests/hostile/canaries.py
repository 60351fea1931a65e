"""Whether anything was carried out as code."""

from pathlib import Path


def canaries(*folders: Path) -> list[Path]:
    """Files that a string would have made, had somebody carried it out: in these folders and where the tests run."""
    return [path for folder in (*folders, Path.cwd()) for path in folder.rglob("pwned*") if ".venv" not in path.parts]
