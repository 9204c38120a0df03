"""OKX v5 spot: whole books in band, then changes that name the one before; by REST where none comes in band.

Source: www.okx.com/docs-v5/en, order book channel, trades channel, get order book and get instruments (read 2026-09),
and its announcement of 2026-05-21 that `checksum` stays 0 from June 2026 on: it is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from ingest.fields import (
    Object,
    name_of,
    parse_object,
    says,
    symbol_at,
    symbols_of,
    take_choice,
    take_digits,
    take_following,
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
from ingest.sequence import Spliced
from ingest.units import Written, read_book, read_trade, step_places, taken
from ingest.venue import (
    BookUpdate,
    Capability,
    Control,
    Decoded,
    Ignored,
    Keepalive,
    Limit,
    Listing,
    Message,
    Refused,
    RestSnapshot,
    Scales,
    Sign,
    Venue,
)
from thalweg.errors import DecodeError
from thalweg.events import Taker

DEPTH = 400  # levels a side of `books`, every 100 ms; the faster channels need an account
LEVEL_PARTS = 4  # price, size, a field without meaning, how many orders
BOOK_PATH = "/api/v5/market/books"
INFO_PATH = "/api/v5/public/instruments"
MOST_REQUESTS = 480  # subscriptions and their ends that one connection may send in an hour, and so in its life
PACE_S = 0.1
REST_LIMIT = Limit(10, 2.0)  # requests; 20 in 2 s are allowed for the list, 40 for books
CONNECT_LIMIT = Limit(3, 2.0)  # it allows 3 a second: 3 and a full bucket in 2 s are less
CLOSING = "64008"  # the code of a notice that the connection ends within a minute
UNKNOWN_SYMBOL = "51001"
TAKERS = {"buy": Taker.BUY, "sell": Taker.SELL}
WHOLE = {"snapshot": True, "update": False}
TOPIC = re.compile(r"instId:([A-Za-z0-9-]{1,40})")  # in the words of a refusal


def connect(base: str) -> str:
    """Give the URL of the public channels."""
    return f"{base}/ws/v5/public"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a symbol; each channel of it is answered apart."""
    return [_request("subscribe", symbol, "books", "trades") for symbol in symbols]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [_request("unsubscribe", symbol, "books"), *subscribe([symbol])]


def _request(operation: str, symbol: str, *channels: str) -> str:
    topics = [{"channel": channel, "instId": symbol} for channel in channels]
    return orjson.dumps({"op": operation, "args": topics}).decode()


def decode(frame: bytes, scales: Scales) -> Decoded:
    """Turn one frame into messages.

    Raises:
        DecodeError: an undocumented shape.
    """
    if frame == b"pong":  # the one frame that is no JSON
        return Decoded([Control(Sign.ALIVE)])
    payload = parse_object(frame)
    if "event" in payload:
        return Decoded([_answer(payload)])
    topic = take_object(payload, "arg")
    channel = take_text(topic, "channel")
    if channel == "trades":
        return Decoded([_trade(trade, scales) for trade in take_objects(payload, "data")])
    if channel != "books":
        return Decoded([Ignored(name_of(channel))])
    symbol, whole = take_text(topic, "instId"), take_choice(payload, "action", WHOLE)
    return Decoded([_book(entry, symbol, whole, scales) for entry in take_objects(payload, "data")])


def _book(entry: Object, symbol: str, whole: bool, scales: Scales) -> BookUpdate | Refused:
    return read_book(
        scales,
        symbol,
        Written(take_pairs(entry, "bids", LEVEL_PARTS), take_pairs(entry, "asks", LEVEL_PARTS)),
        whole=whole,
        first=None if whole else take_following(entry, "prevSeqId"),
        last=take_integer(entry, "seqId"),
        ts_event=from_milliseconds(take_digits(entry, "ts")),
    )


def _trade(trade: Object, scales: Scales) -> Message:
    return read_trade(
        scales,
        take_text(trade, "instId"),
        price=trade.get("px"),
        size=trade.get("sz"),
        taker=take_choice(trade, "side", TAKERS),
        name=take_name(trade, "tradeId"),
        number=None,  # one may stand for several matches, and has the last one's id
        ts_event=from_milliseconds(take_digits(trade, "ts")),
    )


def _answer(payload: Object) -> Message:
    """Read an answer to one of our requests, or a notice."""
    event, words, topic = payload.get("event"), words_of(payload.get("msg")), payload.get("arg")
    if event == "subscribe" and isinstance(topic, dict):
        return Control(Sign.ACK, symbols_of(topic.get("instId")))
    if event == "unsubscribe":
        return Control(Sign.ALIVE)  # the subscription that follows it tells
    if event == "error":
        return Control(Sign.NACK, tuple(TOPIC.findall(words)), words)
    if event == "notice" and payload.get("code") == CLOSING:
        return Control(Sign.CLOSING, text=words)
    return Ignored(name_of(event))


def snapshot_url(base: str, symbol: str) -> str:
    """Give where a symbol's whole book is; `source` makes its sequence come along."""
    return f"{base}{BOOK_PATH}?instId={symbol}&sz={DEPTH}&source=0"


def decode_snapshot(body: bytes, symbol: str, scales: Scales) -> BookUpdate:
    """Turn the answer to a book request into a whole book.

    Raises:
        DecodeError: a refusal, an undocumented shape, no sequence, or a number or symbol we can't take.
    """
    for entry in take_objects(parse_object(body), "data"):
        return taken(_book(entry, symbol, True, scales))
    raise DecodeError(f"no book of {symbol}")


def _listing(entry: Object) -> tuple[str, Listing]:
    return take_text(entry, "instId"), Listing(
        take_text(entry, "baseCcy"),
        take_text(entry, "quoteCcy"),
        step_places(take_text(entry, "tickSz")),
        step_places(take_text(entry, "lotSz")),
        take_text(entry, "state") == "live",
    )


VENUE = Venue(
    name="okx",
    ws="wss://ws.okx.com:8443",
    rest="https://www.okx.com",
    capability=Capability("sequence", None),
    depth=DEPTH,
    keepalive=Keepalive(silence_s=4.8, ping="ping", every_s=1.5),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=Spliced,
    rest_snapshot=RestSnapshot(
        snapshot_url,
        lambda url: symbol_at(url, BOOK_PATH, "instId"),
        decode_snapshot,
        lambda status, body: says(body, "code", UNKNOWN_SYMBOL),
        spare=True,
    ),
    metadata=metadata_at(INFO_PATH, ["data"], _listing, "instType=SPOT"),
    pace_s=PACE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
    most_requests=MOST_REQUESTS,
)
