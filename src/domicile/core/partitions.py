"""The partitions of AWS: parts of it that share no identity, no event bus and no replication with each other."""

from __future__ import annotations

WORLD = "aws"
CHINA = "aws-cn"


def partition_of(region: str) -> str:
    """Return the partition of a Region, as ARNs spell it; Domicile deploys to AWS's own and to AWS China."""
    return CHINA if region.startswith("cn-") else WORLD
