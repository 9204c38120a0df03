"""Crypto.com Exchange v1, spot: whole books in band, then changes that name the one before; heartbeats to be answered.

Source: exchange-docs.crypto.com, exchange/v1/rest-ws, "book.{instrument_name}.{depth}" and "Heartbeats" (read 2026-09).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ingest import fields
from ingest import venue as seam
from ingest.fields import Object, digits_of, symbols_of, take_integer, take_object, take_objects, take_text
from ingest.instants import from_milliseconds
from ingest.listings import metadata_at
from ingest.sequence import Spliced
from ingest.units import Written, read_book, read_trade, step_places
from ingest.venue import BookUpdate, Control, Decoded, Ignored, Limit, Listing, Message, Scales, Sign
from thalweg.errors import DecodeError
from thalweg.events import Taker

DEPTH = 50  # levels a side, the most that come as changes
EVERY_MS = 10  # the faster of the two cadences
INFO_PATH = "/exchange/v1/public/get-instruments"
SETTLE_S = 1.0  # "add a 1-second sleep after establishing the websocket connection": limits count by calendar second
IDLE_S, SILENCE_S = 5.0, 8.0  # a book of which nothing changes is told so every 5 s
PACE_S = 0.05  # 100 requests a second are allowed
REST_LIMIT = Limit(5, 1.0)  # requests; 100 a second are allowed
CONNECT_LIMIT = Limit(10, 10.0)  # the limit is not published
TAKERS = {"BUY": Taker.BUY, "SELL": Taker.SELL}
STREAM = -1  # the id of what is streamed; what answers a request has the request's


def connect(base: str) -> str:
    """Give the URL of the market data stream."""
    return f"{base}/exchange/v1/market"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request for all; books are answered one by one, trades by their first frame."""
    return [_request("subscribe", [*map(_book_channel, symbols), *map(_trade_channel, symbols)])]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    book = _book_channel(symbol)
    return [_request("unsubscribe", [book]), _request("subscribe", [book, _trade_channel(symbol)])]


def _book_channel(symbol: str) -> str:
    return f"book.{symbol}.{DEPTH}"


def _trade_channel(symbol: str) -> str:
    return f"trade.{symbol}"


def _request(method: str, channels: list[str]) -> str:
    params: dict[str, object] = {"channels": channels}
    if method == "subscribe":
        params |= {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": EVERY_MS}
    return orjson.dumps({"id": 1, "method": method, "params": params}).decode()


def decode(frame: bytes, scales: Scales) -> Decoded:
    """Turn one frame into messages.

    Raises:
        DecodeError: an undocumented shape.
    """
    payload = fields.as_object(fields.parse_exact(frame))
    if payload.get("method") != "subscribe" or "result" not in payload:
        return Decoded([_answer(payload)])
    result = take_object(payload, "result")
    channel, symbol = take_text(result, "channel"), take_text(result, "instrument_name")
    if channel == "book":
        depth = take_integer(result, "depth")
        return Decoded([_whole(entry, symbol, depth, scales) for entry in take_objects(result, "data")])
    if channel == "book.update":
        return Decoded([_changes(entry, symbol, scales) for entry in take_objects(result, "data")])
    if channel == "trade":
        history = payload.get("id", STREAM) != STREAM
        trades = sorted(take_objects(result, "data"), key=_order)
        return Decoded([_trade(trade, history, scales) for trade in trades])
    return Decoded([Ignored(fields.name_of(channel))])


def _whole(entry: Object, symbol: str, depth: int, scales: Scales) -> Message:
    message = read_book(
        scales, symbol, _levels(entry), whole=True, last=take_integer(entry, "u"), ts_event=_instant(entry)
    )
    if isinstance(message, BookUpdate):
        message.depth = depth
    return message


def _changes(entry: Object, symbol: str, scales: Scales) -> Message:
    """Read changes, which follow the update that `pu` names; `cs` is of no documented rule, so it says nothing."""
    first, last = fields.take_following(entry, "pu"), take_integer(entry, "u")
    levels = _levels(take_object(entry, "update"))
    return read_book(scales, symbol, levels, whole=False, first=first, last=last, ts_event=_instant(entry))


def _levels(entry: Object) -> Written:
    """Find the levels, whose third part is the number of orders."""
    return Written(fields.take_pairs(entry, "bids", 3), fields.take_pairs(entry, "asks", 3))


def _instant(entry: Object) -> int | None:
    """Give when the book changed; `t` is when that was told."""
    return from_milliseconds(take_integer(entry, "tt" if "tt" in entry else "t"))


def _order(trade: Object) -> tuple[int, int, str]:
    """Give where a trade stands among those of its frame, which come newest first: ids grow with time."""
    name = digits_of(trade.get("d"))
    return take_integer(trade, "t"), len(str(name)), str(name)


def _trade(trade: Object, history: bool, scales: Scales) -> Message:
    name = digits_of(trade.get("d"))
    if not symbols_of(name):
        raise DecodeError("d is not an id")
    return read_trade(
        scales,
        take_text(trade, "i"),
        price=digits_of(trade.get("p")),
        size=digits_of(trade.get("q")),
        taker=fields.take_choice(trade, "s", TAKERS),
        name=str(name),
        number=None,  # ids grow, but not by one
        ts_event=from_milliseconds(take_integer(trade, "t")),
        history=history,
    )


def _answer(payload: Object) -> Message:
    """Read an answer to one of our requests, or a heartbeat, which is to be answered within 5 s."""
    method, code = payload.get("method"), payload.get("code")
    if method == "public/heartbeat":
        number = take_integer(payload, "id")
        reply = orjson.dumps({"id": number, "method": "public/respond-heartbeat"}).decode()
        return Control(Sign.ALIVE, reply=reply)
    kind, _, rest = str(payload.get("channel", "")).partition(".")
    symbols = symbols_of(rest.rpartition(".")[0] if kind == "book" else rest)
    if code not in (0, None):
        return Control(Sign.NACK, symbols, fields.words_of(payload.get("message")))
    if method == "subscribe" and kind == "book":
        return Control(Sign.ACK, symbols)
    if method in ("subscribe", "unsubscribe"):
        return Control(Sign.ALIVE)
    return Ignored(fields.name_of(method))


def _listing(entry: Object) -> tuple[str, Listing]:
    if entry.get("inst_type") != "CCY_PAIR":
        raise DecodeError("not a spot pair")
    return take_text(entry, "symbol"), Listing(
        take_text(entry, "base_ccy"),
        take_text(entry, "quote_ccy"),
        step_places(take_text(entry, "price_tick_size")),
        step_places(take_text(entry, "qty_tick_size")),
        fields.take_boolean(entry, "tradable"),
    )


VENUE = seam.Venue(
    name="cryptocom",
    ws="wss://stream.crypto.com",
    rest="https://api.crypto.com",
    capability=seam.Capability("sequence", None),
    depth=DEPTH,
    keepalive=seam.Keepalive(silence_s=SILENCE_S, heartbeat_s=IDLE_S),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=lambda: Spliced(held=False),
    metadata=metadata_at(INFO_PATH, ["result", "data"], _listing),
    settle_s=SETTLE_S,
    pace_s=PACE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
)
