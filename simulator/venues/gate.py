"""Gate v4 spot, order book V2: a full book in band, then spans of changes every 100 ms, some of which change nothing.

Source: www.gate.com/docs/developers/apiv4/ws/en, spot channels obu, trades and ping (2026-09).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED, GAP
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, names, padded, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes, View, difference, view

DEPTHS = {"50": 20 * MILLISECOND_NS, "400": 100 * MILLISECOND_NS}
FIRST_UPDATE = 9_649_549_324
FIRST_TRADE = 309_143_071
QUIET_EVERY = 3  # of so many spans one is followed by one that changes nothing
IDLE_NS = 30 * SECOND_NS
BOOKS = "spot.obu"


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request."""
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        _say(exchange, client, {"error": {"code": 1, "message": "Invalid request"}}, now)
        return
    channel, event = request.get("channel"), request.get("event")
    if channel == "spot.ping":
        _say(exchange, client, {"channel": "spot.pong", "event": "", "result": None}, now)
    elif channel in (BOOKS, "spot.trades") and event in ("subscribe", "unsubscribe"):
        for topic in names(request.get("payload")):
            _one(exchange, client, (channel, event, topic), now)
    else:
        _say(exchange, client, {"channel": str(channel), "event": str(event), "error": _error("unknown channel")}, now)


def _say(exchange: Exchange, client: Client, fields: Mapping[str, Any], now: int) -> None:
    """Send an answer with its times."""
    body = {"time": now // SECOND_NS, "time_ms": now // MILLISECOND_NS, **fields}
    exchange.send(client, json.dumps(body, separators=(",", ":")).encode())


def _error(text: str) -> dict[str, Any]:
    return {"code": 2, "message": text}


def _one(exchange: Exchange, client: Client, wanted: tuple[str, str, str], now: int) -> None:
    """Subscribe to or unsubscribe from one topic and say so, or why not; unknown books are taken and stay silent."""
    channel, event, topic = wanted
    head = {"channel": channel, "event": event, "payload": [topic]}
    is_book = channel == BOOKS
    parts = topic.split(".") if is_book else ["ob", topic, "400"]
    desk = exchange.by_symbol.get(parts[1]) if len(parts) == 3 else None
    name = topic if is_book else f"trades.{topic}"
    problem = None
    if event == "subscribe" and name in client.topics:
        problem = f"Alert sub {topic}"
    elif event == "subscribe" and desk is None and not is_book:
        problem = f"unknown currency pair {topic}"
    elif event == "subscribe" and desk is not None and is_book and exchange.refuses(desk, client, now):
        problem = f"internal error {desk.symbol}"
    if problem:
        _say(exchange, client, head | {"error": _error(problem), "result": {"status": "fail"}}, now)
        return
    _say(exchange, client, head | {"result": {"status": "success"}}, now)
    if event == "unsubscribe":
        exchange.unsubscribe(client, name)
    elif desk is not None and parts[0] == "ob" and parts[2] in DEPTHS:
        _join(exchange, client, name, desk, int(parts[2]) if is_book else None, now)


def _join(exchange: Exchange, client: Client, name: str, desk: Desk, depth: int | None, now: int) -> None:
    """Subscribe a client and show it the book; what others still wait for goes out before."""
    if name in desk.topics:
        exchange.flush(desk.topics[name], now)
    kind, interval = (TRADES, 0) if depth is None else (BOOK, DEPTHS[str(depth)])
    topic = exchange.subscribe(client, name, desk, kind, interval, depth)
    if depth is not None:
        if topic.view is None:
            topic.sequence, topic.view = FIRST_UPDATE, view(desk.market, depth)
        exchange.show(client, topic, _full(exchange, topic, exchange.venue_time(now)))


def _full(exchange: Exchange, topic: Topic, now: int) -> Frame:
    """Make a full book of what subscribers have been shown."""
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    shown: View = topic.view
    return Frame(_book(topic, list(shown.bids.items()), list(shown.asks.items()), None, stamp))


def _levels(changes: Changes, decimals: int) -> str:
    """Write levels as pairs of strings."""
    return ",".join([f'["{padded(price, decimals)}","{trimmed(size)}"]' for price, size in changes])


def _book(topic: Topic, bids: Changes, asks: Changes, first: int | None, stamp: int) -> bytes:
    """Write a full book, or a span that begins at `first`; a side without changes is left out."""
    decimals, millisecond = topic.desk.market.listing.price_decimals, stamp // MILLISECOND_NS
    about = '"full":true,' if first is None else ""
    span = f'"u":{topic.sequence}' if first is None else f'"U":{first},"u":{topic.sequence}'
    sides = [f',"{key}":[{_levels(side, decimals)}]' for key, side in (("b", bids), ("a", asks)) if side]
    return (
        f'{{"channel":"{BOOKS}","result":{{"t":{millisecond},{about}"s":"{topic.name}",{span}{"".join(sides)}}},'
        f'"time_ms":{millisecond + 1},"event":"update"}}'
    ).encode()


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish a span of changes between two views of the window, or each trade."""
    if topic.kind == TRADES:
        for trade in topic.trades:
            exchange.publish(topic, Frame(_trade(topic, trade, now)))
        return
    before: View = topic.view
    topic.view = after = view(topic.desk.market, topic.depth or 0)
    bids, asks = difference(before.bids, after.bids), difference(before.asks, after.asks)
    if bids or asks:
        _tell(exchange, topic, bids, asks, now)
        if topic.sequence % QUIET_EVERY == 0:
            _tell(exchange, topic, [], [], now)


def _tell(exchange: Exchange, topic: Topic, bids: Changes, asks: Changes, now: int) -> None:
    """Publish one span."""
    first, topic.sequence = topic.sequence + 1, topic.sequence + 1 + len(bids)
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    exchange.publish(topic, Frame(_book(topic, bids, asks, first, stamp)))


def _trade(topic: Topic, trade: Trade, now: int) -> bytes:
    """Write one trade; the venue's milliseconds have a fraction."""
    listing = topic.desk.market.listing
    millisecond, rest = divmod(now, MILLISECOND_NS)
    return (
        f'{{"time":{now // SECOND_NS},"time_ms":{millisecond},"channel":"spot.trades","event":"update","result":{{'
        f'"id":{FIRST_TRADE + trade.number},"create_time":{now // SECOND_NS},'
        f'"create_time_ms":"{millisecond}.{rest // 100:04d}","side":"{"buy" if trade.taker_buys else "sell"}",'
        f'"currency_pair":"{listing.symbol}","amount":"{padded(trade.size, 8)}",'
        f'"price":"{padded(trade.price, listing.price_decimals)}"}}}}'
    ).encode()


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: the list of currency pairs."""
    if path != "/api/v4/spot/currency_pairs":
        return None
    rows = [_pair(desk) for desk in exchange.by_symbol.values()]
    return Reply(json.dumps(rows, separators=(",", ":")).encode())


def _pair(desk: Desk) -> dict[str, Any]:
    """Describe one pair."""
    listing = desk.market.listing
    return {
        "id": listing.symbol, "base": listing.base, "quote": listing.quote, "fee": "0.2", "min_quote_amount": "3",
        "amount_precision": listing.size_decimals, "precision": listing.price_decimals, "trade_status": "tradable",
        "sell_start": 0, "buy_start": 0, "type": "normal",
    }  # fmt: skip


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """End connections that subscribe to nothing."""
    exchange.expire(client, IDLE_NS)


def _books_of(exchange: Exchange, desk: Desk, now: int) -> list[Topic]:
    """Give an instrument's book topics that have a subscriber, all told that was to be told."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
    return topics


def _full_again(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Send a full book that nobody asked for."""
    topics = _books_of(exchange, desk, now)
    for topic in topics:
        exchange.publish(topic, _full(exchange, topic, exchange.venue_time(now)))
    return bool(topics)


def _go_back(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count from a lower number on, without a word."""
    topics = _books_of(exchange, desk, now)
    for topic in topics:
        topic.sequence //= 2
    return bool(topics)


DIALECT = Dialect(
    venue="gate",
    paths=("/gate/ws/v4",),
    decimals={"BTC": (1, 6), "ETH": (2, 4), "SOL": (2, 3), "XRP": (4, 3), "DOGE": (5, 3), "ADA": (4, 3),
              "AVAX": (3, 3), "DOT": (3, 3), "LINK": (3, 3)},
    book_interval=DEPTHS["400"],
    trade_interval=0,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    tricks={"full_again": Trick(_full_again, ABSORBED, "book"), "sequence_reset": Trick(_go_back, GAP, "book")},
    mark=b'"b":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk.market.listing.price_decimals),
)  # fmt: skip
