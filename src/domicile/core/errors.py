"""Everything that the replication can fail with.

    DomicileError
    ├── TransientError              try again later: nothing is known to be wrong with the record
    │   ├── PolicyUnavailableError  the policy could not be read and none was read before
    │   ├── PolicyInvalidError      the policy was read and is broken, and no good one was read before
    │   └── UnknownTableError       the policy does not name the table yet
    └── PermanentError              trying again gives the same answer: the record belongs in the quarantine
        ├── RecordInvalidError      a stream record, an event or a control attribute is malformed
        ├── UnknownAuthorityError   the policy maps the item's authority to no Region
        ├── VersionInFutureError    the version is further ahead of the record's time than any clock may be
        ├── NotAllowedToCrossError  the bridge does not let the change leave the partition
        ├── ItemTooLargeError       with its control attribute the item is above DynamoDB's 400 KB
        └── PatienceExhaustedError  transient failures went on until the stream is about to forget the record

No message carries an attribute's value: messages reach logs, and logs may rest in a Region that must not hold it.
"""

from __future__ import annotations


class DomicileError(Exception):
    """Base of every error of the replication."""


class TransientError(DomicileError):
    """The same call may succeed later."""


class PolicyUnavailableError(TransientError):
    """AppConfig gave no policy and none was read before."""


class PolicyInvalidError(TransientError):
    """The policy document is broken; the message names the keys.

    The records wait for a good one. In the quarantine they would have no version yet, and later ones would get theirs.
    """


class UnknownTableError(TransientError):
    """A new table's changes can come before the policy that names it: its rollout takes its time in each Region."""


class PermanentError(DomicileError):
    """The record cannot be handled as it is; ``reason`` names why, in the words that metrics use."""

    reason = "permanent"


class RecordInvalidError(PermanentError):
    """A stream record, an event or a control attribute does not have its form."""

    reason = "record_invalid"


class UnknownAuthorityError(PermanentError):
    """The item's authority is not in the map. It is never treated as global for that."""

    reason = "unknown_authority"


class VersionInFutureError(PermanentError):
    """One bad clock must not win for ever."""

    reason = "version_in_future"


class NotAllowedToCrossError(PermanentError):
    """The bridge does not let the change leave the partition, whatever rule brought it there."""

    reason = "not_allowed_to_cross"


class ItemTooLargeError(PermanentError):
    """The item with its control attribute exceeds DynamoDB's item limit."""

    reason = "item_too_large"


class PatienceExhaustedError(PermanentError):
    """The record must be kept elsewhere before its stream forgets it."""

    reason = "patience_exhausted"
