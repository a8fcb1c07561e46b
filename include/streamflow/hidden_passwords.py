"""Passwords in settings: hidden when settings are shown, and restored when they come back hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamflow.errors import ConfigError
from streamflow.masking import hide_password


def hide_passwords(value: Any) -> Any:
    """Return a JSON value with ``***`` in place of each password in its URLs."""
    match value:
        case str():
            return hide_password(value)
        case list():
            return [hide_passwords(item) for item in value]
        case dict():
            return {key: hide_passwords(item) for key, item in value.items()}
    return value


def restore_passwords(value: Any, stored: Any, path: tuple[str, ...] = ()) -> Any:
    """Return a JSON value with the stored passwords in place of the hidden ones.

    A password is restored only into the same URL, so that it never goes to another host.

    :param stored: the former value, with its passwords.
    :param path: of the value, for error messages.
    :raises ConfigError: for a hidden password that is not stored with this URL.
    """
    urls = {hide_password(url): url for url in _texts(stored) if hide_password(url) != url}
    return _restored(value, stored, urls, path)


def _restored(value: Any, stored: Any, urls: dict[str, str], path: tuple[str, ...]) -> Any:
    match value:
        case str() if hide_password(value) == value and ":***@" in value:
            if isinstance(stored, str) and hide_password(stored) == value:
                return stored
            if value not in urls:
                key, fault = ".".join(path), "the password is hidden; enter it again for another address"
                raise ConfigError(f"{key}: {fault}", ((key, fault),))
            return urls[value]
        case list():
            former = stored if isinstance(stored, list) else []
            padded = [*former, *[None] * len(value)]
            return [_restored(item, padded[i], urls, (*path, str(i))) for i, item in enumerate(value)]
        case dict():
            known = stored if isinstance(stored, dict) else {}
            return {key: _restored(item, known.get(key), urls, (*path, key)) for key, item in value.items()}
    return value


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for item in value.values():
                yield from _texts(item)
