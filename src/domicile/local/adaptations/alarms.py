"""Alarms are described as they were put.

AWS: DescribeAlarms gives back everything that PutMetricAlarm set; an alarm on an expression has metrics of its own
instead of a metric's name, statistic and period.

MiniStack 1.5.33: by the Query protocol, which Terraform speaks, its answer has some of an alarm's fields; by every
protocol it forgets an expression's metrics. So Terraform finds each alarm changed on every plan.

A call by the Query protocol is made as one in JSON here, and its answer is turned back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from domicile.local.adaptations import expect_function, expect_value

_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "Period")
_BOOLEANS = {"true": True, "false": False}


def install() -> None:
    """Replace PutMetricAlarm and DescribeAlarms."""
    taken = ("params", "cbor_data", "is_cbor", "is_json")
    put = expect_function(cloudwatch, "_put_metric_alarm", *taken)
    describe = expect_function(cloudwatch, "_describe_alarms", *taken)
    expect_function(cloudwatch, "_xml", "status", "root_tag", "inner")
    expect_value(cloudwatch, "_alarms")

    def put_metric_alarm(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        query = not (is_cbor or is_json)
        request = _structured(params) if query else data
        answer = put(params, request, is_cbor, is_json or query)
        if answer[0] != HTTPStatus.OK:
            return put(params, data, is_cbor, is_json)
        if request.get("Metrics"):
            alarm = cloudwatch._alarms[request["AlarmName"]]
            kept = {key: value for key, value in alarm.items() if key not in _OF_ONE_METRIC}
            cloudwatch._alarms[request["AlarmName"]] = {**kept, "Metrics": request["Metrics"]}
        return cloudwatch._xml(HTTPStatus.OK, "PutMetricAlarmResponse", "") if query else answer

    def describe_alarms(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            return describe(params, data, is_cbor, is_json)
        status, _, body = describe(params, _structured(params), False, True)
        if status != HTTPStatus.OK:
            return describe(params, data, is_cbor)
        result = _element("DescribeAlarmsResult", json.loads(body))
        return cloudwatch._xml(HTTPStatus.OK, "DescribeAlarmsResponse", result)

    cloudwatch._put_metric_alarm = put_metric_alarm
    cloudwatch._describe_alarms = describe_alarms


def _structured(params: Mapping[str, Sequence[str]]) -> Any:
    """Return the Query protocol's parameters, ``A.member.1.B``, as JSON has them."""
    root: dict[str, Any] = {}
    for path, values in params.items():
        *parents, leaf = path.split(".")
        node = root
        for part in parents:
            node = node.setdefault(part, {})
        node[leaf] = _BOOLEANS.get(values[0], values[0])
    return _with_lists(root)


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if set(node) == {"member"}:
        return [_with_lists(value) for _, value in sorted(node["member"].items(), key=lambda member: int(member[0]))]
    return {key: _with_lists(value) for key, value in node.items()}


def _element(name: str, value: Any) -> str:
    """Return a value as the Query protocol's XML; what is not set has no element."""
    match value:
        case None:
            return ""
        case dict():
            inner = "".join(_element(key, member) for key, member in value.items())
        case list():
            inner = "".join(_element("member", member) for member in value)
        case bool():
            inner = str(value).lower()
        case int() if name.endswith("Timestamp"):
            inner = datetime.fromtimestamp(value, UTC).isoformat()
        case _:
            inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"
