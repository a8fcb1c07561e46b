"""Records that a user names: channels, groups, accounts and streams by id or name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from stream_checker.http.problems import Fault
from stream_checker.queries.name_index import NameIndex
from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi.ports import Store

SUGGESTIONS = 3
# The comparison of one name with this many takes about 50 ms.
MAX_COMPARED = 5000


@dataclass(frozen=True)
class NamedRecords:
    """The records of a library by their names, ignoring case. Its methods raise UdiUnavailable."""

    store: Store
    name_index: NameIndex

    def ids(self, field: str, references: Sequence[int | str] | None) -> tuple[list[int] | None, list[Fault]]:
        """Return the ids of records that are named by id or name, and a fault for each one that does not exist.

        A name that several records have stands for all of them. Before the first refresh every id is accepted.

        :param field: ``channels``, ``groups``, ``accounts`` or ``streams``.
        :param references: None selects everything, and gives None.
        """
        if references is None:
            return None, []
        names, ids, faults = self._names(field), dict[int, None](), []
        is_empty = self.store.library.refreshed_at() is None
        by_name: dict[str, list[int]] = {}
        for id, name in names.items():
            by_name.setdefault(name, []).append(id)
        for place, reference in enumerate(references):
            known = [reference] if is_empty and isinstance(reference, int) else _matching(reference, names, by_name)
            ids.update(dict.fromkeys(known))
            if not known:
                faults.append(Fault(field=f"{field}.{place}", message=self._unknown(field, reference, by_name)))
        return list(ids), faults

    def _unknown(self, field: str, reference: int | str, by_name: Mapping[str, list[int]]) -> str:
        noun = field.removesuffix("s")
        if isinstance(reference, int):
            return f"there is no {noun} with the id {reference}"
        nearest = [by_name[name][0] for name in nearest_names(reference.strip().casefold(), by_name)]
        advice = f"; the nearest names are: {', '.join(self._shown(field, nearest))}" if nearest else ""
        return f"there is no {noun} of this name{advice}"

    def _shown(self, field: str, ids: Sequence[int]) -> list[str]:
        """Return the names of records as they are written."""
        library = self.store.library
        records: Iterable[Channel | Stream | Group | Account]
        match field:
            case "channels":
                records = library.channels(ids)
            case "streams":
                records = library.streams(ids).values()
            case "groups":
                records = library.groups()
            case _:
                records = library.accounts()
        names = {record.id: record.name for record in records}
        return [names[id] for id in ids if id in names]

    def _names(self, field: str) -> Mapping[int, str]:
        library = self.store.library
        match field:
            case "channels":
                return self.name_index.channel_names(self.store)
            case "streams":
                return self.name_index.stream_names(self.store)
            case "groups":
                return {group.id: group.name.casefold() for group in library.groups()}
            case "accounts":
                return {account.id: account.name.casefold() for account in library.accounts()}
        raise ValueError(f"no records are called {field}")


def _matching(reference: int | str, names: Mapping[int, str], by_name: Mapping[str, list[int]]) -> list[int]:
    if isinstance(reference, int):
        return [reference] if reference in names else []
    return by_name.get(reference.strip().casefold(), [])


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that are most similar to a name, best first.

    In a large library only names that begin alike, or contain the name, are compared.
    """
    names = list(known)
    if len(names) > MAX_COMPARED:
        names = list(islice((one for one in names if one[:2] == name[:2] or name in one), MAX_COMPARED))
    close = get_close_matches(name, names, n=SUGGESTIONS, cutoff=0.6)
    containing = (one for one in names if name and name in one and one not in close)
    return [*close, *islice(containing, SUGGESTIONS - len(close))]
