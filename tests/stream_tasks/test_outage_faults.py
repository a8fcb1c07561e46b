"""Every way in which a provider or the own line can fail, with several workers, killed ones, and Redis restarted."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import pytest
from redis import Redis

from account_limiter import Limiter, connect
from conftest import RedisServer
from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks import resources
from stream_tasks.finish import finish_run, summarise
from stream_tasks.plan import next_in_chain, plan
from streamflow import config
from streamflow.checking import line
from streamflow.checking.outages import LINE_DOWN
from streamflow.reports.alert_memory import RedisMemory
from streamflow.reports.alerts import alerts, of_run
from streamflow.udi import Udi, open_udi
from streamflow.udi.snapshot import Snapshot
from support.checks import PARAMS, Worker, check, forget_connections
from support.hosts import THERE, SecondHost, second_host

NORTH, SOUTH, EAST = range(1, 7), range(11, 14), range(21, 24)
# Each channel holds two streams of North, and one of each other provider behind them.
LIBRARY = Library(
    [Account(1, "North", "north", "secret-n"), Account(2, "South", "south", "secret-s"),
     Account(3, "East", "east", "secret-e")],
    [Stream(i, f"Stream {i}", account, clip="hd25_2m") for account, ids in ((1, NORTH), (2, SOUTH), (3, EAST))
     for i in ids],
    [Channel(i, float(i), f"Channel {i}", 10, (2 * i - 1, 2 * i, 10 + i, 20 + i)) for i in (1, 2, 3)],
    [Group(10, "News")],
)  # fmt: skip
NIGHT = "second night"


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        for stream in LIBRARY.streams:
            lab.url(stream)
        yield lab


@dataclass(frozen=True)
class Household:
    """A home whose streams all worked on the first night, with its Redis and the lab's provider and Dispatcharr."""

    provider: Lab
    server: RedisServer
    redis: Redis
    store: Udi

    def set(self, **sections: object) -> None:
        """Change settings."""
        known = config.load().model_dump(mode="json")
        config.save(config.Config.model_validate(known | sections))

    def move(self, ids: Collection[int], base: str) -> None:
        """Publish the library with another scheme, host and port of some streams."""
        library = self.store.library
        streams = library.streams(library.stream_ids()).values()
        moved = [
            one.model_copy(update={"url": base + urlsplit(one.url or "").path}) if one.id in ids else one
            for one in streams
        ]
        self.store.publish(Snapshot(
            accounts=library.accounts(), groups=library.groups(), streams=moved, channels=library.channels()
        ))  # fmt: skip

    def restart_redis(self, *, forget: bool) -> None:
        """End Redis as a loss of power would, and start it again."""
        self.server.kill(forget=forget)
        self.server.start()
        Limiter(self.redis).open_now()

    def orders(self) -> dict[int, list[int]]:
        return {id: list(one["streams"]) for id, one in self.provider.servers.dispatcharr.state.channels.items()}

    def verdicts(self, ids: range) -> set[str]:
        latest = self.store.results.latest_of(ids)
        assert latest.keys() == set(ids)
        return {f"{one.verdict} {one.reason or ''}".strip() for one in latest.values()}

    def alerts(self, run_id: str) -> list[tuple[str, list[str]]]:
        """Return the kinds and subjects of a run's alerts that are new."""
        state = self.store.runs.state(run_id)
        assert state
        raised = alerts(of_run(self.store, state), RedisMemory(self.redis))
        return [(alert.kind, [one.name for one in alert.subjects]) for alert in raised]

    def failures(self) -> int:
        return sum(memory.failures for memory in self.store.results.dead_memory([*NORTH, *SOUTH, *EAST]).values())


@pytest.fixture
def household(
    tmp_path: Path, provider: Lab, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Household]:
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("DISPATCHARR_URL", provider.dispatcharr)
    monkeypatch.setenv("DISPATCHARR_API_KEY", provider.addresses()["api_key"])
    with own_redis.client() as client:
        path = client.connection_pool.connection_kwargs["path"]
        monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=path))
        home = Household(provider, own_redis, client, open_udi(client, tmp_path))
        home.set(
            probe={"retries": 0, "retry_delay": 0.5, "thumbnails": False, "connect_timeout": 1, "read_timeout": 2},
            concurrent_streams={"stagger_delay": 0},
            dead_streams={"after_failures": 1, "action": "remove"},
            safety={"provider_down_least": 3, "max_removed_share": 1},
        )
        Limiter(client).open_now()
        provider.set_outages()
        for channel in LIBRARY.channels:
            provider.servers.dispatcharr.state.channels[channel.id]["streams"] = list(channel.stream_ids)
        ran("first night")
        assert home.verdicts(NORTH) == {"ok"}
        provider.reset()
        forget_connections(client)
        yield home


def ran(run_id: str) -> None:
    """Run a night, four checks at once."""
    streams = [planned["stream_id"] for planned in plan(PARAMS, run_id)]
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda stream_id: check(stream_id, run_id), streams))
    ended(run_id)


def ended(run_id: str) -> None:
    finish_run(run_id, PARAMS, write_back=True)
    summarise(run_id, PARAMS)


@contextmanager
def refusing() -> Iterator[str]:
    """Yield the address of a port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def unreachable() -> Iterator[str]:
    """Yield an address that accepts no further connection: its handshakes are dropped, as by a host that is away."""
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


@contextmanager
def without_name() -> Iterator[str]:
    """Yield an address whose name does not exist (RFC 6761, section 6.4)."""
    yield "http://north.invalid"


def assert_north_is_down(home: Household, before: dict[int, list[int]]) -> None:
    assert home.verdicts(NORTH) == {"unknown source_unavailable"}
    assert home.verdicts(SOUTH) == home.verdicts(EAST) == {"ok"}
    assert home.orders() == before
    assert home.failures() == 0
    streams = home.provider.servers.dispatcharr.state.streams
    assert {streams[stream]["stream_stats"]["streamflow_verdict"] for stream in NORTH} == {"ok"}


@pytest.mark.parametrize("broken", [refusing, unreachable, without_name])
def test_one_of_three_providers_that_cannot_be_reached_costs_no_channel_a_stream(
    household: Household, broken: object
) -> None:
    before = household.orders()
    with broken() as base:  # type: ignore[operator]
        household.move(NORTH, base)
        ran(NIGHT)
    assert_north_is_down(household, before)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_provider_that_refuses_everything_gets_few_requests(household: Household, status: int) -> None:
    before = household.orders()
    household.provider.set_outages(North=status)
    ran(NIGHT)
    assert_north_is_down(household, before)
    # Three failures open the circuit, and three more checks may have begun before. Refusals that may mean one
    # connection too many need one of a stream alone, and one try may look behind the open circuit at once.
    assert household.provider.account_record(1)["refused"] <= len(NORTH) + 2


def test_a_proxy_that_refuses_costs_no_channel_a_stream(household: Household) -> None:
    before = household.orders()
    with refusing() as proxy:
        household.move([*NORTH, *SOUTH], "http://provider.example")
        household.set(probe={"retries": 0, "thumbnails": False, "proxy": proxy})
        ran(NIGHT)
    assert household.verdicts(NORTH) == household.verdicts(SOUTH) == {"unknown source_unavailable"}
    assert (household.orders(), household.failures()) == (before, 0)


@pytest.mark.parametrize("forget", [False, True], ids=["with its data", "without its data"])
def test_an_outage_over_two_nights_and_a_restart_of_redis_cost_no_channel_a_stream(
    household: Household, forget: bool
) -> None:
    before = household.orders()
    household.provider.set_outages(North=500)
    streams = [planned["stream_id"] for planned in plan(PARAMS, NIGHT)]
    for place, stream_id in enumerate(streams):
        if place == len(streams) // 2:
            household.restart_redis(forget=forget)
        check(stream_id, NIGHT)
    ended(NIGHT)
    assert_north_is_down(household, before)
    household.restart_redis(forget=forget)
    ran("third night")
    assert_north_is_down(household, before)
    household.provider.set_outages()
    ran("fourth night")
    assert household.verdicts(NORTH) == {"ok"}
    assert household.orders() == before


def test_a_chain_goes_on_after_an_outage_and_does_not_try_the_provider_again(household: Household) -> None:
    household.set(max_streams_per_run=4)
    before = household.orders()
    household.provider.set_outages(North=403)
    params, run_id, refused = PARAMS, NIGHT, []
    while True:
        for planned in plan(params, run_id):
            check(planned["stream_id"], run_id, params)
        finish_run(run_id, params, write_back=True)
        refused.append(household.provider.account_record(1)["refused"])
        following = next_in_chain(run_id, params)
        if not following:
            break
        run_id, params = following[0]["trigger_run_id"], following[0]["conf"]
    assert len(refused) == 3
    assert refused[-1] == refused[1]
    assert household.orders() == before


def test_several_workers_and_killed_ones_work_on_one_run(household: Household) -> None:
    before, path = household.orders(), household.redis.connection_pool.connection_kwargs["path"]
    household.provider.set_outages(North=500)
    waiting: SimpleQueue[tuple[int, int]] = SimpleQueue()
    streams = [planned["stream_id"] for planned in plan(PARAMS, NIGHT)]
    for stream_id in streams:
        waiting.put((stream_id, 1))
    victims = set(streams[2::4])

    def work() -> None:
        worker = Worker(path, NIGHT)
        while True:
            try:
                stream_id, try_number = waiting.get_nowait()
            except Empty:
                worker.close()
                return
            worker.begin(stream_id, try_number)
            if stream_id in victims and try_number == 1:
                # Some die before their result is stored, some after it.
                time.sleep(0.1 * (stream_id % 4))
                worker.kill()
                waiting.put((stream_id, 2))
                worker = Worker(path, NIGHT)
            else:
                worker.wait()

    with ThreadPoolExecutor(3) as workers:
        for done in [workers.submit(work) for _ in range(3)]:
            done.result()
    household.provider.set_outages()
    ended(NIGHT)
    assert_north_is_down(household, before)
    ran("third night")
    assert household.verdicts(NORTH) == {"ok"}
    assert household.orders() == before


@pytest.fixture
def line_to_providers(household: Household) -> Iterator[SecondHost]:
    """A cable to a host that serves all providers and a canary; Dispatcharr and Redis are on this side of it."""
    provider, canary = (
        urlsplit(url).port or 0 for url in (household.provider.provider, household.provider.dispatcharr)
    )
    with second_host() as host:
        if host.why_not:
            pytest.skip(f"no network namespace can be made: {host.why_not}")
        with subprocess.Popen(host.reach([provider, canary], own=THERE)) as relay:
            try:
                household.move([*NORTH, *SOUTH, *EAST], f"http://{THERE}:{provider}")
                safety = {"provider_down_least": 3, "max_removed_share": 1, "canary": [f"{THERE}:{canary}"]}
                household.set(safety=safety, network={"allow": [f"{THERE}/32"]})
                deadline = time.monotonic() + 30
                while not line.is_up(config.load().safety.canary):
                    assert relay.poll() is None
                    assert time.monotonic() < deadline, "the other host serves nothing"
                yield host
            finally:
                relay.kill()


# The failure of the run's last stream alone is no sign of an outage without the canary.
@pytest.mark.parametrize("done", [0, 11], ids=["before the run", "before its last stream"])
def test_an_own_line_that_is_down_costs_no_channel_a_stream(
    household: Household, line_to_providers: SecondHost, done: int
) -> None:
    before = household.orders()
    streams = [planned["stream_id"] for planned in plan(PARAMS, NIGHT)]
    for stream_id in streams[:done]:
        check(stream_id, NIGHT)
    line_to_providers.unplug()
    for stream_id in streams[done:]:
        check(stream_id, NIGHT)
    ended(NIGHT)
    latest = household.store.results.latest_of(streams)
    assert {latest[stream].verdict for stream in streams[:done]} <= {"ok"}
    assert {(latest[stream].reason, latest[stream].detail) for stream in streams[done:]} == {
        ("source_unavailable", LINE_DOWN)
    }
    assert (household.orders(), household.failures()) == (before, 0)
    assert household.alerts(NIGHT) == [("line_down", ["this machine"])]
    line_to_providers.plug()
    ran("third night")
    assert household.verdicts(NORTH) == household.verdicts(SOUTH) == household.verdicts(EAST) == {"ok"}
    assert (household.orders(), household.alerts("third night")) == (before, [])


def test_providers_that_are_down_behind_a_line_that_is_up_are_reported_as_such(
    household: Household, line_to_providers: SecondHost
) -> None:
    before = household.orders()
    household.provider.set_outages(North=0, South=0, East=0)
    ran(NIGHT)
    assert household.verdicts(NORTH) == household.verdicts(SOUTH) == household.verdicts(EAST) == {
        "unknown source_unavailable"
    }  # fmt: skip
    assert (household.orders(), household.failures()) == (before, 0)
    assert household.alerts(NIGHT) == [("provider_down", ["North", "South", "East"])]
