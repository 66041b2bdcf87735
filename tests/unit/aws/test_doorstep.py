"""Handing a message to a replicator directly."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from domicile.aws.doorstep import LambdaDoorstep
from domicile.core.errors import TransientError

OK: dict[str, Any] = {"batchItemFailures": []}


@dataclass
class Functions:
    """A Region's Lambda, which gives one answer."""

    answer: dict[str, Any] = field(default_factory=lambda: OK)
    error: Any = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, **arguments: Any) -> Any:
        if "Code" in self.error:
            raise ClientError({"Error": self.error}, "Invoke")
        self.calls.append(arguments)
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **self.error}


def test_the_replicator_gets_the_message_as_its_queue_would_bring_it() -> None:
    regions: dict[str, Functions] = {"cn-north-1": Functions(), "cn-northwest-1": Functions()}
    doorstep = LambdaDoorstep(regions.__getitem__, "shop-replicator")  # type: ignore[arg-type]  # the one method
    doorstep.deliver("cn-northwest-1", "a message")
    ((call,),) = [region.calls for region in regions.values() if region.calls]
    assert (call["FunctionName"], call["Qualifier"]) == ("shop-replicator", "live")
    ((record,),) = [json.loads(call["Payload"])["Records"]]
    assert record["body"] == "a message"
    assert not regions["cn-north-1"].calls


@pytest.mark.parametrize(
    "functions",
    [
        Functions({"batchItemFailures": [{"itemIdentifier": "m"}]}),
        Functions(error={"FunctionError": "Unhandled"}),
        Functions(error={"Code": "TooManyRequestsException"}),
    ],
    ids=["not handled", "function failed", "not invoked"],
)
def test_what_the_replicator_does_not_take_is_tried_again(functions: Functions) -> None:
    with pytest.raises(TransientError):
        LambdaDoorstep(lambda _: functions, "shop-replicator").deliver("cn-north-1", "m")  # type: ignore[arg-type,return-value]
