"""The network that a courier runs in: it can leave by one way alone, and nothing can enter."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal
from urllib.parse import urlsplit

from cdktf import Fn, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.lambda_function import LambdaFunctionVpcConfig
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.security_group import SecurityGroup, SecurityGroupEgress, SecurityGroupIngress
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from domicile.bridge import Gateway
from modules.partitions import endpoint_service

_ANYWHERE = "0.0.0.0/0"
_HTTPS = 443
_ZONES = 2
# The AWS APIs of its own Region that the function calls, besides DynamoDB's.
_SERVICES = ("sqs", "events", "appconfigdata", "secretsmanager")
# SQS has to be told when messages come back, while the NAT gateway is what has failed too.
_SERVICES_WITH_NAT = ("sqs",)


class Network(Construct):
    """A VPC with a private subnet in each of two zones, and the way out that ``egress`` says.

    With ``nat`` a NAT gateway: ``address`` is its Elastic IP. Otherwise no way out, and interface endpoints of all the
    services that the function calls; whoever runs the proxy or the line adds a route to ``route_table_id``.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        region: str,
        egress: Literal["nat", "private", "proxy"],
        settings: Gateway,
    ) -> None:
        super().__init__(scope, id_)
        self._region, self._cidr = region, settings.vpc_cidr
        self._vpc = Vpc(self, "vpc", cidr_block=self._cidr, enable_dns_support=True, enable_dns_hostnames=True)
        self.vpc_id = self._vpc.id
        DefaultSecurityGroup(self, "closed", vpc_id=self.vpc_id)  # without a rule: nothing may use it by accident
        self._zones = DataAwsAvailabilityZones(
            self,
            "zones",
            state="available",
            filter=[DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])],
        )
        private = [self._subnet("private", zone) for zone in range(_ZONES)]
        self.route_table_id = self._route_table("private", private)
        self._endpoint("dynamodb", route_table_ids=[self.route_table_id])
        self.address = self._nat() if egress == "nat" else None
        endpoints = SecurityGroup(
            self,
            "endpoints-group",
            name="endpoints",
            description="Interface endpoints of the courier",
            vpc_id=self.vpc_id,
            ingress=[_ingress(self._cidr)],
        )
        subnet_ids = [subnet.id for subnet in private]
        for service in _SERVICES_WITH_NAT if egress == "nat" else _SERVICES:
            self._endpoint(service, subnet_ids=subnet_ids, security_group_ids=[endpoints.id])
        group = SecurityGroup(
            self,
            "courier-group",
            name="courier",
            description="The courier: calls to AWS and to the other partition, and nothing else",
            vpc_id=self.vpc_id,
            egress=[_egress(port) for port in _ports(settings)],
        )
        self.vpc_config = LambdaFunctionVpcConfig(subnet_ids=subnet_ids, security_group_ids=[group.id])

    def _nat(self) -> str:
        """Add the way to the internet, and return its address.

        One NAT gateway in one zone: the other side admits one address, and the outbox outlasts a zone's failure.
        """
        internet = InternetGateway(self, "internet", vpc_id=self.vpc_id)
        public = self._subnet("public", 0, offset=_ZONES)
        table_id = self._route_table("public", [public])
        Route(self, "out", route_table_id=table_id, destination_cidr_block=_ANYWHERE, gateway_id=internet.id)
        address = Eip(self, "address", domain="vpc", depends_on=[internet])
        nat = NatGateway(self, "nat", allocation_id=address.id, subnet_id=public.id, depends_on=[internet])
        Route(
            self,
            "through-nat",
            route_table_id=self.route_table_id,
            destination_cidr_block=_ANYWHERE,
            nat_gateway_id=nat.id,
        )
        return address.public_ip

    def _subnet(self, id_: str, zone: int, offset: int = 0) -> Subnet:
        """Return the subnet that has the quarter ``offset + zone`` of the VPC's addresses."""
        quarters = list(ip_network(self._cidr).subnets(prefixlen_diff=2))
        return Subnet(
            self,
            f"{id_}-{zone}",
            vpc_id=self.vpc_id,
            cidr_block=str(quarters[offset + zone]),
            availability_zone=Fn.element(self._zones.names, zone),
            # A zone that AWS adds later may come first, and a subnet can't move.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["availability_zone"]),
        )

    def _route_table(self, id_: str, subnets: list[Subnet]) -> str:
        """Return a table whose routes are resources of their own, so that it may have others besides."""
        table = RouteTable(self, f"routes-{id_}", vpc_id=self.vpc_id)
        for position, subnet in enumerate(subnets):
            RouteTableAssociation(self, f"routes-{id_}-{position}", route_table_id=table.id, subnet_id=subnet.id)
        return table.id

    def _endpoint(
        self,
        service: str,
        *,
        route_table_ids: list[str] | None = None,
        subnet_ids: list[str] | None = None,
        security_group_ids: list[str] | None = None,
    ) -> None:
        interface = subnet_ids is not None
        VpcEndpoint(
            self,
            f"endpoint-{service}",
            vpc_id=self.vpc_id,
            service_name=endpoint_service(service, self._region),
            vpc_endpoint_type="Interface" if interface else "Gateway",
            route_table_ids=route_table_ids,
            subnet_ids=subnet_ids,
            security_group_ids=security_group_ids,
            private_dns_enabled=True if interface else None,
        )


def _ports(settings: Gateway) -> list[int]:
    """Return the ports that the courier calls: AWS's, and those of the other side's endpoint and of the proxy."""
    schemes = {"http": 80, "https": _HTTPS}
    urls = [urlsplit(url) for url in (settings.endpoint, settings.proxy) if url]
    return sorted({_HTTPS, *(url.port or schemes[url.scheme] for url in urls)})


def _egress(port: int) -> SecurityGroupEgress:
    return SecurityGroupEgress(protocol="tcp", from_port=port, to_port=port, cidr_blocks=[_ANYWHERE])


def _ingress(cidr: str) -> SecurityGroupIngress:
    return SecurityGroupIngress(protocol="tcp", from_port=_HTTPS, to_port=_HTTPS, cidr_blocks=[cidr])
