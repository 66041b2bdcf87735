"""An interface endpoint is described with its security groups and its private DNS.

AWS: keeps both as they were given.

MiniStack 1.5.33: keeps neither, so that each of Terraform's plans would set them again.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services import ec2

from domicile.local.adaptations import expect_function, expect_value

_ID = re.compile(rb"<vpcEndpointId>([^<]+)<")


def install() -> None:
    """Keep what is given with an endpoint, and add it to the endpoint's description."""
    create = expect_function(ec2, "_create_vpc_endpoint", "p")
    described = expect_function(ec2, "_vpce_fields_xml", "ep", "tag")
    endpoints, actions = (expect_value(ec2, name) for name in ("_vpc_endpoints", "_ACTION_MAP"))

    def create_vpc_endpoint(p: dict[str, Any]) -> Any:
        answer = create(p)
        for id_ in _ID.findall(answer[2]):
            endpoints[id_.decode()] |= {
                "Groups": ec2._parse_member_list(p, "SecurityGroupId"),
                "PrivateDnsEnabled": ec2._p(p, "PrivateDnsEnabled") or "false",
            }
        return answer

    def vpce_fields_xml(ep: dict[str, Any], tag: str = "item") -> str:
        groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in ep.get("Groups", []))
        private_dns = ep.get("PrivateDnsEnabled", "false")
        more = f"<groupSet>{groups}</groupSet><privateDnsEnabled>{private_dns}</privateDnsEnabled>"
        return str(described(ep, tag)).removesuffix(f"</{tag}>") + f"{more}</{tag}>"

    actions["CreateVpcEndpoint"] = create_vpc_endpoint
    ec2._vpce_fields_xml = vpce_fields_xml
