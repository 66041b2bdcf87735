"""A deployment over a bridge is proven, and no change of the bridge that leaks gets past the review."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.deployment import Deployment
from domicile.review.findings import Severity
from domicile.review.protocol import Kind
from domicile.review.reading import read_stacks
from domicile.review.verdict import review
from infra.artifacts import ROOT
from tests.infra.changed import ACCOUNT, Changed, named
from tests.infra.changes import Change, added_with_reference, one_statement_more, pattern_of, review_of
from tests.infra.synthesized import synthesize_stand_ins


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesized stacks of the example in two partitions."""
    deployment = Deployment.load(ROOT / "examples/bridge/domicile.yaml")
    return synthesize_stand_ins(deployment, tmp_path_factory.mktemp("bridged"))


def test_a_deployment_over_a_bridge_is_proven(bridged: Path) -> None:
    found = review(read_stacks(bridged))
    assert found.of(Severity.VIOLATION, Severity.UNKNOWN) == []
    verdicts = {verdict.authority: verdict for verdict in found.verdicts}
    assert (verdicts["EU"].reached, verdicts["EU"].on_the_way) == (("eu-west-1",), ("ap-southeast-1", "cn-north-1"))
    assert (verdicts["SG"].reached, verdicts["SG"].on_the_way) == (("ap-southeast-1",), ("cn-north-1",))
    over = {(one.authority, kind) for one in found.passages for kind in one.kinds if one.target == "cn-north-1"}
    assert ("EU", Kind.STUB) in over
    assert ("SG", Kind.STUB) not in over


def _courier(name: str, value: str) -> Change:
    def change(changed: Changed) -> None:
        function = changed.one("ap-southeast-1", "aws_lambda_function", "function-courier")
        function["environment"]["variables"][name] = value

    return change


BRIDGE_LEAKS: dict[str, tuple[Change, str]] = {
    "another stream": (_courier("DOMICILE_STREAM", "all"), "aws_lambda_function.function-courier_function"),
    "another Region": (
        _courier("DOMICILE_RECEIVER", "cn-northwest-1"),
        "aws_lambda_function.function-courier_function",
    ),
    "a second reader of the staging stream": (
        added_with_reference(
            "ap-southeast-1",
            "aws_lambda_event_source_mapping",
            ("event_source_arn", "aws_kinesis_stream", "staging", "arn"),
            function_name="all",
        ),
        "aws_lambda_event_source_mapping.added",
    ),
    "a delivery stream": (
        added_with_reference(
            "ap-southeast-1",
            "aws_kinesis_firehose_delivery_stream",
            ("name", "aws_kinesis_stream", "staging", "name"),
            kinesis_source_configuration={
                "kinesis_stream_arn": f"arn:aws:kinesis:ap-southeast-1:{ACCOUNT}:stream/shopease-from-cn-north-1"
            },
        ),
        "aws_kinesis_firehose_delivery_stream.added",
    ),
    "a user that reads": (
        one_statement_more(
            "ap-southeast-1", "aws_iam_user_policy", "", {"Action": ["kinesis:GetRecords", "kinesis:GetShardIterator"]}
        ),
        "aws_iam_user_policy.staging_policy",
    ),
    "a gateway's rule for every destination": (
        pattern_of("ap-southeast-1", "to-eu-west-1", destination=None),
        "aws_cloudwatch_event_target.routing_target-to-eu-west-1",
    ),
    "a bus in between that keeps moves": (
        pattern_of("eu-west-1", "to-ap-southeast-1", emitter=None, destination=[{"exists": True}]),
        "aws_cloudwatch_event_target.routing_target-to-ap-southeast-1",
    ),
}


@pytest.mark.parametrize(("change", "resource"), BRIDGE_LEAKS.values(), ids=BRIDGE_LEAKS)
def test_a_change_of_a_bridge_that_leaks_is_a_violation(
    change: Change, resource: str, bridged: Path, tmp_path: Path
) -> None:
    review_of(change, bridged, tmp_path, caught=resource)


@pytest.mark.parametrize(
    ("endpoint", "clean"),
    [
        ("https://kinesis.cn-north-1.amazonaws.com.cn", True),
        ("https://vpce-0a1b2c3d-4e5f.kinesis.cn-north-1.vpce.amazonaws.com.cn", True),
        ("https://kinesis.cn-northwest-1.amazonaws.com.cn", False),
        ("https://kinesis.cn-north-1.amazonaws.com.cn.example.com", False),
        ("https://kinesis.example.com", False),
        ("http://kinesis.cn-north-1.amazonaws.com.cn", False),
    ],
)
def test_a_couriers_endpoint_must_be_known_to_be_the_receivers_kinesis(
    endpoint: str, clean: bool, bridged: Path, tmp_path: Path
) -> None:
    changed = Changed(bridged)
    _courier("DOMICILE_ENDPOINT", endpoint)(changed)
    found = changed.review(tmp_path)
    courier = "aws_lambda_function.function-courier_function (ap-southeast-1)"
    assert (found.clean, named(found, Severity.UNKNOWN)) == (clean, set() if clean else {courier})
    assert courier in named(found, Severity.RELIED)


@pytest.mark.parametrize("variable", ["DOMICILE_ENDPOINT", "DOMICILE_PROXY"])
def test_a_password_in_a_url_is_not_told(variable: str, bridged: Path, tmp_path: Path) -> None:
    changed = Changed(bridged)
    _courier(variable, "https://courier:hidden@proxy.example.com:8443")(changed)
    found = changed.review(tmp_path)
    texts = [finding.text for severity in Severity for finding in found.of(severity)]
    assert any("proxy.example.com" in text for text in texts)
    assert not any("hidden" in text for text in texts)
