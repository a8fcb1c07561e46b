"""Records that a source sent and that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamflow.records.text import SENTENCE_LENGTH, WORD_LENGTH, cut

MOST_NAMED = 100


@dataclass
class BrokenRecords:
    """Collects broken records; the first hundred are named, the others are counted.

    :param kind: the plural noun for the counted ones, for example ``lines``.
    """

    kind: str
    count: int = 0
    _named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """Add a record that cannot be read."""
        self.count += 1
        if self.count <= MOST_NAMED:
            self._named.append((cut(name, WORD_LENGTH), cut(reason, SENTENCE_LENGTH)))

    def listed(self) -> list[tuple[str, str]]:
        """Return pairs of name and reason; the last one counts the records without a name."""
        more = self.count - len(self._named)
        return [*self._named, (f"{more} more {self.kind}", "could not be read either")] if more else self._named
