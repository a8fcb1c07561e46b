"""The provider's count of connections: open ones, peaks and refusals of each account."""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lab.library import Account

KEPT_CONNECTIONS = 20_000


@dataclass(eq=False)
class Connection:
    """A connection of a client to a stream. ``transport`` is None for an HLS session without a socket."""

    account: Account
    stream_id: int
    opened: float
    transport: asyncio.Transport | None = None
    closed: float | None = None
    cut: bool = False


@dataclass
class Count:
    """The figures of an account since the last reset. ``cut`` counts connections that ended to let a newer one in."""

    current: int = 0
    peak: int = 0
    total: int = 0
    refused: int = 0
    cut: int = 0

    def opened(self) -> None:
        """Count a new connection."""
        self.current += 1
        self.total += 1
        self.peak = max(self.peak, self.current)


@dataclass
class _Line:
    count: Count = field(default_factory=Count)
    open: list[Connection] = field(default_factory=list)
    lingering: list[float] = field(default_factory=list)


class Ledger:
    """Admits connections within the limits of the accounts and records each connection.

    A connection counts from its request until either side closes its socket. A socket whose peer has already closed it
    does not count against a new request, even if the event loop has not read that event yet.
    """

    def __init__(self, accounts: list[Account]) -> None:
        self._lines = {account.id: _Line() for account in accounts}
        self._accounts = accounts
        # The seconds for which a closed connection of each account still counts.
        self.lingers = {account.id: account.linger_s for account in accounts}
        self._whole = Count()
        self._past: deque[Connection] = deque(maxlen=KEPT_CONNECTIONS)

    def admit(self, account: Account, stream_id: int, transport: asyncio.Transport | None) -> Connection | None:
        """Open a connection. Return None when the account is full and refuses newcomers."""
        line = self._lines[account.id]
        if 0 < account.max_streams <= self.counted(account):
            line.count.refused += 1
            if account.refusal != "cut_oldest" or not line.open:
                return None
            self._cut(line)
        connection = Connection(account, stream_id, time.time(), transport)
        line.open.append(connection)
        line.count.opened()
        self._whole.opened()
        return connection

    def refuse(self, account: Account) -> None:
        """Count a request that an account without service sends."""
        self._lines[account.id].count.refused += 1

    def counted(self, account: Account) -> int:
        """Return the number of connections that count against an account now, including lingering ones."""
        self._bury_the_dead()
        line = self._lines[account.id]
        now = time.monotonic()
        line.lingering = [until for until in line.lingering if until > now]
        return line.count.current + len(line.lingering)

    def close(self, connection: Connection) -> None:
        """Record that the socket of a connection is closed. Repeated calls change nothing."""
        if connection.closed is not None:
            return
        connection.closed = time.time()
        line = self._lines[connection.account.id]
        line.open.remove(connection)
        line.count.current -= 1
        self._whole.current -= 1
        if seconds := self.lingers[connection.account.id]:
            line.lingering.append(time.monotonic() + seconds)
        self._past.append(connection)

    def _cut(self, line: _Line) -> None:
        oldest = line.open[0]
        oldest.cut = True
        line.count.cut += 1
        if oldest.transport:
            oldest.transport.abort()
        self.close(oldest)

    def _bury_the_dead(self) -> None:
        held = [
            (connection.transport.get_extra_info("socket").fileno(), connection)
            for line in self._lines.values()
            for connection in line.open
            if connection.transport
        ]
        poll = select.poll()
        for descriptor, _ in held:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLRDHUP)
        gone = {descriptor for descriptor, _ in poll.poll(0)}
        for descriptor, connection in held:
            # A socket that is closed on this side has no descriptor any more.
            if descriptor < 0 or descriptor in gone:
                if connection.transport:
                    connection.transport.abort()
                self.close(connection)

    def reset(self) -> None:
        """Reset the figures. Open connections stay counted."""
        for count in [self._whole, *(line.count for line in self._lines.values())]:
            count.peak, count.total, count.refused, count.cut = count.current, 0, 0, 0
        self._past.clear()

    def record(self, connections: bool = False) -> dict[str, Any]:
        """Return the figures of all accounts as JSON data.

        :param connections: add each past and present connection, with times in epoch seconds.
        """
        self._bury_the_dead()
        accounts = [
            {"id": account.id, "name": account.name, "max_streams": account.max_streams}
            | vars(self._lines[account.id].count)
            for account in self._accounts
        ]
        record: dict[str, Any] = {"accounts": accounts, "global": vars(self._whole)}
        if connections:
            known = [*self._past, *(c for line in self._lines.values() for c in line.open)]
            record["connections"] = [
                {"account": c.account.id, "stream": c.stream_id, "opened": c.opened, "closed": c.closed, "cut": c.cut}
                for c in known
            ]
        return record
