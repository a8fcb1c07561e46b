"""The protocol of a source, and of the destination that finished channels are written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from redis import Redis

from streamflow.records import Event, Result
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Snapshot


class Source(Protocol):
    """The origin of a library: accounts, groups, streams and channels.

    A source is made from environment variables, used, and closed. No method changes the library at its origin; the
    destination does. Names and summaries are shown to people, so they hold no password.
    """

    variables: ClassVar[tuple[str, ...]]
    """The environment variables that the source reads. A value of the first one selects the source."""

    example: ClassVar[str]
    """A setting of the first variable, as a user would write it in ``.env``."""

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path, redis: Redis | None = None) -> Self:
        """Make the source without connecting to it.

        :param home: the folder of StreamFlow's state.
        :param redis: shares login tokens with other machines.
        :raises ConfigError: a variable is missing or wrong; the message names it.
        """

    def close(self) -> None:
        """Close its connections."""

    @property
    def name(self) -> str:
        """The source as a message names it, for example ``the Xtream panel at http://provider.example/***``."""

    def summary(self) -> str:
        """Return one line about the library, from a request that proves that the source can be read.

        :raises SourceError: it cannot be read.
        """

    def fetch(self) -> Snapshot:
        """Return the whole library. A record that cannot be read is left out and listed in ``broken``.

        :raises SourceError: the library cannot be read.
        """

    def viewers(self) -> dict[int, int]:
        """Return the number of connections that viewers use now, by the id of the account's profile.

        A source that has no such figures returns an empty mapping.

        :raises SourceError: the figures cannot be read.
        """

    def played(self, stream_id: int, since: datetime) -> Mapping[str, object]:
        """Return what the source measured of a stream that it played since a moment, by Dispatcharr's names.

        A source that plays nothing, or measured nothing since, returns an empty mapping.

        :raises SourceError: it cannot be read.
        """

    def time_zone(self) -> str | None:
        """Return the name of the time zone in the source's settings; None where it has none.

        :raises SourceError: the settings cannot be read.
        """

    def events(self, *, with_programmes: bool) -> list[Event]:
        """Return the scheduled recordings and, if they are wanted, the programmes of the next hours.

        :raises SourceError: they cannot be read.
        """

    def destination(self, store: Store) -> Destination:
        """Return the place that keeps the order of this source's channels.

        :param store: the UDI, for a source that keeps no order itself; see
            :class:`streamflow.sources.local_order.LocalOrder`.
        """


@runtime_checkable
class ProviderRefresh(Protocol):
    """A source that brings the lists of its providers up to date on request."""

    def refresh_providers(self, min_age: timedelta, patience: timedelta) -> dict[int, str]:
        """Refresh the active accounts, and wait for the end.

        :param min_age: accounts that were refreshed since then are left alone.
        :param patience: the longest wait for all of them.
        :returns: the accounts whose refresh failed, each with the reason.
        :raises SourceError: the source cannot be reached.
        """


class Destination(Protocol):
    """The place that keeps the order of channels. All methods raise SourceError while it cannot be reached."""

    def arranged(self, snapshot: Snapshot) -> Snapshot:
        """Return a library that was just fetched, its channels in the order that this destination keeps."""

    def order(self, channel_id: int) -> tuple[int, ...]:
        """Return the ids of the channel's streams, best first.

        :raises UnknownRecord: the channel does not exist any more.
        """

    def write_order(self, channel_id: int, before: Sequence[int], after: Sequence[int]) -> None:
        """Replace the order ``before`` by ``after``. Streams that ``after`` leaves out leave the channel.

        :raises SourceConflict: the order is not ``before`` any more; nothing was written.
        """

    def write_results(self, channel_id: int, results: Iterable[Result]) -> None:
        """Write the measurements of the channel's streams, each with its score."""


@runtime_checkable
class ChannelEditor(Destination, Protocol):
    """A destination whose channels may get any stream of the library, and may be hidden."""

    def hide(self, channel_id: int, hidden: bool) -> None:
        """Leave a channel out of every output, or put it back.

        :raises UnknownRecord: the channel does not exist any more.
        """
