"""The provider serves endless streams in real time, keeps its accounts' limits and records every connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise

import av
import httpx
import pytest

from lab import Account, Behaviour, Hls, Lab, Library, Media, Stream, running
from lab.behaviours import NETWORK_BYTES


@contextmanager
def opened(url: str, **options: object) -> Iterator[httpx.Response]:
    with (
        httpx.Client(trust_env=False, timeout=5, follow_redirects=True) as client,
        client.stream("GET", url, **options) as answer,  # type: ignore[arg-type]
    ):
        yield answer


def first_bytes(answer: httpx.Response, count: int = 188) -> bytes:
    got = b""
    for piece in answer.iter_raw():
        got += piece
        if len(got) >= count:
            break
    return got[:count]


@contextmanager
def limited(media: Media, **fields: object) -> Iterator[Lab]:
    account = Account(1, "Two", "user", "secret", **{"max_streams": 2, **fields})  # type: ignore[arg-type]
    streams = [Stream(number, f"stream {number}", 1) for number in (1, 2, 3)]
    with running(Library([account], streams), media) as lab:
        lab.url(1)
        yield lab


def test_a_stream_is_demuxed_live_in_real_time(lab: Lab) -> None:
    began = time.monotonic()
    with closing(av.open(lab.url("hd25_2m"), timeout=5)) as media:
        times = []
        for packet in media.demux(video=0):
            times.append(packet.dts)
            if len(times) == 50:
                break
    assert {after - before for before, after in pairwise(times)} == {3600}
    # Fifty frames are 2 s of media, one of them sent at once.
    assert 0.5 < time.monotonic() - began < 2.5


def test_a_stream_may_come_in_the_packets_of_a_network(lab_media: Media) -> None:
    spread = Stream(1, "spread", 1, behaviour=Behaviour(in_packets=True, burst_s=0.0))
    library = Library([Account(1, "One", "user", "secret")], [spread])
    with running(library, lab_media) as lab, opened(lab.url(1)) as answer:
        began, sizes = time.monotonic(), []
        for piece in answer.iter_raw():
            sizes.append(len(piece))
            if time.monotonic() - began > 1:
                break
    # 2 Mbit/s are 200 packets a second.
    assert len(sizes) > 100
    assert sum(sizes) / len(sizes) < 4 * NETWORK_BYTES


@pytest.mark.parametrize("status", [403, 429, 458, 503])
def test_a_connection_above_the_limit_is_refused_as_configured(lab_media: Media, status: int) -> None:
    with limited(lab_media, refusal=str(status)) as lab, ExitStack() as watching:
        held = [watching.enter_context(opened(lab.url(number))).iter_raw() for number in (1, 2)]
        assert [next(pieces)[0] for pieces in held] == [0x47, 0x47]
        with opened(lab.url(3)) as third:
            assert third.status_code == status
            assert ("retry-after" in third.headers) == (status in (429, 503))
        line = lab.account_record(1)
    assert (line["current"], line["peak"], line["total"], line["refused"]) == (2, 2, 2, 1)


def test_the_oldest_connection_is_cut_where_the_provider_does_so(lab_media: Media) -> None:
    with limited(lab_media, refusal="cut_oldest") as lab, ExitStack() as watching:
        oldest, _, newest = (watching.enter_context(opened(lab.url(number))) for number in (1, 2, 3))
        assert newest.status_code == 200
        # A stream without a length ends where the connection does.
        for _ in oldest.iter_raw():
            pass
        line = lab.account_record(1)
    assert (line["current"], line["peak"], line["total"], line["refused"], line["cut"]) == (2, 2, 3, 1, 1)


def test_a_closed_connection_is_free_for_the_next_request_at_once(lab_media: Media) -> None:
    with limited(lab_media, max_streams=1) as lab:
        for _ in range(20):
            with opened(lab.url(1)) as answer:
                assert first_bytes(answer)[0] == 0x47
        line = lab.account_record(1)
    assert (line["current"], line["peak"], line["total"], line["refused"]) == (0, 1, 20, 0)


def test_hls_sessions_whose_viewers_have_left_count_no_more(lab_media: Media) -> None:
    account = Account(1, "Two", "user", "secret", max_streams=3, refusal="458")
    streams = [Stream(number, f"stream {number}", 1, hls=Hls()) for number in (1, 2, 3)]
    with running(Library([account], streams), lab_media) as lab:
        for _ in range(2):
            with ExitStack() as watching:
                for number in (1, 2, 3):
                    client = watching.enter_context(httpx.Client(trust_env=False, timeout=5, follow_redirects=True))
                    assert client.get(lab.url(number)).text.startswith("#EXTM3U")
                assert lab.account_record(1)["current"] == 3
            assert lab.account_record(1)["current"] == 0


def test_a_connection_lingers_where_the_provider_notices_late(lab_media: Media) -> None:
    with limited(lab_media, max_streams=1, linger_s=0.4) as lab:
        with opened(lab.url(1)) as answer:
            first_bytes(answer)
        with opened(lab.url(1)) as answer:
            assert answer.status_code == 403
        time.sleep(0.5)
        with opened(lab.url(1)) as answer:
            assert answer.status_code == 200


def test_a_wrong_login_and_an_unknown_stream_have_different_statuses(lab_media: Media) -> None:
    with limited(lab_media) as lab:
        statuses = [
            httpx.get(lab.url(1).replace("secret", "wrong"), trust_env=False).status_code,
            httpx.get(lab.url(1).replace("1.ts", "99.ts"), trust_env=False).status_code,
        ]
        assert lab.account_record(1)["total"] == 0
    assert statuses == [401, 404]


def test_a_redirect_counts_once_and_its_token_holds_once(lab_media: Media) -> None:
    account = Account(1, "One", "user", "secret", max_streams=1)
    library = Library([account], [Stream(1, "far", 1, behaviour=Behaviour(hops=3))])
    with running(library, lab_media) as lab:
        with opened(lab.url(1)) as answer:
            assert first_bytes(answer)[0] == 0x47
            edge = str(answer.url)
            assert len(answer.history) == 3
        assert lab.account_record(1)["total"] == 1
        with opened(edge) as again:
            assert again.status_code == 403


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 458, 500, 503])
def test_a_stream_has_the_wanted_status(lab: Lab, status: int) -> None:
    assert httpx.get(lab.url(f"http_{status}"), trust_env=False).status_code == status


@pytest.mark.parametrize(("name", "begins"), [("html", b"<!DOCTYPE"), ("json", b"{"), ("empty", b"")])
def test_content_that_is_not_media_has_status_200(lab: Lab, name: str, begins: bytes) -> None:
    answer = httpx.get(lab.url(name), trust_env=False)
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert bool(answer.content) == bool(begins)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("unresolvable", httpx.ConnectError),
        ("refused", httpx.ConnectError),
        ("untrusted_tls", httpx.ConnectError),
        ("silent", httpx.ConnectTimeout),
        ("never", httpx.ReadTimeout),
    ],
)
def test_each_dead_behaviour_fails_in_its_own_way(lab: Lab, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        httpx.get(lab.url(name), trust_env=False, timeout=0.3)
