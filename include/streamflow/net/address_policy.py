"""Egress policy: the hosts and addresses that a request may reach.

Opens no connection: host names and IP addresses in, a decision out.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Reach = Literal["public", "private", "forbidden"]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Unspecified, link-local, multicast and reserved addresses, and the metadata services of cloud providers.
_FORBIDDEN = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32",
        "192.0.0.192/32", "::/128", "fe80::/10", "ff00::/8", "fd00:ec2::/32", "fd20:ce::254/128", "fd00:42::42/128",
    )
]  # fmt: skip
# IPv4 addresses embedded in IPv6: NAT64 (RFC 6052 and 8215), the translated form (RFC 2765, 2.1), and the deprecated
# compatible form (RFC 4291, 2.5.5.1).
_EMBEDDING = [
    ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
]
# The interface identifiers of ISATAP (RFC 5214, 6.1), before an IPv4 address.
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
# Private although Python calls them global: site-local (RFC 3879), and NAT64 for local use (RFC 8215).
_PRIVATE = [ipaddress.IPv6Network(network) for network in ("fec0::/10", "64:ff9b:1::/48")]
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")

# An IPv4 address in the forms of inet_aton: one to four decimal, octal or hexadecimal numbers.
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}")
_PRIVATE_SUFFIXES = (
    ".localhost", ".local", ".internal", ".intranet", ".lan", ".home", ".corp", ".private", ".home.arpa",
)  # fmt: skip
_METADATA_NAMES = frozenset({
    "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
    "metadata.tencentyun.com",
})  # fmt: skip


class ForbiddenAddressError(Exception):
    """A request would have reached an address that the policy forbids."""


class PrivateStreamError(ForbiddenAddressError):
    """A stream's own address is private, and its source is not."""


def normalized_host(host: str) -> str:
    """Return a host in its canonical form: ASCII, lower case, no final dot, IP addresses in full.

    :raises ValueError: when it is no host name.
    """
    bare = host.strip("[]").partition("%")[0] if ":" in host else host
    if ":" in bare:
        return str(ipaddress.IPv6Address(bare))
    name = bare.encode("idna").decode().lower().rstrip(".") if not bare.isascii() else bare.lower().rstrip(".")
    if _NUMERIC.fullmatch(name):
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            raise ValueError("not an IPv4 address") from None
    # Also checks the length of each label.
    return name.encode("idna").decode()


def reach_of_address(address: str) -> Reach:
    """Classify an IP address, with any IPv4 address that is embedded in it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    classes = [_reach(one) for one in (ip, *_embedded(ip))]
    return next((reach for reach in ("forbidden", "private") if reach in classes), "public")


def reach_of_name(host: str) -> Reach:
    """Classify a host by its name alone, for requests whose name a proxy resolves."""
    try:
        return reach_of_address(host)
    except ValueError:
        if host in _METADATA_NAMES:
            return "forbidden"
        return "private" if "." not in host or host.endswith(_PRIVATE_SUFFIXES) else "public"


def _reach(ip: IPAddress) -> Reach:
    if any(ip in network for network in _FORBIDDEN):
        return "forbidden"
    if not ip.is_global or any(ip in network for network in _PRIVATE):
        # An address that embeds another one is classified by that.
        return "public" if _embedded(ip) and not any(ip in network for network in _PRIVATE) else "private"
    return "public"


def _embedded(ip: IPAddress) -> list[IPAddress]:
    if not isinstance(ip, ipaddress.IPv6Address) or ip == _LOOPBACK_V6:
        return []
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip.sixtofour:
        return [ip.sixtofour]
    if ip.teredo:
        return list(ip.teredo)
    is_embedding = ip.packed[8:12] in _ISATAP or any(ip in network for network in _EMBEDDING)
    return [ipaddress.IPv4Address(ip.packed[12:])] if is_embedding else []


@dataclass(frozen=True)
class AddressPolicy:
    """The addresses that one source's requests may reach.

    :param private_allowed: whether loopback and private addresses may be reached. With None the source's first
        address decides: people run local proxies, and a stream of their network may lead on within it.
    :param allowed: networks that may be reached in any case, except forbidden addresses in them.
    """

    private_allowed: bool | None = None
    allowed: tuple[IPNetwork, ...] = ()

    def check(self, host: str, addresses: Sequence[str]) -> AddressPolicy:
        """Return the policy for the source's further requests.

        :param host: its canonical name.
        :param addresses: the IP addresses of the host; empty where a proxy resolves the name.
        :raises ForbiddenAddressError: when one of them is not permitted.
        """
        reaches = [reach_of_address(address) for address in addresses] or [reach_of_name(host)]
        if "forbidden" in reaches:
            raise ForbiddenAddressError(f"{host} is a link-local, metadata or reserved address")
        private_allowed = set(reaches) == {"private"} if self.private_allowed is None else self.private_allowed
        if "private" in reaches and not (private_allowed or (addresses and all(map(self._is_allowed, addresses)))):
            raise ForbiddenAddressError(f"a redirect or playlist leads to {host}, which is not on the public internet")
        return replace(self, private_allowed=private_allowed)

    def _is_allowed(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip in network for network in self.allowed)
