"""The addresses of Dispatcharr's proxy hold no login of a provider."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lab import Account, Lab, Library, Media, Stream, running
from streamflow.errors import SourceRefused
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.dispatcharr.proxy import Proxy, channel_path


@pytest.fixture
def served(lab_media: Media) -> Iterator[Lab]:
    library = Library([Account(1, "North", "north", "secret-n")], [Stream(1, "News", 1), Stream(2, "Films", 1)], [], [])
    with running(library, lab_media) as lab:
        yield lab


@pytest.fixture
def proxy(source: Dispatcharr) -> Proxy:
    return source.proxy


def test_each_known_stream_has_a_path_by_its_hash(served: Lab, proxy: Proxy) -> None:
    paths = proxy.stream_paths([1, 2, 10**6])
    records = httpx.get(f"{served.dispatcharr}/api/channels/streams/1/", headers=key(served)).json()
    assert paths[1] == f"/proxy/ts/stream/{records['stream_hash']}"
    assert set(paths) == {1, 2}
    assert proxy.stream_paths([]) == {}


def key(served: Lab) -> dict[str, str]:
    return {"X-API-Key": str(served.addresses()["api_key"])}


def test_a_version_without_such_a_list_is_named(served: Lab, proxy: Proxy) -> None:
    faults = [{"status": 404, "path": "/api/channels/streams/by-ids/", "body": "no"}]
    httpx.post(f"{served.dispatcharr}/lab/faults", json={"faults": faults}).raise_for_status()
    with pytest.raises(SourceRefused, match="this version of Dispatcharr"):
        proxy.stream_paths([1])


def test_an_id_cannot_leave_the_proxy() -> None:
    assert channel_path("../../api") == "/proxy/ts/stream/..%2F..%2Fapi"
