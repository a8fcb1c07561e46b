"""No text from outside takes more than linear time: each reader gets the characters that are worst for a search."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from streamflow.masking import hide_password, mask, mask_url
from streamflow.matching.spelling import group_country, guide_country, spelling_of, tag_country
from streamflow.plain_text import inert_text, plain_text
from streamflow.probing.judgement.label import mismatch, says_radio
from streamflow.probing.judgement.refusal import of_text
from streamflow.probing.net.authentication import Logins
from streamflow.probing.net.response_head import normalized
from streamflow.probing.protocols import rtmp_options
from streamflow.probing.protocols.hls import playlist as hls
from streamflow.probing.protocols.station_list import first_entry, is_station_list
from streamflow.records.text import NAME_LENGTH, URL_LENGTH
from streamflow.reports.csv_export import csv_parts
from streamflow.sources.listing import plain_name
from streamflow.sources.m3u import info, playlist
from streamflow.sources.xtream.login import login_of

# Quadratic time would be a second and more for this length.
LENGTH = 40_000
# Most calls take a few milliseconds; a busy machine takes longer.
SECONDS = 0.5

# Repeated: letters, blanks, marks that begin or end what is searched for, and letters with accents, which Unicode's
# normal forms lengthen or sort.
UNITS = (
    "a", "a.", " ", "a ", "\t", "\n", "\r\n", "\n ", "\0", ".", "x.a", "-", "- ", "+1", "1.", "24 ", "e", "=", "a=",
    " a=", "/", "//", "?", "?a", "#", "&", "%20", ":", "://", "a://", "http://", "url: /", '"', "'", "`", "“", '" ',
    'a="', "a=' ", "a=\\", '\\"', "(", "( ", "[a]", "|", "| ", "a |", ";", "; ", "=(", "<", "<ref ", "<ref href=",
    "<location>", "File1", "File1=", ",", "a,", ",A=", ',A="', "{$", "{$a}", "data:", "base64,", "max", "max a",
    "too many", "geo", "digest ", "\u0301\u0316", "a\u0301\u0316", "\ufdfa", "\u1d34",
)  # fmt: skip
# Before and after the repeated ones: the beginning of what is searched for, and an end that does not fit.
AROUND = (("", ""), ("", "!"), ("", ' x="'), ("//", " /"), ("http://host/", " x"), ('a="', "\\"))


def entries(text: str) -> None:
    lines = ["#EXTM3U", f"#EXTINF:-1 {text},name", f"#EXTVLCOPT:{text}", f"#EXTGRP:{text}", text]
    list(playlist.entries(lines, "http://host/list.m3u"))


def info_line(text: str) -> None:
    info.read(text)
    info.duration(text)


def hls_playlist(text: str) -> None:
    hls.parse(f"#EXTM3U\n#EXT-X-DEFINE:NAME=a,VALUE=b\n#EXT-X-MEDIA:{text}\n#EXTINF:{text},\n{text}".encode())


def station_list(text: str) -> None:
    for start in ("", "[playlist]\n", "<asx>", "<playlist xspf>"):
        is_station_list(f"{start}{text}".encode())
        first_entry(f"{start}{text}".encode())


def names(text: str) -> None:
    for read in (spelling_of, tag_country, group_country, guide_country):
        read(text[:NAME_LENGTH])
    spelling_of(text)
    plain_name(text)


def challenge(text: str) -> None:
    logins = Logins()
    logins.remember(("http", "host", 80), "user", "word")
    logins.challenged(("http", "host", 80), f"Digest {text}")


def urls(text: str) -> None:
    # Records hold no longer ones.
    for read in (login_of, hide_password):
        read(text[:URL_LENGTH])


def response_head(text: str) -> None:
    normalized(f"HTTP/1.1 200 OK\r\n{text}".encode())


def refusal(text: str) -> None:
    of_text(text.encode())


def label(text: str) -> None:
    mismatch(text[:NAME_LENGTH], 1920, 1080, "h264", None, interlaced=False)
    says_radio(text[:NAME_LENGTH])


def csv(text: str) -> None:
    list(csv_parts(["a"], [[{"a": text}]]))


READERS: tuple[Callable[[str], object], ...] = (
    mask, mask_url, urls, plain_text, inert_text, csv, entries, info_line, hls_playlist, station_list, names, challenge,
    rtmp_options.split, response_head, refusal, label,
)  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_no_text_from_outside_takes_more_than_linear_time(read: Callable[[str], object]) -> None:
    for unit in UNITS:
        repeated = (unit * (LENGTH // len(unit) + 1))[:LENGTH]
        for start, end in AROUND:
            began = time.process_time()
            read(f"{start}{repeated}{end}")
            assert time.process_time() - began < SECONDS, (start, unit, end)
