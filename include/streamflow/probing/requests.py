"""The requests to the processes of a probe; each process learns what it needs, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamflow.probing.net.options import NetworkOptions
from streamflow.probing.target import AddressForm, KnownFigures


@dataclass(frozen=True)
class FetchRequest:
    """The stream to fetch, for the process that opens the connection."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    options: NetworkOptions


@dataclass(frozen=True)
class MeasureRequest:
    """The facts about a stream that the measuring process needs, without its URL, which holds a login.

    :param known_slates: see :attr:`streamflow.probing.target.ProbeTarget.known_slates`, each in base 64.
    """

    sample_seconds: float
    min_sample_seconds: float | None
    connect_timeout: float
    read_timeout: float
    thumbnails: bool
    address_form: AddressForm
    name: str = ""
    radio: bool = False
    account_busy: bool = False
    account_full: bool = False
    known_slates: tuple[str, ...] = ()
    known: KnownFigures | None = None


@dataclass(frozen=True)
class PlayRequest:
    """A stream that libav opens itself: one process fetches and measures it."""

    fetch: FetchRequest
    measure: MeasureRequest
