"""The egress policy: which hosts and addresses a request may reach."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.net import connector, egress
from streamflow.probing.net.address_policy import (
    AddressPolicy,
    ForbiddenAddressError,
    PrivateStreamError,
    normalized_host,
    reach_of_address,
    reach_of_name,
)
from streamflow.probing.net.egress import Egress, EgressOptions, own_services
from streamflow.probing.net.request_headers import request_headers
from streamflow.probing.net.resolver import NameNotFoundError
from support.probing.fetching import body_of, reason
from support.probing.scripted import Scripted, response


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1",
        "::1", "fd00::1", "fec0::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",
        "::127.0.0.1", "::10.0.0.1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_of_this_network_is_private(address: str) -> None:
    assert reach_of_address(address) == "private"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "100.100.100.200", "168.63.129.16", "::", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "::169.254.169.254", "::ffff:0.0.0.0",
    ],
)  # fmt: skip
def test_a_link_local_metadata_or_reserved_address_is_forbidden(address: str) -> None:
    assert reach_of_address(address) == "forbidden"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert reach_of_address(address) == "public"


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("127.1", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("127.0.0.1.", "127.0.0.1"), ("0", "0.0.0.0"),
        ("１２７.0.0.1", "127.0.0.1"), ("127。0。0。1", "127.0.0.1"),
        ("LocalHost.", "localhost"), ("Panel.Example.", "panel.example"), ("[::1]", "::1"),
        ("::FFFF:7F00:1", "::ffff:7f00:1"),
        ("münchen.example", "xn--mnchen-3ya.example"), ("1.2.3.example", "1.2.3.example"),
    ],
)  # fmt: skip
def test_a_host_has_one_canonical_form(host: str, canonical: str) -> None:
    assert normalized_host(host) == canonical


@pytest.mark.parametrize("host", ["4294967296", "256.0.0.1", "::g", "a" * 64 + ".example", "0x", "a..b"])
def test_an_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError):
        normalized_host(host)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("redis", "private"), ("postgres", "private"), ("localhost", "private"), ("x.localhost", "private"),
        ("tuner.lan", "private"), ("box.home.arpa", "private"), ("127.0.0.1", "private"), ("panel.example", "public"),
        ("metadata.google.internal", "forbidden"), ("169.254.169.254", "forbidden"), ("8.8.8.8", "public"),
    ],
)  # fmt: skip
def test_a_name_before_a_proxy_is_classified_by_itself(host: str, reach: str) -> None:
    assert reach_of_name(host) == reach


PUBLIC, PRIVATE = ["93.184.216.34"], ["192.168.1.5"]


def test_the_first_address_decides_about_private_ones_by_default() -> None:
    assert AddressPolicy().check("proxy.lan", PRIVATE).private_allowed
    later = AddressPolicy().check("panel.example", PUBLIC)
    with pytest.raises(ForbiddenAddressError):
        later.check("router.example", PRIVATE)


def test_a_public_source_cannot_name_a_private_stream_unless_the_settings_allow_its_network() -> None:
    with pytest.raises(ForbiddenAddressError):
        AddressPolicy(private_allowed=False).check("box", PRIVATE)
    AddressPolicy(private_allowed=False, allowed=(ip_network("192.168.1.0/24"),)).check("box", PRIVATE)


@pytest.mark.parametrize("policy", [AddressPolicy(), AddressPolicy(private_allowed=True)])
def test_a_metadata_service_is_never_reached(policy: AddressPolicy) -> None:
    with pytest.raises(ForbiddenAddressError):
        policy.check("169.254.169.254", ["169.254.169.254"])


@pytest.mark.parametrize(
    "name", ["Host", "host", "Connection", "Transfer-Encoding", "Metadata-Flavor", "X-aws-ec2-metadata-token",
             "Metadata", "Content-Length", "Proxy-Authorization", "Upgrade", "TE", "Range", "bad name", ""]
)  # fmt: skip
def test_a_playlist_cannot_set_a_header_that_steers_the_connection(name: str) -> None:
    assert request_headers({name: "x"}) == request_headers({})


def test_a_players_headers_are_sent_and_replaced_by_the_accounts() -> None:
    assert request_headers({})["Accept-Language"] == "en_US"
    assert request_headers({"accept-language": "de", "Referer": "http://a/"}) == {
        "Accept": "*/*", "Accept-Language": "de", "Referer": "http://a/",
    }  # fmt: skip
    assert "X" not in request_headers({"X": "a\r\nEvil: yes"})


class Names:
    """Replaces the system's resolver, and connects public addresses to the scripted server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Scripted, **addresses: str) -> None:
        self.connected: list[str] = []
        plain = connector.httpcore.SyncBackend.connect_tcp
        port = int(server.url("/").split(":")[2].strip("/"))

        def connect(backend: object, host: str, asked_port: int, *rest: object) -> object:
            self.connected.append(host)
            return plain(backend, "127.0.0.1", port, *rest)  # type: ignore[arg-type]

        def resolve(host: str, asked_port: int, timeout: float | None) -> list[str]:
            name = host.partition(".")[0]
            return addresses[name].split() if name in addresses else [host]

        monkeypatch.setattr(connector.httpcore.SyncBackend, "connect_tcp", connect)
        monkeypatch.setattr(egress, "resolve", resolve)


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8 127.0.0.1"])
def test_a_public_host_cannot_lead_to_an_inner_one(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, inner: str
) -> None:
    names = Names(monkeypatch, scripted, panel="93.184.216.34", router=inner)
    scripted.url("/1.ts", response(b"", status=302, Location="http://router.example/secret"))
    found, detail = reason("http://panel.example/1.ts")
    assert (found, "public internet" in detail or "link-local" in detail) == ("not_media", True)
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
    assert body_of("http://panel.example/1.ts") == b"media"
    assert names.connected == ["93.184.216.34", "151.101.1.1"]


def test_a_local_proxy_may_lead_on_within_its_network(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    Names(monkeypatch, scripted, proxy="192.168.1.5", tuner="192.168.1.9")
    scripted.url("/1.ts", response(b"", status=302, Location="http://tuner.lan/2.ts"))
    scripted.url("/2.ts", response(b"media"))
    assert body_of("http://proxy.lan/1.ts") == b"media"


# -- sources, settings and the stack itself --------------------------------------------------------
ADDRESSES = {
    "panel.example": "93.184.216.34",
    "box.example": "192.168.1.5",
    "redis": "10.0.0.9",
    "broker": "10.0.0.7",
    "api": "127.0.0.1",
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, timeout: float | None) -> list[str]:
        if host.endswith(".gone"):
            raise NameNotFoundError("gone")
        return [ADDRESSES.get(host, host)]

    monkeypatch.setattr(egress, "resolve", resolve)


@pytest.mark.parametrize("host", ["192.168.1.9", "127.0.0.1", "box.example"])
@pytest.mark.parametrize(
    ("options", "is_permitted"),
    [
        (EgressOptions(), True),
        (EgressOptions("box.example"), True),
        (EgressOptions("192.168.1.1"), True),
        (EgressOptions("panel.example"), False),
        (EgressOptions("Panel.Example."), False),
        (EgressOptions("panel.gone"), True),
        (EgressOptions("panel.example", (ip_network("192.168.0.0/16"), ip_network("127.0.0.0/8"))), True),
        (EgressOptions("panel.example", (ip_network("10.0.0.0/8"),)), False),
    ],
)
def test_a_stream_on_a_private_address_needs_a_private_source(
    names: None, host: str, options: EgressOptions, is_permitted: bool
) -> None:
    if is_permitted:
        assert Egress(options).resolve(host, 80, 1)
        return
    with pytest.raises(PrivateStreamError):
        Egress(options).resolve(host, 80, 1)


def test_a_proxy_is_asked_for_private_names_of_private_sources_alone(names: None) -> None:
    Egress(EgressOptions("192.168.1.1")).check_name("tuner", 80)
    with pytest.raises(PrivateStreamError):
        Egress(EgressOptions("panel.example")).check_name("tuner", 80)


ENV = {
    "REDIS_HOST": "redis",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://airflow:x@postgres/airflow",
    "AIRFLOW__CELERY__BROKER_URL": "redis://:x@broker:6380/1",
    "AIRFLOW__API__BASE_URL": "http://api:8080/prefix",
    "AIRFLOW__CELERY__RESULT_BACKEND": "http://[",
}


def test_the_stacks_own_services_are_found_in_its_settings() -> None:
    assert own_services(ENV) == {("redis", 6379), ("postgres", 5432), ("broker", 6380), ("api", 8080)}
    assert own_services({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////a/airflow.db"}) == frozenset()


@pytest.mark.parametrize(
    ("host", "port"), [("redis", 6379), ("10.0.0.9", 6379), ("127.0.0.1", 8080), ("127.9.9.9", 8080)]
)
def test_the_stacks_own_services_are_never_reached(names: None, host: str, port: int) -> None:
    made = Egress(EgressOptions(own_services=own_services(ENV)))
    with pytest.raises(ForbiddenAddressError):
        made.resolve(host, port, 1)
    assert Egress(EgressOptions(own_services=own_services(ENV))).resolve(host, port + 1, 1)


def test_a_public_list_cannot_make_the_probe_open_an_address_of_this_network(scripted: Scripted) -> None:
    url = scripted.url("/?reboot=1", response(b"done")).replace("//", "//admin:admin@")
    for address in (url, url.replace("http:", "rtsp:")):
        result = probe(ProbeTarget(address, source_host="93.184.216.34"), config.Probe(connect_timeout=1)).result
        assert (result.verdict, result.reason) == ("skipped", "not_probeable"), result.detail
    assert scripted.asked == []
