"""Event source mappings of queues: a failed message comes back soon.

AWS: a message that the function did not finish becomes visible again when the queue's visibility timeout is over; the
pipeline's queues say six minutes, so that twenty receives are two hours of patience.

MiniStack 1.5.33: the same. Here a failed message waits 1, 2, 4, 8 and then 10 seconds, so that a person or a test can
watch a recovery; twenty receives are three minutes. Nothing else of the mapping is changed.
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services import lambda_svc

from domicile.local.adaptations import expect_function

_RETRY_LONGEST_S = 10.0


def install() -> None:
    """Shorten the wait of the messages that are left after a batch."""
    original = expect_function(
        lambda_svc, "_run_sqs_batch", "esm", "func_rec", "event", "batch", "queue_url", "queue_name"
    )

    def run_batch(esm: Any, func_rec: Any, event: Any, batch: list[dict[str, Any]], *queue: str) -> None:
        original(esm, func_rec, event, batch, *queue)
        now = time.time()
        for message in batch:  # those that were finished are in no queue any more
            wait_s = min(2.0 ** (message["receive_count"] - 1), _RETRY_LONGEST_S)
            message["visible_at"] = min(message["visible_at"], now + wait_s)

    lambda_svc._run_sqs_batch = run_batch
