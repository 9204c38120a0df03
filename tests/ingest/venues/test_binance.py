"""What each Binance frame becomes."""

from __future__ import annotations

import json

import pytest

from ingest.session import Session
from ingest.tally import Tally
from ingest.venue import Control, Ignored, Listing, Refused, Sign, TradeUpdate
from ingest.venues.binance import VENUE
from tests.ingest.venues.shapes import MS, book, decoded, frames, plain, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker
from thalweg.instruments import Instrument


def test_a_delta_spans_its_update_ids() -> None:
    assert decoded(VENUE, *frames("binance", "delta")) == [
        book(
            "BTCUSDT",
            False,
            [[6280110, 41230000], [6279900, 0]],
            [[6280111, 120000000]],
            first=99076452009,
            last=99076452014,
            ts_event=1787600123456 * MS,
        ),
        book(
            "BTCUSDT",
            False,
            [],
            [[6280111, 0]],
            first=99076452015,
            last=99076452015,
            ts_event=1787600123556 * MS,
        ),
    ]


def test_the_taker_sells_when_the_buyer_was_the_maker() -> None:
    assert decoded(VENUE, *frames("binance", "trade")) == [
        TradeUpdate("BTCUSDT", 6280111, 250000, Taker.BUY, "5123456789", 5123456789, 1787600123459 * MS),
        TradeUpdate("BTCUSDT", 6280110, 100000000, Taker.SELL, "5123456790", 5123456790, 1787600123469 * MS),
    ]


def test_answers_name_the_symbol_that_was_the_request_id() -> None:
    refusal = "Invalid request: unknown variant FOO, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`"
    assert decoded(VENUE, *frames("binance", "control")) == [
        Control(Sign.ACK, ("BTCUSDT",)),
        Control(Sign.ACK),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("BTCUSDT",), refusal),
        Control(Sign.NACK, (), "Invalid JSON: expected value at line 1 column 1"),
        Control(Sign.CLOSING, text="server shutdown"),
        Control(Sign.CLOSING, text="server shutdown"),
    ]


def test_frames_of_other_streams_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("binance", "ignored")) == [
        Ignored("bookTicker"),
        Ignored("bookTicker"),
        Ignored("aggTrade"),
        Ignored("depth20@100ms"),
        Ignored("depth"),
        Ignored("miniTicker@arr"),
        Ignored("unnamed"),
    ]


def test_a_fetched_book_is_whole() -> None:
    assert VENUE.rest_snapshot
    body = frames("binance", "snapshot")[0]
    assert plain(VENUE.rest_snapshot.decode(body, "BTCUSDT", lambda _: (6, 2))) == book(
        "BTCUSDT",
        True,
        [[4000000, 43100], [3990000, 950]],
        [[4000002, 1200]],
        first=1027024,
        last=1027024,
    )


@pytest.mark.parametrize("body", frames("binance", "snapshot")[1:])
def test_a_refused_fetch_is_no_book(body: bytes) -> None:
    assert VENUE.rest_snapshot
    with pytest.raises(DecodeError):
        VENUE.rest_snapshot.decode(body, "BTCUSDT", scales)


def test_a_fetched_book_with_a_number_that_does_not_fit_is_no_book() -> None:
    assert VENUE.rest_snapshot
    with pytest.raises(DecodeError, match="decimals"):
        VENUE.rest_snapshot.decode(frames("binance", "snapshot")[0], "BTCUSDT", lambda _: (2, 2))


def test_the_symbol_of_a_fetch_is_read_back_from_any_host() -> None:
    rest = VENUE.rest_snapshot
    assert rest
    url = rest.url("https://host", "BTCUSDT")
    assert url == "https://host/api/v3/depth?symbol=BTCUSDT&limit=1000"
    assert rest.symbol(url) == "BTCUSDT"
    assert rest.symbol("http://127.0.0.1:9900/binance/api/v3/depth?limit=5&symbol=ETHUSDT") == "ETHUSDT"
    assert rest.symbol("https://host/api/v3/exchangeInfo?symbol=BTCUSDT") is None
    assert rest.symbol("https://host/api/v3/depth?limit=5") is None
    assert rest.symbol("http://[/api/v3/depth?symbol=BTCUSDT") is None


def test_listings_give_the_places_of_the_steps_and_leave_out_what_can_not_be_read() -> None:
    assert VENUE.metadata
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    assert not VENUE.metadata.matches("https://host/api/v3/depth")
    assert VENUE.metadata.decode(frames("binance", "listings")[0]) == {
        "BTCUSDT": Listing("BTC", "USDT", 2, 5),
        "1000SATSUSDT": Listing("1000SATS", "USDT", 7, 0, trading=False),
    }


def test_each_symbol_is_asked_for_apart_so_that_a_refusal_names_it() -> None:
    assert [json.loads(text) for text in VENUE.subscribe(["BTCUSDT", "ETHUSDT"])] == [
        {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms", "btcusdt@trade"], "id": "BTCUSDT"},
        {"method": "SUBSCRIBE", "params": ["ethusdt@depth@100ms", "ethusdt@trade"], "id": "ETHUSDT"},
    ]
    assert [json.loads(text)["method"] for text in VENUE.resubscribe("BTCUSDT")] == ["UNSUBSCRIBE", "SUBSCRIBE"]
    assert VENUE.connect("wss://host") == "wss://host/stream"


def test_an_unknown_symbol_is_refused_and_odd_text_does_not_travel() -> None:
    frame = frames("binance", "delta")[1]
    assert decoded(VENUE, frame.replace(b"BTCUSDT", b"XYZ")) == [Refused("XYZ", "book", "unknown_symbol")]
    assert decoded(VENUE, frame.replace(b"BTCUSDT", "币安".encode())) == [Refused(None, "book", "unknown_symbol")]
    trade = frames("binance", "trade")[1]
    assert decoded(VENUE, trade.replace(b"BTCUSDT", b"X" * 41)) == [Refused(None, "trade", "unknown_symbol")]


def test_a_refused_subscription_is_made_again_before_the_book_is_fetched() -> None:
    instrument = Instrument("BTC-USDT", 8, 8, {"binance": "BTCUSDT"})
    session = Session(VENUE, {"BTCUSDT": instrument}, Tally(), lambda: 1.0)
    session.connected(0, 0)
    session.frame(b'{"code":0,"msg":"Service unavailable","id":"BTCUSDT"}', 1, 1)
    effects = session.tick(2, 4 * 10**9)
    assert [json.loads(text)["method"] for text in effects.send[-2:]] == ["UNSUBSCRIBE", "SUBSCRIBE"]
    assert effects.fetch == []
    session.frame(b'{"result":null,"id":"BTCUSDT"}', 3, 5 * 10**9)
    assert session.tick(4, 7 * 10**9).fetch == ["BTCUSDT"]
