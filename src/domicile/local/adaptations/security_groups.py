"""A security group's rule for all protocols has no ports.

AWS: ignores the ports of a rule whose protocol is -1, so that Terraform, which names ports 0 to 0, can revoke the rule
that lets a new group's members call everything.

MiniStack 1.5.33: compares the ports as well, and keeps that rule without a word.
"""

from __future__ import annotations

from typing import Any

from ministack.services import ec2

from domicile.local.adaptations import expect_function

_PORTS = ("FromPort", "ToPort")


def install() -> None:
    """Replace the comparison of two rules."""
    original = expect_function(ec2, "_rules_match", "a", "b")

    def rules_match(a: dict[str, Any], b: dict[str, Any]) -> bool:
        return bool(original(_comparable(a), _comparable(b)))

    ec2._rules_match = rules_match


def _comparable(rule: dict[str, Any]) -> dict[str, Any]:
    if rule.get("IpProtocol") != "-1":
        return rule
    return {key: value for key, value in rule.items() if key not in _PORTS}
