"""Bybit v5 spot: snapshot in band, then deltas that count up by one per topic.

Source: Bybit v5 documentation, websocket/public/orderbook and trade (July 2026).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED, GAP
from simulator.texts import MILLISECOND_NS, SECOND_NS, names, padded, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import View, difference, view

DEPTHS = {"50": 20 * MILLISECOND_NS, "200": 100 * MILLISECOND_NS, "1000": 200 * MILLISECOND_NS}
FIRST_UPDATE = {50: 1_000_000, 200: 2_000_000_000, 1000: 4_000_000_000_000}  # `u` of one depth says nothing of another
FIRST_SEQUENCE = 66_000_000_000
FIRST_TRADE = 2_290_000_000_000_000_000
MAX_ARGS = 10
IDLE_NS = 61 * SECOND_NS
CONNECTION = "00000000-0000-4000-8000-{:012d}"


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request; one bad topic fails all of it."""
    try:
        request = json.loads(text)
    except ValueError:
        _reply(exchange, client, {}, False, f"Failed to decode incoming data:{text[:40]}")
        return
    operation = request.get("op") if isinstance(request, dict) else None
    if operation == "ping":
        _reply(exchange, client, request, True, "pong")
    elif operation == "subscribe":
        _subscribe(exchange, client, request, now)
    elif operation == "unsubscribe":
        for name in names(request.get("args")):
            exchange.unsubscribe(client, name)
        _reply(exchange, client, request, True, "subscribe")
    else:
        _reply(exchange, client, request if isinstance(request, dict) else {}, False, "error:invalid op")


def _reply(exchange: Exchange, client: Client, request: Mapping[str, Any], success: bool, text: str) -> None:
    """Answer a request, echoing its id and operation."""
    reply = {"success": success, "ret_msg": text, "conn_id": CONNECTION.format(client.number)}
    if "req_id" in request:
        reply["req_id"] = request["req_id"]
    reply["op"] = request.get("op", "")
    exchange.send(client, json.dumps(reply, separators=(",", ":")).encode())


def _subscribe(exchange: Exchange, client: Client, request: Mapping[str, Any], now: int) -> None:
    """Check all topics, subscribe to all, acknowledge, then show the books."""
    topics = names(request.get("args"))
    if len(topics) > MAX_ARGS:
        _reply(exchange, client, request, False, "args size >10")
        return
    wanted = {}
    for name in topics:
        parsed = _parse(exchange, name)
        problem = _problem(exchange, client, name, parsed, now)
        if parsed is None or problem:
            _reply(exchange, client, request, False, f"error:{problem},topic:{name}")
            return
        wanted[name] = parsed
    joined = [_join(exchange, client, name, *parsed, now) for name, parsed in wanted.items()]
    _reply(exchange, client, request, True, "subscribe")
    for topic in joined:
        if topic.kind == BOOK:
            exchange.show(client, topic, _snapshot(exchange, topic, exchange.venue_time(now)))


def _parse(exchange: Exchange, name: str) -> tuple[Desk, str, int | None] | None:
    """Read a topic's name as instrument, kind and depth."""
    parts = name.split(".")
    desk = exchange.by_symbol.get(parts[-1])
    if desk is not None and len(parts) == 3 and parts[0] == "orderbook" and parts[1] in DEPTHS:
        return desk, BOOK, int(parts[1])
    if desk is not None and len(parts) == 2 and parts[0] == "publicTrade":
        return desk, TRADES, None
    return None


def _problem(
    exchange: Exchange, client: Client, name: str, parsed: tuple[Desk, str, int | None] | None, now: int
) -> str | None:
    """Say why a topic can't be subscribed to."""
    if parsed is None:
        return "handler not found"
    if name in client.topics:
        return "already subscribed"
    if parsed[1] == BOOK and exchange.refuses(parsed[0], client, now):
        return "service unavailable"
    return None


def _join(exchange: Exchange, client: Client, name: str, desk: Desk, kind: str, depth: int | None, now: int) -> Topic:
    """Subscribe a client to a topic that has been checked; what others still wait for goes out before."""
    if name in desk.topics:
        exchange.flush(desk.topics[name], now)
    topic = exchange.subscribe(client, name, desk, kind, 0 if depth is None else DEPTHS[str(depth)], depth)
    if depth is not None and topic.view is None:
        topic.sequence = FIRST_UPDATE[depth]
        topic.view = view(desk.market, depth)
    return topic


def _levels(changes: list[tuple[int, int]], decimals: int) -> str:
    """Write levels as pairs of strings: prices at the tick, sizes in their shortest way."""
    return ",".join([f'["{padded(price, decimals)}","{trimmed(size)}"]' for price, size in changes])


def _book(topic: Topic, kind: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]], stamp: int) -> bytes:
    """Write one order book frame."""
    listing = topic.desk.market.listing
    decimals, millisecond = listing.price_decimals, stamp // MILLISECOND_NS
    return (
        f'{{"topic":"{topic.name}","ts":{millisecond + 2},"type":"{kind}","data":{{"s":"{listing.symbol}",'
        f'"b":[{_levels(bids, decimals)}],"a":[{_levels(asks, decimals)}],"u":{topic.sequence},'
        f'"seq":{FIRST_SEQUENCE + topic.desk.sequence}}},"cts":{millisecond}}}'
    ).encode()


def _snapshot(exchange: Exchange, topic: Topic, now: int) -> Frame:
    """Make a snapshot of what the topic's subscribers have been shown."""
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    shown: View = topic.view
    return Frame(_book(topic, "snapshot", list(shown.bids.items()), list(shown.asks.items()), stamp))


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish a delta between two views of the window, or a batch of trades."""
    if topic.kind == TRADES:
        exchange.publish(topic, Frame(_trades(topic, now)))
        return
    market, before = topic.desk.market, topic.view
    topic.view = after = view(market, topic.depth or 0)
    bids, asks = difference(before.bids, after.bids), difference(before.asks, after.asks)
    if not bids and not asks:
        return
    topic.sequence += 1
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    exchange.publish(topic, Frame(_book(topic, "delta", bids, asks, stamp)))


def _trades(topic: Topic, now: int) -> bytes:
    """Write one frame of trades, in order."""
    listing, millisecond = topic.desk.market.listing, now // MILLISECOND_NS
    rows = [
        f'{{"i":"{FIRST_TRADE + trade.number}","T":{millisecond},"p":"{padded(trade.price, listing.price_decimals)}",'
        f'"v":"{trimmed(trade.size)}","S":"{"Buy" if trade.taker_buys else "Sell"}",'
        f'"seq":{FIRST_SEQUENCE + topic.desk.sequence},"s":"{listing.symbol}","BT":false,"RPI":false}}'
        for trade in topic.trades
    ]
    return f'{{"topic":"{topic.name}","ts":{millisecond + 1},"type":"snapshot","data":[{",".join(rows)}]}}'.encode()


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: instruments-info."""
    if path != "/v5/market/instruments-info":
        return None
    wanted = query.get("symbol")
    rows = [_instrument(desk) for desk in exchange.by_symbol.values() if wanted in (None, desk.symbol)]
    body = {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": rows}, "retExtInfo": {},
            "time": now // MILLISECOND_NS}  # fmt: skip
    return Reply(json.dumps(body, separators=(",", ":")).encode())


def _instrument(desk: Desk) -> dict[str, Any]:
    """Describe one instrument."""
    listing = desk.market.listing
    lot = trimmed(listing.lot)
    return {
        "symbol": listing.symbol, "baseCoin": listing.base, "quoteCoin": listing.quote, "innovation": "0",
        "status": "Trading", "marginTrading": "utaOnly", "stTag": "0",
        "lotSizeFilter": {"basePrecision": lot, "quotePrecision": "0.0000001", "minOrderQty": lot, "maxOrderQty": "83",
                          "minOrderAmt": "5", "maxOrderAmt": "8000000"},
        "priceFilter": {"tickSize": trimmed(listing.tick)}, "symbolType": "",
    }  # fmt: skip


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """End connections that subscribe to nothing."""
    exchange.expire(client, IDLE_NS)


def _restart(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Start the counters of the book's topics again at 1, each with a snapshot, as after a service restart."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
        topic.sequence = 1
        exchange.publish(topic, _snapshot(exchange, topic, exchange.venue_time(now)))
    return bool(topics)


def _go_back(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count from a lower number on, without a snapshot and without a word."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients and topic.sequence > 99]
    for topic in topics:
        exchange.flush(topic, now)
        topic.sequence //= 2
    return bool(topics)


DIALECT = Dialect(
    venue="bybit",
    paths=("/bybit/v5/public/spot",),
    decimals={"BTC": (1, 6), "ETH": (2, 5), "SOL": (2, 3), "XRP": (4, 2), "DOGE": (5, 1), "ADA": (4, 2),
              "AVAX": (3, 3), "DOT": (3, 3), "LINK": (3, 3)},
    book_interval=DEPTHS["200"],
    trade_interval=0,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    expects={"duplicate": GAP},  # a delta whose u did not step by one is a gap, also one that came before
    tricks={"restart": Trick(_restart, ABSORBED, "book"), "sequence_reset": Trick(_go_back, GAP, "book")},
    mark=b'"b":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk.market.listing.price_decimals),
)  # fmt: skip
