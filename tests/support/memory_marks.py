"""The marks of a chain's logins in memory, for tests without Redis."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from streamflow.records import Result


@dataclass
class MemoryMarks:
    """Implements :class:`streamflow.checking.outages.Marks`; :meth:`wait` lets the minute between two probes pass."""

    marked: dict[str, str] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    failed: dict[str, dict[int, Result]] = field(default_factory=dict)

    def causes(self) -> Mapping[str, str]:
        return dict(self.marked)

    def mark(self, login: str, cause: str, *, is_tried_again: bool = False) -> None:
        self.marked[login] = cause
        if cause and not is_tried_again:
            self.claims.setdefault(login, "")

    def clear(self, login: str) -> None:
        self.marked.pop(login, None)

    def claim_probe(self, login: str, claimant: str) -> bool:
        return self.claims.setdefault(login, claimant) == claimant

    def suspect(self, login: str, failed: Result) -> None:
        self.failed.setdefault(login, {})[failed.stream_id] = failed

    def suspects(self, login: str) -> Collection[Result]:
        return list(self.failed.get(login, {}).values())

    def wait(self) -> None:
        """Let a minute pass."""
        self.claims.clear()
