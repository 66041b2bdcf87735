"""The folder of packages that Lambda's Python runtime brings along: boto3 and what it needs, and nothing else."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def link_runtime(folder: Path) -> None:
    """Make ``folder`` anew, of links to boto3 and the distributions that it requires, as they are installed here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _closure("boto3"):
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            (folder / top).symlink_to(Path(str(installed.locate_file(top))).resolve())


def _closure(root: str) -> set[str]:
    """Return the normalized names of a distribution and of all that it requires without extras."""
    found: set[str] = set()
    names = [root]
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for requirement in distribution(name).requires or ():
            required = _NAME.match(requirement)
            if required and "extra ==" not in requirement:
                names.append(required[0])
    return found
