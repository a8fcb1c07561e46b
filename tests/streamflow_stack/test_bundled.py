"""Every native library in the packages is listed, with the place to watch."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from click.testing import CliRunner

from streamflow_stack import bundled, cli

ROOT = Path(__file__).parents[2]
# Packages whose extension modules hold their own code alone.
OWN_CODE = {
    "asyncpg", "charset-normalizer", "greenlet", "lazy-object-proxy", "markupsafe", "msgspec", "psutil",
    "setproctitle", "sqlalchemy", "tornado", "wcwidth", "websockets", "wrapt",
}  # fmt: skip


def native_packages() -> set[str]:
    """Return the packages of the runtime lock that contain machine code."""
    names = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    found = set()
    for name in names:
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            # For another version of Python or another system.
            continue
        if any(re.search(r"\.so(\.|$)|/_binaries/|/bin/uv$", str(file)) for file in files):
            found.add(name)
    return found


def listed() -> set[str]:
    named = {package for _, package, _ in bundled.REPORTED} | {package for _, package in bundled.UNREPORTED}
    return named | {bundled.VALKEY}


def test_every_package_with_machine_code_is_listed_or_has_its_own_code_alone() -> None:
    assert native_packages() - listed() - OWN_CODE == set()
    assert listed() & OWN_CODE == set()


def test_the_security_policy_names_every_such_package_and_a_place_to_watch() -> None:
    rows = [
        row for row in (ROOT / "SECURITY.md").read_text().splitlines() if row.startswith("| `") or "Python |" in row
    ]
    assert all("<https://" in row for row in rows)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert named == listed() - {bundled.PYTHON}


def test_all_versions_are_printed() -> None:
    result = CliRunner().invoke(cli.cli, ["version", "--all"])
    assert result.exit_code == 0, result.output
    for line in (
        r"FFmpeg \d+\.\S+ in av \d", r"(Valkey|Redis) \d+\.\d+\.\d+ in ", r"OpenSSL \d.* in python 3",
        r"SQLite 3\.\S+ in python",
        r"OpenSSL \d.* in cryptography", r"libpq 1\d\.\d+ in psycopg2-binary", r"libuv 1\.\d+\.\d+ in uvloop",
        r"libavcodec\.so \d+\.\S+ in av", r"libcrypto\.so \d\.\d+\.\d+.* in psycopg2-binary",
    ):  # fmt: skip
        assert re.search(f"^{line}", result.output, re.MULTILINE), line


def test_the_version_alone_is_short() -> None:
    assert len(CliRunner().invoke(cli.cli, ["version"]).output.splitlines()) == 4
