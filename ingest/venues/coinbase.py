"""Coinbase Advanced Trade: whole books in band, then deltas; one sequence counts every frame of a connection.

Source: docs.cdp.coinbase.com, advanced-trade-apis/websocket/websocket-channels (read 2026-08).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ingest.fields import (
    Object,
    name_of,
    parse_object,
    symbols_of,
    take_boolean,
    take_choice,
    take_integer,
    take_name,
    take_object,
    take_objects,
    take_text,
    words_of,
)
from ingest.instants import from_rfc3339
from ingest.listings import metadata_at
from ingest.scanning import Express, Template, both_ways, instant_of
from ingest.sequence import Unchecked
from ingest.units import Written, read_book, read_trade, step_places
from ingest.venue import (
    Capability,
    Control,
    Decoded,
    Ignored,
    Keepalive,
    Limit,
    Listing,
    Message,
    Scales,
    Sign,
    Venue,
)
from thalweg.errors import DecodeError
from thalweg.events import Taker
from thalweg.scan import INTEGER, LIST, TEXT, UPDATES

INFO_PATH = "/api/v3/brokerage/market/products"
PACE_S = 0.15  # 8 requests a second without a key
REST_LIMIT = Limit(5, 1.0)  # requests; about 10 a second are allowed without a key
CONNECT_LIMIT = Limit(12, 3.0)  # the venue allows 8 a second
MAX_FRAME = 16 * 2**20  # bytes; the whole book of BTC-USD has 5 MB
TAKERS = {"BUY": Taker.SELL, "SELL": Taker.BUY}  # `side` is the maker's: a resting buy is hit by a taker who sells
WHOLE = {"snapshot": True, "update": False}
BOOK = Template(
    {"channel": ["l2_data"], "client_id": TEXT, "timestamp": TEXT, "sequence_num": INTEGER, "events": LIST},
    {"type": ["update", "snapshot"], "product_id": TEXT, "updates": UPDATES},
    optional={"client_id"},
    symbol="product_id",
    whole="type",
)
SEQUENCE, INSTANT = BOOK.place("sequence_num"), BOOK.place("timestamp")


def connect(base: str) -> str:
    """Give the URL, which has no path."""
    return base


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a channel; heartbeats first, without which quiet channels are closed."""
    heartbeats = orjson.dumps({"type": "subscribe", "channel": "heartbeats"}).decode()
    channels = ("level2", "market_trades")
    return [heartbeats, *(_request("subscribe", channel, symbols) for channel in channels)]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [
        _request("unsubscribe", "level2", [symbol]),
        _request("subscribe", "level2", [symbol]),
        _request("subscribe", "market_trades", [symbol]),
    ]


def _request(kind: str, channel: str, symbols: Sequence[str]) -> str:
    return orjson.dumps({"type": kind, "product_ids": list(symbols), "channel": channel}).decode()


def _scan(frame: bytes, scales: Scales) -> Decoded:
    """Read a book frame of the documented shape, one event in it."""
    message, fields, _ = BOOK.read(frame, scales)
    message.ts_event = instant_of(frame, fields[INSTANT])
    return Decoded([message], fields[SEQUENCE])


def _decode(frame: bytes, scales: Scales) -> Decoded:
    payload = parse_object(frame)
    if payload.get("type") == "error":
        return Decoded([Control(Sign.NACK, text=words_of(payload.get("message")))])
    channel = take_text(payload, "channel")
    messages: list[Message]
    if channel == "l2_data":
        instant = from_rfc3339(take_text(payload, "timestamp"))
        messages = [_book(event, instant, scales) for event in take_objects(payload, "events")]
    elif channel == "market_trades":
        messages = [message for event in take_objects(payload, "events") for message in _trades(event, scales)]
    elif channel == "heartbeats":
        messages = [Control(Sign.ALIVE)]
    elif channel == "subscriptions":
        messages = [_subscriptions(event) for event in take_objects(payload, "events")]
    else:
        messages = [Ignored(name_of(channel))]
    return Decoded(messages, take_integer(payload, "sequence_num"))


decode = both_ways(_scan, _decode, unlike=b'"channel":"market_trades"')


def _book(event: Object, instant: int | None, scales: Scales) -> Message:
    return read_book(
        scales,
        take_text(event, "product_id"),
        _written(event),
        whole=take_choice(event, "type", WHOLE),
        ts_event=instant,
    )


def _written(event: Object) -> Written:
    """Find the levels, whose sides are mixed; their own `event_time` may be 1970 and is left alone."""
    bids: list[tuple[object, object]] = []
    asks: list[tuple[object, object]] = []
    sides = {"bid": bids, "offer": asks}
    for level in take_objects(event, "updates"):
        take_choice(level, "side", sides).append((level.get("price_level"), level.get("new_quantity")))
    return Written(bids, asks)


def _trades(event: Object, scales: Scales) -> list[Message]:
    """Read trades, which come newest first, in recaps and in updates alike."""
    history = take_choice(event, "type", WHOLE)
    return [_trade(trade, history, scales) for trade in reversed(take_objects(event, "trades"))]


def _trade(trade: Object, history: bool, scales: Scales) -> Message:
    return read_trade(
        scales,
        take_text(trade, "product_id"),
        price=trade.get("price"),
        size=trade.get("size"),
        taker=take_choice(trade, "side", TAKERS),
        name=take_name(trade, "trade_id"),
        number=None,  # not documented to step by one; the connection's sequence finds a loss
        ts_event=from_rfc3339(take_text(trade, "time")),
        history=history,
    )


def _subscriptions(event: Object) -> Message:
    """Read all that the connection is subscribed to by now, which answers every request."""
    books = take_object(event, "subscriptions").get("level2", [])
    return Control(Sign.ACK, symbols_of(*books) if isinstance(books, list) else ())


def _listing(entry: Object) -> tuple[str, Listing]:
    """Read a product; aliases count as not listed: `BTC-USDC` is the book of `BTC-USD`, and says so in its frames."""
    if entry.get("alias"):
        raise DecodeError("an alias")
    return take_text(entry, "product_id"), Listing(
        take_text(entry, "base_currency_id"),
        take_text(entry, "quote_currency_id"),
        step_places(take_text(entry, "price_increment")),
        step_places(take_text(entry, "base_increment")),
        take_text(entry, "status") == "online" and not take_boolean(entry, "trading_disabled"),
    )


VENUE = Venue(
    name="coinbase",
    ws="wss://advanced-trade-ws.coinbase.com",
    rest="https://api.coinbase.com",
    capability=Capability("connection", None, scope="connection"),
    depth=None,
    keepalive=Keepalive(silence_s=4.8, heartbeat_s=1),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=Unchecked,
    express=Express(BOOK, ("timestamp",), count="sequence_num"),
    metadata=metadata_at(INFO_PATH, ["products"], _listing, "product_type=SPOT"),
    pace_s=PACE_S,
    max_frame=MAX_FRAME,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
)
