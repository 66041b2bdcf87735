"""What surrounds each invocation of a function.

AWS: Lambda runs many sandboxes at once, publishes Invocations, Errors, Duration and Throttles for each invocation,
and turns the embedded metric format (EMF) lines of the log into metrics. An event source mapping tries an invocation
that is throttled again, with growing waits, while it keeps the batch to itself.

MiniStack 1.5.33: starts as many processes as there are events, until the machine's memory is gone; publishes metrics
for direct calls only; does not read EMF; gives a throttled batch back as failed.

Here a function has at most two sandboxes in a Region, and further invocations wait for one, so a function that calls
itself would wait for ever; none of the pipeline's does. An invocation that did not come in as an API call asks the
fault injector, as the gateway did for one that did.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import cloudwatch, lambda_svc

from domicile.local.adaptations import expect_function
from domicile.local.faults import Faults, asked_at_the_door

_SANDBOXES_PER_FUNCTION = 2
_WAITS_S = (0.2, 0.4, 0.8, 1.6, 3.2, *[5.0] * 11)

log = logging.getLogger("domicile.local")


def install(faults: Faults) -> None:
    """Wrap the one place that every invocation passes through."""
    original = expect_function(
        lambda_svc, "_execute_function_dispatch", "func", "config", "event", "request_id", "started"
    )
    publish = expect_function(lambda_svc, "_emit_lambda_metrics", "function_name", "duration_ms", "error", "throttle")
    expect_function(cloudwatch, "record_metric", "namespace", "metric_name", "value", "unit", "dimensions")
    slots: defaultdict[tuple[str, str, str], threading.Semaphore] = defaultdict(
        lambda: threading.Semaphore(_SANDBOXES_PER_FUNCTION)
    )

    def dispatch(func: Any, config: dict[str, Any], event: Any, request_id: str, _started: float) -> dict[str, Any]:
        arn, name = parse_arn(config["FunctionArn"]), config["FunctionName"]
        if not asked_at_the_door.get():
            for wait_s in _WAITS_S:
                fault = faults.strike("lambda", "Invoke", arn.region)
                if fault is None:
                    break
                time.sleep(fault.latency_s)
                if fault.code is None:
                    break
                publish(name, 0.0, error=False, throttle=True)
                time.sleep(wait_s)
            else:
                return {"error": True, "throttle": True, "body": {"errorMessage": "Injected faults, for a minute"}}
        with slots[arn.account_id, arn.region, name]:
            started = time.time()
            result: dict[str, Any] = original(func, config, event, request_id, started)
        publish(name, (time.time() - started) * 1000, error=bool(result.get("error")), throttle=False)
        for namespace, metric, value, unit, dimensions in _embedded_metrics(result.get("log") or ""):
            cloudwatch.record_metric(namespace, metric, value, unit, dimensions)
        return result

    def publish_throttles(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            publish(function_name, duration_ms, error, throttle)

    lambda_svc._execute_function_dispatch = dispatch
    lambda_svc._emit_lambda_metrics = publish_throttles


def _embedded_metrics(text: str) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    for line in text.splitlines():
        if not line.startswith("{") or '"_aws"' not in line:
            continue
        try:
            document = json.loads(line)
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for keys in directive["Dimensions"]:
                    dimensions = {key: str(document[key]) for key in keys}
                    for metric in directive["Metrics"]:
                        values = document[metric["Name"]]
                        for value in values if isinstance(values, list) else [values]:
                            yield directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions
        except (ValueError, KeyError, TypeError):
            log.warning("a line of the embedded metric format could not be read")
