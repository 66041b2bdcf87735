from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domicile.naming import BRIDGE_FUNCTIONS, BRIDGE_QUEUES, FUNCTIONS, QUEUES, ROLES, Names, all_names, name_problems

MUMBAI = Names("shopease", "ap-south-1", "111122223333")
LONGEST_REGION = "ap-northeast-1"

deployment_names = st.from_regex(r"[a-z][a-z0-9-]{0,22}[a-z0-9]", fullmatch=True)


def test_names() -> None:
    assert MUMBAI.stack == "shopease-ap-south-1"
    assert MUMBAI.table("orders") == "shopease-orders"
    assert MUMBAI.ledger("orders") == "shopease-orders-ledger"
    assert MUMBAI.bus == "shopease"
    assert MUMBAI.function("listener") == "shopease-listener"
    assert MUMBAI.log_group("listener") == "/aws/lambda/shopease-listener"
    assert MUMBAI.queue("inbox-dlq") == "shopease-inbox-dlq"
    assert MUMBAI.role("router") == "shopease-router-ap-south-1"
    assert MUMBAI.application_policy == "shopease-application-ap-south-1"
    assert MUMBAI.rule("to-us-east-1") == "shopease-to-us-east-1"
    assert MUMBAI.hash_secret == "shopease/hash-key"
    assert MUMBAI.policy_path == "shopease/live/policy"
    assert MUMBAI.key_alias == "alias/shopease"


def test_arns() -> None:
    assert MUMBAI.table_arn("orders") == "arn:aws:dynamodb:ap-south-1:111122223333:table/shopease-orders"
    assert MUMBAI.ledger_arn("orders") == "arn:aws:dynamodb:ap-south-1:111122223333:table/shopease-orders-ledger"
    assert MUMBAI.bus_arn == "arn:aws:events:ap-south-1:111122223333:event-bus/shopease"
    assert MUMBAI.rule_arn("inbox") == "arn:aws:events:ap-south-1:111122223333:rule/shopease/shopease-inbox"
    assert MUMBAI.queue_arn("inbox") == "arn:aws:sqs:ap-south-1:111122223333:shopease-inbox"
    assert MUMBAI.role_arn("router") == "arn:aws:iam::111122223333:role/shopease-router-ap-south-1"
    pattern = MUMBAI.secret_arn_pattern(MUMBAI.hash_secret)
    assert pattern == "arn:aws:secretsmanager:ap-south-1:111122223333:secret:shopease/hash-key-??????"


def test_a_sibling_has_the_same_names_but_for_its_roles() -> None:
    ireland = MUMBAI.in_region("eu-west-1")
    assert ireland.bus_arn == "arn:aws:events:eu-west-1:111122223333:event-bus/shopease"
    assert [ireland.function(role) for role in FUNCTIONS] == [MUMBAI.function(role) for role in FUNCTIONS]
    assert [ireland.queue(role) for role in QUEUES] == [MUMBAI.queue(role) for role in QUEUES]
    assert ireland.table("orders") == MUMBAI.table("orders")
    assert not {ireland.role(role) for role in ROLES} & {MUMBAI.role(role) for role in ROLES}, "IAM is global"
    assert ireland.application_policy != MUMBAI.application_policy, "IAM is global"


def test_partition_and_account_may_be_terraform_tokens() -> None:
    names = Names("shopease", "eu-west-1", account="${account}", partition="${partition}")
    assert names.queue_arn("inbox") == "arn:${partition}:sqs:eu-west-1:${account}:shopease-inbox"


@given(deployment_names)
def test_every_name_that_a_deployment_may_have_is_within_the_limits(name: str) -> None:
    assert name_problems(name, regions=[LONGEST_REGION], tables=["t", "t" * (255 - len(f"{name}--ledger"))]) == []


def test_a_name_beyond_a_limit_is_told_with_the_limit() -> None:
    name = "n" * 48
    assert name_problems(name, regions=["eu-west-1"]) == [
        (f"the IAM role {name}-listener-eu-west-1 has 67 characters", "1 to 64"),
        (f"the IAM role {name}-replicator-eu-west-1 has 69 characters", "1 to 64"),
        (f"the IAM role {name}-anonymizer-eu-west-1 has 69 characters", "1 to 64"),
        (f"the IAM role {name}-courier-eu-west-1 has 66 characters", "1 to 64"),
        (f"the IAM role {name}-gateway-eu-west-1 has 66 characters", "1 to 64"),
        (f"the IAM role {name}-router-eu-west-1 has 65 characters", "1 to 64"),
        (f"the IAM user {name}-courier-eu-west-1 has 66 characters", "1 to 64"),
    ]


def test_characters_that_aws_refuses_are_told() -> None:
    assert name_problems("shop", tables=["order lines"]) == [
        ("the DynamoDB table shop-order lines has characters that AWS refuses", "a-zA-Z0-9_.-"),
        ("the DynamoDB table shop-order lines-ledger has characters that AWS refuses", "a-zA-Z0-9_.-"),
    ]


def test_every_name_is_checked() -> None:
    checked = {name for _, name in all_names("shopease", ["ap-south-1"], ["orders"])}
    names = {MUMBAI.table("orders"), MUMBAI.ledger("orders"), MUMBAI.bus, MUMBAI.hash_secret, MUMBAI.key_alias}
    names |= {MUMBAI.courier_secret, MUMBAI.courier_user("ap-south-1"), MUMBAI.bridge_stream("ap-south-1")}
    names |= {
        MUMBAI.stack,
        MUMBAI.application_policy,
        "shopease-to-ap-south-1",
        MUMBAI.rule("inbox"),
        MUMBAI.rule("receipts"),
    }
    functions, queues = (*FUNCTIONS, *BRIDGE_FUNCTIONS), (*QUEUES, *BRIDGE_QUEUES)
    names |= {MUMBAI.function(role) for role in functions} | {MUMBAI.log_group(role) for role in functions}
    names |= {MUMBAI.queue(role) for role in queues} | {MUMBAI.role(role) for role in ROLES}
    assert names <= checked
