"""Python functions see what they see on Lambda, and their failures are told as Lambda tells them."""

from __future__ import annotations

import base64
import json

from domicile.local.account import ACCESS_KEY
from tests.plane import HERE, Plane

LOOK_AROUND = """
import importlib, os, sys

def importable(name):
    try:
        importlib.import_module(name)
        return True
    except ImportError:
        return False

def handler(event, context):
    names = ("boto3", "botocore", "json", "ministack", "hypercorn", "pydantic", "pip", "domicile")
    return {"path": sys.path, "environ": dict(os.environ), "importable": [n for n in names if importable(n)]}
"""


def test_a_handler_sees_its_zip_and_boto3_only(plane: Plane) -> None:
    seen = plane.invoke(plane.function(LOOK_AROUND))["Payload"]
    assert seen["importable"] == ["boto3", "botocore", "json"]
    assert not [path for path in seen["path"] if "site-packages" in path]
    assert "SECRET_OF_THE_SHELL" not in seen["environ"]
    assert "AWS_PROFILE" not in seen["environ"]
    assert "GATEWAY_PORT" not in seen["environ"]


def test_a_handlers_environment_is_lambdas_and_its_own(plane: Plane) -> None:
    function = plane.function(LOOK_AROUND, Environment={"Variables": {"MINE": "yes"}}, MemorySize=512)
    environment = plane.invoke(function)["Payload"]["environ"]
    expected = {
        "MINE": "yes",
        "AWS_REGION": HERE,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{plane.port}",
    }
    assert expected.items() <= environment.items()
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # of a session of its role
    assert environment["AWS_SESSION_TOKEN"]


def test_a_sandbox_survives_an_exception_and_tells_type_and_stack(plane: Plane) -> None:
    source = """
import os

def handler(event, context):
    if event == "raise":
        raise KeyError("no such thing")
    return os.getpid()
"""
    function = plane.function(source)
    before = plane.invoke(function)["Payload"]
    failed = plane.invoke(function, "raise")
    assert failed["FunctionError"] == "Unhandled"
    assert failed["Payload"]["errorType"] == "KeyError"
    assert failed["Payload"]["errorMessage"] == "'no such thing'"
    assert 'raise KeyError("no such thing")' in failed["Payload"]["stackTrace"][-1]
    assert plane.invoke(function)["Payload"] == before


def test_each_invocations_log_is_what_it_printed(plane: Plane) -> None:
    source = """
import os, sys

def handler(event, context):
    if event:
        print("out", event)
        print("err", event, file=sys.stderr)
        os.write(1, b"x" * 200_000)
"""
    function = plane.function(source)
    logs = [base64.b64decode(plane.invoke(function, event).get("LogResult", "")).decode() for event in (0, 1, 0, 2)]
    assert [logs[0], logs[2]] == ["", ""]
    assert logs[1].endswith("x" * 4096), "Lambda returns the last 4 KB"
    group = plane.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    messages = [event["message"] for event in group]
    assert [line for line in messages if line.startswith(("out", "err"))] == ["out 1", "err 1", "out 2", "err 2"]


def test_a_module_that_cannot_be_imported_and_a_process_that_ends(plane: Plane) -> None:
    broken = plane.invoke(plane.function("import not_there"))
    assert broken["Payload"]["errorType"] == "ModuleNotFoundError"
    ended = plane.invoke(plane.function("import os\ndef handler(event, context): os._exit(3)"))
    assert ended["Payload"]["errorType"] == "Runtime.ExitError"


def test_a_handler_that_takes_too_long_is_ended_and_the_next_call_works(plane: Plane) -> None:
    source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'"
    function = plane.function(source, Timeout=1)
    assert plane.invoke(function, 30)["Payload"]["errorType"] == "Sandbox.Timedout"
    assert plane.invoke(function, 0)["Payload"] == "done"
    chatty = plane.function("def handler(event, context):\n    while True: print('x' * 1000)", Timeout=1)
    assert plane.invoke(chatty)["Payload"]["errorType"] == "Sandbox.Timedout"


def test_the_context_and_an_event_of_any_type(plane: Plane) -> None:
    source = """
def handler(event, context):
    return [event, context.function_name, context.invoked_function_arn, context.get_remaining_time_in_millis()]
"""
    function = plane.function(source)
    plane.client("lambda").publish_version(FunctionName=function)
    plane.client("lambda").create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    event, name, arn, remaining_ms = plane.invoke(f"{function}:live", {"deep": [1, None, "ü"]})["Payload"]
    assert (event, name) == ({"deep": [1, None, "ü"]}, function)
    assert arn == f"arn:aws:lambda:{HERE}:{ACCESS_KEY}:function:{function}:live"
    assert 9000 < remaining_ms <= 10_000


def test_embedded_metrics_and_invocations_are_counted(plane: Plane) -> None:
    document = {
        "_aws": {
            "Timestamp": 0,
            "CloudWatchMetrics": [
                {"Namespace": "Test", "Dimensions": [["color"]], "Metrics": [{"Name": "Applied", "Unit": "Count"}]}
            ],
        },
        "color": "red",
        "Applied": [2.0, 3.0],
    }
    function = plane.function(f"def handler(event, context): print({json.dumps(document)!r})")
    plane.invoke(function)
    assert _sum(plane, "Test", "Applied", "color", "red") == 5
    assert _sum(plane, "AWS/Lambda", "Invocations", "FunctionName", function) == 1


def _sum(plane: Plane, namespace: str, name: str, dimension: str, value: str) -> float:
    points = plane.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value}],
        StartTime="2020-01-01T00:00:00Z",
        EndTime="2100-01-01T00:00:00Z",
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))
