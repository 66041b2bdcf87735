"""Where Terraform gets the AWS provider from, as a CLI configuration.

The registry where it can be reached; else a filesystem mirror: the folder that ``DOMICILE_PROVIDER_MIRROR`` names, the
folders that Terraform itself would look into, then folders of the system's add-on software directory. The user's own
CLI configuration is not used: it may name a source that is not there.
"""

from __future__ import annotations

import os
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from domicile.local.errors import LocalError

MIRROR_VARIABLE = "DOMICILE_PROVIDER_MIRROR"
_PROVIDER = "registry.terraform.io/hashicorp/aws"
_REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
_REGISTRY_WAIT_S = 3.0
_ADD_ONS = Path("/opt")
_ADD_ONS_DEPTH = 3


def cli_configuration(root: Path, environment: Mapping[str, str]) -> str:
    """Return the text of a CLI configuration that can install the AWS provider.

    ``root`` is the project's root, whose ``.domicile`` keeps what the registry gave. Raises :class:`LocalError` that
    says what was tried.
    """
    if registry_answers():
        cache = root / ".domicile" / "plugins"
        cache.mkdir(parents=True, exist_ok=True)
        return f'plugin_cache_dir = "{cache}"\nprovider_installation {{\n  direct {{}}\n}}\n'
    mirror = find_mirror(root, environment)
    return f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'


def registry_answers() -> bool:
    """Return whether the Terraform Registry can be reached, within a few seconds."""
    answered = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(_REGISTRY, timeout=_REGISTRY_WAIT_S):
                answered.set()
        except OSError:
            pass

    # On a thread, because the look-up of a name takes no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_REGISTRY_WAIT_S)
    return answered.is_set()


def find_mirror(root: Path, environment: Mapping[str, str], add_ons: Path = _ADD_ONS) -> Path:
    """Return the first folder that mirrors the AWS provider. Raises :class:`LocalError` that says what was tried."""
    named = environment.get(MIRROR_VARIABLE)
    looked: list[Path] = []
    for folder in ([Path(named)] if named else []) + list(_implied_folders(root, environment)):
        looked.append(folder)
        if (folder / _PROVIDER).is_dir():
            return folder.resolve()
    for depth in range(_ADD_ONS_DEPTH + 1):
        for provider in sorted(add_ons.glob("*/" * depth + _PROVIDER)):
            return provider.parents[2].resolve()
    raise LocalError(
        "Terraform can't get the AWS provider: the registry (registry.terraform.io) does not answer, and no folder "
        f"holds {_PROVIDER}: tried {', '.join(map(str, looked))}, and {add_ons}; "
        f"`terraform providers mirror` makes one, {MIRROR_VARIABLE} names it"
    )


def _implied_folders(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders of Terraform's documentation, "Implied Local Mirror Directories"."""
    home = Path(environment.get("HOME", "~")).expanduser()
    yield root / "terraform.d" / "plugins"
    yield home / ".terraform.d" / "plugins"
    if sys.platform == "darwin":
        for library in (home / "Library", Path("/Library")):
            yield library / "Application Support" / "io.terraform" / "plugins"
        return
    data_home = environment.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    data_folders = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (data_home, *data_folders.split(os.pathsep)):
        yield Path(folder) / "terraform" / "plugins"
