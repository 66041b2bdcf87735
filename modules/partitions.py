"""What AWS China spells differently, or does not have; docs/bridge.md has the sources."""

from __future__ import annotations

from domicile.core.partitions import CHINA, partition_of

# Of the services whose interface endpoints are used here, those with a name of China's own.
_ENDPOINTS_OF_CHINA = ("sqs",)


def in_china(region: str) -> bool:
    """Whether a Region is one of AWS China."""
    return partition_of(region) == CHINA


def dns_suffix(region: str) -> str:
    """Return what the names of a Region's endpoints end in."""
    return "amazonaws.com.cn" if in_china(region) else "amazonaws.com"


def logs_principal(region: str) -> str:
    """Return the service principal of CloudWatch Logs, the only one in use that differs in China."""
    return f"logs.{region}.{dns_suffix(region)}"


def via_service(service: str, region: str) -> list[str]:
    """Return the values of ``kms:ViaService`` for a service.

    In China both suffixes: no page of AWS says which it is, and only AWS itself sets the key of this condition.
    """
    return [f"{service}.{region}.{suffix}" for suffix in dict.fromkeys((dns_suffix(region), "amazonaws.com"))]


def endpoint_service(service: str, region: str) -> str:
    """Return the name by which a VPC endpoint asks for a service."""
    prefix = "cn.com.amazonaws" if in_china(region) and service in _ENDPOINTS_OF_CHINA else "com.amazonaws"
    return f"{prefix}.{region}.{service}"


def has_tracing(region: str) -> bool:
    """Whether Lambda works with X-Ray there."""
    return not in_china(region)
