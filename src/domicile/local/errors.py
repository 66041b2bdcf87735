"""The error of the local AWS."""

from __future__ import annotations


class LocalError(Exception):
    """The local AWS could not be started, reached or stopped; the message says why and what to do."""
