"""What each KuCoin frame becomes, and that it is not spoken to before it has greeted."""

from __future__ import annotations

import json

import pytest

from ingest.session import Session
from ingest.tally import Tally
from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.kucoin import VENUE
from tests.ingest.venues.shapes import book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker
from thalweg.instruments import Instrument

SECOND = 1_000_000_000


def test_spans_go_on_from_a_snapshot_and_instants_are_exact_to_the_nanosecond() -> None:
    whole, delta = decoded(VENUE, *frames("kucoin", "book"))
    assert whole == book(
        "BTC-USDT",
        True,
        [[6653240, 9489000], [6653210, 200000000]],
        [[6653250, 46243848]],
        first=20452522782,
        last=20452522782,
        ts_event=1774624848673000000,
    )
    assert delta == book(
        "BTC-USDT",
        False,
        [[6653240, 0], [6653230, 150000000]],
        [],
        first=20452522783,
        last=20452522790,
        ts_event=1774624848683000001,
    )


def test_integers_that_come_as_texts_are_the_same_and_not_for_the_scanner() -> None:
    (frame,) = frames("kucoin", "quoted")
    assert decoded(VENUE, frame) == [
        book("BTC-USDT", False, [], [[6653250, 0]], first=20452522791, last=20452522791, ts_event=1774624848693000000)
    ]
    assert VENUE.decode(frame, scales).fallbacks == 1


def test_trades_have_their_matching_instant() -> None:
    assert decoded(VENUE, *frames("kucoin", "trade")) == [
        TradeUpdate("BTC-USDT", 6649549, 31423240, Taker.BUY, "20745928670070784", None, 1774618231141000000),
        TradeUpdate("BTC-USDT", 6649540, 100000000, Taker.SELL, "20745928670070785", None, 1774618231142000000),
    ]


def test_answers_name_the_symbol_by_the_id_that_we_gave_them() -> None:
    assert decoded(VENUE, *frames("kucoin", "control")) == [
        Control(Sign.WELCOME),
        Control(Sign.ACK, ("BTC-USDT",)),
        Control(Sign.NACK, ("NOPE-USDT",), "invalid request data"),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
    ]


def test_other_feeds_and_channels_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("kucoin", "ignored")) == [
        Ignored("obu.SPOT.50"),
        Ignored("ticker.SPOT"),
        Ignored("error"),
    ]


def test_each_request_is_for_one_channel_of_one_symbol() -> None:
    books = {"id": "BTC-USDT obu", "action": "SUBSCRIBE", "channel": "obu", "tradeType": "SPOT", "symbol": "BTC-USDT"}
    wanted = [
        books | {"depth": "increment@10ms"},
        books | {"id": "BTC-USDT trade", "channel": "trade"},
    ]
    assert [json.loads(text) for text in VENUE.subscribe(["BTC-USDT"])] == wanted
    off = wanted[0] | {"id": "BTC-USDT obu off", "action": "UNSUBSCRIBE"}
    assert [json.loads(text) for text in VENUE.resubscribe("BTC-USDT")] == [off, *wanted]
    assert VENUE.connect("wss://host") == "wss://host"
    assert VENUE.keepalive.every_s > 1  # more than one ping a second is punished


def test_nothing_is_said_before_the_greeting_and_everything_after_it() -> None:
    listings = {"BTC-USDT": Instrument("BTC-USDT", 8, 8, {"kucoin": "BTC-USDT"})}
    session = Session(VENUE, listings, Tally(), lambda: 0.5)
    assert session.connected(SECOND, SECOND).send == []
    assert session.tick(4 * SECOND, 4 * SECOND).send == []
    greeting = frames("kucoin", "control")[0]
    assert session.frame(greeting, 5 * SECOND, 5 * SECOND).send == VENUE.subscribe(["BTC-USDT"])
    assert session.tick(8 * SECOND, 8 * SECOND).send == [VENUE.keepalive.ping]


def test_listings_give_the_places_of_the_steps_and_leave_out_what_can_not_be_read() -> None:
    assert VENUE.metadata
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    listed, refused = frames("kucoin", "listings")
    assert VENUE.metadata.decode(listed) == {
        "BTC-USDT": Listing("BTC", "USDT", 1, 8),
        "ANKR-BTC": Listing("ANKR", "BTC", 10, 4, trading=False),
    }
    with pytest.raises(DecodeError):
        VENUE.metadata.decode(refused)


@pytest.mark.parametrize(
    ("part", "other"), [(b'"snapshot"', b'"update"'), (b'"C":20452522782', b'"C":1.5'), (b'"d":{', b'"e":{')]
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("kucoin", "book")[0]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)
