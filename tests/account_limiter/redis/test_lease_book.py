"""Leases of holders that send no heartbeats, over a Redis that loses its data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from account_limiter import Granted, Lease, Limiter, Queued, Refused, Renewed, Request
from account_limiter.redis.lease_book import Entry, LeaseBook, Waiting

from ..conftest import ACCOUNTS, Clock

Take = Callable[..., Lease]
RequestOf = Callable[..., Request]


@pytest.fixture
def book(limiter: Limiter, tmp_path: Path) -> Iterator[LeaseBook]:
    book = LeaseBook(limiter, tmp_path / "leases.json")
    yield book
    # Its leases must not be registered in the Redis of the next test.
    book.stop()
    (tmp_path / "leases.json").unlink(missing_ok=True)


def taken(book: LeaseBook, account_id: int = 1, seconds: float = 60, *, patience: float = 0) -> Entry:
    answer = book.open(account_id, "recorder", seconds, patience=patience)
    assert isinstance(answer, Entry), answer
    return answer


def test_a_lease_lives_for_its_seconds_without_heartbeats(
    limiter: Limiter, clock: Clock, book: LeaseBook, request_of: RequestOf
) -> None:
    taken(book, seconds=300)
    waiter = request_of(1)
    for _ in range(29):
        clock.move(10)
        assert isinstance(limiter.acquire(waiter, "h"), Queued)
        limiter.tick()
    clock.move(10)
    assert isinstance(limiter.acquire(waiter, "h"), Granted)


def test_a_lease_is_prolonged_from_now_and_given_back(limiter: Limiter, clock: Clock, book: LeaseBook) -> None:
    entry = taken(book, seconds=20)
    clock.move(15)
    prolonged = book.ask(entry.lease_id, 100)
    assert isinstance(prolonged, Entry)
    clock.move(99)
    assert limiter.snapshot().active == 1
    assert book.close(entry.lease_id)
    assert limiter.snapshot().active == 0
    assert not book.close(entry.lease_id)
    assert book.ask(entry.lease_id, 100) is None


def test_a_ticket_keeps_its_place_among_checks_and_gets_the_slot_in_its_turn(
    limiter: Limiter, clock: Clock, book: LeaseBook, take: Take, request_of: RequestOf
) -> None:
    held, earlier, later = take(1), request_of(1), request_of(1)
    limiter.acquire(earlier, "h")
    ticket = book.open(1, "recorder", 60, patience=0)
    assert isinstance(ticket, Waiting)
    assert ticket.place == 2
    limiter.acquire(later, "h")
    limiter.release(held)
    answer = limiter.acquire(earlier, "h")
    assert isinstance(answer, Granted)
    again = book.ask(ticket.entry.lease_id, 60)
    assert isinstance(again, Waiting)
    assert again.place == 1
    limiter.release(answer.lease)
    clock.move(1)
    assert isinstance(book.ask(ticket.entry.lease_id, 60), Entry)
    assert isinstance(limiter.acquire(later, "h"), Queued)


def test_a_ticket_is_dropped_on_request(book: LeaseBook, limiter: Limiter, take: Take) -> None:
    take(1)
    ticket = book.open(1, "recorder", 60, patience=0)
    assert isinstance(ticket, Waiting)
    assert book.close(ticket.entry.lease_id)
    assert limiter.snapshot().waiting == 0


def test_a_lease_does_not_yield_to_viewers_but_the_checks_beside_it_do(
    limiter: Limiter, clock: Clock, book: LeaseBook, take: Take
) -> None:
    check = take(2)
    clock.move(1)
    entry = taken(book, 2)
    limiter.set_viewers({"account-2": 1})
    assert limiter.renew(check).gives_way
    assert not limiter.renew(entry.lease).gives_way


def test_a_book_registers_its_leases_again_in_a_redis_that_lost_them(
    limiter: Limiter, redis_client: Redis, book: LeaseBook, tmp_path: Path, request_of: RequestOf
) -> None:
    entry = taken(book, seconds=60)
    redis_client.flushall()
    restarted = LeaseBook(limiter, tmp_path / "leases.json")
    restarted.register()
    limiter.configure(accounts=ACCOUNTS, global_limit=4, stagger_delay=0)
    limiter.open_now()
    assert isinstance(limiter.acquire(request_of(1), "h"), Queued)
    (lease,) = limiter.snapshot().leases
    assert (lease.lease_id, lease.labels) == (entry.lease_id, {"label": "recorder"})
    assert 50 < lease.expires_at - limiter.snapshot().at <= 60, "its end stays"
    assert restarted.close(entry.lease_id)


def test_the_thread_of_a_book_registers_by_itself(limiter: Limiter, redis_client: Redis, book: LeaseBook) -> None:
    taken(book, seconds=60)
    redis_client.flushall()
    deadline = time.monotonic() + 20
    while not limiter.snapshot().active:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_lease_ends_with_a_reset_and_the_book_forgets_it(limiter: Limiter, book: LeaseBook) -> None:
    entry = taken(book)
    limiter.reset()
    book.register()
    assert book.ask(entry.lease_id, 60) is None


def test_an_unknown_account_gets_no_lease(book: LeaseBook) -> None:
    assert book.open(99, "recorder", 60, patience=0) == Refused("unknown_account")


def test_a_broken_file_is_an_empty_book(book: LeaseBook, tmp_path: Path) -> None:
    (tmp_path / "leases.json").write_text("[{")
    taken(book)


def test_a_lease_that_is_given_back_while_the_book_registers_it_stays_given_back(
    limiter: Limiter, book: LeaseBook, tmp_path: Path, redis_client: Redis
) -> None:
    class Overtaken(Limiter):
        def renew(self, lease: Lease, *, extend: float = 0.0) -> Renewed:
            book.close(lease.request.lease_id)
            return super().renew(lease, extend=extend)

    taken(book)
    LeaseBook(Overtaken(redis_client), tmp_path / "leases.json").register()
    assert limiter.snapshot().active == 0
