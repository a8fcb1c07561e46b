"""The guard of a connection: which addresses may be reached, and each failure by its phase."""

from __future__ import annotations

import base64
import socket
import time

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.net import address_policy as guard
from streamflow.probing.net.address_policy import is_inner
from streamflow.probing.net.http_client import HttpClient
from support.probing.scripted import Scripted, response


def got(url: str, **options: object) -> bytes:
    """The body behind ``url``; raises Refusal."""
    made = HttpClient({}, connect_timeout=1, read_timeout=0.5, **options)  # type: ignore[arg-type]
    try:
        with made.get(url) as answer:
            return b"".join(answer.body)
    finally:
        made.close()


def reason(url: str) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        got(url)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
    ],
)  # fmt: skip
def test_an_address_of_this_network_is_inner(address: str) -> None:
    assert is_inner(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_not(address: str) -> None:
    assert not is_inner(address)


class Names:
    """A resolver in place of the system's; connects public addresses to the scripted server all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Scripted, **addresses: str) -> None:
        self.connected: list[str] = []
        plain = guard.httpcore.SyncBackend.connect_tcp
        port = int(server.url("/").split(":")[2].strip("/"))

        def connect(backend: object, host: str, asked_port: int, *rest: object) -> object:
            self.connected.append(host)
            return plain(backend, "127.0.0.1", port, *rest)  # type: ignore[arg-type]

        def resolve(host: str, asked_port: int, timeout: float | None) -> list[str]:
            name = host.partition(".")[0]
            return addresses[name].split() if name in addresses else [host]

        monkeypatch.setattr(guard.httpcore.SyncBackend, "connect_tcp", connect)
        monkeypatch.setattr(guard, "resolve", resolve)


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8 127.0.0.1"])
def test_a_public_host_cannot_lead_to_an_inner_one(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, inner: str
) -> None:
    names = Names(monkeypatch, scripted, panel="93.184.216.34", router=inner)
    scripted.url("/1.ts", response(b"", status=302, Location="http://router.example/secret"))
    found, detail = reason("http://panel.example/1.ts")
    assert (found, "not on the public internet" in detail) == ("not_media", True)
    assert names.connected == ["93.184.216.34"]


def test_a_public_host_cannot_lead_to_an_inner_address_by_its_playlist(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, settings: config.Probe
) -> None:
    Names(monkeypatch, scripted, panel="93.184.216.34")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://192.168.1.1/admin\n#EXT-X-ENDLIST\n"
    scripted.url("/1.m3u8", response(playlist))
    result = probe(ProbeTarget("http://panel.example/1.m3u8"), settings).result
    assert (result.verdict, result.reason) == ("dead", "not_media")
    assert "192.168.1.1" in str(result.detail)
    assert scripted.asked == ["/1.m3u8"]


def test_a_public_host_may_lead_to_another(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    names = Names(monkeypatch, scripted, panel="93.184.216.34", edge="151.101.1.1")
    scripted.url("/1.ts", response(b"", status=302, Location="http://edge.example/2.ts"))
    scripted.url("/2.ts", response(b"media"))
    assert got("http://panel.example/1.ts") == b"media"
    assert names.connected == ["93.184.216.34", "151.101.1.1"]


def test_a_local_proxy_may_lead_on_within_its_network(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    Names(monkeypatch, scripted, proxy="192.168.1.5", tuner="192.168.1.9")
    scripted.url("/1.ts", response(b"", status=302, Location="http://tuner.lan/2.ts"))
    scripted.url("/2.ts", response(b"media"))
    assert got("http://proxy.lan/1.ts") == b"media"


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "data:text/plain,hello",
        "gopher://127.0.0.1:70/",
        "ftp://example/x",
        "rtmp://h/x",
        "subfile,,:x",
    ],
)
def test_a_redirect_cannot_leave_http(scripted: Scripted, location: str) -> None:
    found, _ = reason(scripted.url("/1.ts", response(b"", status=302, Location=location)))
    # "subfile,,:x" is no scheme: a path of the same server.
    assert found == ("http_404" if location.startswith("subfile") else "not_media")


@pytest.mark.parametrize("location", ["http://[", "http://", "http://host:port/", "//"])
def test_a_redirect_to_no_address_is_no_media(scripted: Scripted, location: str) -> None:
    assert reason(scripted.url("/1.ts", response(b"", status=302, Location=location)))[0] == "not_media"


def test_a_loop_of_redirects_ends(scripted: Scripted) -> None:
    url = scripted.url("/1.ts", response(b"", status=302, Location="/2.ts"))
    scripted.url("/2.ts", response(b"", status=302, Location="/1.ts"))
    assert reason(url) == ("not_media", "redirected more than 10 times")
    assert len(scripted.asked) == 11


@pytest.mark.parametrize(
    ("text", "told"), [(b"Maximum number of connections reached", "provider_busy"), (b"", "unauthorized")]
)
def test_a_403_is_read_for_what_it_says(scripted: Scripted, text: bytes, told: str) -> None:
    assert reason(scripted.url("/1.ts", response(text, status=403)))[0] == told


def test_a_refusal_without_its_end_is_not_waited_for(scripted: Scripted) -> None:
    def hang(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nno")
        taken.recv(1)

    began = time.monotonic()
    assert reason(scripted.url("/1.ts", hang))[0] == "unauthorized"
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "no_data"),
        (b"nonsense\r\n\r\n", "no_data"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n", "no_data"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000, "no_data"),
    ],
)
def test_an_answer_that_is_none_is_no_data(scripted: Scripted, said: bytes, told: str) -> None:
    assert reason(scripted.url("/1.ts", said))[0] == told


def test_a_login_in_the_url_goes_into_a_header_of_that_host_alone(scripted: Scripted) -> None:
    other = Scripted()
    try:
        other.url("/2.ts", response(b"media"))
        url = scripted.url("/1.ts", response(b"", status=302, Location=other.url("/2.ts")))
        assert got(url.replace("//", "//us%40er:sec%3Aret@")) == b"media"
    finally:
        other.close()
    basic = base64.b64encode(b"us@er:sec:ret").decode()
    assert f"Authorization: Basic {basic}" in scripted.heads[0]
    assert "Authorization" not in other.heads[0]


def test_letters_beyond_ascii_are_quoted(scripted: Scripted) -> None:
    scripted.url("/%C3%A9t%C3%A9%20x.ts?q=%C3%B8", response(b"media"))
    assert got(scripted.url("/été%20x.ts?q=ø")) == b"media"


def test_a_stream_asks_as_its_account_does(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.ts", response(b"", status=404))
    probe(ProbeTarget(f"{url}|Referer=http://site/&X-Token=abc", user_agent="Player/1"), settings)
    assert {"User-Agent: Player/1", "Referer: http://site/", "X-Token: abc"} <= set(scripted.heads[0].splitlines())


def test_a_header_cannot_be_smuggled_in(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.ts", response(b"", status=404))
    probe(ProbeTarget(f"{url}|Referer=x%0d%0aEvil:%20yes"), settings)
    assert "Evil" not in scripted.heads[0]


def test_a_resolver_that_does_not_answer_is_a_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(0.4) or [])
    with pytest.raises(guard.NameNotFoundError):
        guard.resolve("panel.example", 80, 0.05)
