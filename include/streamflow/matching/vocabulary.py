"""Words of names that say something else than which channel it is, and spellings: see ``words.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _words(name: str) -> frozenset[str]:
    return frozenset(_TABLES["words"][name].split())


def _by_word(table: str) -> dict[str, str]:
    return {word: name for name, words in _TABLES[table].items() for word in words.split()}


COUNTRY_OF = _by_word("countries")
COUNTRY_WORDS = {word: code for word, code in COUNTRY_OF.items() if len(word) > 4}
BARE_CODES = {code: COUNTRY_OF[code.lower()] for code in _words("codes")}

COPIES = _words("copies")
NOISE = _words("quality") | _words("noise") | COPIES
CONNECTIVES = _words("connectives")
GENERIC = _words("generic")
PLATFORMS = _words("platforms")
CATEGORIES = _words("categories")
OPTIONAL = _words("optional")
COMMON = _words("common")
INTERNATIONAL = _words("international")

FEEDS = {word: feed for feed in ("east", "west", "mountain") for word in _words(feed)}
FEED_LETTERS = {"e": "east", "w": "west"}
WIDE = _words("wide")
DIRECTIONS = _words("directions")

NUMBERS = _by_word("numbers")
SAME: dict[str, str] = _TABLES["same"]
SPELLINGS: dict[str, str] = _TABLES["spellings"]
LOCAL_SPELLINGS: dict[str, dict[str, str]] = _TABLES["local_spellings"]
PARTS: dict[str, str] = _TABLES["parts"]
