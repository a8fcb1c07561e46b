"""The names of the library in Airflow's form that starts a check by hand.

Airflow's form shows a list parameter with ``examples`` as a choice of several, with the texts in ``values_display``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from stream_tasks import resources
from streamflow.errors import UdiUnavailable
from streamflow.records import Account, Channel, Group

log = logging.getLogger(__name__)

# A longer list makes the form slow. The form of a list without choices accepts ids, and the page accepts names.
MOST = 500


def choices() -> dict[str, dict[str, Any]]:
    """Return the schema of each parameter with a choice of names; nothing outside of Airflow's DAG processor.

    The tasks read the same file and need no names.
    """
    if sys.argv[1:2] != ["dag-processor"]:
        return {}
    try:
        with resources.store() as store:
            library = store.library
            channels = sorted(library.channels(), key=lambda one: (one.number is None, one.number or 0, one.name))
            groups, accounts = library.groups(), library.accounts()
    except UdiUnavailable as error:
        log.warning("the form names no channels: %s", error)
        return {}
    named: dict[str, Sequence[Channel | Group | Account]] = {
        "channel_ids": channels,
        "group_ids": sorted(groups, key=lambda one: one.name),
        "account_ids": sorted(accounts, key=lambda one: one.name),
    }
    return {field: _choice(records) for field, records in named.items() if 0 < len(records) <= MOST}


def _choice(records: Sequence[Channel | Group | Account]) -> dict[str, Any]:
    texts = {}
    for one in records:
        number = f"{one.number:g} " if isinstance(one, Channel) and one.number is not None else ""
        texts[str(one.id)] = f"{number}{one.name}"
    return {"examples": [one.id for one in records], "values_display": texts}
