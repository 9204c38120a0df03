"""Coinbase Advanced Trade: one counter for every frame of a connection, whole books in band, maker sides.

Source: docs.cdp.coinbase.com, advanced-trade-apis/websocket (2026).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import GAP
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, names, rfc3339, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes

CHANNELS = {"level2": (BOOK, 50 * MILLISECOND_NS), "market_trades": (TRADES, 250 * MILLISECOND_NS)}
FIRST_TRADE = 995_000_000
IDLE_NS = 5 * SECOND_NS
EPOCH = "1970-01-01T00:00:00Z"  # the event time of a snapshot's levels


def _numbered(client: Client, head: bytes, tail: bytes) -> bytes:
    """Put a connection's next sequence number between the two parts of a frame."""
    body = b"%b%d%b" % (head, client.counter, tail)
    client.counter += 1
    return body


def _parts(channel: str, stamp: int, events: str) -> Frame:
    """Write a frame in two parts, the sequence number to come between."""
    head = f'{{"channel":"{channel}","client_id":"","timestamp":"{rfc3339(stamp, 9)}","sequence_num":'
    return Frame(head.encode(), f',"events":[{events}]}}'.encode())


def _send(exchange: Exchange, client: Client, frame: Frame) -> None:
    """Send one client a frame with its own number."""
    if not client.silent:
        exchange.send(client, _numbered(client, frame.body, frame.tail))


def _render(client: Client, topic: Topic, frame: Frame) -> bytes:
    """Number a published frame for one client."""
    return _numbered(client, frame.body, frame.tail)


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Subscribe to or unsubscribe from one channel and answer with all that is subscribed."""
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    kind = request.get("type") if isinstance(request, dict) else None
    if kind not in ("subscribe", "unsubscribe"):
        _refuse(exchange, client, "failed to parse message")
    elif request.get("channel") == "heartbeats":
        client.options["heartbeats"] = kind == "subscribe"
        _subscriptions(exchange, client, now)
    elif str(request.get("channel")) in CHANNELS:
        _route(exchange, client, request, kind == "subscribe", now)
    else:
        _refuse(exchange, client, "channel is not supported")


def _refuse(exchange: Exchange, client: Client, text: str) -> None:
    """Send an error; it carries no sequence number."""
    exchange.send(client, json.dumps({"type": "error", "message": text}, separators=(",", ":")).encode())


def _route(exchange: Exchange, client: Client, request: dict[str, Any], wanted: bool, now: int) -> None:
    """Do a request for products; one unknown product fails all of it. Snapshots come before the answer."""
    channel, products = request["channel"], names(request.get("product_ids"))
    desks = [exchange.by_symbol.get(product) for product in products]
    known = [desk for desk in desks if desk is not None]
    if not products or len(known) < len(desks):
        _refuse(exchange, client, f"{next((p for p in products if p not in exchange.by_symbol), '')} is not a product")
        return
    if wanted and channel == "level2" and any(exchange.refuses(desk, client, now) for desk in known):
        _refuse(exchange, client, "failure to subscribe")
        return
    for desk in known:
        name = f"{channel}/{desk.symbol}"
        if wanted:
            _join(exchange, client, channel, name, desk, now)
        else:
            exchange.unsubscribe(client, name)
    _subscriptions(exchange, client, now)


def _join(exchange: Exchange, client: Client, channel: str, name: str, desk: Desk, now: int) -> None:
    """Add a client to a topic and show it the whole book or the latest trades; also if it was on it."""
    kind, interval = CHANNELS[channel]
    topic = desk.topics.get(name)
    if topic is not None:
        exchange.flush(topic, now)
    topic = exchange.subscribe(client, name, desk, kind, interval)
    if kind == TRADES:
        rows = _trades(desk, list(desk.recent)[::-1])
        exchange.show(client, topic, _parts("market_trades", now, f'{{"type":"snapshot","trades":[{rows}]}}'))
        return
    stamp = desk.stamp(exchange.venue_time(now), 1)
    exchange.witness(topic, None, stamp)
    updates = _updates(desk.market.bids.top(), desk.market.asks.top(), EPOCH)
    event = f'{{"type":"snapshot","product_id":"{desk.symbol}","updates":[{updates}]}}'
    exchange.show(client, topic, _parts("l2_data", stamp, event))


def _subscriptions(exchange: Exchange, client: Client, now: int) -> None:
    """Answer with the whole map of what is subscribed."""
    held: dict[str, list[str]] = {}
    for name in client.topics:
        channel, _, product = name.partition("/")
        held.setdefault(channel, []).append(product)
    if client.options.get("heartbeats"):
        held["heartbeats"] = ["heartbeats"]
    event = json.dumps({"subscriptions": held}, separators=(",", ":"))
    _send(exchange, client, _parts("subscriptions", now, event))


def _updates(bids: Changes, asks: Changes, when: str) -> str:
    """Write levels; asks are called offers."""
    rows = [
        f'{{"side":"{side}","event_time":"{when}","price_level":"{trimmed(price)}","new_quantity":"{trimmed(size)}"}}'
        for side, changes in (("bid", bids), ("offer", asks))
        for price, size in changes
    ]
    return ",".join(rows)


def _trades(desk: Desk, trades: list[tuple[Trade, int]]) -> str:
    """Write trades; `side` is the maker's."""
    rows = [
        f'{{"product_id":"{desk.symbol}","trade_id":"{FIRST_TRADE + trade.number}","price":"{trimmed(trade.price)}",'
        f'"size":"{trimmed(trade.size)}","time":"{rfc3339(ts)}","side":"{"SELL" if trade.taker_buys else "BUY"}"}}'
        for trade, ts in trades
    ]
    return ",".join(rows)


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish the levels that changed, or the trades since the last frame."""
    desk = topic.desk
    if topic.kind == TRADES:
        rows = _trades(desk, [(trade, now) for trade in reversed(topic.trades)])
        exchange.publish(topic, _parts("market_trades", now, f'{{"type":"update","trades":[{rows}]}}'))
        return
    stamp = desk.stamp(now, 1)
    exchange.witness(topic, None, stamp)
    updates = _updates(*topic.changes(), rfc3339(stamp))
    event = f'{{"type":"update","product_id":"{desk.symbol}","updates":[{updates}]}}'
    exchange.publish(topic, _parts("l2_data", stamp, event))


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Send a heartbeat each second to those who asked for it; end connections that asked for nothing."""
    if not client.options.get("heartbeats"):
        exchange.expire(client, IDLE_NS)
        return
    client.options["beats"] = client.options.get("beats", 0) + 1
    clock = rfc3339(now, 9).replace("T", " ").removesuffix("Z") + " +0000 UTC m=+1.5"
    event = f'{{"current_time":"{clock}","heartbeat_counter":{client.options["beats"]}}}'
    _send(exchange, client, _parts("heartbeats", now, event))


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: products."""
    if path != "/api/v3/brokerage/market/products":
        return None
    rows = [_product(desk) for desk in exchange.by_symbol.values()]
    return Reply(json.dumps({"products": rows, "num_products": len(rows)}, separators=(",", ":")).encode())


def _product(desk: Desk) -> dict[str, Any]:
    """Describe one product."""
    listing = desk.market.listing
    tick, lot = trimmed(listing.tick), trimmed(listing.lot)
    return {
        "product_id": listing.symbol, "price_increment": tick, "base_increment": lot, "quote_increment": tick,
        "base_min_size": lot, "base_max_size": "3400", "status": "online", "trading_disabled": False,
        "view_only": False, "is_disabled": False, "product_type": "SPOT", "base_currency_id": listing.base,
        "quote_currency_id": listing.quote, "alias": "", "alias_to": [],
    }  # fmt: skip


def _start_over(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count the frames of the sockets that carry the book from nothing again."""
    clients = [client for topic in desk.topics.values() if topic.kind == BOOK for client in topic.clients.values()]
    for client in clients:
        client.counter = 0
    return bool(clients)


DIALECT = Dialect(
    venue="coinbase",
    paths=("/coinbase",),
    decimals={"BTC": (2, 8), "ETH": (2, 8), "SOL": (2, 8), "XRP": (4, 6), "DOGE": (5, 1), "ADA": (4, 8),
              "AVAX": (2, 8), "DOT": (3, 8), "LINK": (3, 2)},
    other_decimals=(4, 8),
    book_interval=CHANNELS["level2"][1],
    trade_interval=CHANNELS["market_trades"][1],
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    render=_render,
    numbered=True,
    tricks={"sequence_reset": Trick(_start_over, GAP, "socket")},
    mark=b'"updates":[',
    bid=lambda desk, price, size: _updates([(price, size)], [], rfc3339(desk.ts_event)),
)  # fmt: skip
