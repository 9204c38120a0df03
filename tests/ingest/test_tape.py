"""The continuity of trades, against a list of everything that was seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.tape import RECENT_IDS, Tape
from ingest.venue import TradeUpdate
from thalweg.events import Taker


def trade(number: int | None, identity: str) -> TradeUpdate:
    """Give a trade that has nothing but its place."""
    return TradeUpdate("X", 1, 1, Taker.BUY, identity, number, None)


@given(st.lists(st.integers(1, 40)))
def test_numbered_trades_are_taken_once_in_order_and_holes_are_counted(numbers: list[int]) -> None:
    tape, seen = Tape(), list[int]()
    for number in numbers:
        missing = tape.admit(trade(number, str(number)))
        if seen and number <= seen[-1]:
            assert missing is None
        else:
            assert missing == (number - seen[-1] - 1 if seen else 0)
            seen.append(number)


def test_trades_without_a_number_are_taken_once_by_their_id() -> None:
    tape = Tape()
    assert tape.admit(trade(None, "a")) == 0
    assert tape.admit(trade(None, "a")) is None
    assert tape.admit(trade(None, "b")) == 0


def test_only_the_recent_ids_are_remembered() -> None:
    tape = Tape()
    for k in range(RECENT_IDS + 1):
        tape.admit(trade(None, str(k)))
    assert tape.admit(trade(None, "1")) is None
    assert tape.admit(trade(None, "0")) == 0


def test_a_recap_older_than_what_another_worker_wrote_is_not_taken() -> None:
    seen, mine = Tape(), Tape()
    seen.seed([], since=100)
    mine.learn(seen)
    for tape in (seen, mine):
        for ts_event, history, taken in [(99, True, None), (100, True, 0), (98, False, 0), (None, True, 0)]:
            one = TradeUpdate("X", 1, 1, Taker.BUY, f"{ts_event}", None, ts_event, history)
            assert tape.admit(one) == taken
