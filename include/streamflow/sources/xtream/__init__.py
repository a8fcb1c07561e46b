"""Xtream: a provider's panel, by its login."""

from streamflow.sources.xtream.panel import Panel, UserInfo

__all__ = ["Panel", "UserInfo"]
