"""Sources of libraries, a package each: Dispatcharr, Xtream panels, M3U playlists."""

from streamflow.sources.registry import from_env, opened
from streamflow.sources.source import ChannelEditor, Destination, ProviderRefresh, Source

__all__ = ["ChannelEditor", "Destination", "ProviderRefresh", "Source", "from_env", "opened"]
