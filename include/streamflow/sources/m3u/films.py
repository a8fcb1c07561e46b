"""Films and episodes, which providers write into the same playlist as their channels."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from streamflow.sources.m3u.playlist import Entry

# A longer entry is a recording: live streams have the duration -1, some lists write 0 or a few seconds.
FILM_SECONDS = 300
FILM_SUFFIXES = (".mkv", ".mp4", ".avi", ".m4v", ".mov", ".wmv", ".mpg", ".mpeg", ".webm")
_FILM_PATH = re.compile(r"/(?:movie|series)/", re.IGNORECASE)
# Groups of channels that show one series all day.
_LIVE_GROUP = re.compile(r"24\s*[/-]?\s*7|\blive\b", re.IGNORECASE)


def is_film(entry: Entry) -> bool:
    """Return whether an entry is a film or an episode by its duration, its path or the suffix of its URL.

    A path of films in a group of 24/7 or live channels is a channel.
    """
    if _LIVE_GROUP.search(entry.group):
        return False
    try:
        path = urlsplit(entry.url.partition("|")[0]).path
    except ValueError:
        return False
    has_film_path = _FILM_PATH.match(path) or path.lower().endswith(FILM_SUFFIXES)
    return bool(has_film_path) or entry.duration >= FILM_SECONDS
