"""Bybit v5 spot: whole books in band, then deltas whose `u` steps by one; trades in batches.

Source: bybit-exchange/docs, docs/v5/websocket/public/orderbook.mdx and trade.mdx (read 2026-07-24).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from ingest import venue as seam
from ingest.fields import (
    Object,
    name_of,
    parse_object,
    symbols_of,
    take_choice,
    take_integer,
    take_name,
    take_object,
    take_objects,
    take_pairs,
    take_text,
    words_of,
)
from ingest.instants import from_milliseconds
from ingest.listings import metadata_at
from ingest.scanning import Declined, Express, Template, both_ways, text_of
from ingest.sequence import Step
from ingest.units import Written, read_book, read_trade, step_places
from ingest.venue import BookUpdate, Control, Decoded, Ignored, Listing, Message, Scales, Sign
from thalweg.events import Taker
from thalweg.scan import ASK_PAIRS, BID_PAIRS, INTEGER, OBJECT, TEXT

DEPTH = 200  # levels a side, every 100 ms; 1000 come half as often
BOOK_DEPTHS = ("50", "200", "1000")  # `orderbook.1` is another thing: whole best prices, told again when quiet
INFO_PATH = "/v5/market/instruments-info"
PACE_S = 0.05  # 20 requests a second; bursts of 200 were taken
REST_LIMIT = seam.Limit(30, 1.0)  # requests; the venue allows 600 in 5 s
CONNECT_LIMIT = seam.Limit(100, 100.0)  # it allows 500 in five minutes: 300 and a full bucket are less
BACK_OFF_S = {403: 600.0, 429: 60.0}  # "access too frequent" is to be left alone for ten minutes
TAKERS = {"Buy": Taker.BUY, "Sell": Taker.SELL}
WHOLE = {"snapshot": True, "delta": False}
BOOK = Template(
    {"topic": TEXT, "ts": INTEGER, "type": ["delta", "snapshot"], "data": OBJECT, "cts": INTEGER},
    {"s": TEXT, "b": BID_PAIRS, "a": ASK_PAIRS, "u": INTEGER, "seq": INTEGER},
    optional={"cts"},
    symbol="s",
    whole="type",
)
TOPIC_TEXT, SENT, MATCHED, NUMBER = map(BOOK.place, ("topic", "ts", "cts", "u"))
TOPIC = re.compile(r"(?:orderbook\.\w{1,8}|publicTrade)\.([A-Za-z0-9]{1,40})")


def connect(base: str) -> str:
    """Give the URL of the public spot stream."""
    return f"{base}/v5/public/spot"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a topic: one that the venue refuses fails all that are asked for with it."""
    return [request for symbol in symbols for request in _subscriptions(symbol)]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [_request("unsubscribe", f"orderbook.{DEPTH}.{symbol}", symbol), *_subscriptions(symbol)]


def _subscriptions(symbol: str) -> list[str]:
    topics = (f"orderbook.{DEPTH}.{symbol}", f"publicTrade.{symbol}")
    return [_request("subscribe", topic, symbol) for topic in topics]


def _request(operation: str, topic: str, symbol: str) -> str:
    """Make a request whose id, the symbol, comes back with the answer."""
    return orjson.dumps({"req_id": symbol, "op": operation, "args": [topic]}).decode()


def _scan(frame: bytes, scales: Scales) -> Decoded:
    """Read a book frame of the documented shape."""
    message, fields, _ = BOOK.read(frame, scales)
    channel, _, rest = text_of(frame, fields[TOPIC_TEXT]).partition(".")
    depth = rest.partition(".")[0]
    if channel != "orderbook" or depth not in BOOK_DEPTHS:
        raise Declined
    message.first = message.last = fields[NUMBER]
    message.ts_event = from_milliseconds(fields[SENT] if fields[MATCHED] < 0 else fields[MATCHED])
    if message.whole:
        message.depth = int(depth)
    return Decoded([message])


def _decode(frame: bytes, scales: Scales) -> Decoded:
    payload = parse_object(frame)
    if "topic" not in payload:
        return Decoded([_answer(payload)])
    kind, _, rest = take_text(payload, "topic").partition(".")
    if kind == "publicTrade":
        return Decoded([_trade(trade, scales) for trade in take_objects(payload, "data")])
    if kind != "orderbook":
        return Decoded([Ignored(name_of(kind))])
    depth = rest.partition(".")[0]
    if depth not in BOOK_DEPTHS:
        return Decoded([Ignored(name_of(f"orderbook.{depth}"))])
    return Decoded([_book(payload, int(depth), scales)])


decode = both_ways(_scan, _decode, unlike=b'"topic":"publicTrade.')


def _book(payload: Object, depth: int, scales: Scales) -> Message:
    data = take_object(payload, "data")
    sequence = take_integer(data, "u")
    instant = take_integer(payload, "cts" if "cts" in payload else "ts")  # the matching engine's, else the gateway's
    message = read_book(
        scales,
        take_text(data, "s"),
        Written(take_pairs(data, "b"), take_pairs(data, "a")),
        whole=take_choice(payload, "type", WHOLE),
        first=sequence,
        last=sequence,
        ts_event=from_milliseconds(instant),
    )
    if isinstance(message, BookUpdate) and message.whole:
        message.depth = depth
    return message


def _trade(trade: Object, scales: Scales) -> Message:
    return read_trade(
        scales,
        take_text(trade, "s"),
        price=trade.get("p"),
        size=trade.get("v"),
        taker=take_choice(trade, "S", TAKERS),
        name=take_name(trade, "i"),
        number=None,  # ids grow, but not by one
        ts_event=from_milliseconds(take_integer(trade, "T")),
    )


def _answer(payload: Object) -> Message:
    """Read an answer to one of our requests."""
    operation, success = payload.get("op"), payload.get("success")
    text = words_of(payload.get("ret_msg"))
    if operation == "pong" or text == "pong":  # spot says `"op":"ping"` with this text
        return Control(Sign.ALIVE)
    if not isinstance(success, bool):
        return Ignored(name_of(operation))
    if operation == "unsubscribe":
        return Control(Sign.ALIVE, text=text)  # the subscription that follows it tells
    symbols = symbols_of(payload.get("req_id")) or tuple(TOPIC.findall(text))
    if success or "already subscribed" in text:
        return Control(Sign.ACK, symbols)
    return Control(Sign.NACK, symbols, text)


def _listing(entry: Object) -> tuple[str, Listing]:
    return take_text(entry, "symbol"), Listing(
        take_text(entry, "baseCoin"),
        take_text(entry, "quoteCoin"),
        step_places(take_text(take_object(entry, "priceFilter"), "tickSize")),
        step_places(take_text(take_object(entry, "lotSizeFilter"), "basePrecision")),
        take_text(entry, "status") == "Trading",
    )


VENUE = seam.Venue(
    name="bybit",
    ws="wss://stream.bybit.com",
    rest="https://api.bybit.com",
    capability=seam.Capability("sequence", None),
    depth=DEPTH,
    keepalive=seam.Keepalive(silence_s=4.8, ping='{"op":"ping"}', every_s=1.5),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=Step,
    express=Express(BOOK, ("cts", "ts"), first="u", last="u", topic=("topic", f"orderbook.{DEPTH}.")),
    metadata=metadata_at(INFO_PATH, ["result", "list"], _listing, "category=spot"),
    pace_s=PACE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
    back_off_s=BACK_OFF_S,
)
