"""Xtream: the live streams of one login at a provider's panel."""

from streamflow.sources.xtream.panel import Panel, UserInfo
from streamflow.sources.xtream.source import Xtream

__all__ = ["Panel", "UserInfo", "Xtream"]
