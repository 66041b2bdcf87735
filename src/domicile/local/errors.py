"""The error of the local AWS."""

from __future__ import annotations

from domicile.errors import OperationError


class LocalError(OperationError):
    """The local AWS could not be started, reached or stopped; the message says why and what to do."""
