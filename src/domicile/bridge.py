"""The bridges of a deployment file: what may cross from one partition of AWS to another, and by which way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveInt, ValidationInfo, field_validator

from domicile.core.partitions import partition_of
from domicile.model import ONE_ERROR, Model, Problem, refuse

_SHARDS_MAX = 500  # AWS's quota for an account in most Regions
_PREFIXES = (16, 24)  # a VPC's own limit, and the smallest that still holds the four subnets

_PROXY = "http://HOST:PORT, without a user and a password"
_ENDPOINT = "the URL of the other side's Kinesis endpoint, https://HOST"
_LOOPBACK = "127.0.0.1"


def _addresses(value: str) -> str:
    try:
        known = ip_network(value).prefixlen > 0
    except ValueError:
        known = False
    if not known:
        refuse([Problem(f"can't be {value!r}", "an address or a CIDR block, such as 203.0.113.7/32")])
    return value


def _proxy(value: str) -> str:
    if not _port(value):
        refuse([Problem("is not such a URL", _PROXY)])  # it is not quoted: it may hold a password
    return value


def _endpoint(value: str) -> str:
    """Refuse what has no TLS, unless it does not leave the machine: whole items cross by it."""
    url = urlsplit(value)
    if _port(value) is None or (url.scheme == "http" and url.hostname != _LOOPBACK):
        refuse([Problem("is not such a URL", _ENDPOINT)])
    return value


def _port(value: str) -> int | None:
    """Return the port of a URL that has a scheme and a host besides and nothing else: 0 if it names none."""
    if not re.fullmatch(r"https?://[^\s@/?#]+/?", value):
        return None
    try:
        return urlsplit(value).port or 0
    except ValueError:
        return None


class Shards(Model):
    """A stream of a fixed number of shards, each for 1 MB and 1,000 records a second."""

    shards: PositiveInt = Field(le=_SHARDS_MAX, description=f"a whole number from 1 to {_SHARDS_MAX}")


class Gateway(Model):
    """How the courier of one gateway Region reaches the other partition, and how it is known there."""

    addresses: list[Annotated[str, AfterValidator(_addresses)]] = Field(
        [], description="a list of CIDR blocks that its requests come from, such as 203.0.113.7/32"
    )
    vpc_endpoint: str | None = Field(
        None, pattern=r"^vpce-[0-9a-f]{8,17}$", description="the other side's interface endpoint for Kinesis: vpce-..."
    )
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = Field(None, description=_ENDPOINT)
    proxy: Annotated[str, AfterValidator(_proxy)] | None = Field(None, description=_PROXY)
    vpc_cidr: str = Field("10.255.255.0/24", description="a CIDR block from /16 to /24 for the courier's VPC")

    @field_validator("vpc_cidr")
    @classmethod
    def _is_a_vpc(cls, value: str) -> str:
        try:
            fits = _PREFIXES[0] <= ip_network(value).prefixlen <= _PREFIXES[1] and ":" not in value
        except ValueError:
            fits = False
        if not fits:
            refuse([Problem(f"can't be {value!r}", str(cls.model_fields["vpc_cidr"].description))])
        return value


_DEFAULTS = Gateway.model_validate({})


class Bridge(Model):
    """A way between two partitions, through one gateway Region of each.

    Full images cross towards their home alone. Deletes cross always: erasing anywhere erases everywhere.
    """

    between: Annotated[list[str], Field(min_length=2, max_length=2)] = Field(
        description="two Regions of this deployment, of different partitions"
    )
    egress: Literal["nat", "private", "proxy"] = Field(
        "nat", description="nat (a NAT gateway with an Elastic IP), private (no way to the internet) or proxy"
    )
    global_items: bool = Field(False, description="true (global items cross) or false (the default)")
    stubs: list[str] = Field([], description="a list of authorities of this deployment whose stubs cross")
    stream: Annotated[Literal["on-demand"] | Shards, ONE_ERROR] = Field(
        "on-demand", description="on-demand, or {shards: N}"
    )
    gateways: dict[str, Gateway] = Field({}, description="the Regions of between -> mapping")

    @field_validator("gateways")
    @classmethod
    def _gateways_fit(cls, gateways: dict[str, Gateway], info: ValidationInfo) -> dict[str, Gateway]:
        if "between" in info.data and "egress" in info.data:
            refuse(_gateway_problems(gateways, info.data["between"], info.data["egress"]))
        return gateways

    def other_end(self, gateway: str) -> str:
        """Return the gateway Region on the other side."""
        first, second = self.between
        return second if gateway == first else first

    def gateway(self, region: str) -> Gateway:
        """Return the settings of a gateway Region's courier."""
        return self.gateways.get(region, _DEFAULTS)


def _gateway_problems(gateways: Mapping[str, Gateway], between: Sequence[str], egress: str) -> Iterator[Problem]:
    for region, gateway in gateways.items():
        if region not in between:
            yield Problem("is not a gateway Region of this bridge", ", ".join(between), (region,))
        if egress == "private" and gateway.addresses:
            text = "can't stand beside egress: private"
            yield Problem(text, "vpc_endpoint, by which the other side knows private requests", (region, "addresses"))
        if egress != "private" and gateway.vpc_endpoint:
            text = f"can't stand beside egress: {egress}"
            yield Problem(text, "addresses, by which the other side knows the requests", (region, "vpc_endpoint"))
        if egress != "proxy" and gateway.proxy:
            yield Problem(f"can't stand beside egress: {egress}", "egress: proxy", (region, "proxy"))
    for region in between:
        gateway = gateways.get(region, _DEFAULTS)
        if egress == "proxy" and not gateway.proxy:
            yield Problem("is missing", "the proxy's URL, http://HOST:PORT", (region, "proxy"))
        if egress == "private" and not gateway.endpoint:
            text = "the URL at which the courier's network reaches the other side's Kinesis"
            yield Problem("is missing", text, (region, "endpoint"))


def bridge_problems(bridges: Sequence[Bridge], data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the bridges of a deployment with the ``regions`` and ``authorities`` in ``data``."""
    regions: Sequence[str] = data["regions"]
    partitions = sorted({partition_of(region) for region in regions})
    pairs: list[list[str]] = []
    for position, bridge in enumerate(bridges):
        for end, region in enumerate(bridge.between):
            if region not in regions:
                text = f"{region} is not a Region of this deployment"
                yield Problem(text, ", ".join(regions), (position, "between", end))
        pair = sorted({partition_of(region) for region in bridge.between})
        if len(pair) == 1:
            yield Problem(f"lies in the partition {pair[0]} alone", "a Region of each partition", (position, "between"))
        elif pair in pairs:
            yield Problem(f"is a second bridge between {' and '.join(pair)}", "one bridge", (position,))
        pairs.append(pair)
        for place, authority in enumerate(bridge.stubs):
            if authority not in data.get("authorities", [authority]):
                text = f"{authority} is not an authority of this deployment"
                yield Problem(text, ", ".join(data["authorities"]), (position, "stubs", place))
    if len(partitions) > 1 and partitions not in pairs:
        away = [f"{name} ({region})" for name, region in data.get("authorities", {}).items()]
        text = f"none leads from {partitions[0]} to {partitions[1]}, so that Regions and homes can't be reached"
        yield Problem(text, f"a bridge between Regions of both; homes: {', '.join(away)}")
