"""The policy of an event bus is what was put.

AWS: PutPermission with a Policy sets the bus's whole policy, and DescribeEventBus gives it back.

MiniStack 1.5.33: ignores Policy and stores a statement of its own that admits everyone, so that Terraform finds the
bus changed on every plan.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import eventbridge

from domicile.local.adaptations import expect_function, expect_value


def install() -> None:
    """Store the policy of a PutPermission that has one."""
    original = expect_function(eventbridge, "_put_permission", "data")
    expect_value(eventbridge, "_event_bus_policies")

    def put_permission(data: dict[str, Any]) -> Any:
        if "Policy" not in data:
            return original(data)
        eventbridge._event_bus_policies[data.get("EventBusName", "default")] = json.loads(data["Policy"])
        return eventbridge.json_response({})

    eventbridge._put_permission = put_permission
