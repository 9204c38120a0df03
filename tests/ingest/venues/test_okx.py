"""What each OKX frame becomes, and how its books come back."""

from __future__ import annotations

import json

import pytest

from ingest.session import Session
from ingest.tally import Tally
from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.okx import VENUE
from tests.ingest.venues.shapes import MS, book, decoded, frames, plain, scales
from thalweg.errors import DecodeError
from thalweg.events import State, Taker
from thalweg.instruments import Instrument

SECOND = 1_000_000_000
NOW = 1785096000 * SECOND


def test_a_change_goes_on_from_the_sequence_after_the_one_it_names() -> None:
    whole, delta, idle, reset = decoded(VENUE, *frames("okx", "book"))
    assert whole == book(
        "BTC-USDT",
        True,
        [[6750010, 95000000]],
        [[6750020, 120000000], [6750110, 1]],
        last=450001,
        ts_event=1785096000123 * MS,
    )
    assert delta == book(
        "BTC-USDT",
        False,
        [[6750010, 125000000]],
        [[6750020, 0], [6750040, 150000000]],
        first=450002,
        last=450013,
        ts_event=1785096000223 * MS,
    )
    assert idle == book("BTC-USDT", False, [], [], first=450014, last=450013, ts_event=1785096060223 * MS)
    assert reset == book(
        "BTC-USDT", False, [[6750000, 10000000]], [], first=450014, last=3, ts_event=1785096061223 * MS
    )


def test_every_trade_of_a_frame_is_kept_in_order() -> None:
    assert decoded(VENUE, *frames("okx", "trade")) == [
        TradeUpdate("BTC-USDT", 4221990, 12060306, Taker.BUY, "130639474", None, 1630048897897 * MS),
        TradeUpdate("BTC-USDT", 4221980, 10000000, Taker.SELL, "130639475", None, 1630048897898 * MS),
    ]


def test_answers_name_the_symbol_also_in_the_words_of_a_refusal() -> None:
    wrong = (
        "Wrong URL or channel:books,instId:FOO-BAR doesn't exist. Please use the correct URL, channel and parameters"
    )
    assert decoded(VENUE, *frames("okx", "control")) == [
        Control(Sign.ACK, ("BTC-USDT",)),
        Control(Sign.ACK, ("BTC-USDT",)),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("FOO-BAR",), f"{wrong} referring to API document."[:120]),
        Control(Sign.NACK, (), 'Invalid request: {"op": "subscribe"}'),
        Control(Sign.CLOSING, text="The connection will soon be closed for a service upgrade. Please reconnect."),
    ]


def test_the_pong_is_no_json_and_a_sign_of_life() -> None:
    assert decoded(VENUE, b"pong") == [Control(Sign.ALIVE)]


def test_other_channels_and_notices_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("okx", "ignored")) == [
        Ignored("bbo-tbt"),
        Ignored("books5"),
        Ignored("channel-conn-count"),
        Ignored("notice"),
    ]


def test_requests_name_a_symbol_each_and_count_for_the_connection() -> None:
    topics = [{"channel": channel, "instId": "BTC-USDT"} for channel in ("books", "trades")]
    wanted = {"op": "subscribe", "args": topics}
    assert [json.loads(text) for text in VENUE.subscribe(["BTC-USDT"])] == [wanted]
    assert [json.loads(text) for text in VENUE.resubscribe("BTC-USDT")] == [
        {"op": "unsubscribe", "args": topics[:1]},
        wanted,
    ]
    assert VENUE.connect("wss://host") == "wss://host/ws/v5/public"
    assert VENUE.most_requests == 480


def test_listings_give_the_places_of_the_steps_and_leave_out_what_can_not_be_read() -> None:
    assert VENUE.metadata
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    assert not VENUE.metadata.matches("https://host/api/v5/public/instruments?instType=SWAP")
    listed, refused = frames("okx", "listings")
    assert VENUE.metadata.decode(listed) == {
        "BTC-USDT": Listing("BTC", "USDT", 1, 8),
        "PIT-USDT": Listing("PIT", "USDT", 12, 0, trading=False),
    }
    with pytest.raises(DecodeError):
        VENUE.metadata.decode(refused)


def test_a_book_by_rest_is_of_use_with_its_sequence_alone() -> None:
    rest = VENUE.rest_snapshot
    assert rest
    assert rest.symbol(rest.url("https://host", "BTC-USDT")) == "BTC-USDT"
    assert rest.symbol("https://host/api/v5/market/trades?instId=BTC-USDT") is None
    good, *bad, refusal = frames("okx", "snapshot")
    assert plain(rest.decode(good, "BTC-USDT", scales)) == book(
        "BTC-USDT", True, [[6750010, 95000000]], [[6750020, 120000000]], last=450007, ts_event=1785096000200 * MS
    )
    for body in (*bad, refusal):
        with pytest.raises(DecodeError):
            rest.decode(body, "BTC-USDT", scales)
    assert rest.unknown(400, refusal)
    assert not rest.unknown(500, b"<html>")


def started() -> Session:
    session = Session(VENUE, {"BTC-USDT": Instrument("BTC-USDT", 8, 8, {"okx": "BTC-USDT"})}, Tally(), lambda: 0.5)
    assert session.connected(NOW, NOW).send == VENUE.subscribe(["BTC-USDT"])
    return session


def test_a_minute_without_changes_is_a_sign_of_life_and_a_reset_costs_the_book() -> None:
    session = started()
    whole, delta, idle, reset = frames("okx", "book")
    kinds = [[type(one).__name__ for one in session.frame(frame, NOW, NOW).events] for frame in (whole, delta, idle)]
    (track,) = session.tracks
    assert kinds == [["Status", "Snapshot", "Status"][1:], ["Delta"], []]
    assert (track.state, track.sequence) == (State.LIVE, 450013)
    session.frame(reset, NOW, NOW)
    assert (track.state, track.reason) == (State.STALE, "gap")
    assert session.tick(NOW, NOW + SECOND).send == VENUE.resubscribe("BTC-USDT")


def test_a_book_that_does_not_come_in_band_is_fetched_and_spliced_with_what_came() -> None:
    session = started()
    delta = frames("okx", "book")[1]
    assert session.frame(delta, NOW, NOW).events == []
    later = NOW + 11 * SECOND
    session.frame(b"pong", later, later)
    wanted = session.tick(later, later)
    assert (wanted.send[:-1] if wanted.send else [], wanted.fetch) == ([], ["BTC-USDT"])
    session.book_fetched("BTC-USDT", frames("okx", "snapshot")[0], later, later)
    (track,) = session.tracks
    assert (track.state, track.sequence, track.held) == (State.LIVE, 450013, 0)
    assert track.book.best_ask == (6750040000000, 150000000)
