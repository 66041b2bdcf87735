"""Everything that the library itself can fail with.

    DomicileError
    └── DomicileClientError
        ├── RegionsUnavailable         none of the Regions that may serve the call answered
        │   └── HomeRegionUnavailable  a localized item's home Region did not answer or lies beyond, and no other may
        ├── TooManyRedirects           the stubs of an item pointed on and on
        ├── AnswerLost                 the write was done; the values that it was to return are lost
        ├── WriteContention            the item kept changing under a write
        ├── SessionBehind              no Region that answers has what the session has seen
        └── UnsafeOperation            the call cannot keep an item's residency or version; it was not done

An error of DynamoDB passes through as botocore's own ``ClientError``, and one of the policy as the core's. No message
carries an attribute's value.
"""

from __future__ import annotations

from collections.abc import Sequence

from domicile.core.errors import DomicileError


class DomicileClientError(DomicileError):
    """Base of the library's own errors."""


class RegionsUnavailable(DomicileClientError):
    """None of ``regions`` answered; a write may have been done all the same where the answer was lost."""

    def __init__(self, regions: Sequence[str], reason: str | None = None) -> None:
        super().__init__(reason or f"no answer from {', '.join(regions)}")
        self.regions = tuple(regions)


class HomeRegionUnavailable(RegionsUnavailable):
    """The one Region that holds the item in full did not answer, or lies in a partition that the client cannot call."""


class TooManyRedirects(DomicileClientError):
    """Each Region pointed to another one: the item moved on faster than it could be followed."""


class AnswerLost(DomicileClientError):
    """A network failure took the answer of a write that was done, and the values of before with it."""


class WriteContention(DomicileClientError):
    """Other writes, or a delete that is being finished, came first every time."""


class SessionBehind(DomicileClientError):
    """The Regions that answer do not have the version that the session wrote or saw yet."""


class UnsafeOperation(DomicileClientError):
    """The call was refused before anything was changed; the message names the alternative."""
