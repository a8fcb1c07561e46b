from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab import Lab
from streamflow.sources.dispatcharr import Dispatcharr, session


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between tries."""
    monkeypatch.setattr(session, "_wait", lambda state: 0.01)


@pytest.fixture
def source(served: Lab) -> Iterator[Dispatcharr]:
    """The Dispatcharr that the module's fixture ``served`` runs."""
    env = {"DISPATCHARR_URL": served.dispatcharr, "DISPATCHARR_API_KEY": served.addresses()["api_key"]}
    with closing(Dispatcharr.from_env(env, Path())) as source:
        yield source
