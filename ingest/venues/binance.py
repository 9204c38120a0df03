"""Binance spot: diffs every 100 ms spliced into a book fetched by REST; one frame a trade.

Source: binance-spot-api-docs, web-socket-streams.md, rest-api.md and faqs/market_data_only.md (read 2026-07-21).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import orjson

from ingest import fields
from ingest import venue as seam
from ingest.fields import Object
from ingest.instants import from_milliseconds
from ingest.listings import metadata_at
from ingest.scanning import Declined, Express, Template, both_ways, text_of
from ingest.sequence import Spliced
from ingest.units import Written, read_book, read_trade, step_places, taken
from ingest.venue import BookUpdate, Control, Decoded, Ignored, Listing, Message, Refused, Scales, Sign
from thalweg.events import Taker
from thalweg.scan import ASK_PAIRS, BID_PAIRS, INTEGER, OBJECT, TEXT

DEPTH_PATH = "/api/v3/depth"
INFO_PATH = "/api/v3/exchangeInfo"
SNAPSHOT_DEPTH = 1000  # levels a side; with 100 the price left the window within 90 s
DEPTH_WEIGHT = 50  # of a request for 501 to 1,000 levels
INFO_WEIGHT = 20
REST_LIMIT = seam.Limit(1_400, 20.0)  # the venue allows 6,000 a minute: 4,200 and a full bucket are less
CONNECT_LIMIT = seam.Limit(60, 100.0)  # it allows 300 in five minutes: 180 and a full bucket are less
UNKNOWN_SYMBOL = -1121  # the code of a refusal, with HTTP status 400
PACE_S = 0.3  # the venue closes at more than 5 messages a second, its own pings' answers included
MAX_AGE_S = 23.5 * 3600  # the venue ends every connection at 24 h
ALIVE = '{"method":"LIST_SUBSCRIPTIONS","id":1}'  # streams may be quiet and pings are not seen here; this is answered
BOOK = Template(
    {"stream": TEXT, "data": OBJECT},
    {"e": ["depthUpdate"], "E": INTEGER, "s": TEXT, "U": INTEGER, "u": INTEGER, "b": BID_PAIRS, "a": ASK_PAIRS},
    symbol="s",
)
STREAM, INSTANT, FIRST, LAST = map(BOOK.place, ("stream", "E", "U", "u"))


def connect(base: str) -> str:
    """Give the URL of the combined streams, whose frames name theirs: some payloads do not."""
    return f"{base}/stream"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a symbol: its id comes back with the answer and tells which symbol was refused."""
    return [_request("SUBSCRIBE", symbol, symbol) for symbol in symbols]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that start a symbol's streams anew; the whole book is fetched apart."""
    return [_request("UNSUBSCRIBE", symbol, 0), _request("SUBSCRIBE", symbol, symbol)]


def _request(method: str, symbol: str, number: int | str) -> str:
    streams = [f"{symbol.lower()}@depth@100ms", f"{symbol.lower()}@trade"]
    return orjson.dumps({"method": method, "params": streams, "id": number}).decode()


def _scan(frame: bytes, scales: Scales) -> Decoded:
    """Read a combined frame of book changes of the documented shape."""
    message, found, _ = BOOK.read(frame, scales)
    if not text_of(frame, found[STREAM]):
        raise Declined
    message.first, message.last = found[FIRST], found[LAST]
    message.ts_event = from_milliseconds(found[INSTANT])
    return Decoded([message])


def _decode(frame: bytes, scales: Scales) -> Decoded:
    envelope = fields.parse_object(frame)
    stream = fields.take_text(envelope, "stream") if "stream" in envelope else ""
    found = envelope.get("data") if stream else envelope
    if isinstance(found, list):
        return Decoded([Ignored(_stream_type(stream))])  # as `!miniTicker@arr` sends
    payload = fields.as_object(found)
    kind = payload.get("e")
    message: Message
    if kind == "depthUpdate":
        message = _delta(payload, scales)
    elif kind == "trade":
        message = _trade(payload, scales)
    elif kind == "serverShutdown":
        message = Control(Sign.CLOSING, text="server shutdown")
    elif kind is not None:
        message = Ignored(fields.name_of(kind))
    elif stream:
        message = Ignored(_stream_type(stream))
    else:
        message = _unnamed(payload)
    return Decoded([message])


decode = both_ways(_scan, _decode, unlike=b'"e":"trade"')


def _stream_type(stream: str) -> str:
    """Give what follows the symbol: `btcusdt@bookTicker` is a `bookTicker`; `!miniTicker@arr` is of all symbols."""
    return fields.name_of(stream[1:] if stream.startswith("!") else stream.partition("@")[2])


def _delta(payload: Object, scales: Scales) -> BookUpdate | Refused:
    return read_book(
        scales,
        fields.take_text(payload, "s"),
        Written(fields.take_pairs(payload, "b"), fields.take_pairs(payload, "a")),
        whole=False,
        first=fields.take_integer(payload, "U"),
        last=fields.take_integer(payload, "u"),
        ts_event=from_milliseconds(fields.take_integer(payload, "E")),
    )


def _trade(payload: Object, scales: Scales) -> Message:
    number = fields.take_integer(payload, "t")
    return read_trade(
        scales,
        fields.take_text(payload, "s"),
        price=payload.get("p"),
        size=payload.get("q"),
        taker=Taker.SELL if fields.take_boolean(payload, "m") else Taker.BUY,  # `m`: the buyer is the maker
        name=str(number),
        number=number,
        ts_event=from_milliseconds(fields.take_integer(payload, "T")),
    )


def _unnamed(payload: Object) -> Message:
    """Tell frames without a type apart by their keys: answers, refusals, best prices, partial books."""
    error = payload.get("error", payload)  # both documented forms of a refusal
    if "result" in payload:
        sign = Sign.ACK if payload["result"] is None else Sign.ALIVE
        return Control(sign, fields.symbols_of(payload.get("id")))
    if isinstance(error, dict) and "code" in error:
        return Control(Sign.NACK, fields.symbols_of(payload.get("id")), fields.words_of(error.get("msg")))
    if "u" in payload and "B" in payload:
        return Ignored("bookTicker")
    return Ignored("depth" if "lastUpdateId" in payload else "unnamed")


def snapshot_url(base: str, symbol: str) -> str:
    """Give where a symbol's whole book is."""
    return f"{base}{DEPTH_PATH}?symbol={quote(symbol)}&limit={SNAPSHOT_DEPTH}"


def decode_snapshot(body: bytes, symbol: str, scales: Scales) -> BookUpdate:
    """Turn the answer to a depth request into a whole book.

    Raises:
        DecodeError: a refusal, an undocumented shape, or a number or symbol we can't take.
    """
    payload = fields.parse_object(body)
    last = fields.take_integer(payload, "lastUpdateId")
    levels = Written(fields.take_pairs(payload, "bids"), fields.take_pairs(payload, "asks"))
    return taken(read_book(scales, symbol, levels, whole=True, first=last, last=last))


def is_unknown(status: int, body: bytes) -> bool:
    """Tell whether a refused depth request says that there is no such symbol."""
    return status == 400 and fields.says(body, "code", UNKNOWN_SYMBOL)


def _listing(entry: Object) -> tuple[str, Listing]:
    filters = {fields.name_of(found.get("filterType")): found for found in fields.take_objects(entry, "filters")}
    return fields.take_text(entry, "symbol"), Listing(
        fields.take_text(entry, "baseAsset"),
        fields.take_text(entry, "quoteAsset"),
        step_places(fields.take_text(filters.get("PRICE_FILTER", {}), "tickSize")),
        step_places(fields.take_text(filters.get("LOT_SIZE", {}), "stepSize")),
        fields.take_text(entry, "status") == "TRADING",
    )


VENUE = seam.Venue(
    name="binance",
    # The hosts for market data alone: no key, no account, and what they can't do can't go wrong.
    ws="wss://data-stream.binance.vision",
    rest="https://data-api.binance.vision",
    capability=seam.Capability("sequence", None),
    depth=None,
    keepalive=seam.Keepalive(silence_s=4.8, ping=ALIVE, every_s=1.5),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=Spliced,
    express=Express(BOOK, ("E",), first="U", last="u", topic=("stream", "")),
    rest_snapshot=seam.RestSnapshot(
        snapshot_url, lambda url: fields.symbol_at(url, DEPTH_PATH, "symbol"), decode_snapshot, is_unknown, DEPTH_WEIGHT
    ),
    metadata=metadata_at(INFO_PATH, ["symbols"], _listing, weight=INFO_WEIGHT),
    pace_s=PACE_S,
    max_age_s=MAX_AGE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
)
