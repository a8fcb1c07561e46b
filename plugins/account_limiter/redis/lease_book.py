"""Leases of holders outside of Airflow that send no heartbeats, such as a recorder's script.

The book registers these leases again when Redis loses its data, as a holder's heartbeat does for a task. It is a file,
so that all processes of a machine share it and a restarted one goes on with it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from account_limiter.core.errors import LeaseLost, LimiterUnavailable
from account_limiter.core.records import AccountId, BudgetUsage, Granted, Lease, Queued, Refused, Request
from account_limiter.redis.holder import LONGEST_PAUSE_SECONDS
from account_limiter.redis.limiter import Limiter

log = logging.getLogger(__name__)

# A ticket whose holder has not asked for it for this time is forgotten.
TICKET_SECONDS = 300.0


@dataclass(frozen=True)
class Entry:
    """A lease in the book, or a ticket in the queue.

    :param until: end of the lease, or of the ticket's stay in the book, on the monotonic clock. All processes of a
        machine share this clock until the machine restarts, and nobody sets it.
    :param budget_id: budget of the lease; empty for a ticket.
    """

    lease_id: str
    account_id: AccountId
    label: str
    seconds: float
    until: float
    rank: str = ""
    budget_id: str = ""
    budget_limit: int = 0
    global_limit: int = 0
    generation: int = 0
    acquired_at: float = 0.0

    @property
    def holder(self) -> str:
        """Return the name of the lease's holder."""
        return f"book-{self.lease_id}"

    @property
    def request(self) -> Request:
        """Return the request for the lease."""
        return Request(self.lease_id, self.account_id, self.seconds, labels={"label": self.label}, life=self.seconds)

    @property
    def left(self) -> float:
        """Return the seconds until the end."""
        return max(0.0, self.until - time.monotonic())

    @property
    def lease(self) -> Lease:
        """Return the lease as its renewals need it."""
        left = self.left
        limits = self.budget_limit, self.global_limit, BudgetUsage(self.budget_limit, 1, 0)
        return Lease(
            self.request, self.holder, self.budget_id, self.generation, self.acquired_at, left, left, 0.0, *limits,
            time.monotonic(),
        )  # fmt: skip


@dataclass(frozen=True)
class Waiting:
    """A ticket in the queue.

    :param place: place in the queue of the account, 1 for the first.
    """

    entry: Entry
    place: int


class LeaseBook:
    """The book. Thread-safe, and safe for several processes of a machine.

    Guaranteed for its leases: what is guaranteed for those of tasks. A lease ends after the seconds that its holder
    asked for. It registers again when Redis lost it, as long as a process with the book runs.

    Not guaranteed: that a holder stops at the end of its lease.

    :param file: the file of the book.
    """

    def __init__(self, limiter: Limiter, file: Path) -> None:
        self._limiter = limiter
        self._file = file
        self._lock = threading.Lock()
        self._process = 0
        self._stopped = threading.Event()

    def open(self, account_id: AccountId, label: str, seconds: float, *, patience: float) -> Entry | Waiting | Refused:
        """Take a slot, or queue for one.

        :param label: name of the use, which is shown with the lease.
        :param seconds: life of the lease.
        :param patience: seconds to wait for a slot.
        :raises LimiterUnavailable: while Redis is away.
        """
        return self._acquire(Entry(uuid.uuid4().hex, account_id, label, seconds, 0.0), patience)

    def ask(self, lease_id: str, seconds: float) -> Entry | Waiting | Refused | None:
        """Prolong a lease, so that it ends in ``seconds``, or ask again for the slot of a ticket.

        :returns: None when the lease has ended or the ticket is unknown.
        :raises LimiterUnavailable: while Redis is away.
        """
        with self._entries() as entries:
            entry = entries.get(lease_id)
        if entry is None:
            return None
        if not entry.budget_id:
            return self._acquire(replace(entry, seconds=seconds), 0.0)
        try:
            self._limiter.renew(entry.lease, extend=seconds)
        except LeaseLost as lost:
            log.warning("%s (%s)", lost, entry.label)
            self._forget(lease_id)
            return None
        return self._write(replace(entry, seconds=seconds, until=time.monotonic() + seconds))

    def close(self, lease_id: str) -> bool:
        """Give a slot back or leave the queue, and return whether there was such a lease or ticket.

        :raises LimiterUnavailable: while Redis is away.
        """
        with self._entries() as entries:
            entry = entries.get(lease_id)
        if entry is None:
            return False
        self._forget(lease_id)
        return self._limiter.release(entry.lease, succeeded=True) if entry.budget_id else self._limiter.drop(lease_id)

    def watch(self) -> None:
        """Start the thread that registers the leases again, if the book has any and no thread runs in this process."""
        with self._lock:
            if self._process == os.getpid() or not self._file.exists():
                return
            self._process = os.getpid()
        threading.Thread(target=self._watch, name="lease-book", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its present round; the leases end by themselves."""
        self._stopped.set()

    def register(self) -> None:
        """Register the leases of the book that Redis lost, and forget those that have ended."""
        now = time.monotonic()
        with self._entries() as entries:
            known = list(entries.values())
        for entry in known:
            if entry.until <= now:
                self._forget(entry.lease_id)
            elif entry.budget_id:
                self._register(entry)

    def _register(self, entry: Entry) -> None:
        try:
            self._limiter.renew(entry.lease)
        except LeaseLost as lost:
            log.warning("%s (%s)", lost, entry.label)
            self._forget(entry.lease_id)
            return
        with self._entries() as entries:
            is_closed = entry.lease_id not in entries
        if is_closed:
            # Its holder gave it back after the book was read: it must not be registered again.
            self._limiter.release(entry.lease)

    def _acquire(self, entry: Entry, patience: float) -> Entry | Waiting | Refused:
        answer = self._limiter.wait(entry.request, entry.holder, timeout=patience, rank=entry.rank)
        match answer:
            case Granted(lease):
                granted = replace(
                    entry,
                    until=time.monotonic() + entry.seconds,
                    budget_id=lease.budget_id,
                    budget_limit=lease.budget_limit,
                    global_limit=lease.global_limit,
                    generation=lease.generation,
                    acquired_at=lease.acquired_at,
                )
                return self._write(granted)
            case Queued(rank):
                ticket = replace(entry, rank=rank, until=time.monotonic() + TICKET_SECONDS)
                return Waiting(self._write(ticket), self._limiter.place(entry.lease_id))
            case refused:
                self._forget(entry.lease_id)
                return refused

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.register()
            except LimiterUnavailable as error:
                log.warning("The leases of the book are not registered: %s", error)
            except Exception:
                log.exception("The lease book failed, it goes on")
            self._stopped.wait(LONGEST_PAUSE_SECONDS / 2)

    def _write(self, entry: Entry) -> Entry:
        with self._entries() as entries:
            entries[entry.lease_id] = entry
        self.watch()
        return entry

    def _forget(self, lease_id: str) -> None:
        with self._entries() as entries:
            entries.pop(lease_id, None)

    @contextmanager
    def _entries(self) -> Iterator[dict[str, Entry]]:
        """Yield the entries, and write them back when they have changed."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{self._file}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self._read()
            before = dict(entries)
            yield entries
            if entries != before:
                part = Path(f"{self._file}.part")
                document = {"boot": _boot(), "entries": [asdict(entry) for entry in entries.values()]}
                part.write_text(json.dumps(document), encoding="utf-8")
                part.replace(self._file)

    def _read(self) -> dict[str, Entry]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            if document["boot"] != _boot():
                return {}
            return {one["lease_id"]: Entry(**one) for one in document["entries"]}
        except FileNotFoundError:
            return {}
        except (KeyError, TypeError, ValueError) as error:
            log.error("The lease book %s is unreadable, its leases end by themselves: %s", self._file, error)
            return {}


def _boot() -> str:
    """Return the id of the machine's present run, which the monotonic clock belongs to."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
