"""The event bus of a Region: what leaves it for the siblings, and where what arrives from them goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf_cdktf_provider_aws.cloudwatch_event_bus import CloudwatchEventBus
from cdktf_cdktf_provider_aws.cloudwatch_event_bus_policy import CloudwatchEventBusPolicy
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetDeadLetterConfig,
    CloudwatchEventTargetRetryPolicy,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from domicile.core.patterns import Pattern
from domicile.naming import Names
from modules.policy import Condition, allow, document, trust
from modules.queue import Queue
from modules.text import to_json

# EventBridge's own limits, written down: what a sibling can't take for a day ends in the dead-letter queue.
_RETRY_AGE_S_MAX = 24 * 3600
_RETRIES_MAX = 185


class EventRouting(Construct):
    """The bus with its policy, its rules and targets, and the role by which events reach the siblings' buses.

    ``patterns`` are the rules' by purpose: ``to-<region>`` goes to that sibling's bus, each other one to the queue of
    the same name in ``queues``. Each target's failures go to ``dead_letters``.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        siblings: Sequence[Names],
        patterns: Mapping[str, Pattern],
        queues: Mapping[str, Queue],
        dead_letters: Queue,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._dead_letters = names, dead_letters
        self._bus = CloudwatchEventBus(self, "bus", name=names.bus)
        if siblings:
            self._admit(siblings)
            router = self._router(siblings)
            for sibling in siblings:
                purpose = f"to-{sibling.region}"
                self._route(purpose, patterns[purpose], sibling.bus_arn, role_arn=router.arn)
        for purpose, queue in queues.items():
            self._route(purpose, patterns[purpose], queue.arn)

    def _admit(self, siblings: Sequence[Names]) -> None:
        """Let the siblings' routers put events on the bus.

        Within the account, an identity whose own policy allows it may do so too: who may, is the account's to say.

        The principal is the account, narrowed to the routers by a condition: AWS refuses a principal that does not
        exist, and a sibling's stack may be applied later than this one.
        """
        names = self._names
        account = {"AWS": f"arn:{names.partition}:iam::{names.account}:root"}
        routers = {"ArnEquals": {"aws:PrincipalArn": [sibling.role_arn("router") for sibling in siblings]}}
        admitted = allow("SiblingRouters", ["events:PutEvents"], [names.bus_arn], principal=account, condition=routers)
        CloudwatchEventBusPolicy(self, "bus-policy", event_bus_name=self._bus.name, policy=document([admitted]))

    def _router(self, siblings: Sequence[Names]) -> IamRole:
        names = self._names
        rules = [names.rule_arn(f"to-{sibling.region}") for sibling in siblings]
        by_rules: Condition = {
            "ArnEquals": {"aws:SourceArn": rules},
            "StringEquals": {"aws:SourceAccount": names.account},
        }
        role = IamRole(
            self, "router", name=names.role("router"), assume_role_policy=trust("events.amazonaws.com", by_rules)
        )
        put = allow("PutOnSiblingBuses", ["events:PutEvents"], [sibling.bus_arn for sibling in siblings])
        IamRolePolicy(self, "router-policy", name="work", role=role.name, policy=document([put]))
        return role

    def _route(self, purpose: str, pattern: Pattern, target_arn: str, *, role_arn: str | None = None) -> None:
        rule = CloudwatchEventRule(
            self,
            f"rule-{purpose}",
            name=self._names.rule(purpose),
            event_bus_name=self._bus.name,
            event_pattern=to_json(pattern),
        )
        CloudwatchEventTarget(
            self,
            f"target-{purpose}",
            rule=rule.name,
            event_bus_name=self._bus.name,
            target_id=purpose,
            arn=target_arn,
            role_arn=role_arn,
            retry_policy=CloudwatchEventTargetRetryPolicy(
                maximum_event_age_in_seconds=_RETRY_AGE_S_MAX, maximum_retry_attempts=_RETRIES_MAX
            ),
            dead_letter_config=CloudwatchEventTargetDeadLetterConfig(arn=self._dead_letters.arn),
        )
