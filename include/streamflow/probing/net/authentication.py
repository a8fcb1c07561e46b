"""HTTP logins from URLs: Basic (RFC 7617) and Digest (RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

_ALGORITHMS: dict[str, Callable[[bytes], hashlib._Hash]] = {"md5": hashlib.md5, "sha-256": hashlib.sha256}
_PARAMETER = re.compile(r'(?<![\w-])([\w-]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Origin = tuple[str, str, int | None]


@dataclass
class _Login:
    name: str
    password: str
    challenge: dict[str, str] | None = None
    requests: int = 0


class Logins:
    """The logins of a probe, each sent to its own origin (scheme, host and port) alone."""

    def __init__(self) -> None:
        self._logins: dict[Origin, _Login] = {}

    def remember(self, origin: Origin, name: str, password: str) -> None:
        """Use a login for an origin from now on."""
        known = self._logins.get(origin)
        if known is None or (known.name, known.password) != (name, password):
            self._logins[origin] = _Login(name, password)

    def challenged(self, origin: Origin, challenge: str) -> bool:
        """Keep the ``WWW-Authenticate`` header of a 401 response.

        :returns: whether the request may succeed with the login in the form that the header asks for.
        """
        login = self._logins.get(origin)
        start = re.search(r"\bdigest\s", challenge, re.IGNORECASE)
        if login is None or start is None:
            return False
        parameters = {
            name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(challenge[start.end() :])
        }
        if "nonce" not in parameters or _algorithm(parameters) not in _ALGORITHMS:
            return False
        is_first = login.challenge is None
        login.challenge = parameters
        # A nonce that has expired is renewed; any other second challenge is a refusal.
        return is_first or parameters.get("stale", "").lower() == "true"

    def header(self, origin: Origin, method: str, target: str) -> str | None:
        """Return the ``Authorization`` header of a request, None for an origin without a login.

        :param target: the path and the query of the request line.
        """
        login = self._logins.get(origin)
        if login is None:
            return None
        if login.challenge is None:
            secret = f"{login.name}:{login.password}".encode()
            return "Basic " + base64.b64encode(secret).decode()
        login.requests += 1
        return _digest(login, login.challenge, method, target)


def _algorithm(challenge: dict[str, str]) -> str:
    return challenge.get("algorithm", "MD5").lower().removesuffix("-sess")


def _digest(login: _Login, challenge: dict[str, str], method: str, target: str) -> str:
    """Return the header for a challenge (RFC 7616, 3.4); without ``qop`` by the older RFC 2069."""
    algorithm = _ALGORITHMS[_algorithm(challenge)]

    def digest(*parts: str) -> str:
        return algorithm(":".join(parts).encode()).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge["nonce"]
    client_nonce, count = secrets.token_hex(8), f"{login.requests:08x}"
    secret = digest(login.name, realm, login.password)
    if challenge.get("algorithm", "").lower().endswith("-sess"):
        secret = digest(secret, nonce, client_nonce)
    request = digest(method, target)
    fields = [f'username="{_escaped(login.name)}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{target}"']
    offered = re.split(r"[\s,]+", challenge.get("qop", "").lower())
    protection = next((one for one in ("auth", "auth-int") if one in offered), None)
    if protection == "auth-int":
        # The request has no body.
        request = digest(method, target, digest(""))
    if protection:
        response = digest(secret, nonce, count, client_nonce, protection, request)
        fields += [f"qop={protection}", f"nc={count}", f'cnonce="{client_nonce}"']
    else:
        response = digest(secret, nonce, request)
    fields.append(f'response="{response}"')
    fields += [f'opaque="{challenge["opaque"]}"'] if "opaque" in challenge else []
    fields += [f"algorithm={challenge['algorithm']}"] if "algorithm" in challenge else []
    return "Digest " + ", ".join(fields)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
