"""Relative, redirected and ranged addresses, and the forms in which playlists ask for headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab import Media
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.fragments import cut, fragmented
from support.probing.scripted import Scripted, response

SETTINGS = config.Probe(sample_seconds=4, connect_timeout=2, read_timeout=2)


@pytest.fixture(scope="module")
def pieces(lab_media: Media) -> list[bytes]:
    return cut(lab_media.clip("sd480p30"))


@pytest.fixture
def offered(scripted: Scripted, pieces: list[bytes]) -> Scripted:
    for number, piece in enumerate(pieces):
        scripted.serve(f"/media/{number}.ts", piece)
    scripted.serve("/media/whole.ts", b"".join(pieces))
    return scripted


def playlist(lines: Iterator[str] | list[str], *, ended: bool = True) -> bytes:
    end = ["#EXT-X-ENDLIST"] if ended else []
    return response("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, *end, ""]).encode())


def measured(url: str, settings: config.Probe = SETTINGS, **target: object) -> Result:
    result = probe(ProbeTarget(url, **target), settings).result  # type: ignore[arg-type]
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.height, result.fps, result.container) == (480, 30.0, "hls")
    assert result.discontinuities == 0
    return result


def entries(form: str) -> list[str]:
    return [line for number in range(3) for line in ("#EXTINF:2,", form.format(number))]


@pytest.mark.parametrize(
    "form", ["media/{}.ts", "./media/{}.ts", "/media/{}.ts", "../media/{}.ts", "//{host}/media/{}.ts"]
)
def test_an_address_is_relative_to_its_playlist(offered: Scripted, form: str) -> None:
    host = offered.url("").removeprefix("http://")
    place = "/live/1.m3u8" if form.startswith("..") else "/1.m3u8"
    measured(offered.url(place, playlist(entries(form.replace("{host}", host)))))


def test_an_address_is_relative_to_where_a_redirect_led(offered: Scripted) -> None:
    offered.url("/media/1.m3u8", playlist(entries("{}.ts")))
    result = measured(offered.url("/1.m3u8", response(b"", status=302, Location="/media/1.m3u8")))
    assert result.extra["redirects"] == 1


def test_a_variant_and_a_segment_may_be_redirected(offered: Scripted) -> None:
    offered.url("/media/1.m3u8", playlist(entries("{}.ts").__iter__()))
    offered.url("/v.m3u8", response(b"", status=307, Location="/media/1.m3u8"))
    offered.url("/0.ts", response(b"", status=302, Location="/media/0.ts"))
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x480\nv.m3u8\n"
    measured(offered.url("/1.m3u8", response(master.encode())))


# -- redirects -------------------------------------------------------------------------------------
# Everything is below /far, and only the first address is not: a relative address that is joined to anything but the
# address that a redirect led to is answered by 404.
FAR = "/far/away/"
BEGIN = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
VARIANT = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x480"
KEY, VECTOR = b"0123456789abcdef", (9).to_bytes(16, "big")


def far(scripted: Scripted, path: str, body: str | bytes) -> None:
    """Serve a file below /far, which supports ranges."""
    scripted.serve(FAR + path, body if isinstance(body, bytes) else body.encode())


def led(scripted: Scripted, path: str, to: str) -> str:
    """Redirect ``path``, over a second redirect, to a file below /far, and return the address."""
    scripted.url(f"/hop{path}", response(b"", status=307, Location=f"{FAR}{to}"))
    return scripted.url(path, response(b"", status=302, Location=f"/hop{path}"))


def listed(form: str, *tags: str, end: str = "#EXT-X-ENDLIST\n") -> str:
    return BEGIN + "".join(f"{tag}\n" for tag in tags) + "\n".join(entries(form)) + f"\n{end}"


def locked(piece: bytes) -> bytes:
    """Return a segment that is encrypted as a whole."""
    pad = 16 - len(piece) % 16
    cipher = Cipher(algorithms.AES(KEY), modes.CBC(VECTOR)).encryptor()
    return cipher.update(piece + bytes((pad,)) * pad) + cipher.finalize()


@pytest.fixture
def distant(scripted: Scripted, pieces: list[bytes], fragments: tuple[bytes, list[bytes]]) -> Scripted:
    """A server with the media in every form below /far."""
    init, parts = fragments
    far(scripted, "init.mp4", init)
    far(scripted, "whole.ts", b"".join(pieces[:3]))
    far(scripted, "key", KEY)
    for number in range(3):
        far(scripted, f"{number}.ts", pieces[number])
        far(scripted, f"{number}.locked", locked(pieces[number]))
        far(scripted, f"{number}.m4s", parts[2 * number] + parts[2 * number + 1])
    return scripted


def assert_played(url: str) -> Result:
    result = probe(ProbeTarget(url), SETTINGS).result
    assert (result.height, result.fps, result.extra.get("missing_segments")) == (480, 30.0, None), result.detail
    return result


@pytest.mark.parametrize(
    ("what", "playlist_text"),
    [
        ("segments", listed("{}.ts")),
        ("ranges", BEGIN + "#EXTINF:2,\n#EXT-X-BYTERANGE:376000@0\nwhole.ts\n#EXT-X-ENDLIST\n"),
        ("keys", listed("{}.locked", '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x9')),
        ("maps", listed("{}.m4s", '#EXT-X-MAP:URI="init.mp4"')),
        ("variables", listed("{{$n}}{}.ts", '#EXT-X-DEFINE:NAME="n",VALUE="./"').replace("{$n}}", "{$n}")),
        ("parts", listed("{}.ts", end='#EXT-X-PART:DURATION=1,URI="3.0.ts"\n#EXT-X-ENDLIST\n')),
        ("a station list", "[playlist]\nFile1=list.m3u8\n"),
        ("a plain list", "#EXTM3U\n#EXTINF:-1,One\nlist.m3u8\n"),
    ],
)
def test_each_address_of_a_redirected_list_is_relative_to_where_the_redirect_led(
    distant: Scripted, what: str, playlist_text: str
) -> None:
    far(distant, "list.m3u8", listed("{}.ts"))
    far(distant, "first", playlist_text)
    assert_played(led(distant, "/1.m3u8", "first"))
    assert (FAR + "key" in distant.asked) == (what == "keys")
    assert (FAR + "init.mp4" in distant.asked) == (what == "maps")


@pytest.mark.parametrize("redirected", ["master", "variant", "both"])
def test_lists_behind_a_list_of_variants_are_relative_to_where_each_redirect_led(
    distant: Scripted, lab_media: Media, redirected: str
) -> None:
    begin, sound = fragmented(lab_media.clip("sd480p30"), "audio")
    far(distant, "deep/sound/init.mp4", begin)
    for number in range(3):
        far(distant, f"deep/sound/{number}.m4s", sound[number])
        far(distant, f"deep/{number}.m4s", distant.files[f"{FAR}{number}.m4s"])
    far(distant, "deep/init.mp4", distant.files[FAR + "init.mp4"])
    far(distant, "deep/video.m3u8", listed("{}.m4s", '#EXT-X-MAP:URI="init.mp4"'))
    far(distant, "deep/sound.m3u8", listed("sound/{}.m4s", '#EXT-X-MAP:URI="sound/init.mp4"'))
    variant, rendition = "deep/video.m3u8", "deep/sound.m3u8"
    if redirected in ("variant", "both"):
        led(distant, FAR + "v", "deep/video.m3u8")
        led(distant, FAR + "s", "deep/sound.m3u8")
        variant, rendition = "v", "s"
    media = f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="{rendition}"\n'
    far(distant, "master", VARIANT.replace("#EXTM3U\n", f"#EXTM3U\n{media}") + f',AUDIO="a"\n{variant}\n')
    url = distant.url(FAR + "master") if redirected == "variant" else led(distant, "/1.m3u8", "master")
    assert [track.codec for track in assert_played(url).audio] == ["aac"]


def test_a_live_list_whose_redirect_expires_is_asked_for_again_and_relative_to_its_new_place(
    scripted: Scripted, pieces: list[bytes]
) -> None:
    """A balancer sends each client to another server, which knows it for one request and has the media of its list."""
    looks = 0

    def balance(head: str) -> bytes:
        nonlocal looks
        looks += 1
        place, numbers = f"/server{looks}", (looks - 1, looks)
        for number in numbers:
            scripted.serve(f"{place}/{number}.ts", pieces[number])
        lines = [f"#EXT-X-MEDIA-SEQUENCE:{looks - 1}"]
        listed_now = playlist([*lines, *(line for at in numbers for line in ("#EXTINF:2,", f"{at}.ts"))], ended=False)
        scripted.answer_by_head(f"{place}/list.m3u8", once(listed_now))
        return response(b"", status=302, Location=f"{place}/list.m3u8")

    def once(body: bytes) -> Callable[[str], bytes]:
        left = [body]
        return lambda head: left.pop() if left else response(b"", status=410)

    url = scripted.answer_by_head("/1.m3u8", balance)
    result = probe(ProbeTarget(url), SETTINGS.model_copy(update={"sample_seconds": 5, "read_timeout": 6})).result
    assert (result.height, result.fps, result.discontinuities) == (480, 30.0, 0), result.detail
    assert looks > 1
    assert result.extra["segments"] >= 3


SEGMENT_LIST = (
    '<SegmentList duration="2"><Initialization sourceURL="init.mp4"/>'
    + "".join(f'<SegmentURL media="{number}.m4s"/>' for number in range(3))
    + "</SegmentList>"
)
TEMPLATE = '<SegmentTemplate duration="2" startNumber="0" initialization="init.mp4" media="$Number$.m4s"/>'


@pytest.mark.parametrize("addressing", [SEGMENT_LIST, TEMPLATE], ids=["list", "template"])
@pytest.mark.parametrize("bases", [(), ("./",), ("../", "away/"), ("deep/", "../")])
def test_each_address_of_a_redirected_manifest_is_relative_to_where_the_redirect_led(
    distant: Scripted, addressing: str, bases: tuple[str, ...]
) -> None:
    outer, inner = (f"<BaseURL>{base}</BaseURL>" if base else "" for base in (*bases, "", "")[:2])
    text = (
        f'<?xml version="1.0"?><MPD mediaPresentationDuration="PT6S">{outer}<Period>{inner}'
        '<AdaptationSet mimeType="video/mp4"><Representation id="v" width="640" height="480" bandwidth="9">'
        f"{addressing}</Representation></AdaptationSet></Period></MPD>"
    )
    far(distant, "first", text)
    assert_played(led(distant, "/1.mpd", "first"))


def test_the_base_of_a_redirected_manifest_may_be_the_whole_media(distant: Scripted) -> None:
    """ISO/IEC 23009-1, 5.3.9.2: a representation without segments is one file at its base address."""
    names = ("init.mp4", *(f"{number}.m4s" for number in range(3)))
    far(distant, "whole.mp4", b"".join(distant.files[FAR + name] for name in names))
    text = (
        '<?xml version="1.0"?><MPD mediaPresentationDuration="PT6S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="v" width="640" height="480" bandwidth="9"><BaseURL>whole.mp4</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    )
    far(distant, "first", text)
    assert_played(led(distant, "/1.mpd", "first"))


# -- ranges ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("offset", [True, False])
def test_segments_may_be_ranges_of_one_file(offered: Scripted, pieces: list[bytes], offset: bool) -> None:
    lines, at = [], 0
    for number, piece in enumerate(pieces[:3]):
        place = f"@{at}" if offset or number == 0 else ""
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:{len(piece)}{place}", "media/whole.ts"]
        at += len(piece)
    measured(offered.url("/1.m3u8", playlist(lines)))
    assert offered.asked.count("/media/whole.ts") == 3


def test_fragments_of_one_file_have_their_beginning_in_a_range_too(
    scripted: Scripted, fragments: tuple[bytes, list[bytes]]
) -> None:
    init, parts = fragments
    scripted.serve("/whole.mp4", init + b"".join(parts))
    lines, at = [f'#EXT-X-MAP:URI="whole.mp4",BYTERANGE="{len(init)}@0"'], len(init)
    for part in parts[:6]:
        lines += ["#EXTINF:1,", f"#EXT-X-BYTERANGE:{len(part)}@{at}", "whole.mp4"]
        at += len(part)
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(lines))), SETTINGS).result
    assert (result.height, result.fps, result.video_codec) == (480, 30.0, "h264"), result.detail


def test_a_discontinuity_that_is_announced_is_an_ad_break_and_no_fault(
    scripted: Scripted, lab_media: Media, pieces: list[bytes]
) -> None:
    other = cut(lab_media.clip("hd25_2m"))
    for number, piece in enumerate([pieces[0], pieces[1], other[3], pieces[2]]):
        scripted.serve(f"/{number}.ts", piece)
    lines = ["#EXTINF:2,", "0.ts", "#EXTINF:2,", "1.ts"]
    lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:2,", "2.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:2,", "3.ts"]
    settings = SETTINGS.model_copy(update={"sample_seconds": 7})
    result = probe(ProbeTarget(scripted.url("/1.m3u8", playlist(lines))), settings).result
    assert (result.verdict, result.height) == ("ok", 480), result.detail
    assert (result.discontinuities, result.extra["announced_jumps"]) == (2, 2)


# -- headers ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "header"),
    [
        ("User-Agent=Player%2F1.0", "User-Agent: Player/1.0"),
        ("user-agent=Player/1.0", "User-Agent: Player/1.0"),
        ("Referer=http%3A%2F%2Fsite%2F", "Referer: http://site/"),
        ("http-referrer=http://site/&http-user-agent=Player/1.0", "Referer: http://site/"),
        ("http-referrer=http://site/&http-user-agent=Player/1.0", "User-Agent: Player/1.0"),
        ("http-origin=http://site", "Origin: http://site"),
        ("Cookie=a%3Db", "Cookie: a=b"),
    ],
)
def test_options_behind_an_address_are_sent_with_every_request(offered: Scripted, options: str, header: str) -> None:
    url = offered.url("/1.m3u8", playlist(entries("media/{}.ts")))
    measured(f"{url}|{options}")
    assert len(offered.heads) >= 3
    assert all(header in head.splitlines() for head in offered.heads)
    assert all("VLC" not in head for head in offered.heads if "ser-" in options)
