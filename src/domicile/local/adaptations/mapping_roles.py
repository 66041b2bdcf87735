"""An event source mapping reads its source as the function's role.

AWS: a mapping is refused while the role may not read the source. Later, a mapping whose role lost a permission reads
nothing until it has it again, and deletes no message that it may not delete.

MiniStack 1.5.33: asks for no permission.
"""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import lambda_svc, sqs

from domicile.local.adaptations import expect_function, permissions

# What Lambda's guide names for each kind of source, as its requests can't be seen here. kinesis:SubscribeToShard is for
# consumers with fan-out; kinesis:ListStreams, which the guide does not name any more, is of no one stream.
_NEEDED = {
    "dynamodb": [f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")],
    "kinesis": [
        f"kinesis:{name}"
        for name in ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
    ],
    "sqs": [f"sqs:{name}" for name in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")],
}
_working_for: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("mapping", default=None)


def install() -> None:
    """Ask for the permissions when a mapping is made, when it polls a queue and when it deletes messages."""
    create = expect_function(lambda_svc, "_create_esm", "data")
    resolve = expect_function(lambda_svc, "_resolve_existing_esm_function", "function_ref")
    expect_function(lambda_svc, "_get_func_record_for_qualifier", "name", "qualifier")
    expect_function(lambda_svc, "_invalid_parameter_value", "message")
    concurrency = expect_function(lambda_svc, "_sqs_esm_concurrency", "esm", "func_rec", "config", "queue")
    run = expect_function(lambda_svc, "_run_sqs_batch", "esm", "func_rec", "event", "batch", "queue_url", "queue_name")
    delete = expect_function(sqs, "_delete_messages_for_esm", "queue_url", "receipt_handles")

    def create_permitted(data: dict[str, Any]) -> Any:
        name, qualifier, error = resolve(data.get("FunctionName", ""))
        source = data.get("EventSourceArn", "")
        if error is None and source.startswith("arn:"):
            mapping = {"FunctionName": name, "Qualifier": qualifier, "EventSourceArn": source}
            for action in _NEEDED.get(parse_arn(source).service, ()):
                if not may(mapping, action):
                    return lambda_svc._invalid_parameter_value(
                        f"The function's execution role does not have permissions to call {action} on {source}"
                    )
        return create(data)

    def batches_at_once(
        esm: dict[str, Any], func_rec: dict[str, Any], config: dict[str, Any], queue: dict[str, Any] | None = None
    ) -> int:
        if queue and queue["messages"] and not may(esm, "sqs:ReceiveMessage"):
            return 0
        count: int = concurrency(esm, func_rec, config, queue)
        return count

    def run_as_mapping(esm: dict[str, Any], *batch: Any) -> None:
        _working_for.set(esm)
        run(esm, *batch)

    def delete_permitted(queue_url: str, receipt_handles: set[str]) -> None:
        mapping = _working_for.get()
        if mapping is None or may(mapping, "sqs:DeleteMessage"):
            delete(queue_url, receipt_handles)

    lambda_svc._create_esm = create_permitted
    lambda_svc._sqs_esm_concurrency = batches_at_once
    lambda_svc._run_sqs_batch = run_as_mapping
    sqs._delete_messages_for_esm = delete_permitted


def may(mapping: dict[str, Any], *actions: str, resource_arn: str | None = None) -> bool:
    """Return whether a mapping's role may do something with its source, or with another resource."""
    _, config = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping["Qualifier"])
    return config is not None and all(
        permissions.role_may(config["Role"], action, resource_arn or mapping["EventSourceArn"]) for action in actions
    )
