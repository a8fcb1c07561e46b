"""Redirects and playlists that lead a probe to other hosts."""

from __future__ import annotations

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from support.names import Names
from support.probing.fetching import body_of, reason
from support.probing.inside import forked_server
from support.probing.scripted import Scripted, response


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8 127.0.0.1"])
def test_a_public_host_cannot_lead_to_an_inner_one(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, inner: str
) -> None:
    names = Names(monkeypatch, scripted.port, panel="93.184.216.34", router=inner)
    scripted.url("/1.ts", response(b"", status=302, Location="http://router.example/secret"))
    found, detail = reason("http://panel.example/1.ts")
    assert (found, "public internet" in detail or "link-local" in detail) == ("not_media", True)
    assert names.connected == ["93.184.216.34"]


def test_a_public_host_cannot_lead_to_an_inner_address_by_its_playlist(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, settings: config.Probe
) -> None:
    Names(monkeypatch, scripted.port, panel="93.184.216.34")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://192.168.1.1/admin\n#EXT-X-ENDLIST\n"
    scripted.url("/1.m3u8", response(playlist))
    with forked_server():
        result = probe(ProbeTarget("http://panel.example/1.m3u8"), settings).result
    assert (result.verdict, result.reason) == ("dead", "not_media")
    assert "192.168.1.1" in str(result.detail)
    assert scripted.asked == ["/1.m3u8"]


def test_a_public_host_may_lead_to_another(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    names = Names(monkeypatch, scripted.port, panel="93.184.216.34", edge="151.101.1.1")
    scripted.url("/1.ts", response(b"", status=302, Location="http://edge.example/2.ts"))
    scripted.url("/2.ts", response(b"media"))
    assert body_of("http://panel.example/1.ts") == b"media"
    assert names.connected == ["93.184.216.34", "151.101.1.1"]


def test_a_local_proxy_may_lead_on_within_its_network(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    Names(monkeypatch, scripted.port, proxy="192.168.1.5", tuner="192.168.1.9")
    scripted.url("/1.ts", response(b"", status=302, Location="http://tuner.lan/2.ts"))
    scripted.url("/2.ts", response(b"media"))
    assert body_of("http://proxy.lan/1.ts") == b"media"


def test_a_public_list_cannot_make_the_probe_open_an_address_of_this_network(scripted: Scripted) -> None:
    url = scripted.url("/?reboot=1", response(b"done")).replace("//", "//admin:admin@")
    for address in (url, url.replace("http:", "rtsp:")):
        result = probe(ProbeTarget(address, source_host="93.184.216.34"), config.Probe(connect_timeout=1)).result
        assert (result.verdict, result.reason) == ("skipped", "not_probeable"), result.detail
    assert scripted.asked == []
