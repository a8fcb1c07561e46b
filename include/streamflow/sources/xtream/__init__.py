"""Xtream: a provider's panel, by its login."""

from streamflow.sources.xtream.panel import Panel, UserInfo
from streamflow.sources.xtream.source import Xtream

__all__ = ["Panel", "UserInfo", "Xtream"]
