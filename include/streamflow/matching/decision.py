"""The outcome of matching one stream: candidates for channels, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stream that may be added to a channel.

    :param rule: the index of the rule that found it.
    :param by: what found it: ``tvg_id``, ``name`` or the regular expression.
    :param evidence: the reasons in words.
    """

    stream_id: int
    channel_id: int
    rule: int
    by: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stream that no channel takes.

    :param channel_id: the channel that it nearly fits, None where there is none.
    :param reason: why it does not fit, in words.
    """

    stream_id: int
    channel_id: int | None
    reason: str
