"""Time live is added up book by book, and falls are counted, whatever the looks fall on."""

from __future__ import annotations

import pytest

from aggregator.books import VenueBook
from aggregator.history import FLUSH_NS, HOUR_NS, KEPT_S, History
from thalweg.events import State
from thalweg.instruments import Instrument
from thalweg.resp import pack

NAME = "BTC-USDT"
INSTRUMENT = Instrument(NAME, 8, 8, {"binance": "BTCUSDT", "kraken": "XBT/USDT"})
SECOND = 1_000_000_000
HOUR = 495_000
TS = HOUR * HOUR_NS + 5 * SECOND
KEY = f"uptime:{{{NAME}}}:{HOUR}"


def books(binance: State, kraken: State) -> list[VenueBook]:
    found = [VenueBook(INSTRUMENT, venue) for venue in ("binance", "kraken")]
    for book, state in zip(found, (binance, kraken), strict=True):
        book.line.state, book.heard = state, True
    return found


def added(commands: list[bytes]) -> dict[str, int]:
    """Read the increments back from the commands."""
    found = {}
    for command in commands:
        words = [part for part in command.decode().split("\r\n") if part and part[0] not in "*$"]
        if words[0] == "HINCRBY":
            assert words[1] == KEY
            found[words[2]] = int(words[3])
    return found


def test_time_is_live_observed_or_untraded_and_falls_are_counted() -> None:
    history, live, stale = History(NAME, 0), State.LIVE, State.STALE
    for second, binance, kraken in (
        (1, live, live), (3, live, stale), (4, live, live), (5, live, stale), (6, State.HALTED, live), (9, live, live),
        (10, live, live),
    ):  # fmt: skip
        history.look(books(binance, kraken), second * SECOND)
    commands = history.due(10 * SECOND, TS)
    assert added(commands) == {
        "binance.observed_ms": 6000, "binance.live_ms": 6000,
        "kraken.observed_ms": 9000, "kraken.live_ms": 7000, "kraken.falls": 2,
    }  # fmt: skip
    assert commands[-1] == pack("EXPIRE", KEY, KEPT_S)


def test_what_was_told_is_told_once_and_no_part_of_a_millisecond_is_lost() -> None:
    history, at, total = History(NAME, 0), 0, 0
    for turn in range(1, 2001):
        at = turn * 16_666_667
        history.look(books(State.LIVE, State.LIVE), at)
        total += added(history.due(at, TS)).get("kraken.live_ms", 0)
    history.look(books(State.LIVE, State.LIVE), at + FLUSH_NS)
    total += added(history.due(at + FLUSH_NS, TS))["kraken.live_ms"]
    assert total == (at + FLUSH_NS - 16_666_667) // 1_000_000


def test_a_book_whose_ingest_is_silent_is_not_live() -> None:
    history, silent = History(NAME, 0), books(State.LIVE, State.LIVE)
    silent[1].heard = False
    history.look(silent, SECOND)
    history.look(silent, 11 * SECOND)
    found = added(history.due(11 * SECOND, TS))
    assert (found["binance.live_ms"], found.get("kraken.live_ms", 0)) == (10_000, 0)


@pytest.mark.parametrize("seconds", [0, 9])
def test_nothing_is_due_before_its_time_or_without_looks(seconds: int) -> None:
    assert History(NAME, 0).due(seconds * SECOND, TS) == []
    assert History(NAME, 0).due(60 * SECOND, TS) == []


def test_looks_are_of_the_books_as_they_are_published() -> None:
    book = books(State.LIVE, State.LIVE)[0]
    history = History(NAME, 0)
    history.look([book], SECOND)
    book.line.state = State.STALE
    book.line.state = State.LIVE  # back before the next publication: nobody saw it
    history.look([book], 2 * SECOND)
    assert "binance.falls" not in added(history.due(20 * SECOND, TS))
