"""Kraken spot v2: bare JSON numbers, a checksum on every book frame, no sequence; consumers cut to the depth.

Source: docs.kraken.com, spot-websocket-v2/book and book-checksum-v2 (2026).
"""

from __future__ import annotations

import json
import re
from typing import Any
from zlib import crc32

from simulator.dialect import Dialect, Trick
from simulator.exchange import Exchange
from simulator.kinds import GAP
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, names, padded, rfc3339
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes, View, applied, difference, view

DEPTHS = (10, 25, 100, 500, 1000)
DEFAULT_DEPTH = 10
CHECKED = 10  # levels a side in the checksum
GRAIN = 1_000  # timestamps have microseconds
FIRST_TRADE = 84_000_000
CONNECTION = 15_113_583_034_416_000_000
UNAVAILABLE = "EService:Unavailable"
IDLE_NS = 60 * SECOND_NS
HALT_NS = 3 * SECOND_NS
HEARTBEAT = b'{"channel":"heartbeat"}'


def _open(exchange: Exchange, client: Client, now: int) -> None:
    """Say the system is online; the first frame on every connection."""
    _say_status(exchange, client, "online")


def _say_status(exchange: Exchange, client: Client, system: str) -> None:
    """Tell what state the trading engine is in."""
    exchange.send(
        client,
        b'{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"%b","api_version":"v2",'
        b'"connection_id":%d}]}' % (system.encode(), CONNECTION + client.number),
    )


def _halt(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Stop the trading engine for some seconds; its end is told too. Sockets stay open, and quotes go on."""
    for client in exchange.clients.values():
        client.options["halted_until"] = now + HALT_NS
        _say_status(exchange, client, "maintenance")
    return bool(exchange.clients)


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Send a heartbeat when nothing was sent for about a second and something is subscribed."""
    if client.topics and now - client.ts_sent >= SECOND_NS - 100 * MILLISECOND_NS:
        exchange.send(client, HEARTBEAT)
    if client.options.get("halted_until", now) < now:
        del client.options["halted_until"]
        _say_status(exchange, client, "online")
    exchange.expire(client, IDLE_NS)


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request: subscribe, unsubscribe or ping; one answer per symbol."""
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("params", {}), dict):
        _reply(exchange, client, {"error": "Malformed request", "success": False}, {}, now)
        return
    method = request.get("method")
    if method == "ping":
        _reply(exchange, client, {"method": "pong"}, request, now)
    elif method in ("subscribe", "unsubscribe"):
        _route(exchange, client, request, now)
    else:
        _reply(exchange, client, {"error": f"Unsupported method {method}", "success": False}, request, now)


def _reply(exchange: Exchange, client: Client, answer: dict[str, Any], request: dict[str, Any], now: int) -> None:
    """Send an answer with its times and the request's id."""
    answer |= {"time_in": rfc3339(now), "time_out": rfc3339(now + 50_000)}
    if "req_id" in request:
        answer["req_id"] = request["req_id"]
    exchange.send(client, json.dumps(answer, separators=(",", ":")).encode())


def _route(exchange: Exchange, client: Client, request: dict[str, Any], now: int) -> None:
    """Do a (un)subscribe request symbol by symbol."""
    params, method = request.get("params", {}), request["method"]
    channel, depth = params.get("channel"), params.get("depth", DEFAULT_DEPTH)
    if channel not in ("book", "trade"):
        answer = {"error": f"Unsupported channel {channel}", "method": method, "success": False}
        _reply(exchange, client, answer, request, now)
    elif channel == "book" and (isinstance(depth, bool) or depth not in DEPTHS):
        answer = {"error": "Subscription depth not supported", "method": method, "success": False}
        _reply(exchange, client, answer, request, now)
    else:
        for symbol in names(params.get("symbol")):
            _one(exchange, client, request, symbol, now)


def _one(exchange: Exchange, client: Client, request: dict[str, Any], symbol: str, now: int) -> None:
    """Subscribe to or unsubscribe from one symbol and say so, or why not."""
    params, method = request["params"], request["method"]
    channel, depth = params["channel"], params.get("depth", DEFAULT_DEPTH)
    name = f"{channel}/{symbol}/{depth}" if channel == "book" else f"{channel}/{symbol}"
    problem = _problem(exchange, client, name, method, symbol, now)
    if problem:
        answer = {"error": problem, "method": method, "success": False, "symbol": symbol}
        _reply(exchange, client, answer, request, now)
        return
    wants_snapshot = bool(params.get("snapshot", channel == "book"))
    result = {"channel": channel, "symbol": symbol}
    if channel == "book":
        result["depth"] = depth
    if method == "subscribe":
        result["snapshot"] = wants_snapshot
    else:
        exchange.unsubscribe(client, name)
    _reply(exchange, client, {"method": method, "result": result, "success": True}, request, now)
    if method == "subscribe":
        _join(exchange, client, name, symbol, depth if channel == "book" else None, wants_snapshot, now)


def _problem(exchange: Exchange, client: Client, name: str, method: str, symbol: str, now: int) -> str | None:
    """Say why a symbol can't be (un)subscribed."""
    desk = exchange.by_symbol.get(symbol)
    if desk is None:
        return f"Currency pair not supported {symbol}"
    if method == "unsubscribe":
        return None if name in client.topics else "Subscription Not Found"
    if name in client.topics:
        return "Already subscribed"
    if name.startswith("book/") and exchange.refuses(desk, client, now):
        return UNAVAILABLE
    return None


def _join(
    exchange: Exchange, client: Client, name: str, symbol: str, depth: int | None, snapshot: bool, now: int
) -> None:
    """Add a client to a topic and show it the book or the latest trades."""
    desk = exchange.by_symbol[symbol]
    topic = exchange.subscribe(client, name, desk, TRADES if depth is None else BOOK, 0, depth)
    if depth is None:
        if snapshot and desk.recent:
            exchange.show(client, topic, Frame(_trades(topic, "snapshot", list(desk.recent))))
        return
    topic.view = topic.view or view(desk.market, depth)
    if snapshot:
        shown: View = topic.view
        stamp = desk.stamp(exchange.venue_time(now), GRAIN)
        exchange.witness(topic, None, stamp)
        body = _book(topic, "snapshot", list(shown.bids.items()), list(shown.asks.items()), stamp)
        exchange.show(client, topic, Frame(body))


def _levels(changes: Changes, prices: int, sizes: int) -> str:
    """Write levels as objects of bare numbers with the pair's precision."""
    return ",".join([f'{{"price":{padded(price, prices)},"qty":{padded(size, sizes)}}}' for price, size in changes])


def _book(topic: Topic, kind: str, bids: Changes, asks: Changes, stamp: int) -> bytes:
    """Write one book frame with the checksum of the true top 10."""
    listing = topic.desk.market.listing
    prices, sizes = listing.price_decimals, listing.size_decimals
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{listing.symbol}",'
        f'"bids":[{_levels(bids, prices, sizes)}],"asks":[{_levels(asks, prices, sizes)}],'
        f'"checksum":{checksum(topic.view, prices, sizes)},"timestamp":"{rfc3339(stamp)}"}}]}}'
    ).encode()


def checksum(book: View, price_decimals: int, size_decimals: int) -> int:
    """Give the CRC32 of the top 10: asks, then bids, best first, digits without the point and leading zeros."""
    price_unit, size_unit = 10 ** (8 - price_decimals), 10 ** (8 - size_decimals)
    text = "".join(
        [
            f"{price // price_unit}{size // size_unit}"
            for side in (book.asks, book.bids)
            for price, size in list(side.items())[:CHECKED]
        ]
    )
    return crc32(text.encode())


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish what changed in the window; what merely fell out of it is not said."""
    if topic.kind == TRADES:
        exchange.publish(topic, Frame(_trades(topic, "update", [(trade, now) for trade in topic.trades])))
        return
    market, before = topic.desk.market, topic.view
    topic.view = after = view(market, topic.depth or 0)
    bids = difference(before.bids, after.bids, market.bids)
    asks = difference(before.asks, after.asks, market.asks)
    if not bids and not asks:
        return
    stamp = topic.desk.stamp(now, GRAIN)
    exchange.witness(topic, None, stamp)
    exchange.publish(topic, Frame(_book(topic, "update", bids, asks, stamp), before=before, after=(after, bids, asks)))


def _trades(topic: Topic, kind: str, trades: list[tuple[Trade, int]]) -> bytes:
    """Write one frame of trades, in order."""
    listing = topic.desk.market.listing
    rows = [
        f'{{"symbol":"{listing.symbol}","side":"{"buy" if trade.taker_buys else "sell"}",'
        f'"price":{padded(trade.price, listing.price_decimals)},"qty":{padded(trade.size, listing.size_decimals)},'
        f'"ord_type":"market","trade_id":{FIRST_TRADE + trade.number},"timestamp":"{rfc3339(ts)}"}}'
        for trade, ts in trades
    ]
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'.encode()


def _spoil(body: bytes) -> bytes:
    """Change a frame's checksum."""
    return re.sub(rb'"checksum":(\d+)', lambda match: b'"checksum":%d' % (int(match[1]) ^ 1), body)


def reveals(lost: Frame, then: Frame | None) -> bool:
    """Tell whether one who never saw the first frame finds the second's checksum wrong; without one, its own."""
    held: View = lost.before
    truth, bids, asks = (lost.after[0], [], []) if then is None else then.after
    depth = max(len(truth.bids), len(truth.asks))
    seen = applied(held.bids, bids, depth, bids=True), applied(held.asks, asks, depth, bids=False)
    return any(_top(mine) != _top(true) for mine, true in zip(seen, (truth.bids, truth.asks), strict=True))


def _top(side: dict[int, int]) -> list[tuple[int, int]]:
    """Give the part of a side that the checksum covers."""
    return list(side.items())[:CHECKED]


DIALECT = Dialect(
    venue="kraken",
    paths=("/kraken/v2",),
    decimals={"BTC": (1, 8), "ETH": (2, 8), "SOL": (2, 8), "XRP": (5, 8), "DOGE": (7, 8), "ADA": (6, 8),
              "AVAX": (2, 8), "DOT": (4, 8), "LINK": (5, 8)},
    other_decimals=(5, 8),
    book_interval=0,
    trade_interval=0,
    open=_open,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    verified=CHECKED,
    trade_ids=True,
    spoil=_spoil,
    reveals=reveals,
    tricks={"halt": Trick(_halt, GAP, "venue")},
    mark=b'"bids":[',
    bid=lambda desk, price, size: _levels(
        [(price, size)], desk.market.listing.price_decimals, desk.market.listing.size_decimals
    ),
)  # fmt: skip
