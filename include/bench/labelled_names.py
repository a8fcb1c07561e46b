"""Names of channels and streams with labels, for the benchmark of matching.

``data/channel_names.txt`` holds channels of five countries in several spellings. This module writes them as providers
do: with prefixes, quality words, superscripts, tvg-ids and groups, and adds what belongs to no channel: one hour later,
other countries, other feeds, events, headings, loops. Nothing is taken from a provider's list.

The list has two parts that share neither a channel nor a manner of writing. The rules of matching were written with a
look at the part ``train`` alone.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamflow.matching.records import ChannelName, StreamName

CHANNELS = Path(__file__).with_name("data") / "channel_names.txt"
SEED = 20_260_101
# Spellings of a channel in the lineup, and of a channel that is missing from it.
FORMS, OTHER_FORMS = 8, 4
TVG_ID_SHARE, WRONG_TVG_ID_SHARE, UNNAMED_COUNTRY_SHARE = 0.4, 0.04, 0.25

Part = Literal["train", "test"]
PARTS: tuple[Part, Part] = ("train", "test")

COUNTRY_NAMES = {"DE": "Germany", "UK": "United Kingdom", "FR": "France", "ES": "Spain", "IT": "Italy"}
OTHER_CODES = {"DE": "GER", "UK": "GB", "FR": "FRA", "ES": "ESP", "IT": "ITA"}
NATIVE = {"DE": "Deutschland", "UK": "England", "FR": "France", "ES": "España", "IT": "Italia"}

# ``{}`` stands for the name of the channel, CC for the country's code, and so on.
PREFIXES: dict[Part, tuple[str, ...]] = {
    "train": (
        "CC: {}", "|CC| {}", "[CC] {}", "CC | {}", "CC - {}", "COUNTRY: {}", "4K | CC: {}", "{} (CC)",
        "CC: VIP {}", "CC ★ {}",
    ),
    "test": (
        "CC| {}", "(CC) {}", "┃CC┃ {}", "CC HD: {}", "NATIVE | {}", "CODE: {}", "VIP | CC: {}", "{} [CC]",
        "{} CC", "CC ▎ {}",
    ),
}  # fmt: skip
QUALITIES: dict[Part, tuple[str, ...]] = {
    "train": (
        "", "", " HD", " FHD", " SD", " 4K", " ᴴᴰ", " HEVC", " 1080p", " RAW", " (FHD)", " HD Backup",
        " H265 HD", " ◉",
    ),
    "test": (
        "", "", " HD", " UHD", " ᴿᴬᵂ", " ᵁᴴᴰ ³⁸⁴⁰ᴾ", " 720p50", " [HD]", " HD 50FPS", " ⁶⁰ᶠᵖˢ", " LQ", " | FHD",
        " HQ", " FHD H.265",
    ),
}  # fmt: skip
LATER: dict[Part, tuple[str, ...]] = {
    "train": ("{} +1", "{}+1", "{} (+1)"), "test": ("{} +1h", "{} + 1", "{} Plus 1", "{} +2", "{} HD +1"),
}  # fmt: skip
NOTHING: dict[Part, tuple[str, ...]] = {
    "train": (
        "##### GERMANY SPORT #####", "--- UK ENTERTAINMENT ---", "PPV 07: Bayern vs Dortmund 18:30",
        "EVENT 03 | Lakers @ Celtics", "24/7 Friends", "24/7: The Simpsons", "US: HBO East", "US: MTV West",
        "US: WWE RAW", "WWE RAW HD", "PL: Discovery Channel HD", "NL: RTL 4", "HR: RTL 2", "TR: TV8 HD",
        "PT: Eurosport 1 HD", "US: TNT HD", "AR: beIN SPORTS 1 HD", "RU: Первый канал HD", "The Matrix (1999)",
        "FR: Canal 4K", "DE: Sky Sport PPV 2 | 20:45 Boxen", "BE: La 1", "US: ABC", "US: Cartoon Network",
        "NBA 04: Lakers vs Celtics", "CA: HISTORY HD", "UK: Gold FM", "DE: RTL 102.5", "IN: Discovery HD",
        "RO: Pro TV",
    ),
    "test": (
        "■■■ FRANCE ■■■", "═══ ITALIA HD ═══", "* * * ESPAÑA * * *", "UFC 300: Main Card | Sun 04:00",
        "LIVE EVENT 12 - Roma v Lazio", "24-7 Seinfeld", "UK 24/7 | Top Gear", "US: Comedy Central (Pacific)",
        "US| Nickelodeon West", "NL| Nickelodeon", "BE | Eurosport 1", "HU: RTL II", "AT: ATV", "CH: SRF 1",
        "PT | DAZN 1", "TR | MTV", "GR: ΕΡΤ1 HD", "AR| الجزيرة", "BR: Cartoon Network HD",
        "Breaking Bad S01 E02", "Dune Part Two (2024)", "US: TLC East", "AU: Sky News",
        "US: Discovery Channel FHD", "MX: TNT HD", "EVENT 1", "PPV 12", "ES: LaLiga PPV 3: Betis vs Sevilla",
        "SE: Kanal 5", "DK: TV3", "PL| HISTORY HD", "CZ: Nova HD",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Spelled:
    """A channel of a country: its name in the household's lineup, and other spellings."""

    country: str
    names: tuple[str, ...]
    is_listed: bool
    part: Part

    @property
    def tvg_id(self) -> str:
        """Its id in a programme guide."""
        plain = unicodedata.normalize("NFKD", self.names[0]).encode("ascii", "ignore").decode()
        return f"{re.sub(r'[^A-Za-z0-9+]', '', plain)}.{self.country.lower()}"


@dataclass(frozen=True)
class Labelled:
    """A stream with its label: the channel that it shows, None for what no household of the list has."""

    stream: StreamName
    channel: Spelled | None
    part: Part


def channels() -> list[Spelled]:
    """Return the channels of all countries."""
    found: list[Spelled] = []
    country, is_listed = "", True
    for line in CHANNELS.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            country, is_listed = line[1:-1], True
        elif line == "-":
            is_listed = False
        elif line and not line.startswith("# ") and line != "#":
            found.append(Spelled(country, tuple(line.split("|")), is_listed, PARTS[len(found) % 2]))
    return found


def lineup(country: str, spelled: list[Spelled]) -> dict[int, Spelled]:
    """Return the channels of one household by their ids."""
    listed = [one for one in spelled if one.country == country and one.is_listed]
    return dict(enumerate(listed, 1))


def channel_names(lineup: dict[int, Spelled], *, named: bool) -> list[ChannelName]:
    """Return a lineup as matching reads it.

    :param named: whether groups name the country, and every second channel has a tvg-id.
    """
    return [
        ChannelName(
            id,
            one.names[0],
            tvg_id=one.tvg_id if named and id % 2 else "",
            group=f"{one.country} | TV" if named else "Entertainment",
        )
        for id, one in lineup.items()
    ]


def labelled() -> list[Labelled]:
    """Return the whole list, the same at every call."""
    chance = random.Random(SEED)  # noqa: S311
    spelled = channels()
    countries: dict[str, set[str]] = {}
    for one in spelled:
        for name in one.names:
            countries.setdefault(_squashed(name), set()).add(one.country)
    written: list[tuple[str, str, str, Spelled | None, Part]] = []
    for one in spelled:
        is_unique = all(len(countries[_squashed(name)]) == 1 for name in one.names)
        for _ in range(FORMS if one.is_listed else OTHER_FORMS):
            written.append(_written(one, spelled, chance, is_unique))
        is_late_too = any(other.names[0] == f"{one.names[0]} +1" for other in spelled)
        if one.is_listed and "+1" not in one.names[0] and not is_late_too:
            later = chance.choice(LATER[one.part]).format(one.names[0])
            written.append((f"{one.country}: {later}", "", "", None, one.part))
    for part in PARTS:
        for name in NOTHING[part]:
            written += [(name, "", group, None, part) for group in ("", "Sport", "VIP | Mixed")]
    return [
        Labelled(StreamName(number, name, tvg_id=tvg_id, group=group), channel, part)
        for number, (name, tvg_id, group, channel, part) in enumerate(written, 1)
    ]


def _written(
    one: Spelled, spelled: list[Spelled], chance: random.Random, is_unique: bool
) -> tuple[str, str, str, Spelled, Part]:
    """Return a stream of the channel as a provider may write it: name, tvg-id and group."""
    form = _manner(chance)(chance.choice(one.names)) + chance.choice(QUALITIES[one.part])
    tvg_id = one.tvg_id if chance.random() < TVG_ID_SHARE else ""
    group, prefix = chance.choice(("", "Sport", "General", "VIP")), chance.choice(PREFIXES[one.part])
    if chance.random() < UNNAMED_COUNTRY_SHARE:
        # A name that several countries have tells its country elsewhere.
        prefix = "{}"
        if not is_unique:
            group = chance.choice(
                (f"{one.country} | Sport", f"{COUNTRY_NAMES[one.country]} HD", f"|{one.country}| DOKU")
            )
    if tvg_id and chance.random() < WRONG_TVG_ID_SHARE / TVG_ID_SHARE:
        tvg_id = chance.choice([other for other in spelled if other.country == one.country]).tvg_id
    name = prefix.replace("COUNTRY", COUNTRY_NAMES[one.country]).replace("CODE", OTHER_CODES[one.country])
    name = name.replace("NATIVE", NATIVE[one.country]).replace("CC", one.country)
    return name.format(form), tvg_id, group, one, one.part


def _manner(chance: random.Random) -> Callable[[str], str]:
    """Return a manner of writing a name."""
    return chance.choices(
        (str, str.upper, str.lower, _without_accents, lambda name: name.replace(" ", ".")), (6, 3, 1, 1, 0.5)
    )[0]


def _without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))


def _squashed(name: str) -> str:
    return re.sub(r"\W", "", _without_accents(name)).casefold()


def large(streams: int, size: int) -> tuple[list[ChannelName], Iterator[StreamName]]:
    """Return a large lineup and many streams, for the benchmark of speed."""
    chance = random.Random(SEED)  # noqa: S311
    spelled, many = channels(), []
    for number in range(size):
        one = spelled[number % len(spelled)]
        suffix = "" if number < len(spelled) else f" {number // len(spelled) + 20}"
        many.append(ChannelName(number + 1, f"{one.names[0]}{suffix}", group=f"{one.country} | TV"))

    def stream(number: int) -> StreamName:
        one = chance.choice(spelled)
        suffix = chance.choice(("", "", f" {chance.randrange(21, 40)}"))
        name, tvg_id, group, _, _ = _written(one, spelled, chance, is_unique=False)
        return StreamName(number, f"{name}{suffix}", tvg_id=tvg_id, group=group, account_id=number % 5)

    return many, map(stream, range(1, streams + 1))
