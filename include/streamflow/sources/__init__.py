"""Sources of libraries, a package each: Dispatcharr, Xtream panels, M3U playlists."""

from streamflow.sources.registry import from_env, opened
from streamflow.sources.source import Destination, Source

__all__ = ["Destination", "Source", "from_env", "opened"]
