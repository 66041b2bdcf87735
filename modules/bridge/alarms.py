"""The alarms of a gateway Region: what waits, what was given up, what is refused."""

from __future__ import annotations

from constructs import Construct

from domicile.naming import Names
from domicile.pipeline.report import Count
from modules.alarm import Alarm, Metric

_RUNBOOK = "docs/runbooks/bridge.md"
_LATE_S = 900
_LATE_MS = 1000 * _LATE_S
_PERIODS = 3  # of five minutes each: as long as it takes to be late
_MANY = 10**9  # more than an outbox ever holds


class BridgeAlarms(Construct):
    """What tells ``topic`` that the way to the gateway Region ``other_end``, or from it, is not as it should be.

    SQS does not count the age of a message that was received three times, as every one is while the link is down. So
    ``outbox-age`` sees a courier that is slow or gone, and ``outbox-stuck`` a link that takes nothing. While a batch of
    the stream is tried again and again, nothing more is read: the age of what is read stands still, ``gateway-age``
    grows.
    """

    def __init__(self, scope: Construct, id_: str, *, names: Names, other_end: str, topic: str | None) -> None:
        super().__init__(scope, id_)
        outbox = {"QueueName": names.queue("outbox")}
        dead_letters = {"QueueName": names.queue("outbox-dlq")}
        courier, gateway = ({"FunctionName": names.function(role)} for role in ("courier", "gateway"))
        counted = {"region": names.region, "service": "courier"}
        visible, hidden = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
        stuck = {
            "visible": Metric("AWS/SQS", visible, outbox, "Maximum"),
            "hidden": Metric("AWS/SQS", hidden, outbox, "Maximum"),
            "sent": Metric("Domicile", Count.SENT.value, counted, "Sum"),
        }
        age = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", outbox, "Maximum")
        given_up = Metric("AWS/SQS", visible, dead_letters, "Maximum")
        errors = Metric("AWS/Lambda", "Errors", courier, "Sum")
        failures = Metric("AWS/Lambda", "Errors", gateway, "Sum")
        handled = Metric("AWS/Lambda", "IteratorAge", gateway, "Maximum")
        refused = Metric("Domicile", Count.LINK_REFUSED.value, counted, "Sum")
        unread = Metric(
            "AWS/Kinesis",
            "GetRecords.IteratorAgeMilliseconds",
            {"StreamName": names.bridge_stream(other_end)},
            "Maximum",
        )

        watched = {
            "outbox-age": (age, _LATE_S, f"A change has waited for 15 minutes to leave for {other_end}"),
            "outbox-dlq": (given_up, 0, f"Changes were given up on their way to {other_end}"),
            "courier-errors": (errors, 0, "The courier failed as a whole"),
            "link-refused": (refused, 0, f"{other_end} refused the courier's access key or its permissions"),
            "staging-age": (unread, _LATE_MS, f"A change from {other_end} has waited for 15 minutes in its stream"),
            "gateway-age": (handled, _LATE_MS, f"A change from {other_end} was not handled for 15 minutes"),
            "gateway-errors": (failures, 0, "The gateway failed as a whole"),
        }
        for purpose, (metric, threshold, text) in watched.items():
            description = f"{text}: {_RUNBOOK}"
            Alarm(self, purpose, names=names, topic=topic, description=description, of=metric, threshold=threshold)
        Alarm(
            self,
            "outbox-stuck",
            names=names,
            topic=topic,
            description=f"Changes wait to leave for {other_end}, and for 15 minutes none has: {_RUNBOOK}",
            # A courier that sends nothing counts nothing. Sums, and comparisons of two metrics, take what is missing
            # for 0; whether FILL fills a metric without any value CloudWatch's guide does not say.
            of=(f"IF(visible + hidden > sent * {_MANY}, 1, 0)", stuck),
            periods=_PERIODS,
        )
