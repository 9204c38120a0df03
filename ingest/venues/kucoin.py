"""KuCoin spot, Pro: whole books in band, then spans of changes every 10 ms, in binary frames of JSON.

Source: www.kucoin.com/docs-new/websocket-api, base info of the unified account, public channels orderbook (increment)
and trade, and /docs-new/rest, get all symbols (read 2026-09). It needs neither a token nor a key.
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
    take_count,
    take_name,
    take_object,
    take_pairs,
    take_text,
    words_of,
)
from ingest.listings import metadata_at
from ingest.scanning import Express, Template, both_ways
from ingest.sequence import Spliced
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
from thalweg.events import Taker
from thalweg.scan import ASK_PAIRS, BID_PAIRS, INTEGER, OBJECT, TEXT

DEPTH = 500  # levels a side that the increments keep
FEED = "increment@10ms"
BOOKS, TRADES = "obu.SPOT", "trade.SPOT"
INFO_PATH = "/api/v2/symbols"
OFF = "off"  # the last word of the id of a request that ends a subscription
PACE_S = 0.05  # 300 requests in 10 s, pings included, and no more than one ping a second
REST_LIMIT = Limit(60, 10.0)  # requests; the pool of 2,000 in 30 s is counted by weights of 2 to 4
CONNECT_LIMIT = Limit(60, 100.0)  # it allows 250 in five minutes: 180 and a full bucket are less
TAKERS = {"buy": Taker.BUY, "sell": Taker.SELL}
WHOLE = {"snapshot": True, "delta": False}
BOOK = Template(
    {"T": [BOOKS], "dp": [FEED], "t": ["delta", "snapshot"], "P": INTEGER, "d": OBJECT},
    {"s": TEXT, "O": INTEGER, "C": INTEGER, "M": INTEGER, "a": ASK_PAIRS, "b": BID_PAIRS},
    symbol="s",
    whole="t",
)
FIRST, LAST, INSTANT = map(BOOK.place, ("O", "C", "M"))


def connect(base: str) -> str:
    """Give the URL, which has no path."""
    return base


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a channel and symbol; the venue takes no more in one."""
    return [request for symbol in symbols for request in (_books("SUBSCRIBE", symbol), _trades(symbol))]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [_books("UNSUBSCRIBE", symbol, OFF), *subscribe([symbol])]


def _books(action: str, symbol: str, *more: str) -> str:
    """Make a request whose id, the symbol and what it is for, comes back with the answer."""
    return _request(action, "obu", symbol, more, depth=FEED)


def _trades(symbol: str) -> str:
    return _request("SUBSCRIBE", "trade", symbol)


def _request(action: str, channel: str, symbol: str, more: Sequence[str] = (), **fields: str) -> str:
    wanted = {"id": " ".join((symbol, channel, *more)), "action": action, "channel": channel, "tradeType": "SPOT"}
    return orjson.dumps(wanted | {"symbol": symbol} | fields).decode()


def _scan(frame: bytes, scales: Scales) -> Decoded:
    """Read a frame of a book of the documented shape."""
    message, fields, _ = BOOK.read(frame, scales)
    message.first, message.last, message.ts_event = fields[FIRST], fields[LAST], fields[INSTANT]
    return Decoded([message])


def _decode(frame: bytes, scales: Scales) -> Decoded:
    payload = parse_object(frame)
    if "T" not in payload:
        return Decoded([_answer(payload)])
    kind = payload.get("T")
    if kind == TRADES:
        return Decoded([_trade(take_object(payload, "d"), scales)])
    feed = payload.get("dp")
    if kind != BOOKS or feed != FEED:
        return Decoded([Ignored(name_of(kind if feed is None else f"{kind}.{feed}"))])
    return Decoded([_book(take_object(payload, "d"), take_choice(payload, "t", WHOLE), scales)])


decode = both_ways(_scan, _decode, unlike=b'"T":"trade.')


def _book(data: Object, whole: bool, scales: Scales) -> Message:
    return read_book(
        scales,
        take_text(data, "s"),
        Written(take_pairs(data, "b"), take_pairs(data, "a")),
        whole=whole,
        first=take_count(data, "O"),
        last=take_count(data, "C"),
        ts_event=take_count(data, "M"),
    )


def _trade(data: Object, scales: Scales) -> Message:
    return read_trade(
        scales,
        take_text(data, "s"),
        price=data.get("p"),
        size=data.get("q"),
        taker=take_choice(data, "S", TAKERS),
        name=take_name(data, "ti"),
        number=None,  # ids grow, but not by one
        ts_event=take_count(data, "M"),
    )


def _answer(payload: Object) -> Message:
    """Read the greeting, or an answer to one of our requests."""
    name, result = payload.get("id"), payload.get("result")
    if "pingInterval" in payload:
        return Control(Sign.WELCOME)
    if payload.get("type") == "pong":
        return Control(Sign.ALIVE)
    if not isinstance(result, bool):
        return Ignored(name_of(payload.get("type")))
    words = name.split(" ") if isinstance(name, str) else []
    if words[-1:] == [OFF]:
        return Control(Sign.ALIVE)  # the subscription that follows it tells
    return Control(Sign.ACK if result else Sign.NACK, symbols_of(*words[:1]), words_of(payload.get("message")))


def _listing(entry: Object) -> tuple[str, Listing]:
    return take_text(entry, "symbol"), Listing(
        take_text(entry, "baseCurrency"),
        take_text(entry, "quoteCurrency"),
        step_places(take_text(entry, "priceIncrement")),
        step_places(take_text(entry, "baseIncrement")),
        take_boolean(entry, "enableTrading"),
    )


VENUE = Venue(
    name="kucoin",
    ws="wss://x-push-spot.kucoin.com",
    rest="https://api.kucoin.com",
    capability=Capability("sequence", None),
    depth=DEPTH,
    keepalive=Keepalive(silence_s=5.5, ping='{"id":"ping","type":"ping"}', every_s=2.0),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=lambda: Spliced(held=False),
    express=Express(BOOK, ("M",), instant_ns=1, first="O", last="C"),
    metadata=metadata_at(INFO_PATH, ["data"], _listing),
    pace_s=PACE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
    greets=True,
)
