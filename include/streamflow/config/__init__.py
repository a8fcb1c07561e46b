"""The settings: their sections with all defaults, and the file that holds them."""

from streamflow.config.file import changing, home, load, parse, path, save, with_section
from streamflow.config.sections import (
    AccountProbe,
    BeforeEvents,
    CheckSchedule,
    ConcurrentStreams,
    Config,
    DeadChannels,
    DeadStreams,
    Freshness,
    Matching,
    Network,
    Probe,
    Safety,
    Schedule,
    Scoring,
    Webhooks,
    Weights,
)

__all__ = [
    "AccountProbe", "BeforeEvents", "CheckSchedule", "ConcurrentStreams", "Config", "DeadChannels", "DeadStreams",
    "Freshness", "Matching", "Network", "Probe", "Safety", "Schedule", "Scoring", "Webhooks", "Weights", "changing",
    "home", "load", "parse", "path", "save", "with_section",
]  # fmt: skip
