"""M3U playlists: from an address or a file to a library, and from a library to a playlist."""

from streamflow.sources.m3u.source import STANDARD_INPUT, Playlist, store_playlist, stored_playlist

__all__ = ["STANDARD_INPUT", "Playlist", "store_playlist", "stored_playlist"]
