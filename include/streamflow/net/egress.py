"""Egress: name resolution that returns permitted addresses alone."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from streamflow.net.address_policy import (
    AddressPolicy,
    ForbiddenAddressError,
    IPNetwork,
    PrivateStreamError,
    normalized_host,
    reach_of_address,
    reach_of_name,
)
from streamflow.net.resolver import NameNotFoundError, resolve

# Lists services as ``host:port``, separated by commas or spaces, for deployments that keep the URLs below in files.
OWN_SERVICES_VARIABLE = "STREAMFLOW_OWN_SERVICES"
# Variables of the deployment that hold the URL of one of its own services.
_SERVICE_URLS = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__API__BASE_URL", "AIRFLOW_CONN_REDIS_DEFAULT",
)  # fmt: skip
_DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
_POSTGRES_PORT = 5432

Service = tuple[str, int]


def own_services(env: Mapping[str, str]) -> frozenset[Service]:
    """Return host and port of the stack's own services: Redis, the database and Airflow's API."""
    services = {(env["REDIS_HOST"], int(env.get("REDIS_PORT") or 6379))} if env.get("REDIS_HOST") else set()
    urls = [env.get(variable, "").removeprefix("db+") for variable in _SERVICE_URLS]
    urls += [f"//{service}" for service in re.split(r"[,\s]+", env.get(OWN_SERVICES_VARIABLE, ""))]
    for url in urls:
        try:
            host, port = _json_service(url) if url.startswith("{") else _url_service(url)
        except (ValueError, TypeError, AttributeError):
            # Airflow itself reports a wrong setting.
            continue
        if host:
            services.add((host, port))
    return frozenset(services)


def _url_service(url: str) -> Service:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, _POSTGRES_PORT)


def _json_service(connection: str) -> Service:
    # Airflow accepts a connection as JSON too (its documentation, "Storing connections in environment variables").
    fields = json.loads(connection)
    return str(fields.get("host") or "").lower(), int(fields.get("port") or _DEFAULT_PORTS["redis"])


@dataclass(frozen=True)
class EgressOptions:
    """The settings of an :class:`Egress`.

    :param source_host: the host of the source that names the first host. A private address is permitted only where
        that is private too. Empty for an address that a person has entered.
    :param allowed: networks that may be reached in any case.
    :param own_services: host and port of services that are never reached.
    """

    source_host: str = ""
    allowed: tuple[IPNetwork, ...] = ()
    own_services: frozenset[Service] = frozenset()

    @classmethod
    def of(cls, allow: Iterable[str], env: Mapping[str, str], source_host: str = "") -> Self:
        """Return the options of a deployment.

        :param allow: the setting ``network.allow``.
        :param env: the environment, which names the stack's own services.
        """
        return cls(source_host, tuple(map(ipaddress.ip_network, allow)), own_services(env))


class Egress:
    """Resolves the hosts of one probe or one source, and refuses those that it may not reach.

    The first host decides whether later ones, of redirects and playlists, may be private.
    """

    def __init__(self, options: EgressOptions) -> None:
        self._options = options
        self._policy = AddressPolicy(allowed=options.allowed)

    def resolve(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Return the addresses of a host, all of which are permitted.

        :raises NameNotFoundError: when there are none.
        :raises ForbiddenAddressError: when one is not permitted.
        """
        addresses = resolve(host, port, timeout)
        self._check_own(host, port, addresses, timeout)
        is_private = any(reach_of_address(address) == "private" for address in addresses)
        self._check(host, addresses, is_private=is_private, timeout=timeout)
        return addresses

    def resolve_proxy(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Return the addresses of the user's proxy, which may be private.

        :raises NameNotFoundError: when there are none.
        :raises ForbiddenAddressError: when one is reserved, or a service of the stack itself.
        """
        addresses = resolve(host, port, timeout)
        self._check_own(host, port, addresses, timeout)
        AddressPolicy(private_allowed=True).check(host, addresses)
        return addresses

    def check_name(self, host: str, port: int) -> None:
        """Check a host whose name a proxy will resolve.

        :raises ForbiddenAddressError: when it is not permitted.
        """
        self._check_own(host, port, [], None)
        self._check(host, [], is_private=reach_of_name(host) == "private", timeout=None)

    def _check(self, host: str, addresses: list[str], *, is_private: bool, timeout: float | None) -> None:
        is_own = self._policy.private_allowed is None
        if is_private and is_own and self._options.source_host:
            source_is_private = self._source_is_private(timeout, by_name=not addresses)
            self._policy = replace(self._policy, private_allowed=source_is_private)
        try:
            self._policy = self._policy.check(host, addresses)
        except ForbiddenAddressError as error:
            if is_private and is_own:
                raise PrivateStreamError(f"{host} is a private address, and network.allow does not name it") from error
            raise

    def _source_is_private(self, timeout: float | None, *, by_name: bool) -> bool | None:
        """Return whether the source is on a private network, None where its host cannot be resolved."""
        try:
            host = normalized_host(self._options.source_host)
            if by_name:
                return reach_of_name(host) == "private"
            return all(reach_of_address(address) == "private" for address in resolve(host, 0, timeout))
        except (NameNotFoundError, ValueError):
            return None

    def _check_own(self, host: str, port: int, addresses: list[str], timeout: float | None) -> None:
        for own_host, own_port in self._options.own_services:
            if own_port == port and (host == own_host or _are_same(addresses, own_host, timeout)):
                raise ForbiddenAddressError(f"{host}:{port} belongs to StreamFlow itself")


def _are_same(addresses: list[str], own_host: str, timeout: float | None) -> bool:
    """Return whether one of the addresses is the own host's; all loopback addresses are the same."""
    if not addresses:
        return False
    try:
        own = resolve(own_host, 0, timeout)
    except NameNotFoundError:
        return False
    return bool(set(map(_canonical, addresses)) & set(map(_canonical, own)))


def _canonical(address: str) -> str:
    return "loopback" if ipaddress.ip_address(address.partition("%")[0]).is_loopback else address
