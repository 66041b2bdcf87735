"""A server of the partition aws-cn.

AWS: every ARN in China says ``arn:aws-cn:``, and a service there takes an ARN of another partition for no ARN of its
own.

MiniStack 1.5.33: has the partition aws in the text of its modules, in hundreds of places, and no setting for it.

So the modules of a server of China are loaded with these texts replaced, instead of replacing ARNs in requests and
answers: what an item or an event contains stays as it is, and so does what a signature covers. Host names keep
``amazonaws.com``; no name of them is ever resolved.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from domicile.core.partitions import CHINA
from domicile.local.adaptations import IncompatibleError

_PACKAGE = "ministack"
_REPLACED = (
    (b"arn:aws:", b"arn:aws-cn:"),
    (b'partition != "aws"', b'partition != "aws-cn"'),
    (b'partition == "aws"', b'partition == "aws-cn"'),
)
_WITNESS = "arn:{}:execute-api:region:account:api/stage/GET/path"


def install() -> None:
    """Load MiniStack as the partition aws-cn has it; nothing of MiniStack may be imported yet."""
    if _PACKAGE in sys.modules:
        raise IncompatibleError(f"{_PACKAGE} was imported before its partition was set")
    sys.meta_path.insert(0, _Finder())
    from ministack.core.arn import execute_api_arn  # noqa: PLC0415 - as the finder loads it

    witness = execute_api_arn("region", "account", "api", "stage", "GET", "path")
    if witness != _WITNESS.format(CHINA):
        raise IncompatibleError(f"{_PACKAGE} does not spell its ARNs as expected: {witness}")


class _Finder:
    """Finds MiniStack's modules where they are, and has them loaded by a loader of its own."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != _PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Compiles a module from its replaced text; the bytecode that Python keeps is of the other partition."""

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.get_data(self.path)
        for ours, theirs in _REPLACED:
            source = source.replace(ours, theirs)
        code: CodeType = self.source_to_code(source, self.path)
        return code
