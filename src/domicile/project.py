"""Where the project is: synthesis, zips and the local AWS work in its root."""

from __future__ import annotations

from pathlib import Path

from domicile.errors import UserError

_MARKS = ("main.py", "cdktf.json")


def find_root(start: Path) -> Path:
    """Return the nearest folder, from ``start`` upwards, that is a project, or raise :class:`UserError`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if all((folder / mark).is_file() for mark in _MARKS):
            return folder
    raise UserError(f"{start}: is in no project; accepted: a folder with main.py and cdktf.json, or one below")
