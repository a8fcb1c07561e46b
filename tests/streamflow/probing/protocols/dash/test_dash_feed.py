"""DASH: all forms of addressing, failing parts, and what a manifest may not do."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.protocols.dash.manifest import MAX_SEGMENTS, parse
from streamflow.probing.protocols.segments import PlaylistInfo
from streamflow.records import Result
from support.probing.scripted import Scripted, response

# The result for the fragments of a video that is whole.
VIDEO_ALONE = "no_audio"
SETTINGS = config.Probe(sample_seconds=3, connect_timeout=1, read_timeout=1)


def mpd(inner: str, *, live: bool = False, seconds: int = 8, more: str = "") -> str:
    since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    kind = f'type="dynamic" availabilityStartTime="{since}"' if live else f'mediaPresentationDuration="PT{seconds}S"'
    return (
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {kind}><Period>'
        f'<AdaptationSet mimeType="video/mp4">{more}'
        f'<Representation id="v1" width="640" height="480" bandwidth="1200000">{inner}</Representation>'
        f"</AdaptationSet></Period></MPD>"
    )


def measured(scripted: Scripted, text: str) -> Result:
    return probe(ProbeTarget(scripted.url("/dash/1.mpd", response(text.encode()))), SETTINGS).result


NUMBERS = (
    '<SegmentTemplate duration="1" startNumber="7" initialization="$RepresentationID$/init" media="s$Number%03d$"/>'
)
TIMES = (
    '<SegmentTemplate timescale="10" initialization="v1/init" media="t$Time$"><SegmentTimeline>'
    '<S t="0" d="10" r="3"/><S d="10" r="-1"/></SegmentTimeline></SegmentTemplate>'
)
LISTED = (
    '<SegmentList duration="1"><Initialization sourceURL="v1/init"/>'
    + "".join(f'<SegmentURL media="t{number * 10}"/>' for number in range(8))
    + "</SegmentList>"
)


def offer(scripted: Scripted, fragments: tuple[bytes, list[bytes]]) -> None:
    init, parts = fragments
    scripted.url("/dash/v1/init", response(init))
    scripted.url("/dash/whole.mp4", response(init + b"".join(parts)))
    for number, part in enumerate(parts[:12]):
        scripted.url(f"/dash/s{number + 7:03}", response(part))
        scripted.url(f"/dash/t{number * 10}", response(part))


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("form", [NUMBERS, TIMES, LISTED, "<BaseURL>whole.mp4</BaseURL>"])
def test_every_form_of_addressing_is_measured(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]], form: str, live: bool
) -> None:
    offer(scripted, fragments)
    result = measured(scripted, mpd(form, live=live, more='<ContentComponent contentType="video"/>'))
    assert (result.width, result.height, result.fps, result.video_codec) == (640, 480, 30.0, "h264"), result
    assert result.container == "dash"
    rate = sum(map(len, fragments[1])) * 8 / 1000 / len(fragments[1])
    assert result.bitrate_kbps == pytest.approx(rate, rel=0.05)
    assert result.extra["variants"] == [{"width": 640, "height": 480, "kbps": 1200, "codecs": None}]


def test_a_live_manifest_is_joined_near_its_end(scripted: Scripted, fragments: tuple[bytes, list[bytes]]) -> None:
    offer(scripted, fragments)
    measured(scripted, mpd(TIMES, live=True))
    assert "/dash/t0" not in scripted.asked
    assert "/dash/t50" in scripted.asked


@pytest.mark.parametrize("name", ["dash_live", "dash_vod", "dash_variants"])
def test_the_labs_dash_streams_are_measured_right(lab: Lab, name: str) -> None:
    result = probe(ProbeTarget(lab.url(name)), SETTINGS).result
    truth = lab.media.clip(lab.library.named(name).clip).truth
    assert (result.verdict, result.reason, result.container) == ("ok", None, "dash"), result.detail
    assert (result.height, result.fps) == (truth.height, truth.fps)
    assert result.bitrate_kbps == pytest.approx(truth.bitrate_kbps, rel=0.05)


@pytest.mark.parametrize("place", ["more", "inner"])
def test_protected_content_is_distinguished_from_damage(scripted: Scripted, place: str) -> None:
    protection = '<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011"/>'
    text = mpd(NUMBERS, more=protection) if place == "more" else mpd(protection + NUMBERS)
    result = measured(scripted, text)
    assert (result.verdict, result.reason) == ("dead", "drm_protected")


def test_media_that_are_encrypted_without_a_word_are_protected(scripted: Scripted) -> None:
    scripted.url("/dash/v1/init", response(b"....moov....encv...."))
    assert measured(scripted, mpd(NUMBERS)).reason == "drm_protected"


@pytest.mark.parametrize("leads_to", ["file:///etc/passwd", "data:video/mp4;base64,AA", "http://["])
@pytest.mark.parametrize("form", ["<BaseURL>{}</BaseURL>", '<SegmentTemplate duration="1" media="{}"/>'])
def test_a_manifest_cannot_lead_out_of_http(scripted: Scripted, form: str, leads_to: str) -> None:
    result = measured(scripted, mpd(form.format(leads_to)))
    assert (result.verdict, result.reason) == ("dead", "not_media")


BOMB = '<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (mpd("").replace("?>", f"?>{BOMB}"), "not_media"),
        ('<?xml version="1.0"?><MPD', "not_media"),
        ('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "no_data"),
        (mpd('<SegmentTemplate duration="0" media="x"/>'), "not_media"),
        (mpd('<SegmentTemplate duration="1" timescale="0" media="x"/>'), "not_media"),
        (mpd('<SegmentTemplate media="x"/>'), "not_media"),
        (mpd('<SegmentList duration="1"/>'), "no_data"),
        (mpd('<SegmentTemplate duration="1" media="gone"/>', seconds=1), "http_404"),
        (mpd('<SegmentList><SegmentURL media="x" mediaRange="a-b"/></SegmentList>'), "not_media"),
    ],
)
def test_a_manifest_that_is_wrong_has_its_reason(scripted: Scripted, text: str, reason: str) -> None:
    result = measured(scripted, text)
    assert (result.verdict, result.reason) == ("dead", reason), result.detail


@pytest.mark.parametrize("live", [False, True])
def test_a_timeline_without_bounds_is_cut(live: bool) -> None:
    timeline = '<SegmentTimeline><S t="0" d="1" r="99999999999"/></SegmentTimeline>'
    endless = f'<SegmentTemplate media="$Time$">{timeline}</SegmentTemplate>'
    found = parse(mpd(endless, live=live).encode(), "http://h/", 2e9, PlaylistInfo("dash"))
    assert len(found.segments) == MAX_SEGMENTS


def test_a_refusal_names_no_address(scripted: Scripted) -> None:
    with pytest.raises(Refusal) as told:
        parse(mpd("<BaseURL>http://user:secret@[</BaseURL>").encode(), "http://h/", 0, PlaylistInfo("dash"))
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("PT8S", 8), ("P0Y0M0DT0H2M17.000S", 137), ("PT1H2M3.5S", 3723.5), ("P1DT1S", 86401), ("PT0,5S", 0.5),
        ("P1W", 604800), ("P1M", 2592000), (" PT8S ", 8),
    ],
)  # fmt: skip
def test_a_duration_may_have_every_form_of_iso_8601(written: str, seconds: float) -> None:
    text = mpd('<SegmentTemplate duration="1" media="$Number$"/>').replace("PT8S", written)
    found = parse(text.encode(), "http://h/", 0, PlaylistInfo("dash"))
    assert len(found.segments) == min(MAX_SEGMENTS, math.ceil(seconds))


@pytest.mark.parametrize("wrong", ['width="1920.0"', 'bandwidth="None"', 'height="-5"', 'frameRate="x"'])
def test_an_attribute_that_is_not_needed_may_be_wrong(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]], wrong: str
) -> None:
    offer(scripted, fragments)
    name = wrong.partition("=")[0]
    text = re.sub(rf' {name}="\d+"', "", mpd(NUMBERS)).replace(" id=", f" {wrong} id=")
    assert measured(scripted, text).reason == VIDEO_ALONE


def test_the_next_representation_is_measured_where_the_best_fails(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]]
) -> None:
    offer(scripted, fragments)
    best = '<Representation id="v9" width="1920" height="1080" bandwidth="6000000">'
    best += '<SegmentTemplate duration="1" media="gone$Number$"/></Representation>'
    result = measured(scripted, mpd(NUMBERS).replace("<Representation", f"{best}<Representation", 1))
    assert (result.reason, result.height) == (VIDEO_ALONE, 480), result.detail
    assert [lost["height"] for lost in result.extra["lost_variants"]] == [1080]


def test_a_live_manifest_is_loaded_again_from_where_it_says(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]]
) -> None:
    offer(scripted, fragments)
    moved = mpd(NUMBERS, live=True, seconds=5).replace("<Period>", "<Location>../2.mpd?t=1</Location><Period>")
    scripted.url("/2.mpd?t=1", response(mpd(NUMBERS, live=True, seconds=5).encode()))
    measured(scripted, moved)
    assert scripted.asked.count("/dash/1.mpd") == 1
    assert "/2.mpd?t=1" in scripted.asked


def test_one_failing_segment_and_reload_are_no_end(scripted: Scripted, fragments: tuple[bytes, list[bytes]]) -> None:
    offer(scripted, fragments)
    looks: list[str] = []

    def manifest(head: str) -> bytes:
        looks.append(head)
        text = mpd(TIMES, live=True, seconds=5 + len(looks))
        return response(b"", status=502) if len(looks) == 2 else response(text.encode())

    failed: list[str] = []

    def segment(head: str) -> bytes:
        failed.append(head)
        return response(b"", status=500) if len(failed) == 1 else response(fragments[1][4])

    scripted.answer_by_head("/dash/t40", segment)
    result = probe(ProbeTarget(scripted.answer_by_head("/dash/1.mpd", manifest)), SETTINGS).result
    assert result.reason == VIDEO_ALONE, result.detail
    assert (len(failed), len(looks) >= 3) == (2, True)
