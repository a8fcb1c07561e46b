"""Segments whose samples are encrypted with a key that anyone may fetch play as they do in players."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab import Clip, Media, mpegts
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.protocols.hls import sample_aes
from streamflow.records import Result
from support.probing.common_encryption import as_cbcs
from support.probing.fragments import cut, fragmented, packed_sound
from support.probing.sample_encryption import encrypt, encrypted_frames, pes_packets
from support.probing.scripted import Scripted, response

KEY = b"0123456789abcdef"
VECTOR = (9).to_bytes(16, "big")
SETTINGS = config.Probe(sample_seconds=5, connect_timeout=1, read_timeout=2)


@pytest.fixture
def clip(lab_media: Media) -> Clip:
    return lab_media.clip("sd480p30")


def offered(scripted: Scripted, segments: list[bytes], *tags: str, init: bytes = b"") -> Result:
    """Return the result of a list of segments behind the tags."""
    scripted.url("/k", response(KEY))
    scripted.serve("/init", init)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", *tags]
    for number, segment in enumerate(segments):
        scripted.serve(f"/{number}", segment)
        lines += ["#EXTINF:2,", f"/{number}"]
    whole = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()
    return probe(ProbeTarget(scripted.url("/1.m3u8", response(whole))), SETTINGS).result


def test_each_byte_of_a_segment_is_restored(clip: Clip) -> None:
    piece = cut(clip)[0]
    hidden = encrypt(piece, KEY, VECTOR)
    assert hidden != piece
    chunks = [hidden[at : at + 1000] for at in range(0, len(hidden), 1000)]
    restored = b"".join(sample_aes.decrypted(iter(chunks), KEY, VECTOR))
    assert restored == piece
    assert b"".join(sample_aes.decrypted(iter([piece]), KEY, VECTOR)) == piece


def test_a_slice_that_looks_like_start_codes_when_it_is_encrypted_is_restored() -> None:
    hidden_block = bytes(15) + b"\x01"
    plain_block = Cipher(algorithms.AES(KEY), modes.CBC(VECTOR)).decryptor().update(hidden_block)
    unit = b"\x65" + b"L" * 31 + plain_block + b"R" * 60
    filler = b"\x00\x00\x01\x0c" + b"\xff" * 60 + b"\x80"
    video = mpegts.Multiplexer([mpegts.Track(0x100, 0x1B, 0xE0)], "one")
    clear = bytes(video.write([mpegts.Unit(0x100, 0, 0, b"\x00\x00\x01" + unit + filler, True)]).data)
    hidden = encrypt(clear, KEY, VECTOR)
    assert hidden_block not in hidden
    restored = b"".join(sample_aes.decrypted(iter([hidden]), KEY, VECTOR))
    assert len(restored) == len(clear)
    (pieces,) = pes_packets(bytearray(restored), 0x100)
    assert unit in b"".join(restored[start:end] for start, end in pieces)


def test_frames_of_sound_without_a_container_are_restored(clip: Clip) -> None:
    piece = packed_sound(clip)[0]
    start = 10 + (piece[8] << 7 | piece[9])
    hidden = piece[:start] + encrypted_frames(piece[start:], KEY, VECTOR)
    assert hidden != piece
    assert b"".join(sample_aes.decrypted(iter([hidden]), KEY, VECTOR)) == piece


def test_encrypted_samples_are_measured_as_clear_ones(scripted: Scripted, clip: Clip) -> None:
    segments = [encrypt(piece, KEY, VECTOR) for piece in cut(clip)[:3]]
    tag = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/k",IV=0x9'
    result = offered(scripted, segments, tag)
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.height, result.fps, result.decode_errors) == (480, 30.0, 0)
    assert [track.codec for track in result.audio] == ["aac"]
    assert result.extra["encrypted"]
    assert result.silent_ratio == 0


def test_a_wrong_key_decodes_to_nothing(scripted: Scripted, clip: Clip) -> None:
    segments = [encrypt(piece, KEY[::-1], VECTOR) for piece in cut(clip)[:3]]
    assert offered(scripted, segments, '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/k",IV=0x9').verdict != "ok"


def test_tracks_that_are_announced_as_clear_are_not_decrypted(scripted: Scripted, clip: Clip) -> None:
    result = offered(scripted, cut(clip)[:3], '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/k"')
    assert (result.verdict, result.reason, result.decode_errors) == ("ok", None, 0), result.detail


COUNTER = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": KEY.hex(), "encryption_kid": bytes(16).hex()}
MAP = '#EXT-X-MAP:URI="/init"'
METHODS = {"cenc": "SAMPLE-AES-CTR", "cbcs": "SAMPLE-AES"}


def protected(clip: Clip, scheme: str) -> tuple[bytes, list[bytes]]:
    """Return initialization segment and fragments of the clip's video, encrypted by a scheme."""
    init, parts = fragmented(clip, "video", **COUNTER)
    return as_cbcs(init, parts[:6], KEY) if scheme == "cbcs" else (init, parts[:6])


@pytest.mark.parametrize("scheme", METHODS)
def test_encrypted_samples_of_a_fragmented_file_are_measured_as_clear_ones(
    scripted: Scripted, clip: Clip, scheme: str
) -> None:
    init, parts = protected(clip, scheme)
    result = offered(scripted, parts, f'#EXT-X-KEY:METHOD={METHODS[scheme]},URI="/k"', MAP, init=init)
    assert (result.verdict, result.reason) == ("degraded", "no_audio"), result.detail
    assert (result.height, result.fps, result.decode_errors) == (480, 30.0, 0)


@pytest.mark.parametrize("scheme", METHODS)
@pytest.mark.parametrize("carrier", ["hls", "dash", "dash that tells it", "file"])
def test_common_encryption_without_a_key_is_protection_in_every_carrier(
    scripted: Scripted, clip: Clip, scheme: str, carrier: str
) -> None:
    init, parts = protected(clip, scheme)
    if carrier == "hls":
        result = offered(scripted, parts, MAP, init=init)
    elif carrier == "file":
        scripted.serve("/1.mp4", init + b"".join(parts))
        result = probe(ProbeTarget(scripted.url("/1.mp4")), SETTINGS).result
    else:
        scripted.serve("/init", init)
        scripted.serve("/1", parts[0])
        scheme_id = "urn:mpeg:dash:mp4protection:2011"
        told = f'<ContentProtection schemeIdUri="{scheme_id}" value="{scheme}"/>' if "tells" in carrier else ""
        manifest = (
            f'<MPD mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4">{told}'
            '<Representation id="v" width="640" height="480" bandwidth="9"><SegmentTemplate duration="1" '
            'initialization="init" media="$Number$"/></Representation></AdaptationSet></Period></MPD>'
        )
        result = probe(ProbeTarget(scripted.url("/1.mpd", response(manifest.encode()))), SETTINGS).result
    assert (result.verdict, result.reason) == ("dead", "drm_protected"), result.detail


@pytest.mark.parametrize("answer", [b'{"error": "no licence"}', b""], ids=["no key", "empty"])
@pytest.mark.parametrize("scheme", METHODS)
def test_an_answer_that_is_no_key_is_protection_and_no_damage(
    scripted: Scripted, clip: Clip, scheme: str, answer: bytes
) -> None:
    init, parts = protected(clip, scheme)
    scripted.url("/other", response(answer))
    result = offered(scripted, parts, f'#EXT-X-KEY:METHOD={METHODS[scheme]},URI="/other"', MAP, init=init)
    assert (result.verdict, result.reason) == ("dead", "drm_protected"), result.detail


@pytest.mark.parametrize("in_segments", [True, False])
def test_a_transport_stream_that_announces_encrypted_pictures_is_protected(
    scripted: Scripted, clip: Clip, in_segments: bool
) -> None:
    segments = [encrypt(piece, KEY, VECTOR) for piece in cut(clip)[:3]]
    scripted.serve("/1.ts", b"".join(segments))
    result = offered(scripted, segments) if in_segments else probe(ProbeTarget(scripted.url("/1.ts")), SETTINGS).result
    assert (result.verdict, result.reason) == ("dead", "drm_protected"), result.detail


@pytest.mark.parametrize(
    "attributes",
    ['METHOD=SAMPLE-AES,URI="skd://asset"', 'METHOD=SAMPLE-AES,URI="/k",KEYFORMAT="com.apple.streamingkeydelivery"',
     'METHOD=SAMPLE-AES-CENC,URI="/k"'],
)  # fmt: skip
def test_a_key_that_needs_a_licence_is_protection(scripted: Scripted, clip: Clip, attributes: str) -> None:
    result = offered(scripted, cut(clip)[:1], f"#EXT-X-KEY:{attributes}")
    assert (result.verdict, result.reason) == ("dead", "drm_protected")


def test_a_segment_without_end_is_refused() -> None:
    with pytest.raises(Refusal, match="more than 40 MB"):
        list(sample_aes.decrypted((bytes(1_000_000) for _ in range(50)), KEY, VECTOR))


@pytest.mark.parametrize("cut_at", [1, 5, 187, 189, 1000, 20_001])
def test_a_damaged_segment_is_no_error(clip: Clip, cut_at: int) -> None:
    hidden = bytearray(encrypt(cut(clip)[0], KEY, VECTOR))
    for at in range(0, len(hidden), 997):
        hidden[at] ^= 0xFF
    hidden[0] = 0x47
    assert len(b"".join(sample_aes.decrypted(iter([bytes(hidden[:cut_at])]), KEY, VECTOR))) == cut_at
    assert len(b"".join(sample_aes.decrypted(iter([bytes(hidden)]), KEY, VECTOR))) == len(hidden)
