"""The egress policy: which hosts and addresses a request may reach."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from streamflow.net.address_policy import (
    AddressPolicy,
    ForbiddenAddressError,
    normalized_host,
    reach_of_address,
    reach_of_name,
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1",
        "::1", "fd00::1", "fec0::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",
        "::127.0.0.1", "::10.0.0.1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
        "::ffff:0:7f00:1", "2606:4700::5efe:c0a8:101", "2606:4700::200:5efe:c0a8:101",
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
        "::ffff:0:a9fe:a9fe", "2606:4700::5efe:a9fe:a9fe",
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
