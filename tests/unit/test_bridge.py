"""The bridges of a deployment file: what is accepted, and what each refusal says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile.core.policy import Bridge, Policy
from domicile.deployment import Deployment, DeploymentError

GOOD: dict[str, Any] = {
    "name": "shop",
    "regions": ["ap-southeast-1", "eu-west-1", "cn-north-1", "cn-northwest-1"],
    "authorities": {"EU": "eu-west-1", "CN": "cn-north-1"},
    "tables": {"orders": {"hash_key": {"name": "pk", "type": "S"}}},
    "bridges": [{"between": ["ap-southeast-1", "cn-north-1"], "global_items": True, "stubs": ["EU"]}],
}


def load(folder: Path, **changed: Any) -> Deployment:
    file = folder / "domicile.yaml"
    file.write_text(yaml.safe_dump(GOOD | changed), encoding="utf-8")
    return Deployment.load(file)


def problems(folder: Path, **changed: Any) -> list[str]:
    with pytest.raises(DeploymentError) as raised:
        load(folder, **changed)
    return [problem.removeprefix(f"{folder / 'domicile.yaml'}: ") for problem in raised.value.problems]


def bridge(**changed: Any) -> dict[str, Any]:
    return {"bridges": [GOOD["bridges"][0] | changed]}


def test_the_policy_says_what_may_cross_and_not_how(tmp_path: Path) -> None:
    deployment = load(tmp_path, **bridge(gateways={"cn-north-1": {"addresses": ["203.0.113.7/32"]}}))
    crossing = Bridge(between=("ap-southeast-1", "cn-north-1"), global_items=True, stubs=frozenset({"EU"}))
    assert Policy.parse(deployment.policy_document()).bridges == (crossing,)
    assert deployment.bridges[0].gateway("cn-north-1").addresses == ["203.0.113.7/32"]
    assert deployment.bridges[0].gateway("ap-southeast-1").addresses == []
    assert deployment.bridges[0].other_end("cn-north-1") == "ap-southeast-1"
    assert deployment.bridge_of("cn-north-1") == deployment.bridges[0]
    assert deployment.bridge_of("cn-northwest-1") is None


def test_nothing_crosses_unless_it_is_said(tmp_path: Path) -> None:
    deployment = load(tmp_path, bridges=[{"between": ["eu-west-1", "cn-northwest-1"]}])
    (bridge,) = deployment.bridges
    assert (bridge.egress, bridge.global_items, bridge.stubs, bridge.stream) == ("nat", False, [], "on-demand")


def test_regions_of_china_alone_need_no_bridge(tmp_path: Path) -> None:
    regions = {"regions": ["cn-north-1", "cn-northwest-1"], "authorities": {"CN": "cn-north-1"}}
    assert "bridges" not in load(tmp_path, **regions, bridges=[]).policy_document()


REGIONS = "ap-southeast-1, eu-west-1, cn-north-1, cn-northwest-1"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"bridges": []},
            "bridges: none leads from aws to aws-cn, so that Regions and homes can't be reached; accepted: a bridge "
            "between Regions of both; homes: CN (cn-north-1), EU (eu-west-1)",
        ),
        (
            {"bridges": [GOOD["bridges"][0], {"between": ["eu-west-1", "cn-northwest-1"]}]},
            "bridges[1]: is a second bridge between aws and aws-cn; accepted: one bridge",
        ),
        (
            bridge(between=["ap-southeast-1", "cn-south-1"]),
            f"bridges[0].between[1]: cn-south-1 is not a Region of this deployment; accepted: {REGIONS}",
        ),
        (
            bridge(stubs=["EU", "US"]),
            "bridges[0].stubs[1]: US is not an authority of this deployment; accepted: CN, EU",
        ),
        (
            bridge(between=["ap-southeast-1"]),
            "bridges[0].between: can't have 1 entries; accepted: two Regions of this deployment, of different "
            "partitions",
        ),
        (bridge(egress="vpn"), "bridges[0].egress: can't be 'vpn'; accepted: nat (a NAT gateway with an Elastic IP), "
         "private (no way to the internet) or proxy"),
        (bridge(stream={"shards": 0}), "bridges[0].stream: can't be {'shards': 0}; accepted: on-demand, or "
         "{shards: N}"),
        (
            bridge(gateways={"eu-west-1": {}}),
            "bridges[0].gateways.eu-west-1: is not a gateway Region of this bridge; accepted: ap-southeast-1, "
            "cn-north-1",
        ),
        (
            bridge(gateways={"cn-north-1": {"addresses": ["203.0.113.7/31"]}}),
            "bridges[0].gateways.cn-north-1.addresses[0]: can't be '203.0.113.7/31'; accepted: an address or a CIDR "
            "block, such as 203.0.113.7/32",
        ),
        (
            bridge(gateways={"cn-north-1": {"proxy": "http://10.0.0.8:3128"}}),
            "bridges[0].gateways.cn-north-1.proxy: can't stand beside egress: nat; accepted: egress: proxy",
        ),
        (
            bridge(gateways={"cn-north-1": {"proxy": "http://user:word@10.0.0.8:3128"}}),
            "bridges[0].gateways.cn-north-1.proxy: is not such a URL; accepted: "
            "http://HOST:PORT, without a user and a password",
        ),
        (
            bridge(gateways={"cn-north-1": {"vpc_cidr": "10.0.0.0/28"}}),
            "bridges[0].gateways.cn-north-1.vpc_cidr: can't be '10.0.0.0/28'; accepted: a CIDR block from /16 to /24 "
            "for the courier's VPC",
        ),
        (
            bridge(gateways={"cn-north-1": {"vpc_endpoint": "vpce-0123456789abcdef0"}}),
            "bridges[0].gateways.cn-north-1.vpc_endpoint: can't stand beside egress: nat; accepted: addresses, by "
            "which the other side knows the requests",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused(tmp_path: Path, changed: dict[str, Any], expected: str) -> None:
    assert expected in problems(tmp_path, **changed)


ENDPOINT = "is not such a URL; accepted: the URL of the other side's Kinesis endpoint, https://HOST"
PROXY = "is not such a URL; accepted: http://HOST:PORT, without a user and a password"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("endpoint", "http://kinesis.example", ENDPOINT),  # whole items would cross in clear
        ("endpoint", "https://kinesis.example:port", ENDPOINT),
        ("endpoint", "https://kinesis.example:70000", ENDPOINT),
        ("endpoint", "https://user@kinesis.example", ENDPOINT),
        ("endpoint", "kinesis.example", ENDPOINT),
        ("proxy", "http://10.0.0.8:70000", PROXY),
        ("proxy", "http://10.0.0.8", PROXY),
    ],
)
def test_a_url_that_the_courier_could_not_or_must_not_call_is_refused(
    tmp_path: Path, key: str, value: str, expected: str
) -> None:
    changed = bridge(egress="proxy", gateways={"cn-north-1": {key: value}})
    assert f"bridges[0].gateways.cn-north-1.{key}: {expected}" in problems(tmp_path, **changed)


@pytest.mark.parametrize("url", ["https://kinesis.example", "https://kinesis.example:8443/", "http://127.0.0.1:4566"])
def test_an_endpoint_has_tls_or_is_on_this_machine(tmp_path: Path, url: str) -> None:
    deployment = load(tmp_path, **bridge(gateways={"cn-north-1": {"endpoint": url}}))
    assert deployment.bridges[0].gateway("cn-north-1").endpoint == url


def test_an_address_that_is_everyone_s_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, **bridge(gateways={"cn-north-1": {"addresses": ["0.0.0.0/0"]}}))
    assert found == [
        "bridges[0].gateways.cn-north-1.addresses[0]: can't be '0.0.0.0/0'; accepted: an address or a CIDR block, "
        "such as 203.0.113.7/32"
    ]


def test_each_way_out_needs_its_settings(tmp_path: Path) -> None:
    assert [problem.partition(":")[0] for problem in problems(tmp_path, **bridge(egress="proxy"))] == [
        "bridges[0].gateways.ap-southeast-1.proxy",
        "bridges[0].gateways.cn-north-1.proxy",
    ]
    private = bridge(egress="private", gateways={"cn-north-1": {"addresses": ["10.0.0.0/24"]}})
    assert [problem.partition(":")[0] for problem in problems(tmp_path, **private)] == [
        "bridges[0].gateways.cn-north-1.addresses",
        "bridges[0].gateways.ap-southeast-1.endpoint",
        "bridges[0].gateways.cn-north-1.endpoint",
    ]
