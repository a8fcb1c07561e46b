"""Records: accounts, streams, channels, results and runs as immutable data, independent of any store."""

from streamflow.records.account import Account, Profile
from streamflow.records.change import ChannelChange, Move
from streamflow.records.channel import Channel, Group
from streamflow.records.decision import Decision
from streamflow.records.event import Event
from streamflow.records.failures import DeadMemory
from streamflow.records.playback import Playback
from streamflow.records.result import DECIDED, WORKING, AudioTrack, Result, Verdict, as_twin, is_usable
from streamflow.records.run import AccountShare, Mode, Run, RunState
from streamflow.records.stream import Stream

__all__ = [
    "DECIDED",
    "WORKING",
    "Account",
    "AccountShare",
    "AudioTrack",
    "Channel",
    "ChannelChange",
    "DeadMemory",
    "Decision",
    "Event",
    "Group",
    "Mode",
    "Move",
    "Playback",
    "Profile",
    "Result",
    "Run",
    "RunState",
    "Stream",
    "Verdict",
    "as_twin",
    "is_usable",
]
