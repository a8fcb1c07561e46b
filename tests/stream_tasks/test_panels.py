"""The reports of the lab's panels about logins, and the limits that follow. Redis and the panels are real servers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from redis import Redis

from account_limiter import Granted, Limiter, Queued, Refused, Request
from account_limiter.core.records import AccountState
from lab import Account as Login
from lab import Lab, Library, Media, running
from lab import Stream as Served
from stream_tasks import limits
from stream_tasks.limits import configure
from stream_tasks.panels import ask_panels, observe_releases
from streamflow.checking.panels import panel_of, panels_of
from streamflow.config import Config
from streamflow.records import Account, Profile, Stream

LIBRARY = Library(
    [
        Login(1, "North", "north", "secret-n", max_streams=2),
        Login(2, "South", "south", "secret-s", max_streams=1, linger_s=60),
        Login(3, "East", "east", "secret-e", max_streams=1, linger_s=2.5),
    ],
    [
        Served(1, "One", 1, clip="sd480p30"),
        Served(2, "Two", 2, clip="sd480p30"),
        Served(3, "Three", 3, clip="sd480p30"),
    ],
)


class Known:
    """The part of a store that leads to panels."""

    def __init__(self, accounts: list[Account], streams: list[Stream]) -> None:
        self.library = self
        self._accounts, self._streams = accounts, {stream.id: stream for stream in streams}

    def accounts(self) -> list[Account]:
        return self._accounts

    def streams_of_account(self, account_id: int) -> list[int]:
        return [one.id for one in self._streams.values() if one.account_id == account_id]

    def streams(self, ids: list[int]) -> dict[int, Stream]:
        return {one: self._streams[one] for one in ids}


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        yield lab


@pytest.fixture
def limiter(redis_client: Redis, provider: Lab, monkeypatch: pytest.MonkeyPatch) -> Limiter:
    monkeypatch.setenv("DISPATCHARR_URL", provider.dispatcharr)
    monkeypatch.setenv("DISPATCHARR_API_KEY", provider.addresses()["api_key"])
    httpx.post(f"{provider.dispatcharr}/lab/viewers", json={"channels": []}).raise_for_status()
    limiter = Limiter(redis_client)
    limiter.open_now()
    return limiter


def known(provider: Lab, *, max_streams: int = 0, **fields: Any) -> Known:
    accounts = [
        Account(
            id=login.id, name=login.name, account_type="XC", max_streams=max_streams, budget=f"b{login.id}", **fields
        )
        for login in LIBRARY.accounts
    ]
    return Known(
        accounts, [Stream(id=s.id, name=s.name, account_id=s.account_id, url=provider.url(s)) for s in LIBRARY.streams]
    )


def after_asking(redis: Redis, store: Known, settings: Config | None = None) -> list[AccountState]:
    settings = settings or Config()
    configure(Limiter(redis), store, settings)  # type: ignore[arg-type]
    redis.delete(limits._COUNT)
    ask_panels(redis, store, settings)  # type: ignore[arg-type]
    return list(Limiter(redis).snapshot().accounts[:2])


@pytest.mark.parametrize(("configured", "believed"), [(0, 2), (5, 2), (1, 1)])
def test_the_lower_of_the_configured_limit_and_the_panels_holds(
    redis_client: Redis, limiter: Limiter, provider: Lab, configured: int, believed: int
) -> None:
    north, south = after_asking(redis_client, known(provider, max_streams=configured))
    assert (north.limit, north.believed_limit, north.effective_limit) == (configured, believed, believed)
    assert south.believed_limit == 1
    assert len(north.evidence) == 1
    assert north.evidence[0].startswith("the panel reports max_connections 2, 0 in use, at 20")


def test_connections_of_others_lower_the_number_of_checks(redis_client: Redis, limiter: Limiter, provider: Lab) -> None:
    with httpx.stream("GET", provider.url(LIBRARY.streams[0])):
        north, _ = after_asking(redis_client, known(provider))
    assert (north.believed_limit, north.elsewhere, north.effective_limit) == (2, 1, 1)
    assert "1 in use" in north.evidence[0]
    assert isinstance(limiter.acquire(Request("a", 1), "h"), Granted)
    assert isinstance(limiter.acquire(Request("b", 1), "h"), Queued)


def test_connections_of_others_are_ignored_when_viewers_are_not_respected(
    redis_client: Redis, limiter: Limiter, provider: Lab
) -> None:
    settings = Config.model_validate({"concurrent_streams": {"respect_viewers": False}})
    with httpx.stream("GET", provider.url(LIBRARY.streams[0])):
        north, _ = after_asking(redis_client, known(provider), settings)
    assert (north.believed_limit, north.elsewhere) == (2, 0)


def test_connections_of_checks_and_viewers_are_not_counted_as_those_of_others(
    redis_client: Redis, limiter: Limiter, provider: Lab
) -> None:
    store = known(provider, profiles=())
    store._accounts[0] = store._accounts[0].model_copy(update={"profiles": (Profile(id=10, is_default=True),)})
    configure(limiter, store, Config())  # type: ignore[arg-type]
    viewer = [{"channel_id": "1", "state": "active", "m3u_profile_id": 10}]
    httpx.post(f"{provider.dispatcharr}/lab/viewers", json={"channels": viewer}).raise_for_status()
    limiter.acquire(Request("a", 1), "h")
    with ExitStack() as connections:
        for _ in range(2):
            connections.enter_context(httpx.stream("GET", provider.url(LIBRARY.streams[0])))
        north, _ = after_asking(redis_client, store)
    assert (north.viewers, north.active, north.elsewhere, north.effective_limit) == (1, 1, 0, 1)


def test_a_panel_may_still_count_a_connection_that_ended_a_moment_ago(
    redis_client: Redis, limiter: Limiter, provider: Lab
) -> None:
    store = known(provider)
    configure(limiter, store, Config())  # type: ignore[arg-type]
    answer = limiter.acquire(Request("a", 2), "h")
    assert isinstance(answer, Granted)
    with httpx.stream("GET", provider.url(LIBRARY.streams[1])):
        pass
    limiter.release(answer.lease)
    _, south = after_asking(redis_client, store)
    assert "max_connections 1, 1 in use" in south.evidence[0], "the lab's panel lingers"
    assert (south.elsewhere, south.effective_limit) == (0, 1)


def test_a_panel_that_refuses_changes_nothing_and_no_password_is_logged(
    redis_client: Redis, limiter: Limiter, provider: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    store = known(provider, max_streams=3)
    wrong = store._streams[1]
    store._streams[1] = wrong.model_copy(update={"url": (wrong.url or "").replace("secret-n", "not-the-word")})
    with caplog.at_level(logging.DEBUG):
        north, south = after_asking(redis_client, store)
    assert (north.believed_limit, north.evidence) == (3, ())
    assert south.believed_limit == 1
    warnings = [record.getMessage() for record in caplog.records if "no report about a login" in record.getMessage()]
    assert len(warnings) == 1
    assert not any(word in caplog.text for word in ("not-the-word", "secret-n", "secret-s"))


def test_a_panel_that_is_away_changes_nothing(redis_client: Redis, limiter: Limiter) -> None:
    account = Account(id=1, name="one", account_type="XC", max_streams=3, budget="b1")
    stream = Stream(id=1, name="s", account_id=1, url="http://127.0.0.1:9/live/name/word/1.ts")
    (state, *_) = after_asking(redis_client, Known([account], [stream]))
    assert (state.believed_limit, state.effective_limit, state.evidence) == (3, 3, ())


def test_the_panels_of_inactive_accounts_and_of_those_behind_a_proxy_are_not_asked(provider: Lab) -> None:
    assert set(panels_of(known(provider), Config())) == {"b1", "b2", "b3"}  # type: ignore[arg-type]
    assert panels_of(known(provider, is_active=False), Config()) == {}  # type: ignore[arg-type]
    behind = Config.model_validate({"probe": {"account_proxies": {"North": "socks5://127.0.0.1:1080"}}})
    assert set(panels_of(known(provider), behind)) == {"b2", "b3"}  # type: ignore[arg-type]


def test_a_shared_login_is_asked_once_and_an_account_with_several_logins_not_at_all() -> None:
    url = "http://host.example/live/{}/word/{}.ts"
    accounts = [Account(id=n, name=str(n), budget=budget) for n, budget in ((1, "shared"), (2, "shared"), (3, "mixed"))]
    owners = [(1, "a"), (2, "a"), (3, "a"), (3, "b")]
    streams = [Stream(id=n, name="s", account_id=o, url=url.format(u, n)) for n, (o, u) in enumerate(owners)]
    found = panels_of(Known(accounts, streams), Config())  # type: ignore[arg-type]
    assert [(budget, panel.username) for budget, panel in found.items()] == [("shared", "a")]


@pytest.mark.parametrize(
    ("url", "kind", "server"),
    [
        ("https://host.example:8443/live/me%40home/word/1.ts", "STD", "https://host.example:8443"),
        ("http://host.example/me/word/1", "XC", "http://host.example"),
        ("http://host.example/some/path/1.ts", "STD", None),
        ("http://host.example/list.m3u8", "XC", None),
        ("", "XC", None),
    ],
)
def test_a_login_is_read_from_a_url_only_where_it_certainly_is_a_login(url: str, kind: str, server: str | None) -> None:
    panel = panel_of(url, Account(id=1, name="one", account_type=kind, user_agent="Agent/1"))
    assert (panel and panel.server) == server
    if panel:
        assert (panel.password, panel.user_agent) == ("word", "Agent/1")
        assert "word" not in repr(panel)
        assert panel.username in ("me", "me@home")


def test_a_refusal_weighs_more_than_the_panels_report(redis_client: Redis, limiter: Limiter, provider: Lab) -> None:
    store = known(provider)
    after_asking(redis_client, store)
    answer = limiter.acquire(Request("a", 1), "h")
    assert isinstance(answer, Granted)
    assert limiter.report_busy(answer.lease, retry_after=0) == 1
    north, _ = after_asking(redis_client, store)
    assert (north.believed_limit, north.effective_limit) == (1, 1)
    assert len(north.evidence) == 2 and north.evidence[1].startswith("refused 1 connection as too many")
    assert limiter.acquire(Request("b", 1), "h", enqueue=False) == Refused("full")


def test_the_panel_shows_after_a_run_how_long_it_counts_a_closed_connection(
    redis_client: Redis, limiter: Limiter, provider: Lab
) -> None:
    store = known(provider)
    configure(limiter, store, Config())  # type: ignore[arg-type]
    for stream in (LIBRARY.streams[0], LIBRARY.streams[2]):
        answer = limiter.acquire(Request(f"check-{stream.id}", stream.account_id), "h")
        assert isinstance(answer, Granted)
        with httpx.stream("GET", provider.url(stream)) as response:
            next(response.iter_raw())
        limiter.release(answer.lease, succeeded=True)
    observe_releases(redis_client, store, Config())  # type: ignore[arg-type]
    releases = {budget.budget_id: budget.release for budget in limiter.snapshot().budgets}
    assert releases["b1"].seconds == 0
    assert 2 <= releases["b3"].seconds <= 10
    assert "its panel counted a connection for" in releases["b3"].words
