"""Kraken spot, WebSocket v2: whole books in band, no sequence, a checksum of the top ten on every book frame.

Source: docs.kraken.com, spot-websocket-v2 and guides/websockets/book-checksum-v2 (read 2026-08).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ingest import venue as seam
from ingest.fields import (
    Object,
    as_object,
    digits_of,
    name_of,
    parse_exact,
    symbols_of,
    take_choice,
    take_integer,
    take_objects,
    take_text,
    words_of,
)
from ingest.instants import from_rfc3339
from ingest.scanning import Express, Template, both_ways, instant_of
from ingest.sequence import Summed
from ingest.units import Written, read_book, read_trade
from ingest.venue import BookUpdate, Control, Decoded, Ignored, Message, Scales, Sign
from thalweg.book import Book
from thalweg.events import State, Taker
from thalweg.scan import ASK_OBJECTS, BID_OBJECTS, INTEGER, LIST, TEXT

DEPTH = 25  # 10 would leave nothing to step in when one of the checked ten goes
DEPTHS = (10, 25, 100, 500, 1000)  # what the venue offers; a book that is not acknowledged is of the least that fits
CHECKED = 10  # levels a side in the checksum
AGAIN = 2  # `req_id` of asking for trades that we may have: its answer is not news, whatever its words
PACE_S = 0.5  # the limit is not published; about one request a second is known to be well
CONNECT_LIMIT = seam.Limit(50, 300.0)  # about 150 in ten minutes are said to be allowed: 100 and a full bucket
TAKERS = {"buy": Taker.BUY, "sell": Taker.SELL}
WHOLE = {"snapshot": True, "update": False}
SYSTEM = {"online": True, "cancel_only": False, "maintenance": False, "post_only": False}  # whether trades happen
BOOK = Template(
    {"channel": ["book"], "type": ["update", "snapshot"], "data": LIST},
    {"symbol": TEXT, "bids": BID_OBJECTS, "asks": ASK_OBJECTS, "checksum": INTEGER, "timestamp": TEXT},
    optional={"timestamp", "checksum"},
    symbol="symbol",
    whole="type",
)
CHECKSUM, INSTANT = BOOK.place("checksum"), BOOK.place("timestamp")


def connect(base: str) -> str:
    """Give the URL of the public stream."""
    return f"{base}/v2"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request for the books and one for the trades of all symbols; each symbol is answered apart."""
    return [_books("subscribe", symbols), _trades(symbols)]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [_books("unsubscribe", [symbol]), _books("subscribe", [symbol]), _trades([symbol], req_id=AGAIN)]


def _books(method: str, symbols: Sequence[str]) -> str:
    params = {"channel": "book", "symbol": list(symbols), "depth": DEPTH}
    return orjson.dumps({"method": method, "params": params}).decode()


def _trades(symbols: Sequence[str], **more: int) -> str:
    params = {"channel": "trade", "symbol": list(symbols), "snapshot": False}
    return orjson.dumps({"method": "subscribe", "params": params} | more).decode()


def _scan(frame: bytes, scales: Scales) -> Decoded:
    """Read a book frame of the documented shape, one book in it."""
    message, fields, units = BOOK.read(frame, scales)
    checksum, instant = fields[CHECKSUM], fields[INSTANT]
    if instant >= 0:
        message.ts_event = instant_of(frame, instant)
    _complete(message, checksum if checksum >= 0 else None, (fields[-2] - units[0], fields[-1] - units[1]))
    return Decoded([message])


def _decode(frame: bytes, scales: Scales) -> Decoded:
    payload = as_object(parse_exact(frame))
    channel = payload.get("channel")
    if channel == "book":
        whole = take_choice(payload, "type", WHOLE)
        return Decoded([_book(entry, whole, scales) for entry in take_objects(payload, "data")])
    if channel == "trade":
        history = take_choice(payload, "type", WHOLE)
        return Decoded([_trade(entry, history, scales) for entry in take_objects(payload, "data")])
    if channel == "heartbeat":
        return Decoded([Control(Sign.ALIVE)])
    if channel == "status":
        return Decoded([_status(entry) for entry in take_objects(payload, "data")])
    return Decoded([Ignored(name_of(channel)) if channel is not None else _answer(payload)])


decode = both_ways(_scan, _decode, unlike=b'"channel":"trade"')


def _book(entry: Object, whole: bool, scales: Scales) -> Message:
    symbol = take_text(entry, "symbol")
    levels = Written(_pairs(entry, "bids"), _pairs(entry, "asks"))
    message = read_book(scales, symbol, levels, whole=whole, ts_event=_instant(entry))
    if isinstance(message, BookUpdate):
        _complete(message, take_integer(entry, "checksum") if "checksum" in entry else None, levels.shift())
    return message


def _complete(message: BookUpdate, checksum: int | None, shift: tuple[int, int]) -> None:
    message.checksum, message.shift = checksum, shift
    if message.whole:
        longest = max(len(message.bids), len(message.asks))
        message.depth = next((depth for depth in DEPTHS if depth >= longest), None)


def _pairs(entry: Object, key: str) -> list[tuple[object, object]]:
    levels = take_objects(entry, key)
    return [(digits_of(level.get("price")), digits_of(level.get("qty"))) for level in levels]


def _instant(entry: Object) -> int | None:
    """Give the instant, which older captures lack in snapshots."""
    return from_rfc3339(take_text(entry, "timestamp")) if "timestamp" in entry else None


def checksum(book: Book, shift: tuple[int, int]) -> int:
    """Give the CRC32 of the ten best asks, then the ten best bids: their digits without points and leading zeros."""
    return book.sum_digits(CHECKED, shift)


def _trade(entry: Object, history: bool, scales: Scales) -> Message:
    number = take_integer(entry, "trade_id")
    return read_trade(
        scales,
        take_text(entry, "symbol"),
        price=digits_of(entry.get("price")),
        size=digits_of(entry.get("qty")),
        taker=take_choice(entry, "side", TAKERS),
        name=str(number),
        number=number,
        ts_event=_instant(entry),
        history=history,
    )


def _status(entry: Object) -> Message:
    """Read the trading engine's state: all but online means that nothing trades."""
    state = State.SYNCING if take_choice(entry, "system", SYSTEM) else State.HALTED
    return Control(Sign.STATE, text=take_text(entry, "system"), state=state)


def _answer(payload: Object) -> Message:
    """Read an answer to one of our requests."""
    method, success = payload.get("method"), payload.get("success")
    error = words_of(payload.get("error", payload.get("Error")))
    if method in ("pong", "unsubscribe") or payload.get("req_id") == AGAIN:
        return Control(Sign.ALIVE, text=error)  # of an unsubscription: the subscription that follows it tells
    if success is True and method == "subscribe":
        result = as_object(payload.get("result"))
        depth = take_integer(result, "depth") if result.get("channel") == "book" else None
        return Control(Sign.ACK, symbols_of(result.get("symbol")), depth=depth)
    if not error:
        return Ignored(name_of(method))
    again = error.startswith("Already subscribed")
    return Control(Sign.ACK if again else Sign.NACK, symbols_of(payload.get("symbol")), error)


VENUE = seam.Venue(
    name="kraken",
    ws="wss://ws.kraken.com",
    rest=None,
    capability=seam.Capability("checksum", CHECKED),
    depth=DEPTH,
    keepalive=seam.Keepalive(silence_s=4.8, ping='{"method":"ping"}', every_s=30, heartbeat_s=1),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=lambda: Summed(checksum),
    express=Express(BOOK, ("timestamp",), checksum="checksum", checked=CHECKED),
    pace_s=PACE_S,
    connect_limit=CONNECT_LIMIT,
)
