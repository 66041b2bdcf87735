"""CDK Terrain (``cdktn``) in the place of cdktf, where it alone is installed: the same classes under other names.

It continues cdktf, which HashiCorp has archived. docs/adr/0061 says what the move costs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

_NAMES = {"cdktf": "cdktn", "cdktf_cdktf_provider_aws": "cdktn_provider_aws"}


def stands_in() -> bool:
    """Whether CDK Terrain is installed, and cdktf is not; or already has its names."""
    return _is_installed() or (find_spec("cdktf") is None and find_spec("cdktn") is not None)


def install() -> None:
    """Let imports of cdktf and of its AWS bindings find CDK Terrain's.

    The finder goes first: Python's own would find the submodules in the new packages' folders and run them once more.
    """
    if not _is_installed():
        sys.meta_path.insert(0, _Aliases())


def _is_installed() -> bool:
    return any(isinstance(finder, _Aliases) for finder in sys.meta_path)


class _Aliases(MetaPathFinder, Loader):
    """Finds each module of the old names as the module of the new ones itself, so that no class exists twice."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname.partition(".")[0] in _NAMES else None

    def exec_module(self, module: ModuleType) -> None:
        old, _, submodule = module.__name__.partition(".")
        sys.modules[module.__name__] = import_module(f"{_NAMES[old]}.{submodule}" if submodule else _NAMES[old])
