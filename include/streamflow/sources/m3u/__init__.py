"""Playlists in M3U, at an address or in a file."""

from streamflow.sources.m3u.source import STANDARD_INPUT, Playlist, keep, kept

__all__ = ["STANDARD_INPUT", "Playlist", "keep", "kept"]
