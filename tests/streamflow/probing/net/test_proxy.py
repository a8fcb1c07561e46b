"""Probing through a proxy: it resolves the host, and its own failures do not count against a stream."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result
from support.probing.proxies import FORBIDDEN, REFUSED, UNREACHABLE, Http, Proxy, Socks
from support.probing.scripted import Scripted, response

KINDS = {"socks5": Socks, "http": Http}


@contextmanager
def proxied(scheme: str, port: int, **options: object) -> Iterator[tuple[Proxy, config.Probe]]:
    proxy = KINDS[scheme](port, **options)  # type: ignore[arg-type]
    try:
        address = f"{scheme}://me:se%3Acret@127.0.0.1:{proxy.port}"
        yield proxy, config.Probe(sample_seconds=1.5, connect_timeout=1, read_timeout=1, proxy=address)
    finally:
        proxy.close()


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


def told(result: Result) -> tuple[str, str | None]:
    assert "cret" not in result.model_dump_json()
    return result.verdict, result.reason


@pytest.mark.parametrize("scheme", KINDS)
def test_a_stream_is_measured_through_a_proxy_that_looks_its_name_up(lab: Lab, scheme: str) -> None:
    url = lab.url("sd480p30")
    with proxied(scheme, port_of(url)) as (proxy, settings):
        result = probe(ProbeTarget(url.replace("127.0.0.1", "panel.invalid")), settings).result
    assert (told(result), result.height) == (("ok", None), 480), result.detail
    assert proxy.connections == 1
    assert "panel.invalid" in proxy.asked[0]


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize("name", ["hls_live", "redirect_chain"])
def test_all_of_a_stream_comes_through_the_proxy(lab: Lab, scheme: str, name: str) -> None:
    url = lab.url(name)
    with proxied(scheme, port_of(url)) as (proxy, settings):
        result = probe(ProbeTarget(url.replace("127.0.0.1", "panel.invalid")), settings).result
    assert told(result) == ("ok", None), result.detail
    assert all("panel.invalid" in asked for asked in proxy.asked)


@pytest.mark.parametrize("scheme", KINDS)
def test_a_host_behind_a_proxy_is_held_to_its_certificate(scheme: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody-else.invalid").configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        taken, _ = listening.accept()
        try:
            context.wrap_socket(taken, server_side=True)
        except OSError:
            taken.close()

    threading.Thread(target=serve, daemon=True).start()
    with listening, proxied(scheme, listening.getsockname()[1]) as (proxy, settings):
        strict = settings.model_copy(update={"tls": "verify"})
        result = probe(ProbeTarget("https://panel.invalid/1.ts"), strict).result
    assert told(result) == ("dead", "tls_error"), result.detail
    assert proxy.asked == ["panel.invalid:443"]


UNKNOWN = ("unknown", "source_unavailable")


@pytest.mark.parametrize(
    ("scheme", "url", "answer", "verdict"),
    [
        ("socks5", "http://panel.invalid/1.ts", REFUSED, ("dead", "connection_refused")),
        ("socks5", "http://panel.invalid/1.ts", UNREACHABLE, ("dead", "connect_timeout")),
        ("socks5", "http://panel.invalid/1.ts", FORBIDDEN, UNKNOWN),
        ("http", "https://panel.invalid/1.ts", 502, ("dead", "connection_refused")),
        ("http", "https://panel.invalid/1.ts", 504, ("dead", "connect_timeout")),
        ("http", "https://panel.invalid/1.ts", 403, UNKNOWN),
        ("http", "http://panel.invalid/1.ts", 404, ("dead", "http_404")),
    ],
)
def test_a_proxys_report_about_the_host_is_distinguished_from_its_own_failure(
    scheme: str, url: str, answer: int, verdict: tuple[str, str]
) -> None:
    with proxied(scheme, 1, answer=answer) as (_, settings):
        assert told(probe(ProbeTarget(url), settings).result) == verdict


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize("url", ["http://panel.invalid/1.ts", "https://panel.invalid/1.ts"])
def test_a_login_refused_by_the_proxy_does_not_count_against_the_stream(scheme: str, url: str) -> None:
    with proxied(scheme, 1) as (proxy, settings):
        wrong = settings.model_copy(update={"proxy": f"{scheme}://me:other@127.0.0.1:{proxy.port}"})
        assert told(probe(ProbeTarget(url), wrong).result) == UNKNOWN


def test_an_unreachable_or_mute_proxy_does_not_count_against_the_stream() -> None:
    with proxied("socks5", 1, mute=True) as (proxy, settings):
        assert told(probe(ProbeTarget("http://panel.invalid/1.ts"), settings).result) == UNKNOWN
    away = settings.model_copy(update={"proxy": f"http://127.0.0.1:{proxy.port}"})
    result = probe(ProbeTarget("http://panel.invalid/1.ts"), away).result
    assert (told(result), result.detail) == (UNKNOWN, "proxy: the proxy cannot be reached")


@pytest.mark.parametrize("leads_to", ["http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/", "http://[::1]/"])
def test_a_public_stream_cannot_reach_into_the_proxys_network(scripted: Scripted, leads_to: str) -> None:
    port = port_of(scripted.url("/1.ts", response(b"", status=302, Location=leads_to)))
    with proxied("socks5", port) as (proxy, settings):
        result = probe(ProbeTarget("http://panel.invalid/1.ts"), settings).result
    assert told(result) == ("dead", "not_media")
    assert proxy.asked == ["panel.invalid:80"]


@pytest.mark.parametrize("url", ["rtmp://panel.invalid/1", "rtsp://panel.invalid/1", "udp://239.0.0.1:1234"])
def test_a_protocol_without_proxy_support_does_not_bypass_the_proxy(url: str) -> None:
    with proxied("http", 1) as (_, settings):
        assert told(probe(ProbeTarget(url), settings).result) == ("skipped", "unsupported_protocol")
