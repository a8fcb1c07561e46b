"""Streams into channels by rule: which streams show the same channel, and the evidence for it in words.

Pure: names in, candidates and refusals out. A wrong stream in a channel does more harm than a missing one, so what the
names leave open is refused, with the reason.
"""

from streamflow.matching.decision import Candidate, Refusal
from streamflow.matching.matcher import match
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import Rule
from streamflow.matching.spelling import Spelling, spelling_of

__all__ = ["Candidate", "ChannelName", "Refusal", "Rule", "Spelling", "StreamName", "match", "spelling_of"]
