"""The courier's network: what can leave, by which way, and that nothing can enter."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from tests.infra.synthesized import Stack, synthesize_beijing

_SETTINGS = {
    "private": {"endpoint": "https://kinesis.example:8443"},
    "proxy": {"proxy": "http://10.0.0.8:3128"},
}


@pytest.fixture(scope="module", params=["private", "proxy"])
def egress(request: pytest.FixtureRequest) -> str:
    """A way out that has no NAT gateway."""
    return str(request.param)


@pytest.fixture(scope="module")
def closed(egress: str, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Beijing's stack with that way out."""
    gateways = dict.fromkeys(("ap-southeast-1", "cn-north-1"), _SETTINGS[egress])
    return synthesize_beijing(tmp_path_factory.mktemp(egress), {"egress": egress, "gateways": gateways})


def _subnets(stack: Stack) -> list[dict[str, Any]]:
    """Return the courier's subnets."""
    vpc = stack.named("aws_lambda_function", "harbour-courier", key="function_name")["vpc_config"]
    return [stack.resolve(subnet) for subnet in vpc["subnet_ids"]]


def _routes(stack: Stack, subnet: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the routes of a subnet's route table, besides that within the VPC."""
    associations = [association for _, association in stack.resources("aws_route_table_association")]
    (table,) = [of["route_table_id"] for of in associations if stack.resolve(of["subnet_id"]) == subnet]
    return [route for _, route in stack.resources("aws_route") if route["route_table_id"] == table]


def _endpoints(stack: Stack) -> dict[str, dict[str, Any]]:
    return {endpoint["service_name"]: endpoint for _, endpoint in stack.resources("aws_vpc_endpoint")}


def _interfaces(stack: Stack) -> set[str]:
    """Return the services that the courier reaches in its own subnets; DynamoDB's endpoint is in the route table."""
    endpoints = _endpoints(stack)
    table = endpoints.pop("com.amazonaws.cn-north-1.dynamodb")
    assert (table["vpc_endpoint_type"], len(table["route_table_ids"])) == ("Gateway", 1)
    for endpoint in endpoints.values():
        assert (endpoint["vpc_endpoint_type"], endpoint["private_dns_enabled"]) == ("Interface", True)
        assert [stack.resolve(subnet) for subnet in endpoint["subnet_ids"]] == _subnets(stack)
        (group,) = (stack.resolve(group) for group in endpoint["security_group_ids"])
        (rule,) = group["ingress"]
        assert (rule["from_port"], rule["to_port"], rule["cidr_blocks"]) == (443, 443, ["10.255.255.0/24"])
    return set(endpoints)


def _allowed_out(stack: Stack) -> list[tuple[str, int]]:
    group = stack.named("aws_security_group", "courier")
    assert "ingress" not in group
    return [(rule["protocol"], rule["from_port"]) for rule in group["egress"] if rule["from_port"] == rule["to_port"]]


def test_only_the_courier_is_in_the_network(beijing: Stack) -> None:
    inside = [
        function["handler"] for _, function in beijing.resources("aws_lambda_function") if "vpc_config" in function
    ]
    assert inside == ["functions.courier.handler.handler"]


def test_its_subnets_lie_in_two_zones_and_stay_there(singapore: Stack) -> None:
    subnets = [subnet for _, subnet in singapore.resources("aws_subnet")]
    blocks = [ip_network(subnet["cidr_block"]) for subnet in subnets]
    assert all(block.subnet_of(ip_network("10.1.0.0/20")) for block in blocks)  # type: ignore[arg-type]
    assert not [block for block in blocks if any(block.overlaps(other) for other in blocks if other != block)]
    assert len({subnet["availability_zone"] for subnet in _subnets(singapore)}) == 2
    assert all(subnet["lifecycle"] == {"ignore_changes": ["availability_zone"]} for subnet in subnets)


def test_by_nat_it_leaves_with_one_address_that_the_other_side_can_be_told(beijing: Stack) -> None:
    for subnet in _subnets(beijing):
        (route,) = _routes(beijing, subnet)
        assert route["destination_cidr_block"] == "0.0.0.0/0"
        nat = beijing.resolve(route["nat_gateway_id"])
    (out,) = _routes(beijing, beijing.resolve(nat["subnet_id"]))
    assert "aws_internet_gateway" in out["gateway_id"]
    (address,) = beijing.configuration["output"]["bridge_addresses"]["value"]
    assert address.endswith("/32")
    assert beijing.resolve(address) == beijing.resolve(nat["allocation_id"])
    assert _allowed_out(beijing) == [("tcp", 443)]


def test_when_messages_come_back_does_not_hang_on_the_nat_gateway(beijing: Stack) -> None:
    assert _interfaces(beijing) == {"cn.com.amazonaws.cn-north-1.sqs"}


def test_otherwise_nothing_leads_to_the_internet(closed: Stack) -> None:
    assert not {"aws_internet_gateway", "aws_nat_gateway", "aws_eip", "aws_route"} & set(
        closed.configuration["resource"]
    )
    assert "bridge_addresses" not in closed.configuration["output"]
    # Whoever runs the proxy or the line adds the way there.
    assert "aws_route_table." in closed.configuration["output"]["bridge_route_table_id"]["value"]
    assert "aws_vpc." in closed.configuration["output"]["bridge_vpc_id"]["value"]


def test_then_the_services_that_the_courier_calls_have_endpoints_inside(closed: Stack) -> None:
    services = ("events", "appconfigdata", "secretsmanager")
    names = {f"com.amazonaws.cn-north-1.{service}" for service in services}
    assert _interfaces(closed) == {"cn.com.amazonaws.cn-north-1.sqs", *names}


def test_the_courier_may_call_the_ports_that_its_settings_name(closed: Stack, egress: str) -> None:
    assert _allowed_out(closed) == [("tcp", 443), ("tcp", {"private": 8443, "proxy": 3128}[egress])]
    courier = closed.named("aws_lambda_function", "harbour-courier", key="function_name")
    environment = courier["environment"]["variables"].items()
    ways = {name.removeprefix("DOMICILE_").lower(): url for name, url in environment}
    assert _SETTINGS[egress].items() <= ways.items()


def test_nothing_may_use_the_default_security_group(beijing: Stack) -> None:
    ((_, group),) = beijing.resources("aws_default_security_group")
    assert not {"ingress", "egress"} & set(group)
