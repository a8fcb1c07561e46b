"""Streams into channels: search, question, answer and changes, over the lab's Dispatcharr and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from stream_tasks import matching, recipients, refresh
from stream_tasks.matching import ALL, LATER, NONE, SOME, Found
from streamflow import config
from streamflow.lineup.decisions import decisions
from streamflow.ordering.undo import undo
from streamflow.records import DeadMemory
from streamflow.sources import opened
from streamflow.sources.dispatcharr import providers
from streamflow.udi import Udi, open_udi
from support.library import result

NEWS, SPORT = 1, 2
LIBRARY = Library(
    [Account(1, "North", "north", "secret-n"), Account(2, "South", "south", "secret-s")],
    [
        Stream(1, "Alpha News", 1), Stream(2, "Beta Sport", 1), Stream(3, "ALPHA NEWS FHD", 2),
        Stream(4, "Beta Sport HD", 2), Stream(5, "Gamma", 2),
    ],
    [Channel(NEWS, 1.0, "Alpha News", 10, (1,)), Channel(SPORT, 2.0, "Beta Sport", 10, (2,))],
    [Group(10, "DE")],
)  # fmt: skip
PARAMS = {"dry": False, "channel_ids": None}


@pytest.fixture(scope="module")
def provider(lab_media: Media) -> Iterator[Lab]:
    with running(LIBRARY, lab_media) as lab:
        yield lab


@pytest.fixture
def store(task_home: Path, provider: Lab, redis_client: Redis) -> Udi:
    """The UDI of a home that matches."""
    state = provider.servers.dispatcharr.state
    state.coming.clear()
    state.refreshes.clear()
    state.refresh_errors.clear()
    for stream in [stream for stream in state.streams if stream > 5]:
        del state.streams[stream]
    for channel in state.channels.values():
        channel["hidden_from_output"] = False
    for account in state.accounts:
        account["updated_at"] = "2026-01-01T00:00:00Z"
    settle({})
    refresh.refresh()
    return open_udi(redis_client, task_home)


def settle(section: dict[str, Any]) -> None:
    config.save(config.Config.model_validate({"matching": {"enabled": True} | section}))


def search(run_id: str = "run", **params: Any) -> Found:
    """Search, and take the candidates as checked."""
    found = matching.search(PARAMS | params, run_id)
    return Found.model_validate(matching.conclude(found, run_id))


def after_a_dry_one(run_id: str = "run") -> Found:
    assert search("dry").is_dry
    return search(run_id)


def answer(choice: str, *stream_ids: int, channel_ids: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "chosen_options": [choice],
        "params_input": {"stream_ids": list(stream_ids), "channel_ids": list(channel_ids)},
    }


def apply(found: Found, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return matching.apply(found.model_dump(), given, "run")


def orders(provider: Lab) -> dict[int, list[int]]:
    return {id: list(channel["streams"]) for id, channel in provider.servers.dispatcharr.state.channels.items()}


def proposed(store: Udi) -> set[tuple[int, int]]:
    return {pair for pair, decision in decisions(store).items() if decision.state == "proposed"}


BEFORE = {NEWS: [1], SPORT: [2]}


def test_the_first_search_and_each_one_after_a_change_of_the_rules_is_dry(store: Udi, provider: Lab) -> None:
    settle({"approve": False})
    assert search().is_dry
    assert apply(search()) == [{"conf": {"stream_ids": [3, 4], "force": True}}]
    assert orders(provider) == {NEWS: [1, 3], SPORT: [2, 4]}
    settle({"approve": False, "most_per_channel": 5})
    assert search().is_dry
    assert not search().is_dry


def test_a_dry_search_proposes_and_changes_nothing(store: Udi, provider: Lab) -> None:
    found = search(dry=True)
    assert matching.trials(found.model_dump()) == []
    assert not matching.asks(found.model_dump())
    assert apply(found) == []
    assert orders(provider) == BEFORE
    assert proposed(store) == {(NEWS, 3), (SPORT, 4)}


def test_a_person_is_asked_once_about_the_same_streams(store: Udi) -> None:
    found = after_a_dry_one("first")
    assert matching.asks(found.model_dump())
    subject, body = matching.question(found.plan, store)
    assert subject == "Add 2 streams to 2 channels?"
    assert "| 3 | ALPHA NEWS FHD | Alpha News |" in body
    assert not matching.asks(search("second").model_dump())


@pytest.mark.parametrize(
    ("given", "expected", "rejected"),
    [
        (answer(ALL), {NEWS: [1, 3], SPORT: [2, 4]}, set()),
        (answer(SOME, 4), {NEWS: [1], SPORT: [2, 4]}, {(NEWS, 3)}),
        (answer(NONE, 3), BEFORE, {(NEWS, 3), (SPORT, 4)}),
        (answer(LATER), BEFORE, set()),
        (None, BEFORE, set()),
    ],
)
def test_an_answer_adds_all_streams_none_or_the_chosen_ones(
    store: Udi, provider: Lab, given: dict[str, Any] | None, expected: dict[int, list[int]], rejected: set[Any]
) -> None:
    apply(after_a_dry_one(), given)
    assert orders(provider) == expected
    assert {pair for pair, decision in decisions(store).items() if decision.state == "rejected"} == rejected
    refresh.refresh()
    # What was rejected is not proposed again; what nobody answered stays on the page.
    search("next night")
    assert not proposed(store) & rejected
    if given is None:
        assert proposed(store) == {(NEWS, 3), (SPORT, 4)}


def test_an_answer_leaves_what_was_decided_on_the_page(store: Udi, provider: Lab) -> None:
    found = after_a_dry_one()
    apply(found, answer(SOME, 4))
    apply(found, answer(ALL))
    assert orders(provider) == {NEWS: [1], SPORT: [2, 4]}


def test_what_a_person_takes_out_stays_out(store: Udi, provider: Lab) -> None:
    settle({"approve": False})
    apply(after_a_dry_one())
    provider.servers.dispatcharr.state.channels[NEWS]["streams"] = [1]
    refresh.refresh()
    assert decisions(store)[NEWS, 3].state == "taken_out"
    apply(search())
    assert orders(provider) == {NEWS: [1], SPORT: [2, 4]}
    # Undo counts like a person who takes them out.
    with opened() as source:
        undo(store, source.destination(store), store.runs.changes(SPORT, 1), "undone by a test")
    apply(search())
    assert orders(provider) == BEFORE


def test_proposals_that_fit_no_more_are_withdrawn(store: Udi) -> None:
    search(dry=True)
    settle({"rules": [{"channels": ["Alpha*"]}]})
    search(dry=True)
    assert proposed(store) == {(NEWS, 3)}


def test_nothing_is_searched_while_matching_is_off(store: Udi) -> None:
    settle({"enabled": False})
    assert search().plan.additions == []
    assert proposed(store) == set()
    assert len(search(dry=True).plan.additions) == 2


# -- channels without a working stream ------------------------------------------------------------
def die(store: Udi) -> None:
    store.results.add([result(1, "dead", at=datetime.now(UTC), reason="http_404"), result(2)])
    store.results.remember_dead({1: DeadMemory(failures=2)})


def test_a_dead_channel_gets_the_candidates_that_work(store: Udi, provider: Lab) -> None:
    settle({"approve": False, "dead_channels": {"action": "replace"}})
    die(store)
    assert matching.search(PARAMS, "dry")["is_dry"]
    found = matching.search(PARAMS, "run")
    assert matching.trials(found) == [{"conf": {"stream_ids": [3], "force": True, "write_back": False}}]
    store.results.add([result(3, at=datetime.now(UTC), account_id=2)])
    assert apply(Found.model_validate(matching.conclude(found, "run"))) == [
        {"conf": {"stream_ids": [3, 4], "force": True}}
    ]
    assert orders(provider)[NEWS] == [1, 3]


def test_a_candidate_that_is_dead_too_is_not_added(store: Udi, provider: Lab) -> None:
    settle({"approve": False, "dead_channels": {"action": "replace"}})
    die(store)
    matching.search(PARAMS, "dry")
    found = matching.search(PARAMS, "run")
    store.results.add([result(3, "dead", at=datetime.now(UTC), account_id=2, reason="no_data")])
    apply(Found.model_validate(matching.conclude(found, "run")))
    assert orders(provider)[NEWS] == [1]


def hidden(provider: Lab) -> list[int]:
    return [id for id, one in provider.servers.dispatcharr.state.channels.items() if one["hidden_from_output"]]


def test_a_dead_channel_is_hidden_until_a_stream_works_again(store: Udi, provider: Lab) -> None:
    settle({"approve": False, "dead_channels": {"action": "hide"}, "rules": []})
    config.save(config.with_section(config.load(), "safety", {"max_removed_share": 0.5}))
    die(store)
    apply(after_a_dry_one())
    assert hidden(provider) == [NEWS]
    refresh.refresh()
    store.results.add([result(1, at=datetime.now(UTC))])
    apply(search())
    assert hidden(provider) == []


def test_many_hidden_channels_need_a_person(store: Udi, provider: Lab) -> None:
    settle({"approve": False, "dead_channels": {"action": "hide"}, "rules": []})
    die(store)
    # One of two channels is more than `safety.max_removed_share`.
    found = after_a_dry_one()
    assert matching.asks(found.model_dump())
    assert matching.question(found.plan, store)[0] == "Hide 1 channels without a working stream?"
    apply(found, answer(SOME, channel_ids=()))
    assert hidden(provider) == []
    apply(found, answer(SOME, channel_ids=(NEWS,)))
    assert hidden(provider) == [NEWS]


# -- providers ------------------------------------------------------------------------------------
def test_providers_are_refreshed_first_and_a_failure_is_told(
    store: Udi, provider: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "POLL_SECONDS", 0.02)
    state = provider.servers.dispatcharr.state
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(recipients, "are_set", lambda: True)
    monkeypatch.setattr(recipients, "deliver", told.append)
    state.coming.append(state.streams[3] | {"id": 6, "name": "Alpha News 4K", "url": "http://x.test/6.ts"})
    state.refresh_errors[1] = "provider is away"
    assert matching.refresh_providers() == {}
    settle({"refresh_providers": True})
    assert matching.refresh_providers() == {1: "provider is away"}
    assert store.library.stream(6) is not None
    assert [alert["kind"] for document in told for alert in document["alerts"]] == ["provider_refresh_failed"]
