"""Bitstamp: every book frame is the whole book, its best 100 levels a side; nothing tells that a frame was lost.

Source: www.bitstamp.net/websocket/v2 and www.bitstamp.net/api (read 2026-09).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ingest import fields
from ingest import venue as seam
from ingest.dated import Dated
from ingest.fields import Object, take_integer, take_text
from ingest.instants import MICROSECOND_NS, from_units
from ingest.listings import metadata_at
from ingest.units import Written, read_book, read_trade
from ingest.venue import Control, Decoded, Ignored, Limit, Listing, Message, Scales, Sign
from thalweg.errors import DecodeError
from thalweg.events import Taker

BOOK, TRADES = "order_book", "live_trades"
DEPTH = 100  # levels a side of `order_book`
INFO_PATH = "/api/v2/markets/"
PACE_S = 0.05  # the limit of the socket is not published
REST_LIMIT = Limit(5, 1.0)  # requests; 400 a second are allowed
CONNECT_LIMIT = Limit(10, 10.0)  # the limit is not published
MAX_AGE_S = 89 * 86_400.0  # "maximum connection age is 90 days"
TAKERS = {0: Taker.BUY, 1: Taker.SELL}


def connect(base: str) -> str:
    """Give the URL, which has no path."""
    return base


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a channel: none may name two."""
    return [_request("subscribe", channel, symbol) for symbol in symbols for channel in (BOOK, TRADES)]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a book again; trades are asked for in case they were refused before."""
    return [_request("unsubscribe", BOOK, symbol), *subscribe([symbol])]


def _request(event: str, channel: str, symbol: str) -> str:
    return orjson.dumps({"event": f"bts:{event}", "data": {"channel": f"{channel}_{symbol}"}}).decode()


def decode(frame: bytes, scales: Scales) -> Decoded:
    """Turn one frame into messages.

    Raises:
        DecodeError: an undocumented shape.
    """
    payload = fields.parse_object(frame)
    event = take_text(payload, "event")
    if event.startswith("bts:"):
        return Decoded([_notice(event, payload)])
    channel, _, symbol = take_text(payload, "channel").rpartition("_")
    if (event, channel) == ("data", BOOK):
        return Decoded([_book(fields.take_object(payload, "data"), symbol, scales)])
    if (event, channel) == ("trade", TRADES):
        return Decoded([_trade(fields.take_object(payload, "data"), symbol, scales)])
    return Decoded([Ignored(fields.name_of(channel if event == "data" else event))])


def _book(data: Object, symbol: str, scales: Scales) -> Message:
    """Read a whole book; its instant is the only number that tells the later of two."""
    levels = Written(fields.take_pairs(data, "bids"), fields.take_pairs(data, "asks"))
    at = fields.take_digits(data, "microtimestamp")
    return read_book(scales, symbol, levels, whole=True, last=at, ts_event=from_units(at, MICROSECOND_NS))


def _trade(data: Object, symbol: str, scales: Scales) -> Message:
    """Read a trade; `amount` and `price` have been through a float, the texts beside them have not."""
    kind = take_integer(data, "type")
    if kind not in TAKERS:
        raise DecodeError("type is neither 0 nor 1")
    return read_trade(
        scales,
        symbol,
        price=data.get("price_str"),
        size=data.get("amount_str"),
        taker=TAKERS[kind],
        name=str(take_integer(data, "id")),
        number=None,  # ids grow, but not by one
        ts_event=from_units(fields.take_digits(data, "microtimestamp"), MICROSECOND_NS),
    )


def _notice(event: str, payload: Object) -> Message:
    """Read an answer to one of our requests, or what the server has to say."""
    if event == "bts:subscription_succeeded":
        channel, _, symbol = take_text(payload, "channel").rpartition("_")
        return Control(Sign.ACK, fields.symbols_of(symbol)) if channel == BOOK else Control(Sign.ALIVE)
    if event in ("bts:heartbeat", "bts:unsubscription_succeeded"):
        return Control(Sign.ALIVE)
    if event == "bts:request_reconnect":
        return Control(Sign.CLOSING, text="the venue asks for a new connection")
    if event == "bts:error":  # it names no channel
        return Control(Sign.NACK, text=fields.words_of(fields.take_object(payload, "data").get("message")))
    return Ignored(fields.name_of(event.removeprefix("bts:")))


def _listing(entry: Object) -> tuple[str, Listing]:
    if entry.get("market_type", "SPOT") != "SPOT":
        raise DecodeError("not a spot market")
    return take_text(entry, "market_symbol"), Listing(
        take_text(entry, "base_currency"),
        take_text(entry, "counter_currency"),
        take_integer(entry, "counter_decimals"),
        take_integer(entry, "base_decimals"),
        take_text(entry, "trading") == "Enabled",
    )


VENUE = seam.Venue(
    name="bitstamp",
    ws="wss://ws.bitstamp.net",
    rest="https://www.bitstamp.net",
    capability=seam.Capability("none", None),
    depth=DEPTH,
    keepalive=seam.Keepalive(silence_s=4.8, ping='{"event":"bts:heartbeat"}', every_s=1.5),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=Dated,
    metadata=metadata_at(INFO_PATH, [], _listing),
    all_whole=True,
    pace_s=PACE_S,
    max_age_s=MAX_AGE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
)
