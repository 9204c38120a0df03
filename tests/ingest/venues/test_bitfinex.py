"""What each Bitfinex frame becomes, its checksum, and what a session makes of the simulated venue."""

from __future__ import annotations

import json
import zlib

import pytest

from ingest.sequence import Proof, Verdict
from ingest.venue import BookUpdate, Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.bitfinex import VENUE, checksum
from tests.ingest.venues.play import Play
from tests.ingest.venues.shapes import MS, book, decoded, frames, reader_of, scales
from thalweg.book import Book
from thalweg.errors import DecodeError
from thalweg.events import Flag, State, Taker

SHIFT = (-2, -8)  # from units of 2 and 8 places to whole numbers
AT = 1609794565952


def test_books_are_read_level_by_level_and_sums_stand_alone() -> None:
    def change(after: int, bids: list[list[int]], asks: list[list[int]], checksum: int | None = None) -> BookUpdate:
        return book("tBTCUST", False, bids, asks, ts_event=(AT + after) * MS, checksum=checksum, shift=SHIFT)

    assert decoded(VENUE, *frames("bitfinex", "book")) == [
        book(
            "tBTCUST",
            True,
            [[3111500, 150000000], [3111450, 31589592]],
            [[3111600, 50000000]],
            ts_event=1609794291015 * MS,
            shift=SHIFT,
        ),
        change(0, [[3092700, 9080000]], []),
        change(1, [], [[3111600, 0]]),
        change(1, [[3111500, 0]], []),
        change(2, [], [[3111625, 5]]),
        change(3, [], [], checksum=(1 << 32) - 890884919),
        book("tBTCUST", True, [], [], ts_event=(AT + 4) * MS, shift=SHIFT),
    ]


def test_the_sequence_counts_every_array_of_a_connection_and_no_event() -> None:
    reader = reader_of(VENUE)
    lines = [line for case in ("control", "book", "trade", "ignored") for line in frames("bitfinex", case)]
    sequences = [reader.decode(line, scales).connection_sequence for line in lines]
    assert [one for one in sequences if one] == [17, 1, *range(19, 25), 2, *range(25, 30)]
    assert sequences.count(None) == sum(line.startswith(b"{") for line in lines)


@pytest.mark.parametrize("units", [(2, 8), (8, 8), (2, 12)])
def test_the_checksum_and_its_follow_up_hold_in_any_units(units: tuple[int, int]) -> None:
    reader, held, rule = reader_of(VENUE), Book(), VENUE.rule()
    messages = [reader.decode(line, lambda _: units).messages[0] for line in frames("bitfinex", "vector")]
    updates = [one for one in messages if isinstance(one, BookUpdate)]
    proofs = []
    for update in updates:
        assert rule.admit(update) is Verdict.APPLY
        (held.load if update.whole else held.apply)(update.bids, update.asks)
        proofs.append(rule.verify(update, held))
    assert proofs == [Proof.UNCLAIMED, Proof.GOOD, Proof.UNCLAIMED, Proof.UNCLAIMED, Proof.GOOD]
    assert rule.verify(updates[1], held) is Proof.BAD


def test_the_checksum_takes_25_levels_a_side_and_leaves_out_what_is_missing() -> None:
    held = Book()
    assert checksum(held, SHIFT) == 0
    (whole,) = reader_of(VENUE).decode(
        json.dumps([10092, [[100 + k, 1, k + 1] for k in range(30)] + [[200, 1, -1e-7]], 1, 1]).encode(), scales
    ).messages  # fmt: skip
    assert isinstance(whole, BookUpdate)
    held.load(whole.bids, whole.asks)
    text = "129:30:200:-1e-7:" + ":".join(f"{100 + k}:{k + 1}" for k in reversed(range(5, 29)))
    assert checksum(held, SHIFT) == zlib.crc32(text.encode())


def test_trades_are_the_takers_told_once_and_the_first_frame_is_history() -> None:
    def trade(size: int, price: int, taker: Taker, name: str, ms: int, *, history: bool = False) -> TradeUpdate:
        return TradeUpdate("tBTCUST", price, size, taker, name, None, ms * MS, history=history)

    assert decoded(VENUE, *frames("bitfinex", "trade")) == [
        trade(25000000, 724500, Taker.SELL, "401597394", 1574694478700, history=True),
        trade(500000, 724530, Taker.BUY, "401597395", 1574694478808, history=True),
        trade(500000, 724530, Taker.SELL, "401597396", 1574694479000),
        Control(Sign.ALIVE),
    ]


def test_control_frames() -> None:
    assert decoded(VENUE, *frames("bitfinex", "control")) == [
        Control(Sign.STATE, text="operative", state=State.SYNCING),
        Control(Sign.ALIVE),
        Control(Sign.ACK, ("tBTCUST",), depth=100),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("tFOOBAR",), "symbol: invalid"),
        Control(Sign.ACK, ("tDOGE:UST",), "subscribe: dup"),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.CLOSING, text="Stopping. Please try to reconnect"),
        Control(Sign.STATE, text="maintenance", state=State.HALTED),
        Control(Sign.STATE, text="operative", state=State.SYNCING),
        Control(Sign.STATE, text="maintenance", state=State.HALTED),
        Control(Sign.ALIVE),
    ]
    failed = Control(Sign.CLOSING, text="frames would lack what verifies them")
    assert decoded(VENUE, b'{"event":"conf","status":"FAILED","flags":229376}') == [failed]


def test_other_channels_and_books_of_other_precision_are_ignored_by_name() -> None:
    names = "ticker", "book.R0", "unknown-channel", "auth"
    assert decoded(VENUE, *frames("bitfinex", "ignored")) == [Ignored(name) for name in names]


def test_frames_carry_what_the_connection_was_told_that_they_would() -> None:
    reader = VENUE.new_reader()
    lines = [
        b'{"event":"conf","status":"OK","flags":65536}',
        b'{"event":"subscribed","channel":"book","chanId":5,"symbol":"tBTCUST","prec":"P0","freq":"F0","len":25}',
        b"[5,[6000,1,1],2]",
        b'{"event":"conf","status":"OK","flags":0}',
        b"[5,[6000,1,1]]",
    ]
    found = [reader.decode(line, scales) for line in lines]
    assert [one.connection_sequence for one in found] == [None, None, 2, None, None]
    assert [one.messages[0].ts_event for one in found if isinstance(one.messages[0], BookUpdate)] == [None, None]


def test_pairs_are_listed_with_the_venues_aliases_and_without_steps() -> None:
    assert VENUE.metadata is not None
    assert VENUE.metadata.decode(frames("bitfinex", "listings")[0]) == {
        "tBTCUSD": Listing("BTC", "USD", 0, 8),
        "tBTCUST": Listing("BTC", "USDT", 0, 8),
        "tDOGE:USD": Listing("DOGE", "USD", 0, 8),
        "tAVAX:UST": Listing("AVAX", "USDT", 0, 8),
        "tETHUDC": Listing("ETH", "USDC", 0, 8),
    }
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    with pytest.raises(DecodeError):
        VENUE.metadata.decode(b'["BTCUSD"]')


def test_a_resync_leaves_the_channel_by_the_number_that_the_connection_gave_it() -> None:
    book_ = {"event": "subscribe", "channel": "book", "symbol": "tBTCUST", "prec": "P0", "freq": "F0", "len": "100"}
    join = [book_, {"event": "subscribe", "channel": "trades", "symbol": "tBTCUST"}]
    assert [json.loads(text) for text in VENUE.subscribe(["tBTCUST"])] == [{"event": "conf", "flags": 229376}, *join]
    assert [json.loads(text) for text in VENUE.resubscribe("tBTCUST")] == join
    reader = reader_of(VENUE)
    leave = {"event": "unsubscribe", "chanId": 10092}
    assert [json.loads(text) for text in reader.resubscribe("tBTCUST")] == [leave, *join]
    reader.decode(b'{"event":"unsubscribed","status":"OK","chanId":10092}', scales)
    assert [json.loads(text) for text in reader.resubscribe("tBTCUST")] == join
    assert VENUE.connect("wss://host") == "wss://host/ws/2"


@pytest.mark.parametrize(
    "frame",
    [
        b"[10092,[30927,5],1,2]",
        b"[10092,[30927,5,1,1],1,2]",
        b"[10092,[30927,-1,1],1,2]",
        b"[10092,[30927,1.5,1],1,2]",
        b"[10092,[30927,true,1],1,2]",
        b"[10092,[[30927,1,1],7],1,2]",
        b'[10092,"cs","17",1,2]',
        b'[10092,"cs",1.5,1,2]',
        b'[10092,"cs",true,1,2]',
        b"[10092,7,1,2]",
        b"[10092,[30927,5,1],1]",
        b"[10092,[30927,5,1],-1,2]",
        b'[10092,[30927,5,1],1,"2"]',
        b'[10093,"te",[401597396,1574694479000,-0.005],1,2]',
        b'[10093,"te",[4.5,1574694479000,-0.005,1],1,2]',
        b'[10093,"fte",[401597396,1574694479000,-0.005,1],1,2]',
        b"[10093,[7],1,2]",
        b"[true,[30927,5,1],1,2]",
        b"[]",
        b'"hb"',
        b'{"event":"subscribed","channel":"book","chanId":"5","symbol":"tBTCUSD","prec":"P0","len":"25"}',
        b'{"event":"subscribed","channel":"book","chanId":5,"symbol":"tBTCUSD","prec":"P0","len":[25]}',
        b'{"event":7}',
    ],
)
def test_a_frame_of_another_shape_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        reader_of(VENUE).decode(frame, scales)


def test_books_are_the_venues_after_every_level_and_each_sum_holds() -> None:
    play = Play("bitfinex").run(8)
    assert play.states == ["live", "live"]
    assert (play.tally.gaps, play.tally.bad_frames, play.tally.checksums_bad, play.closed) == (0, 0, 0, [])
    assert play.tally.checksums_ok > 100
    assert play.compared > 1_000
    play.bench.world.pause(play.bench.now)
    play.run(20)
    assert play.tally.gaps == 0
    assert play.balanced()


@pytest.mark.parametrize("kind", ["drop", "reorder", "truncate", "garbage", "sequence_reset", "drop_trade"])
def test_a_lost_frame_costs_every_book_of_the_connection(kind: str) -> None:
    play = Play("bitfinex").run(1)
    play.bench.fault(kind)
    play.run(4)
    assert play.closed == ["connection gap"]
    assert play.reasons.count("connection gap") == 2
    assert play.states == ["live", "live"]
    assert play.balanced()


@pytest.mark.parametrize(
    ("kind", "reason"), [("corrupt_checksum", "checksum"), ("number_null", "refused: syntax"), ("halt", "maintenance")]
)
def test_what_is_wrong_with_a_book_costs_no_connection(kind: str, reason: str) -> None:
    play = Play("bitfinex").run(1)
    play.bench.fault(kind)
    play.run(5)
    assert play.closed == []
    assert play.reasons.count(reason) == (2 if kind == "halt" else 1)
    assert play.states == ["live", "live"]
    assert play.balanced()


def test_sums_that_stay_wrong_or_are_withdrawn_are_believed_no_more() -> None:
    for kind in ("checksum_stuck", "checksum_zero"):
        play = Play("bitfinex", ["BTC-USDT"]).run(1)
        play.bench.fault(kind, seconds=6)
        play.run(5)
        assert play.session.tracks[0].flags & Flag.UNVERIFIED
        play.run(10)
        assert not play.session.tracks[0].flags & Flag.UNVERIFIED
