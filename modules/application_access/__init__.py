"""What an application's role may do that works with the tables through ``domicile.client``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from constructs import Construct

from domicile.deployment import AnyTable
from domicile.naming import Names
from modules.authority_map import read_policy
from modules.encryption import use_keys
from modules.policy import Statement, allow, document

_SEARCH = ["dynamodb:Query", "dynamodb:Scan"]
_READ = ["dynamodb:GetItem", "dynamodb:BatchGetItem", *_SEARCH]
# A transaction's puts, updates and deletes need what the single ones need; only its checks have an action of their own.
_WRITE = [
    *("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
    *("dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem"),
]


class ApplicationAccess(Construct):
    """A managed policy, attached to nothing: an application's role takes it by its ARN.

    It reaches the tables of all Regions of the deployment, because items are written at home and global ones may be
    served by the next Region, and the policy document of this Region. Ledgers, streams, queues and buses are the
    replication's own.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        siblings: Sequence[Names],
        tables: Mapping[str, AnyTable],
        configuration_arn: str,
        customer_managed_keys: bool,
    ) -> None:
        super().__init__(scope, id_)
        regions = [names, *siblings]
        statements = _use_tables(regions, tables)
        if customer_managed_keys:
            statements.append(use_keys("UseKeys", regions, ["dynamodb"]))
        statements.append(read_policy(configuration_arn))
        self.policy_arn: str = IamPolicy(
            self,
            "policy",
            name=names.application_policy,
            description=f"What an application in {names.region} needs of the tables of {names.name}",
            policy=document(statements),
        ).arn


def _use_tables(regions: Sequence[Names], tables: Mapping[str, AnyTable]) -> list[Statement]:
    """Return one ARN for a table, not one for each Region: a managed policy has room for 6,144 characters."""
    anywhere = regions[0].in_region("*")
    condition = {"StringEquals": {"aws:RequestedRegion": [names.region for names in regions]}}
    arns = [anywhere.table_arn(table) for table in tables]
    indexes = [f"{anywhere.table_arn(table)}/index/*" for table, config in tables.items() if config.indexes]
    statements = [allow("UseTables", [*_READ, *_WRITE], arns, condition=condition)]
    if indexes:
        statements.append(allow("SearchIndexes", _SEARCH, indexes, condition=condition))
    return statements
