"""What each Bitstamp frame becomes, and what a session makes of the simulated venue."""

from __future__ import annotations

import json

import pytest

from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.bitstamp import VENUE
from tests.ingest.venues.play import Play
from tests.ingest.venues.shapes import book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Delta, Flag, Snapshot, Status, Taker

US = 1_000  # ns


def test_every_book_is_whole_and_dated_to_the_microsecond() -> None:
    bids = [[3792586, 30000000], [3792300, 100000000]]
    first, second = 1643643584684047, 1643643584784048
    assert decoded(VENUE, *frames("bitstamp", "book")) == [
        book("btcusdt", True, bids, [[3793811, 13000000]], last=first, ts_event=first * US),
        book("btcusdt", True, [], [[3793810, 10000000]], last=second, ts_event=second * US),
    ]


def test_trades_are_the_takers_and_read_from_their_texts() -> None:
    assert decoded(VENUE, *frames("bitstamp", "trade")) == [
        TradeUpdate("btcusdt", 380544, 7920000, Taker.BUY, "216000477", None, 1641343699596000 * US),
        TradeUpdate("btcusdt", 380540, 633171283, Taker.SELL, "216000479", None, 1641343699599000 * US),
    ]


def test_control_frames() -> None:
    assert decoded(VENUE, *frames("bitstamp", "control")) == [
        Control(Sign.ACK, ("btcusdt",)),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.NACK, (), "Incorrect JSON format."),
        Control(Sign.NACK, (), "Connection is unauthorized."),
        Control(Sign.CLOSING, text="the venue asks for a new connection"),
    ]


def test_other_channels_are_ignored_by_name_and_changes_alone_are_no_book() -> None:
    names = "diff_order_book", "detail_order_book", "order_created", "something"
    assert decoded(VENUE, *frames("bitstamp", "ignored")) == [Ignored(name) for name in names]


def test_spot_markets_are_listed() -> None:
    assert VENUE.metadata is not None
    assert VENUE.metadata.decode(frames("bitstamp", "listings")[0]) == {
        "btcusd": Listing("BTC", "USD", 0, 8),
        "xrpusdt": Listing("XRP", "USDT", 5, 8, trading=False),
    }
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    for body in (b'{"name":"BTC/USD"}', b"[7]"):
        with pytest.raises(DecodeError):
            VENUE.metadata.decode(body)


def test_one_channel_a_request_and_a_resync_leaves_the_book_first() -> None:
    def said(texts: list[str]) -> list[tuple[str, str]]:
        return [(one["event"], one["data"]["channel"]) for one in map(json.loads, texts)]

    join = [("bts:subscribe", "order_book_btcusdt"), ("bts:subscribe", "live_trades_btcusdt")]
    assert said(VENUE.subscribe(["btcusdt"])) == join
    assert said(VENUE.resubscribe("btcusdt")) == [("bts:unsubscribe", "order_book_btcusdt"), *join]
    assert VENUE.connect("wss://host") == "wss://host"


@pytest.mark.parametrize(
    ("case", "part", "other"),
    [
        ("book", b'"1643643584684047"', b'"-5"'),
        ("book", b'"1643643584684047"', b'"1.5"'),
        ("book", b'"1643643584684047"', b"1643643584684047"),
        ("book", b'"microtimestamp"', b'"micro"'),
        ("book", b'["37938.11","0.13000000"]', b'["37938.11"]'),
        ("book", b'"bids":[', b'"bids":["x",'),
        ("book", b'"channel":"order_book_btcusdt"', b'"channel":null'),
        ("book", b'"event":"data"', b'"event":1'),
        ("trade", b'"type":0', b'"type":2'),
        ("trade", b'"type":0', b'"type":"0"'),
        ("trade", b'"id":216000477', b'"id":"216000477"'),
    ],
)
def test_a_frame_of_another_shape_is_refused(case: str, part: bytes, other: bytes) -> None:
    frame = frames("bitstamp", case)[0]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)


def test_books_are_the_venues_at_every_position_told_as_changes_and_as_unverified() -> None:
    play = Play("bitstamp").run(8)
    play.bench.world.pause(play.bench.now)
    play.run(20)
    assert play.states == ["live", "live"]
    assert (play.tally.gaps, play.tally.bad_frames, play.closed) == (0, 0, [])
    assert play.compared > 1_000
    assert sum(isinstance(event, Delta) for event in play.events) > 100
    told = [event.flags for event in play.events if isinstance(event, Snapshot | Status)]
    assert all(flags & Flag.UNVERIFIED for flags in told)
    assert play.balanced()


@pytest.mark.parametrize("kind", ["drop", "duplicate", "reorder", "truncate", "garbage", "number_exponent", "refuse"])
def test_the_next_whole_book_mends_what_nothing_shows(kind: str) -> None:
    play = Play("bitstamp").run(1)
    play.bench.fault(kind)
    play.run(3)
    assert len(play.bench.faults) == (kind != "refuse")
    assert play.tally.gaps == 0
    assert play.states == ["live", "live"]
    assert play.balanced()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("number_null", "refused: syntax"), ("cut", "closed by the venue"), ("request_reconnect", "closed")],
)
def test_what_shows_is_told_and_mended(kind: str, reason: str) -> None:
    play = Play("bitstamp").run(1)
    play.bench.fault(kind)
    play.run(3)
    assert play.reasons.count(reason) == (1 if kind == "number_null" else 2)
    assert play.states == ["live", "live"]
    assert play.balanced()


def test_a_silent_book_is_asked_for_again() -> None:
    play = Play("bitstamp").run(6)
    before = len(play.sent)
    play.bench.fault("silent_book", seconds=1e9)
    play.run(9)
    assert any("bts:unsubscribe" in text for text in play.sent[before:])
    assert play.states == ["live", "live"]
