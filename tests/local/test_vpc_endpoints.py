"""An interface endpoint is described as Terraform reads it: with what it was given."""

from __future__ import annotations

from tests.plane import Plane


def test_an_endpoint_keeps_its_security_groups_and_its_private_dns(plane: Plane) -> None:
    ec2 = plane.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group_id = ec2.create_security_group(GroupName="endpoints", Description="d", VpcId=vpc_id)["GroupId"]
    created = ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName="com.amazonaws.us-east-1.sqs",
        VpcEndpointType="Interface",
        SecurityGroupIds=[group_id],
        PrivateDnsEnabled=True,
    )
    id_ = created["VpcEndpoint"]["VpcEndpointId"]
    (endpoint,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"]
    assert [group["GroupId"] for group in endpoint["Groups"]] == [group_id]
    assert endpoint["PrivateDnsEnabled"] is True
