"""What each Crypto.com frame becomes, and what a session makes of the simulated venue."""

from __future__ import annotations

import json

import pytest

from ingest.venue import Control, Ignored, Listing, Refused, Sign, TradeUpdate
from ingest.venues.cryptocom import VENUE
from tests.ingest.venues.play import Play
from tests.ingest.venues.shapes import MS, book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker

FIRST, SECOND = 375554806244928, 375554806336512


def test_a_whole_book_and_what_follows_it() -> None:
    whole, delta, idle, other = decoded(VENUE, *frames("cryptocom", "book"))
    assert whole == book(
        "BTC_USDT",
        True,
        [[8414300, 7860000], [8414090, 50000000]],
        [[8414310, 20080000], [8414520, 100000000]],
        last=FIRST,
        ts_event=1790114273346 * MS,
        depth=50,
    )
    moved = 1790114273655 * MS
    assert delta == book(
        "BTC_USDT", False, [[8414210, 545820000]], [[8414520, 0]], first=FIRST + 1, last=SECOND, ts_event=moved
    )
    assert idle == book("BTC_USDT", False, [], [], first=SECOND + 1, last=SECOND, ts_event=moved)
    told = 1790114279001 * MS
    assert other == book(
        "BTC_USDT", False, [], [[8414310, 10000000]], first=SECOND + 1, last=375554806400000, ts_event=told
    )


def test_trades_are_the_takers_in_the_order_of_their_ids_and_the_first_frame_is_history() -> None:
    def trade(price: int, size: int, taker: Taker, name: str, ms: int, *, history: bool = False) -> TradeUpdate:
        return TradeUpdate("BTC_USDT", price, size, taker, name, None, ms * MS, history=history)

    assert decoded(VENUE, *frames("cryptocom", "trade")) == [
        trade(5132760, 20000000, Taker.BUY, "2030407065", 1613581138462, history=True),
        trade(5132750, 10000, Taker.SELL, "2030407068", 1613581138462, history=True),
        trade(5132740, 300000000, Taker.BUY, "999", 1613581138999),
        trade(5132730, 100000000, Taker.BUY, "1000", 1613581138999),
        trade(5132750, 1470022, Taker.SELL, "2030407070", 1613581139000),
        Refused("BTC_USDT", "trade", "decimals"),  # a bare number, read to its last digit
    ]


def test_control_frames_and_the_answer_that_a_heartbeat_wants() -> None:
    reply = '{"id":1790114291578,"method":"public/respond-heartbeat"}'
    assert decoded(VENUE, *frames("cryptocom", "control")) == [
        Control(Sign.ACK, ("BTC_USDT",)),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("NOPE_USD",), "Unknown symbol"),
        Control(Sign.NACK, ("NOPE_USD",), "Unknown symbol"),
        Control(Sign.NACK, (), "Maximum subscriptions exceeded"),
        Control(Sign.ALIVE, reply=reply),
        Control(Sign.NACK, (), "No such method"),
    ]


def test_other_channels_are_ignored_by_name() -> None:
    names = "ticker", "public/get-instruments", "unnamed"
    assert decoded(VENUE, *frames("cryptocom", "ignored")) == [Ignored(name) for name in names]


def test_spot_pairs_are_listed() -> None:
    assert VENUE.metadata is not None
    assert VENUE.metadata.decode(frames("cryptocom", "listings")[0]) == {
        "BTC_USDT": Listing("BTC", "USDT", 2, 5),
        "OLD_USDT": Listing("OLD", "USDT", 0, 0, trading=False),
    }
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))


def test_one_request_asks_for_all_and_a_resync_leaves_first() -> None:
    (one,) = map(json.loads, VENUE.subscribe(["BTC_USDT", "ETH_USD"]))
    assert one["params"]["channels"] == ["book.BTC_USDT.50", "book.ETH_USD.50", "trade.BTC_USDT", "trade.ETH_USD"]
    assert one["params"]["book_subscription_type"] == "SNAPSHOT_AND_UPDATE"
    leave, join = map(json.loads, VENUE.resubscribe("BTC_USDT"))
    assert leave == {"id": 1, "method": "unsubscribe", "params": {"channels": ["book.BTC_USDT.50"]}}
    assert join["params"]["channels"] == ["book.BTC_USDT.50", "trade.BTC_USDT"]
    assert VENUE.connect("wss://host") == "wss://host/exchange/v1/market"


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"pu":375554806244928', b'"pu":-1'),
        (b'"u":375554806336512', b'"u":"375554806336512"'),
        (b'["84145.2","0","0"]', b'["84145.2","0"]'),
        (b'["84145.2","0","0"]', b'{"0":1,"1":2,"2":3}'),
        (b'"update":{', b'"changes":{'),
        (b'"tt":1790114273655', b'"tt":null'),
        (b'"channel":"book.update"', b'"channel":7'),
        (b'"data":[', b'"data":[7,'),
    ],
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("cryptocom", "book")[1]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)


@pytest.mark.parametrize("other", [b'"d":null', b'"d":"\\n"', b'"d":[1]', b'"e":"999"'])
def test_a_trade_without_an_id_is_refused(other: bytes) -> None:
    with pytest.raises(DecodeError):
        VENUE.decode(frames("cryptocom", "trade")[1].replace(b'"d":"999"', other), scales)


def test_books_are_the_venues_at_every_position_and_quiet_ones_are_confirmed() -> None:
    play = Play("cryptocom").run(4)
    assert play.compared > 1_000
    play.bench.world.pause(play.bench.now)
    play.run(25)
    assert play.states == ["live", "live"]
    assert (play.tally.gaps, play.tally.bad_frames, play.closed) == (0, 0, [])
    assert play.tally.dropped["duplicate"] >= 8  # nothing has changed, every 5 s
    assert play.balanced()


def test_heartbeats_are_answered_or_the_venue_hangs_up() -> None:
    play = Play("cryptocom").run(1)
    deaf = play.bench.connect()
    play.bench.world.pause(play.bench.now)
    play.run(95)
    assert sum("respond-heartbeat" in text for text in play.sent) == 3
    assert [number for number, _ in play.bench.ends] == [deaf.number]
    assert play.states == ["live", "live"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("drop", "gap"),
        ("reorder", "gap"),
        ("truncate", "gap"),
        ("garbage", "gap"),
        ("sequence_reset", "gap"),
        ("number_null", "refused: syntax"),
        ("cut", "closed by the venue"),
    ],
)
def test_a_loss_is_told_and_mended(kind: str, reason: str) -> None:
    play = Play("cryptocom").run(1)
    play.bench.fault(kind)
    play.run(2)
    assert play.reasons.count(reason) == (2 if kind == "cut" else 1)
    assert play.states == ["live", "live"]
    assert play.balanced()


@pytest.mark.parametrize("kind", ["duplicate", "number_exponent", "refuse"])
def test_what_costs_nothing_is_not_told(kind: str) -> None:
    play = Play("cryptocom").run(1)
    play.bench.fault(kind)
    play.run(2)
    assert play.tally.gaps == 0
    assert play.states == ["live", "live"]
