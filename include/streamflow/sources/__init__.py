"""Where libraries come from and verdicts go to, a package each: Dispatcharr, Xtream panels, M3U playlists."""

from streamflow.sources.registry import from_env, opened
from streamflow.sources.source import Source

__all__ = ["Source", "from_env", "opened"]
