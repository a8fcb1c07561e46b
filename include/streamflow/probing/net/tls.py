"""TLS contexts for the three ways to treat a server's certificate."""

from __future__ import annotations

import ssl
import warnings
from functools import cache
from typing import Literal

# verify: refuse an untrusted server. report: accept and report it. ignore: accept it.
TlsMode = Literal["verify", "report", "ignore"]

# OpenSSL's option for servers without secure renegotiation (RFC 5746); Python names it from 3.12 on.
_LEGACY_SERVER_CONNECT = 0x4


@cache
def permissive_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate, and the old versions and ciphers that players accept."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER_CONNECT
    return context


def tls_fault(error: BaseException) -> str | None:
    """Return why a TLS handshake failed, None when another error caused ``error``."""
    for cause in (error.__cause__, error.__context__):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", None) or (cause.reason or "handshake failed").replace("_", " ")
            return str(reason).lower()
    return None
