"""The check of one stream: slot, probe, verdict, result, and the channel's finish when it was the last of it."""

from __future__ import annotations

import logging
from typing import Any

from account_limiter import SlotOperator
from streamflow import config
from streamflow.probing import Outcome

log = logging.getLogger(__name__)

# A provider that stays full for this many tries in a row leaves the stream undecided.
BUSY_TRIES = 8


class CheckStream(SlotOperator):
    """Checks one stream of the run.

    :param stream_id: the stream; its URL is read from the UDI by the worker that opens it.
    :param sequential: may check without a slot when Redis is away: its pool lets one check run at a time.
    """

    def __init__(self, *, stream_id: int, sequential: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ stream_label | default('stream ' ~ task.stream_id) }}")
        super().__init__(**kwargs)
        self.stream_id = stream_id
        self.sequential = sequential


def decide(outcome: Outcome, state: dict[str, Any], settings: config.Probe) -> tuple[float | None, dict[str, Any]]:
    """Whether a try is the last: the seconds until the next one (None: it was), and what is known by now.

    ``state`` is what earlier tries left: ``attempts``, ``busy`` (tries the provider was full) and ``tries``.
    """
    result = outcome.result
    is_busy = result.reason == "provider_busy"
    seen = {
        "attempts": int(state.get("attempts", 0)) + 1,
        "busy": int(state.get("busy", 0)) + is_busy,
        "tries": [
            *state.get("tries", []),
            {
                "verdict": result.verdict,
                "reason": result.reason,
                "detail": result.detail,
                "elapsed_s": result.elapsed_s,
            },
        ],
    }
    if is_busy and seen["busy"] < BUSY_TRIES:
        return outcome.retry_after or settings.retry_delay, seen
    if result.verdict == "dead" and outcome.retryable and seen["attempts"] - seen["busy"] <= settings.retries:
        return settings.retry_delay, seen
    return None, seen
