"""The client at the gateway: knows when all books are live, and that every publication is merged or skipped."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.cli.subscriber import Subscriber, missing
from thalweg.instruments import Instrument, Instruments

INSTRUMENTS = Instruments({"BTC-USD": Instrument("BTC-USD", 8, 8, {"kraken": "BTC/USD", "coinbase": "BTC-USD"})})
LADDER, TRADES = "cbook:BTC-USD", "trades:*:BTC-USD"


def status(venue: str, state: str) -> dict[str, Any]:
    return {"t": "status", "ex": venue, "sym": "BTC-USD", "st": state}


def frame(kind: str, channel: str, s: int, p: int = 0, n: int = 0, **more: int) -> dict[str, Any]:
    return {"t": kind, "ch": channel, "s": s, "p": p, "n": n} | more


def heard(*messages: dict[str, Any]) -> Subscriber:
    subscriber = Subscriber(INSTRUMENTS)
    for at, message in enumerate(messages):
        subscriber.take(message, float(at))
    return subscriber


def test_all_live_is_the_first_instant_at_which_every_book_is() -> None:
    messages = [status("kraken", "live"), status("coinbase", "syncing"), status("coinbase", "live")]
    subscriber = heard(*messages, status("kraken", "stale"), status("kraken", "live"))
    assert subscriber.all_live_at == 2.0
    assert (subscriber.live, subscriber.books) == (2, 2)


def test_books_that_are_not_live_are_named() -> None:
    subscriber = heard(status("kraken", "stale"))
    assert missing(subscriber) == ["kraken:BTC-USD stale", "coinbase:BTC-USD unknown"]
    assert subscriber.all_live_at is None


def test_a_status_of_the_system_is_no_book() -> None:
    assert heard({"t": "status", "sys": "redis", "st": "live"}).states == {}


def test_frames_that_continue_add_up() -> None:
    subscriber = heard(frame("snap", LADDER, 10), frame("d", LADDER, 13, 10, 3), frame("d", LADDER, 14, 13, 1))
    assert subscriber.violations() == []
    assert subscriber.report() == {"count": 1, "merged": 4, "skipped": 0}


def test_a_snapshot_in_between_is_a_jump() -> None:
    subscriber = heard(frame("snap", LADDER, 10), frame("snap", LADDER, 25), frame("d", LADDER, 26, 25, 1))
    assert subscriber.violations() == []
    assert subscriber.report() == {"count": 1, "merged": 1, "skipped": 15}


def test_trades_begin_without_a_snapshot() -> None:
    subscriber = heard(frame("trades", TRADES, 12, 0, 7), frame("trades", TRADES, 20, 12, 6, gap=2))
    assert subscriber.violations() == []
    assert subscriber.variants[TRADES].first == 5


@pytest.mark.parametrize("n", [2, 4])
def test_a_frame_that_merges_another_number_is_a_violation(n: int) -> None:
    subscriber = heard(frame("snap", LADDER, 10), frame("d", LADDER, 13, 10, n))
    assert subscriber.violations() == [
        f"subscriber {LADDER}: last 13 - first 10 is 3, but merged {n} + skipped 0 is {n}; 1 are unaccounted for"
    ]


def test_a_frame_that_does_not_continue_is_a_violation() -> None:
    subscriber = heard(frame("snap", LADDER, 10), frame("d", LADDER, 13, 11, 3))
    assert subscriber.violations() == [f"{LADDER}: a frame from 11 to 13 after 10"]


def test_a_refused_subscription_is_a_violation() -> None:
    subscriber = heard({"t": "ack", "id": 0, "ok": [], "err": [{"ch": LADDER, "code": 106}]})
    assert "subscription refused" in subscriber.violations()[0]


def test_it_has_caught_up_when_every_ladder_has() -> None:
    subscriber = heard(frame("snap", LADDER, 10))
    assert subscriber.caught_up({"BTC-USD": 10})
    assert not subscriber.caught_up({"BTC-USD": 11})
    assert not subscriber.caught_up({"BTC-USD": 10, "ETH-USD": 1})


def test_requests_stay_below_the_protocols_bound() -> None:
    many = {f"A{k}-USD": Instrument(f"A{k}-USD", 8, 8, {"kraken": f"A{k}"}) for k in range(200)}
    requests = Subscriber(Instruments(many))._requests()
    assert max(map(len, requests)) <= 64
    assert len({channel for request in requests for channel in request}) == 401
