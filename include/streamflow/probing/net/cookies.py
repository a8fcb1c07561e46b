"""The cookies of one probe (RFC 6265)."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from collections.abc import Iterable
from dataclasses import dataclass

MAX_COOKIES = 100
MAX_COOKIE_BYTES = 4096


@dataclass(frozen=True)
class _Cookie:
    value: str
    is_host_only: bool
    is_secure: bool


class CookieJar:
    """Keeps cookies by domain, path and name, and returns those that belong to a request."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], _Cookie] = {}

    def store(self, host: str, path: str, set_cookie: Iterable[str]) -> None:
        """Keep the cookies of a response's ``Set-Cookie`` headers; other domains' cookies are ignored (5.3).

        :param host: the canonical host of the request, ``path`` its path.
        """
        for header in set_cookie:
            pair, *attributes = header[:MAX_COOKIE_BYTES].split(";")
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                continue
            options = {key.strip().lower(): text.strip() for key, _, text in (one.partition("=") for one in attributes)}
            domain = options.get("domain", "").lstrip(".").lower()
            if domain and not _is_within(host, domain):
                continue
            scope = options.get("path", "")
            key = (domain or host, scope if scope.startswith("/") else _default_path(path), name)
            self._cookies.pop(key, None)
            if not _is_expired(options) and len(self._cookies) < MAX_COOKIES:
                self._cookies[key] = _Cookie(value, not domain, "secure" in options)

    def header(self, host: str, path: str, *, is_secure: bool) -> str | None:
        """Return the ``Cookie`` header of a request, longest paths first (5.4); None without a cookie."""
        matching = [
            (scope, f"{name}={cookie.value}")
            for (domain, scope, name), cookie in self._cookies.items()
            if (host == domain if cookie.is_host_only else _is_within(host, domain))
            and _covers(scope, path)
            and (is_secure or not cookie.is_secure)
        ]
        matching.sort(key=lambda one: -len(one[0]))
        return "; ".join(pair for _, pair in matching) or None


def _is_within(host: str, domain: str) -> bool:
    """Return whether a host is the domain or a subdomain of it (5.1.3); top-level domains have no cookies."""
    if host == domain:
        return True
    return host.endswith("." + domain) and "." in domain and not _is_ip(host)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _default_path(path: str) -> str:
    """Return the folder of a request's path (5.1.4)."""
    return path.rpartition("/")[0] or "/"


def _covers(scope: str, path: str) -> bool:
    return path == scope or path.startswith(scope if scope.endswith("/") else scope + "/")


def _is_expired(options: dict[str, str]) -> bool:
    if (age := options.get("max-age")) is not None and age.lstrip("-").isdigit():
        return age.startswith("-") or int(age[:18]) == 0
    try:
        return "expires" in options and email.utils.parsedate_to_datetime(options["expires"]).timestamp() < time.time()
    except (ValueError, OverflowError):
        # A date that cannot be read does not end a cookie.
        return False
