"""Names in normal form: what says which channel it is, apart from country, time shift, feed and decoration."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from streamflow.matching import vocabulary

Kind = Literal["channel", "event", "heading", "loop", "film"]

MAX_CHARACTERS = 255
# Decoration and tags are taken off at most this often at each end.
MOST_TAGS = 4
LATEST_SHIFT = 12
# In a shorter key "ae" is no umlaut: A&E.
SHORT = 4

# Characters of names; any other one separates a tag from the name or decorates it.
_SEPARATOR = r"[^\w\s&+.'’´`!\-–/,()\[\]{}#°%@$?\"]"
_OPEN, _CLOSE = r"[\[(|{<┃│]", r"[\])|}>┃│]"
_LEADING_TAG = re.compile(rf"\s*{_OPEN}\s*([^\])|}}>┃│]{{1,24}}?)\s*{_CLOSE}(.*)", re.DOTALL)
_LEADING_WORD = re.compile(rf"\s*([^\W_][^:|]{{0,24}}?)\s*(?:{_SEPARATOR}+|\s[-–]\s)(.*\w.*)", re.DOTALL)
_TRAILING_TAG = re.compile(rf"(.*\w.*?)\s*{_OPEN}\s*([^\[(|{{<┃│]{{1,24}}?)\s*{_CLOSE}\W*", re.DOTALL)
_TRAILING_WORD = re.compile(rf"(.*\w.*?)\s*{_SEPARATOR}+\s*([^:|]{{1,20}}?)\s*", re.DOTALL)
# Characters at the ends of names that decorate nothing.
_PLAIN_EDGES = frozenset("[](){}|<>\"'.!?&+:,")
_HEADING_MARKS = 3
_EVENT = re.compile(
    r"\bppv\b|\bpay per view\b|\w\s(?:vs?\.?|@)\s\w|\b\d{1,2}[:h]\d{2}\b|^\W*(?:live\s)?(?:events?|match|game)\W*\d+\b|"
    r"\b(?:live )?event \d+\b|\bufc \d{2,}|^\W*(?:nba|nfl|nhl|mlb|ncaaf?|mls|wnba|epl)\W*\d{1,3}\b"
)
_LOOP = re.compile(r"\b24\s?[/x-]\s?7\b")
_FILM = re.compile(r"\((?:19|20)\d\d\)|\bs\d{1,2}\s?[ex]\d{1,3}\b")
_SHIFT = re.compile(
    r"(?:(?<=\s)\+\s?|(?<=[\w)])\+|\(\+)(\d{1,2})(?:\s?h(?:rs?|ours?)?)?\b\)?(?!\w)|\bplus (1|one)\b(?=\W*$)"
)
_CODEC = re.compile(r"\b([hx])[. ](26[45])\b", re.IGNORECASE)
_HD_PLUS = re.compile(r"\bHD\+(?!\s?\d)", re.IGNORECASE)
_RATE = re.compile(r"\b(\d{2,3})\s?fps\b", re.IGNORECASE)
_PICTURE = re.compile(r"\d{3,4}[pi](?:\d{2,3})?(?:fps)?|\d{2,3}fps")
_TOKEN = re.compile(r"[^\W_]+")
# Marks of tags, events and rates; names without any are not searched for them.
_MARK = re.compile(rf"{_SEPARATOR}|[\[\](){{}}]|\s[-–]\s")
_EVENT_HINT = re.compile(r"ppv|per view|\svs?\.?\s|@|\d[:h]\d|event|match|game|ufc|nba|nfl|nhl|mlb|ncaa|mls|epl")
_RATE_HINT = re.compile(r"[Ff][Pp][Ss]")
_DIGRAPHS = str.maketrans({"'": None, "ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "a", "œ": "o"})
_UMLAUTS = re.compile("([aou])e")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name in normal form.

    :param key: the words that say which channel it is, without blanks.
    :param loose: the key without words such as "TV" and "Channel"; empty where too little would be left.
    :param words: the words of the key.
    :param country: the code of the country that the name states, empty for none.
    :param shift: hours by which the programme is late.
    :param feed: the feed of a country with several time zones, empty for the usual one.
    :param ignored: words that say nothing about the channel.
    :param is_edition: the country is a word of the name, as in "M6 Suisse", so that it is a channel of its own.
    """

    key: str
    loose: str = ""
    words: tuple[str, ...] = ()
    country: str = ""
    shift: int = 0
    feed: str = ""
    kind: Kind = "channel"
    ignored: tuple[str, ...] = ()
    is_edition: bool = False

    @property
    def numbers(self) -> list[str]:
        """The numbers in the key, in order."""
        return re.findall(r"\d+", self.key)


@lru_cache(maxsize=4096)
def tag_country(text: str) -> str | None:
    """Return the country that a tag such as "UK" or "VIP | DE HD" states, empty where it states none.

    :returns: None where the text is no tag but a part of the name.
    """
    words = [word for word in re.split(r"[\s/|_]+", _folded(text)) if word]
    if len(words) == 1 and words[0] in vocabulary.CATEGORIES:
        return ""
    country = vocabulary.COUNTRY_OF.get("-".join(words))
    if country:
        return country
    found = ""
    for word in words:
        if other := vocabulary.COUNTRY_OF.get(word):
            if found and other != found:
                return None
            found = other
        elif word not in vocabulary.NOISE and not _PICTURE.fullmatch(word) and word not in vocabulary.PLATFORMS:
            return None
    return found


@lru_cache(maxsize=4096)
def group_country(group: str) -> str:
    """Return the country that the name of a group states, such as "DE | Sport" or "Germany HD"; empty for none."""
    if not group:
        return ""
    spelling = spelling_of(group)
    if spelling.country:
        return spelling.country
    words = _TOKEN.findall(_folded(group))
    named = {vocabulary.COUNTRY_WORDS[word] for word in words if word in vocabulary.COUNTRY_WORDS}
    pairs = {vocabulary.COUNTRY_OF.get("-".join(pair), "") for pair in pairwise(words)} - {""}
    found = named | pairs
    return found.pop() if len(found) == 1 else tag_country(group) or ""


def guide_country(tvg_id: str) -> str:
    """Return the country at the end of an id such as "BBCOne.uk"; empty for none."""
    end = tvg_id.partition("@")[0].rpartition(".")
    return vocabulary.COUNTRY_OF.get(end[2].lower(), "") if end[0] and len(end[2]) <= 3 else ""


def spelling_of(name: str) -> Spelling:
    """Return a name in normal form."""
    text = name[:MAX_CHARACTERS].strip()
    if not text.isascii():
        # Superscripts become letters: "ᴴᴰ" is "HD".
        # One character can become eighteen.
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARACTERS].strip()
    if _is_heading(text):
        return Spelling("", kind="heading")
    kind = _kind(text.lower())
    country, shift = "", 0
    if _MARK.search(text):
        text, country = _without_tags(text)
    if "+" in text or "lus" in text:
        text, shift = _without_shift(text)
    if shift:
        text, end_country = _without_tags(text)
        country = country or end_country
    return _of_words(_words(text), country, shift, kind)


def _is_heading(text: str) -> bool:
    """Return whether a name has no letters, or is framed by decoration: ``##### SPORT #####``."""
    if text and (text[0].isalnum() or text[-1].isalnum()):
        return False
    places = [place for place, char in enumerate(text) if char.isalnum()]
    if not places:
        return True
    return all(_marks(edge) >= _HEADING_MARKS for edge in (text[: places[0]], text[places[-1] + 1 :]))


def _marks(edge: str) -> int:
    return sum(not char.isspace() and char not in _PLAIN_EDGES for char in edge)


def _kind(lower: str) -> Kind:
    if "24" in lower and _LOOP.search(lower):
        return "loop"
    if _EVENT_HINT.search(lower) and _EVENT.search(lower):
        return "event"
    return "film" if ("(" in lower or " s" in lower) and _FILM.search(lower) else "channel"


def _without_tags(text: str) -> tuple[str, str]:
    """Return a name without the tags at both ends, and the country that they state."""
    country = ""
    for _ in range(MOST_TAGS):
        found = _LEADING_TAG.fullmatch(text) or _LEADING_WORD.fullmatch(text)
        stated = tag_country(found[1]) if found and _has_letters(found[2]) else None
        if found is None or stated is None or (country and stated and stated != country):
            break
        text, country = found[2].strip(), country or stated
    for _ in range(MOST_TAGS):
        found = _TRAILING_TAG.fullmatch(text) or _TRAILING_WORD.fullmatch(text)
        stated = tag_country(found[2]) if found and _has_letters(found[1]) else None
        if found is None or stated is None or (country and stated and stated != country):
            break
        text, country = found[1].strip(), country or stated
    return text, country


def _has_letters(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _without_shift(text: str) -> tuple[str, int]:
    found = _SHIFT.search(text if text.islower() else text.lower())
    if not found or not _has_letters(text[: found.start()]):
        return text, 0
    hours = int(found[1]) if found[1] else 1
    if not 1 <= hours <= LATEST_SHIFT:
        return text, 0
    return f"{text[: found.start()]} {text[found.end() :]}".strip(), hours


def _folded(text: str) -> str:
    """Return a text in lower case, without accents."""
    return text.lower() if text.isascii() else _plain(text).casefold()


def _plain(text: str) -> str:
    """Return a text without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).translate(_DIGRAPHS)


def _words(text: str) -> list[str]:
    """Return the words of a name in lower case, except for the codes of countries in capitals."""
    text = text.replace("'", "").replace("’", "") if text.isascii() else _plain(text.replace("’", ""))
    if "26" in text:
        text = _CODEC.sub(r"\1\2", text)
    if _RATE_HINT.search(text):
        text = _RATE.sub(r"\1fps", text)
    if "+" in text:
        # The platform HD+ sends the channels of others.
        text = _HD_PLUS.sub("HD", text).replace("+", " plus ")
    return [word if word in vocabulary.BARE_CODES else word.casefold() for word in _TOKEN.findall(text)]


def _of_words(words: list[str], country: str, shift: int, kind: Kind) -> Spelling:
    kept: list[str] = []
    ignored: list[str] = []
    for place, word in enumerate(words):
        lower = word.lower()
        is_noise = lower in vocabulary.NOISE or (len(lower) > 3 and lower[0].isdigit() and _PICTURE.fullmatch(lower))
        is_copy = ignored and lower.isdigit() and words[place - 1] == ignored[-1] and ignored[-1] in vocabulary.COPIES
        # WWE RAW is a show.
        if is_copy or (is_noise and not (lower == "raw" and kept[-1:] == ["wwe"])):
            ignored.append(lower)
        else:
            kept.append(word)
    is_edition = False
    if len(kept) > 1 and not country and _letters(kept[:-1]) > 1:
        last = kept[-1]
        country = vocabulary.BARE_CODES.get(last) or vocabulary.COUNTRY_WORDS.get(last, "")
        is_edition = last in vocabulary.COUNTRY_WORDS
        kept = kept[:-1] if country else kept
    if len(kept) > 1 and not country and _letters(kept[1:]) > 2:
        country = vocabulary.BARE_CODES.get(kept[0], "")
        kept = kept[1:] if country else kept
    kept = [word.lower() for word in kept]
    if not kept or (len(kept) == 1 and kept[0] in vocabulary.GENERIC and ignored):
        # "Canal 4K" and "UHD 1" are names.
        kept = [word.lower() for word in words if word.lower() not in ("hd", "fhd", "sd")] or [w.lower() for w in words]
    feed = ""
    if len(kept) > 1 and kept[-2] not in vocabulary.DIRECTIONS:
        letters = vocabulary.FEED_LETTERS if country in vocabulary.WIDE else {}
        feed = vocabulary.FEEDS.get(kept[-1]) or letters.get(kept[-1], "")
        kept = kept[:-1] if feed else kept
    if len(kept) > 1:
        kept = [word for word in kept if word not in vocabulary.CONNECTIVES] or kept
    kept = [vocabulary.SAME.get(word, word) for word in kept]
    if len(kept) > 1:
        kept = [kept[0], *(vocabulary.NUMBERS.get(word, word) for word in kept[1:])]
    key = _squashed(kept)
    return Spelling(key, _loose(kept, key), tuple(kept), country, shift, feed, kind, tuple(ignored), is_edition)


def _letters(words: list[str]) -> int:
    return sum(map(str.isalpha, "".join(words)))


def _squashed(words: list[str]) -> str:
    key = "".join(words)
    for old, new in vocabulary.PARTS.items():
        if old in key:
            key = key.replace(old, new)
    if key.startswith("mplus"):
        key = f"movistar{key[5:]}"
    key = vocabulary.SPELLINGS.get(key, key)
    return _UMLAUTS.sub(r"\1", key) if len(key) > SHORT and "e" in key else key


def _loose(words: list[str], key: str) -> str:
    rest = [word for word in words if word not in vocabulary.OPTIONAL]
    if not rest or _letters(rest) < 4 or all(word in vocabulary.COMMON for word in rest):
        return ""
    loose = _squashed(rest)
    return loose if loose != key else key
