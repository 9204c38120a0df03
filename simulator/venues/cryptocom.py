"""Crypto.com Exchange v1: changes every 10 ms that name the update before them; heartbeats that want an answer.

Source: exchange-docs.crypto.com, exchange/v1/rest-ws (2026).
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

DEPTHS = (10, 50)
CADENCES = {10: 10 * MILLISECOND_NS, 100: 100 * MILLISECOND_NS}
FIRST_UPDATE = 375_554_806_244_928  # `u`, which grows by leaps
LEAP = 38_656
FIRST_TRADE = 4_611_686_018_500_000_000
IDLE_NS = 5 * SECOND_NS - 100 * MILLISECOND_NS  # after which a book says that nothing has changed
HEARTBEAT_NS = 30 * SECOND_NS
UNANSWERED_MAX = 3
UNKNOWN, UNAVAILABLE = (40003, "Unknown symbol"), (50001, "Service unavailable")


def _open(exchange: Exchange, client: Client, now: int) -> None:
    """Start the heartbeats."""
    client.options |= {"beaten": now, "unanswered": 0, "idle": {}}


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Send a heartbeat when it is due, end who never answers, and tell of books that nothing has changed."""
    if now - client.options["beaten"] >= HEARTBEAT_NS:
        _heartbeat(exchange, client, now)
    for topic in client.topics.values():
        if (
            topic.kind == BOOK
            and now - max(_told(exchange, topic), client.options["idle"].get(topic.name, 0)) > IDLE_NS
        ):
            client.options["idle"][topic.name] = now
            exchange.show(client, topic, _update(topic, [], [], topic.sequence, topic.desk.ts_event, now))


def _heartbeat(exchange: Exchange, client: Client, now: int) -> None:
    client.options["beaten"] = now
    client.options["unanswered"] += 1
    _send(exchange, client, {"id": now // MILLISECOND_NS, "method": "public/heartbeat", "code": 0})
    if client.options["unanswered"] >= UNANSWERED_MAX:
        exchange.close(client, 1000, "heartbeats unanswered")


def _told(exchange: Exchange, topic: Topic) -> int:
    """Give when a book was last told of."""
    found: int = exchange.memory.get(topic.name, topic.desk.ts_event)
    return found


def _send(exchange: Exchange, client: Client, answer: Mapping[str, Any]) -> None:
    exchange.send(client, json.dumps(answer, separators=(",", ":")).encode())


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request, channel by channel; what is no JSON goes unheeded."""
    try:
        request = json.loads(text)
    except ValueError:
        return
    if not isinstance(request, dict) or not isinstance(request.get("params", {}), dict):
        return
    method, number, params = request.get("method"), request.get("id", -1), request.get("params", {})
    if method == "public/respond-heartbeat":
        client.options["unanswered"] = 0
    elif method == "subscribe":
        for channel in names(params.get("channels")):
            _subscribe(exchange, client, channel, number, params.get("book_update_frequency", 10), now)
    elif method == "unsubscribe":
        for channel in names(params.get("channels")):
            exchange.unsubscribe(client, channel)
        _send(exchange, client, {"id": number, "method": method, "code": 0})
    else:
        _send(exchange, client, {"id": number, "method": method, "code": 40003, "message": "No such method"})


def _subscribe(exchange: Exchange, client: Client, channel: str, number: int, cadence: Any, now: int) -> None:
    """Subscribe to one channel: a book is acknowledged and shown, trades begin with the latest."""
    kind, _, rest = channel.partition(".")
    symbol, _, depth = rest.partition(".")
    desk = exchange.by_symbol.get(symbol)
    answer = {"id": number, "method": "subscribe", "code": 0, "channel": channel}
    problem = _problem(exchange, client, desk, kind, depth, cadence, now)
    if desk is None or problem is not None:
        code, message = problem or UNKNOWN
        _send(exchange, client, answer | {"code": code, "message": message})
    elif kind == "trade":
        topic = exchange.subscribe(client, channel, desk, TRADES, 0)
        exchange.show(client, topic, _trades(topic, list(desk.recent)[::-1], number))
    else:
        again = channel in client.topics
        if channel in desk.topics:
            exchange.flush(desk.topics[channel], now)
        topic = exchange.subscribe(client, channel, desk, BOOK, CADENCES[cadence], int(depth))
        _send(exchange, client, answer)
        if not again:
            exchange.show(client, topic, _whole(exchange, topic, exchange.venue_time(now)))


def _problem(
    exchange: Exchange, client: Client, desk: Desk | None, kind: str, depth: str, cadence: Any, now: int
) -> tuple[int, str] | None:
    """Say why a channel can't be subscribed to."""
    if kind not in ("book", "trade"):
        return 40003, "Unrecognized channel"
    if desk is None:
        return UNKNOWN
    if kind == "book" and (depth not in map(str, DEPTHS) or cadence not in CADENCES):
        return 40003, "Unsupported depth/interval combination"
    refused = kind == "book" and exchange.refuses(desk, client, now)
    return UNAVAILABLE if refused else None


def _levels(changes: Changes, decimals: int) -> str:
    """Write levels: price, size, and how many orders."""
    return ",".join([f'["{padded(price, decimals)}","{trimmed(size)}","{int(size > 0)}"]' for price, size in changes])


def _sides(topic: Topic, bids: Changes, asks: Changes) -> str:
    decimals = topic.desk.market.listing.price_decimals
    return f'"asks":[{_levels(asks, decimals)}],"bids":[{_levels(bids, decimals)}]'


def _result(topic: Topic, channel: str, data: str, number: int = -1) -> Frame:
    """Write a frame of data."""
    depth = "" if topic.depth is None else f'"depth":{topic.depth},'
    return Frame(
        f'{{"id":{number},"method":"subscribe","code":0,"result":{{"instrument_name":"{topic.desk.symbol}",'
        f'"subscription":"{topic.name}","channel":"{channel}",{depth}"data":[{data}]}}}}'.encode()
    )


def _instants(changed: int, now: int) -> str:
    """Write when a frame was made and when its book changed."""
    return f'"t":{max(now, changed) // MILLISECOND_NS + 1},"tt":{changed // MILLISECOND_NS}'


def _whole(exchange: Exchange, topic: Topic, now: int) -> Frame:
    """Make a whole book of what the topic's subscribers have been shown."""
    topic.sequence = topic.sequence or FIRST_UPDATE
    topic.view = shown = topic.view or view(topic.desk.market, topic.depth or 0)
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    sides = _sides(topic, list(shown.bids.items()), list(shown.asks.items()))
    return _result(topic, "book", f'{{{sides},{_instants(stamp, now)},"u":{topic.sequence},"cs":-1183713967}}')


def _update(topic: Topic, bids: Changes, asks: Changes, before: int, changed: int, now: int) -> Frame:
    """Make a frame of changes, or of none."""
    numbers = f'"u":{topic.sequence},"pu":{before},"cs":1522984915'
    return _result(
        topic, "book.update", f'{{"update":{{{_sides(topic, bids, asks)}}},{_instants(changed, now)},{numbers}}}'
    )


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish a delta between two views of the window, or trades."""
    if topic.kind == TRADES:
        exchange.publish(topic, _trades(topic, [(trade, now) for trade in reversed(topic.trades)]))
        return
    before, after = topic.view or View({}, {}), view(topic.desk.market, topic.depth or 0)
    bids, asks = difference(before.bids, after.bids), difference(before.asks, after.asks)
    if not bids and not asks:
        return
    topic.view, last = after, topic.sequence
    topic.sequence += LEAP
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.memory[topic.name] = exchange.now
    exchange.witness(topic, topic.sequence, stamp)
    exchange.publish(topic, _update(topic, bids, asks, last, stamp, now))


def _trades(topic: Topic, trades: list[tuple[Trade, int]], number: int = -1) -> Frame:
    """Write trades, newest first; those that are shown first carry the request's id."""
    listing = topic.desk.market.listing
    rows = [
        f'{{"d":"{FIRST_TRADE + trade.number}","t":{ts // MILLISECOND_NS},"tn":"{ts}",'
        f'"q":"{trimmed(trade.size)}","p":"{padded(trade.price, listing.price_decimals)}",'
        f'"s":"{"BUY" if trade.taker_buys else "SELL"}","i":"{listing.symbol}"}}'
        for trade, ts in trades
    ]
    return _result(topic, "trade", ",".join(rows), number)


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: instruments."""
    if path != "/exchange/v1/public/get-instruments":
        return None
    rows = [_instrument(desk) for desk in exchange.by_symbol.values()]
    body = {"id": -1, "method": "public/get-instruments", "code": 0, "result": {"data": rows}}
    return Reply(json.dumps(body, separators=(",", ":")).encode())


def _instrument(desk: Desk) -> dict[str, Any]:
    """Describe one instrument."""
    listing = desk.market.listing
    return {
        "symbol": listing.symbol, "inst_type": "CCY_PAIR", "display_name": listing.symbol.replace("_", "/"),
        "base_ccy": listing.base, "quote_ccy": listing.quote, "quote_decimals": listing.price_decimals,
        "quantity_decimals": listing.size_decimals, "price_tick_size": trimmed(listing.tick),
        "qty_tick_size": trimmed(listing.lot), "max_leverage": "50", "tradable": True, "expiry_timestamp_ms": 0,
    }  # fmt: skip


def _go_back(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count from a lower number on, without a word."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
        topic.sequence //= 2
    return bool(topics)


def _ask(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Send heartbeats until the next one unanswered would be the last."""
    for client in desk.carriers():
        for _ in range(UNANSWERED_MAX - 1):
            _heartbeat(exchange, client, now)
    return bool(desk.carriers())


DIALECT = Dialect(
    venue="cryptocom",
    paths=("/cryptocom/exchange/v1/market",),
    decimals={"BTC": (2, 5), "ETH": (2, 4), "SOL": (2, 3), "XRP": (5, 0), "DOGE": (5, 0), "ADA": (5, 0),
              "AVAX": (3, 2), "DOT": (4, 2), "LINK": (4, 2)},
    book_interval=CADENCES[10],
    trade_interval=0,
    open=_open,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    verified=max(DEPTHS),
    tricks={"sequence_reset": Trick(_go_back, GAP, "book"), "heartbeats": Trick(_ask, ABSORBED, "socket")},
    mark=b'"bids":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk.market.listing.price_decimals),
)  # fmt: skip
