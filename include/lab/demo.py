"""The demo's library: four accounts, nine channels, and the usual faults of streams."""

from __future__ import annotations

from collections.abc import Iterator

from lab.library import Account, Behaviour, Channel, Group, Hls, Library, Stream

Fields = dict[str, object]

_PASSWORDS = {1: "north-5Ke7", 2: "south-9Qw2", 3: "east-3Rt8", 4: "west-6Yu1"}

ACCOUNTS = (
    Account(1, "North", "demo-north", _PASSWORDS[1], max_streams=1, refusal="458"),
    Account(2, "South", "demo-south", _PASSWORDS[2], max_streams=2, refusal="403"),
    Account(3, "East", "demo-east", _PASSWORDS[3], max_streams=5, refusal="429"),
    Account(4, "West", "demo-west", _PASSWORDS[4], max_streams=0),
)
GROUPS = (Group(1, "News"), Group(2, "Sports"), Group(3, "Films"), Group(4, "Radio"))

_BLACK: Fields = {"clip": "black", "verdict": "degraded", "reason": "black_video"}
_FROZEN: Fields = {"clip": "frozen", "verdict": "degraded", "reason": "frozen_video"}
_UNSTABLE: Fields = {"verdict": "degraded", "reason": "unstable"}
_SLATE: Fields = {"clip": "slate_loop", "verdict": "degraded", "reason": "frozen_video"}


def _status(status: int, verdict: str, reason: str) -> Fields:
    return {"behaviour": Behaviour("status", status=status), "verdict": verdict, "reason": reason}


# Channel, group, and its streams: (account, name, fields).
_CHANNELS: tuple[tuple[str, int, tuple[tuple[int, str, Fields], ...]], ...] = (
    ("Daily News", 1, (
        (4, "Daily News SD", {"clip": "sd576i_h264"}),
        (3, "Daily News HD", {"clip": "hd50_4m"}),
        (2, "Daily News FHD", {"clip": "fhd25_6m"}),
        (4, "Daily News FHD (old)", _status(404, "dead", "http_404")),
        (1, "Daily News HEVC", {"clip": "fhd25_hevc"}),
    )),
    ("World Report", 1, (
        (3, "World Report", {"clip": "hd25_2m"}),
        (4, "World Report backup", _BLACK),
        (2, "World Report HD", {"clip": "hd60_4m"}),
        (3, "World Report (slate)", _SLATE),
        (4, "World Report FHD", {"clip": "fhd25_6m", "behaviour": Behaviour(hops=3)}),
    )),
    ("Arena 1", 2, (
        (4, "Arena 1 480p", {"clip": "sd480p30"}),
        (3, "Arena 1 4K", {"clip": "uhd25_hevc_hdr10"}),
        (3, "Arena 1 FHD 50", {"clip": "fhd50_8m"}),
        (2, "Arena 1 stalls", {"behaviour": Behaviour("stall", after_s=2), **_UNSTABLE}),
        (4, "Arena 1 4K (not really)", {"clip": "hd50_4m", "label_mismatch": True}),
        (1, "Arena 1 HD", {"clip": "hd50_4m"}),
    )),
    ("Arena 2", 2, (
        (3, "Arena 2 HD", {"clip": "hd60_4m", "behaviour": Behaviour(delay_s=1.5)}),
        (4, "Arena 2 frozen", _FROZEN),
        (2, "Arena 2 gone", _status(410, "dead", "http_410")),
        (3, "Arena 2 FHD", {"clip": "fhd60_7m"}),
    )),
    ("Cinema", 3, (
        (4, "Cinema drops", {"behaviour": Behaviour("drop", after_s=3), **_UNSTABLE}),
        (3, "Cinema HD", {"clip": "hd25_2m"}),
        (4, "Cinema FHD (HLS)", {"clip": "fhd25_6m", "hls": Hls()}),
        (2, "Cinema forbidden", _status(401, "dead", "unauthorized")),
        (4, "Cinema 24p", {"clip": "fhd_film_5m"}),
    )),
    ("Classics", 3, (
        (4, "Classics SD", {"clip": "sd576i_mpeg2"}),
        (3, "Classics page", {"behaviour": Behaviour("html"), "verdict": "dead", "reason": "not_media"}),
        (4, "Classics no sound", {"clip": "silent_video", "verdict": "degraded", "reason": "no_audio"}),
        (2, "Classics HD", {"clip": "hd50_4m"}),
        (1, "Classics 480", {"clip": "sd480p30"}),
    )),
    ("Shorts", 3, (
        (3, "Shorts silent", {"clip": "silent_sound", "verdict": "degraded", "reason": "silent_audio"}),
        (4, "Shorts (secure HLS)", {"clip": "hd25_2m", "hls": Hls(encrypted=True)}),
        (3, "Shorts starved", {"clip": "fhd25_starved", "verdict": "degraded", "reason": "low_bitrate"}),
        (4, "Shorts garbage", {"behaviour": Behaviour("garbage"), "verdict": "dead", "reason": "not_media"}),
    )),
    ("Backroom", 2, (
        (4, "Backroom unresolvable", {"place": "unresolvable", "verdict": "dead", "reason": "dns_failure"}),
        (4, "Backroom untrusted", {"place": "untrusted_tls"}),
        (3, "Backroom broken", _status(500, "dead", "http_5xx")),
        (4, "Backroom never", {"behaviour": Behaviour("never"), "verdict": "dead", "reason": "no_data"}),
        (3, "Backroom SD", {"clip": "sd480p30"}),
    )),
    ("Radio One", 4, (
        (4, "Radio One AAC", {"clip": "radio_aac"}),
        (3, "Radio One MP2", {"clip": "radio_mp2"}),
    )),
)  # fmt: skip


def demo() -> Library:
    """Return accounts with limits of 1, 2, 5 and none, and channels with good, bad and dead streams in a poor order."""
    return Library(ACCOUNTS, list(_streams()), list(_channels()), GROUPS)


def _numbered() -> Iterator[tuple[int, int, int, int, str, Fields]]:
    number = 0
    for channel_id, (_, group_id, listed) in enumerate(_CHANNELS, 1):
        for account_id, name, fields in listed:
            number += 1
            yield number, channel_id, group_id, account_id, name, fields


def _streams() -> Iterator[Stream]:
    for number, _, group_id, account_id, name, fields in _numbered():
        yield Stream(number, name, account_id, group_id=group_id, **fields)  # type: ignore[arg-type]


def _channels() -> Iterator[Channel]:
    for channel_id, (name, group_id, _) in enumerate(_CHANNELS, 1):
        streams = tuple(number for number, channel, *_ in _numbered() if channel == channel_id)
        yield Channel(channel_id, float(channel_id), name, group_id, streams)
