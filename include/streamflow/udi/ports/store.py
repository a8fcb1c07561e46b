"""A store of the UDI: the four ports, and the operations that concern several of them."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, Field

from streamflow.udi.ports.library import Library
from streamflow.udi.ports.progress import Progress
from streamflow.udi.ports.results import Results
from streamflow.udi.ports.runs import Runs
from streamflow.udi.snapshot import Snapshot


class RefreshReport(BaseModel):
    """The number of records of each kind that a refresh added, changed and removed.

    ``broken`` lists the records that the source sent and that could not be read: kind and id, reason.
    """

    added: dict[str, int]
    changed: dict[str, int]
    removed: dict[str, int]
    broken: list[tuple[str, str]] = Field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def records(self) -> int:
        """Return the number of all records that were added, changed or removed."""
        return sum(sum(kind.values()) for kind in (self.added, self.changed, self.removed))


class Store(Protocol):
    """A library with the results and runs that belong to it."""

    @property
    def library(self) -> Library:
        """The accounts, groups, streams and channels."""

    @property
    def results(self) -> Results:
        """The results of checks and the memory of failures."""

    @property
    def runs(self) -> Runs:
        """The runs and the log of channels' changes."""

    @property
    def progress(self) -> Progress:
        """The states of running probes."""

    def publish(self, snapshot: Snapshot, *, max_drop: float = 0.5, force: bool = False) -> RefreshReport:
        """Replace the library by a snapshot, in one step, and write only the differences.

        A stream that comes back under another id, recognized by its account and its provider id or URL, keeps its
        results, also after an absence of up to 30 days.

        :param max_drop: the largest share of the streams that may disappear. In a library of fewer than 100 streams,
            added streams make up for those that disappear.
        :param force: accept any loss of streams.
        :raises SourceError: if more streams would disappear. The library stays unchanged then.
        """

    def prune(self, *, runs: int = 200) -> dict[str, int]:
        """Delete old data.

        Deletes the runs beyond the newest ``runs`` and those older than 30 days, and everything about streams that
        are neither in the library nor were checked in the last 30 days.

        :returns: the number of deleted ``runs`` and of ``streams`` whose data was deleted.
        """
