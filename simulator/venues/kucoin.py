"""KuCoin spot, Pro: a greeting, binary frames of JSON, a snapshot in band, then spans of changes every 10 ms.

Source: www.kucoin.com/docs-new/websocket-api, base info of the unified account, orderbook (increment), trade (2026-09).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import GAP
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, padded, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes, View, difference, view

DEPTH = 500
FEED = "increment@10ms"
INTERVAL = 10 * MILLISECOND_NS
FIRST_UPDATE = 20_452_522_782
FIRST_TRADE = 20_745_928_670_070_784
IDLE_NS = 60 * SECOND_NS
PINGS_APART_NS = SECOND_NS  # who pings more often is cut
PINGED = "pinged"
CHANNELS = {"obu": BOOK, "trade": TRADES}


def _open(exchange: Exchange, client: Client, now: int) -> None:
    """Greet; nothing is heard before."""
    session = f"00000000-0000-4000-8000-{client.number:012d}"
    _say(exchange, client, {"sessionId": session, "message": "welcome", "pingInterval": 18000, "pingTimeout": 10000})


def _say(exchange: Exchange, client: Client, body: Mapping[str, Any]) -> None:
    exchange.send(client, json.dumps(body, separators=(",", ":")).encode())


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request, or a ping."""
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        _say(exchange, client, {"result": False, "message": "invalid request data"})
    elif request.get("type") == "ping":
        if now - client.options.get(PINGED, 0) < PINGS_APART_NS:
            exchange.close(client, 1008, "too many pings")
        client.options[PINGED] = now
        _say(exchange, client, {"type": "pong", "id": request.get("id"), "ts": now})
    else:
        _route(exchange, client, request, now)


def _route(exchange: Exchange, client: Client, request: Mapping[str, Any], now: int) -> None:
    """Subscribe to or unsubscribe from one channel of one symbol; unknown symbols are taken and stay silent."""
    action, channel, symbol = (str(request.get(key)) for key in ("action", "channel", "symbol"))
    known = channel in CHANNELS and (channel == "trade" or request.get("depth") == FEED)
    desk, name = exchange.by_symbol.get(symbol), f"{channel}:{symbol}"
    good = known and request.get("tradeType") == "SPOT" and action in ("SUBSCRIBE", "UNSUBSCRIBE")
    joins = good and action == "SUBSCRIBE" and name not in client.topics
    if joins and desk is not None and channel == "obu" and exchange.refuses(desk, client, now):
        good = joins = False
    answer: dict[str, Any] = {"id": request.get("id"), "result": good}
    _say(exchange, client, answer if good else answer | {"message": "invalid request data"})
    if good and action == "UNSUBSCRIBE":
        exchange.unsubscribe(client, name)
    elif joins and desk is not None:
        _join(exchange, client, name, desk, CHANNELS[channel], now)


def _join(exchange: Exchange, client: Client, name: str, desk: Desk, kind: str, now: int) -> None:
    """Subscribe a client and show it the book; what others still wait for goes out before."""
    if name in desk.topics:
        exchange.flush(desk.topics[name], now)
    is_book = kind == BOOK
    topic = exchange.subscribe(client, name, desk, kind, INTERVAL if is_book else 0, DEPTH if is_book else None)
    if not is_book:
        return
    if topic.view is None:
        topic.sequence, topic.view = FIRST_UPDATE, view(desk.market, DEPTH)
    shown: View = topic.view
    stamp = desk.stamp(exchange.venue_time(now), 1)
    exchange.witness(topic, topic.sequence, stamp)
    levels = list(shown.bids.items()), list(shown.asks.items())
    exchange.show(client, topic, Frame(_book(topic, "snapshot", *levels, topic.sequence, stamp)))


def _levels(changes: Changes, decimals: int) -> str:
    """Write levels as pairs of strings."""
    return ",".join([f'["{padded(price, decimals)}","{trimmed(size)}"]' for price, size in changes])


def _book(topic: Topic, kind: str, bids: Changes, asks: Changes, first: int, stamp: int) -> bytes:
    """Write one frame of a book, with instants in nanoseconds."""
    listing = topic.desk.market.listing
    sides = [f'"{key}":[{_levels(side, listing.price_decimals)}]' for key, side in (("a", asks), ("b", bids))]
    return (
        f'{{"T":"obu.SPOT","dp":"{FEED}","t":"{kind}","P":{stamp + MILLISECOND_NS},"d":{{"s":"{listing.symbol}",'
        f'"O":{first},"C":{topic.sequence},"M":{stamp},{",".join(sides)}}}}}'
    ).encode()


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish what changed in the window, or each trade."""
    if topic.kind == TRADES:
        for trade in topic.trades:
            exchange.publish(topic, Frame(_trade(topic, trade, now)))
        return
    before: View = topic.view
    topic.view = after = view(topic.desk.market, DEPTH)
    bids, asks = difference(before.bids, after.bids), difference(before.asks, after.asks)
    if not bids and not asks:
        return
    first, topic.sequence = topic.sequence + 1, topic.sequence + len(bids) + len(asks)
    stamp = topic.desk.stamp(now, 1)
    exchange.witness(topic, topic.sequence, stamp)
    exchange.publish(topic, Frame(_book(topic, "delta", bids, asks, first, stamp)))


def _trade(topic: Topic, trade: Trade, now: int) -> bytes:
    """Write one trade, whose numbers are all texts."""
    listing, number = topic.desk.market.listing, FIRST_TRADE + trade.number
    return (
        f'{{"T":"trade.SPOT","P":"{now + MILLISECOND_NS}","d":{{"E":"{number}","M":"{now}",'
        f'"S":"{"buy" if trade.taker_buys else "sell"}","p":"{padded(trade.price, listing.price_decimals)}",'
        f'"q":"{trimmed(trade.size)}","s":"{listing.symbol}","ti":"{number}"}}}}'
    ).encode()


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: the list of symbols."""
    if path != "/api/v2/symbols":
        return None
    rows = [_symbol(desk) for desk in exchange.by_symbol.values()]
    return Reply(json.dumps({"code": "200000", "data": rows}, separators=(",", ":")).encode())


def _symbol(desk: Desk) -> dict[str, Any]:
    """Describe one symbol."""
    listing = desk.market.listing
    return {
        "symbol": listing.symbol, "name": listing.symbol, "baseCurrency": listing.base, "quoteCurrency": listing.quote,
        "market": "USDS", "baseMinSize": trimmed(listing.lot), "baseIncrement": trimmed(listing.lot),
        "priceIncrement": trimmed(listing.tick), "enableTrading": True,
    }  # fmt: skip


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """End connections that subscribe to nothing."""
    exchange.expire(client, IDLE_NS)


def _go_back(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count from a lower number on, without a word."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
        topic.sequence //= 2
    return bool(topics)


DIALECT = Dialect(
    venue="kucoin",
    paths=("/kucoin",),
    decimals={"BTC": (1, 8), "ETH": (2, 7), "SOL": (3, 4), "XRP": (5, 4), "DOGE": (5, 4), "ADA": (4, 4),
              "AVAX": (3, 4), "DOT": (4, 4), "LINK": (4, 4)},
    book_interval=INTERVAL,
    trade_interval=0,
    open=_open,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    binary=True,
    tricks={"sequence_reset": Trick(_go_back, GAP, "book")},
    mark=b'"b":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk.market.listing.price_decimals),
)  # fmt: skip
